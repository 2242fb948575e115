//! Hidden and read-only paths.

use std::collections::BTreeSet;
use std::ffi::CString;

use nsenter::plan::{Dir, Op, Slot};

use super::params::ProcessParams;
use super::rootfs::Rootfs;
use super::steps::{Steps, c_string, clean};
use crate::{Error, Result};

/// `readonlyPaths`, then `maskedPaths`: a path in both ends up hidden.
pub(super) fn apply(steps: &mut Steps, params: &ProcessParams<'_>, root: &Rootfs) -> Result<()> {
    let config = params.config;
    let readonly = placed("linux.readonlyPaths", &config.readonly_paths, root)?;
    if !readonly.is_empty() {
        steps.push("make paths read-only", Op::ReadonlyPaths(readonly));
    }
    let masked = placed("linux.maskedPaths", &config.mask_paths, root)?;
    if masked.is_empty() {
        return Ok(());
    }
    // A mount on the root of a process is only seen by those who enter it anew.
    if masked
        .iter()
        .any(|(on, path)| *on == root.slot && path.as_bytes() == b"/")
    {
        return Err(Error::config(
            "linux.maskedPaths: the root of the container cannot be hidden from it",
        ));
    }
    let null = steps.slot();
    let place = root.mounts.place(root.slot, "/dev/null");
    // A container that supplies its own /dev may have put anything there: the step looks at what it
    // is.
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
    let label = params.config.mount_label.as_str();
    let context = if label.is_empty() {
        None
    } else {
        Some(c_string("linux.mountLabel", label)?)
    };
    steps.push(
        "mask paths",
        Op::Mask {
            paths: masked,
            null,
            context,
        },
    );
    steps.close(null);
    Ok(())
}

/// The paths, each with the mount it is on.
fn placed(field: &str, list: &[String], root: &Rootfs) -> Result<Vec<(Slot, CString)>> {
    paths(list)
        .iter()
        .map(|path| {
            let place = root.mounts.place(root.slot, path);
            Ok((place.root, c_string(field, place.path)?))
        })
        .collect()
}

/// The paths cleaned, each once, in their order: that of the entries of a step.
pub(crate) fn paths(list: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    list.iter()
        .filter(|path| !path.is_empty())
        .map(|path| clean(path))
        .filter(|path| seen.insert(path.clone()))
        .collect()
}
