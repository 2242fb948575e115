//! The protection of kernel files that was one switch in 2014.

use crate::Config;

/// Files of the kernel that a container must not write.
const READONLY: [&str; 4] = ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"];

/// The memory of the kernel, which a container must not read.
const MASKED: &str = "/proc/kcore";

/// Protects them. `/sys` is mounted read-only besides.
pub(super) fn apply(config: &mut Config) {
    config.readonly_paths = READONLY.map(str::to_owned).to_vec();
    config.mask_paths = vec![MASKED.to_owned()];
}
