//! Hidden and read-only paths.

use std::collections::BTreeSet;
use std::ffi::CString;

use nsenter::plan::{Dir, Expect, Op, Slot};

use super::requested::Requested;
use super::rootfs::Rootfs;
use super::steps::{Steps, c_string, clean};
use crate::Result;

/// `readonlyPaths`, then `maskedPaths`: a path in both ends up hidden.
pub(super) fn apply(steps: &mut Steps, requested: &Requested<'_>, root: &Rootfs) -> Result<()> {
    let config = requested.config;
    for (root, paths) in by_mount("linux.readonlyPaths", &config.readonly_paths, root)? {
        steps.push("make paths read-only", Op::ReadonlyPaths { root, paths });
    }
    let masked = by_mount("linux.maskedPaths", &config.mask_paths, root)?;
    if masked.is_empty() {
        return Ok(());
    }
    let null = steps.slot();
    let place = root.mounts.place(root.slot, "/dev/null");
    steps.push(
        "open /dev/null for masking",
        Op::Open {
            dir: Dir::Slot(place.root),
            path: c_string("path", place.path)?,
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
    let label = requested.config.mount_label.as_str();
    let context = if label.is_empty() {
        None
    } else {
        Some(c_string("linux.mountLabel", label)?)
    };
    for (root, paths) in masked {
        let context = context.clone();
        steps.push(
            "mask paths",
            Op::Mask {
                root,
                paths,
                null,
                context,
            },
        );
    }
    steps.close(null);
    Ok(())
}

/// The paths with the mounts they are on.
fn by_mount(field: &str, list: &[String], root: &Rootfs) -> Result<Vec<(Slot, Vec<CString>)>> {
    let mut groups: Vec<(Slot, Vec<CString>)> = Vec::new();
    for path in paths(list) {
        let place = root.mounts.place(root.slot, &path);
        let path = c_string(field, place.path)?;
        match groups.iter_mut().find(|(slot, _)| *slot == place.root) {
            Some((_, paths)) => paths.push(path),
            None => groups.push((place.root, vec![path])),
        }
    }
    Ok(groups)
}

/// The paths cleaned, each once, in their order.
fn paths(list: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    list.iter()
        .filter(|path| !path.is_empty())
        .map(|path| clean(path))
        .filter(|path| seen.insert(path.clone()))
        .collect()
}
