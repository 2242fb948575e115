//! A machine that has everything a configuration can ask for, so that no rule hides the next one.

use configs::{HostInfo, IntelRdtSupport, RootfsFact};
use seccomp::FilterFlag;

/// What `configs` wants to know of it.
pub(crate) fn host_info(cgroup_v2: bool) -> HostInfo {
    HostInfo {
        cgroup_v2,
        selinux: true,
        seccomp_flags: FilterFlag::ALL.to_vec(),
        intel_rdt: IntelRdtSupport {
            enabled: true,
            cat: true,
            mba: true,
        },
        rootfs: RootfsFact::NotExamined,
        ..HostInfo::default()
    }
}
