//! Hidden and read-only paths.

use std::collections::BTreeSet;
use std::ffi::CString;

use nsenter::plan::{Dir, Expect, Op};

use super::common::Common;
use super::rootfs::Rootfs;
use super::steps::{Steps, c_string, clean};
use crate::Result;

/// `readonlyPaths`, then `maskedPaths`: a path in both ends up hidden.
pub(super) fn apply(steps: &mut Steps, common: &Common<'_>, root: &Rootfs) -> Result<()> {
    let config = common.config;
    let readonly = paths("linux.readonlyPaths", &config.readonly_paths)?;
    if !readonly.is_empty() {
        steps.push(
            "make paths read-only",
            Op::ReadonlyPaths {
                root: root.slot,
                paths: readonly,
            },
        );
    }
    let masked = paths("linux.maskedPaths", &config.mask_paths)?;
    if masked.is_empty() {
        return Ok(());
    }
    let null = steps.slot();
    steps.push(
        "open /dev/null for masking",
        Op::Open {
            dir: Dir::Slot(root.slot),
            path: c"dev/null".to_owned(),
            flags: (libc::O_PATH | libc::O_NOFOLLOW).cast_unsigned(),
            mode: 0,
            resolve: libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS,
            into: null,
        },
    );
    // A container that supplies its own /dev may have put anything there.
    steps.push(
        "check that /dev/null is the null device",
        Op::Verify {
            fd: null,
            expect: Expect {
                file_type: Some(libc::S_IFCHR),
                device: Some((1, 3)),
                ..Expect::default()
            },
        },
    );
    let label = common.config.mount_label.as_str();
    let context = if label.is_empty() {
        None
    } else {
        Some(c_string("linux.mountLabel", label)?)
    };
    steps.push(
        "mask paths",
        Op::Mask {
            root: root.slot,
            paths: masked,
            null,
            context,
        },
    );
    steps.close(null);
    Ok(())
}

/// The paths cleaned, each once, in their order. The root itself is none of them.
fn paths(field: &str, list: &[String]) -> Result<Vec<CString>> {
    let mut seen = BTreeSet::new();
    list.iter()
        .filter(|path| !path.is_empty())
        .map(|path| clean(path))
        .filter(|path| seen.insert(path.clone()))
        .map(|path| c_string(field, path))
        .collect()
}
