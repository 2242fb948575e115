//! One mount of the configuration: what its steps need, and when it becomes read-only.

use configs::config::{Mount, MountAttr, MountFlags};

use super::options::attributes_of;
use crate::plan::steps::{clean, seen_from};

/// What the description of a step of a mount begins with.
pub(crate) const MOUNT_STEP: &str = "mount ";

/// One mount of the configuration, with what its steps need.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct Entry<'a> {
    pub(in crate::plan) index: u32,
    pub(in crate::plan) mount: &'a Mount,
    /// The destination, cleaned.
    pub(in crate::plan) point: &'a str,
    /// What the descriptions of its steps begin with: [`name`].
    pub(in crate::plan) name: &'a str,
}

impl Entry<'_> {
    /// The description of one of its steps.
    pub(in crate::plan) fn context(&self, action: &str) -> String {
        [self.name, action].concat()
    }
}

/// What the descriptions of the steps of a mount begin with.
pub(in crate::plan) fn name(mount: &Mount) -> String {
    let (source, destination) = (shown_source(mount), &mount.destination);
    format!("{MOUNT_STEP}{source:?} at {destination:?}: ")
}

/// The source, or the type of a file system that has none.
pub(in crate::plan) fn shown_source(mount: &Mount) -> &str {
    if mount.source.is_empty() {
        &mount.device
    } else {
        &mount.source
    }
}

/// Whether the entry makes no mount, but changes the one that is there.
pub(crate) fn is_remount(mount: &Mount) -> bool {
    mount.flags.contains(MountFlags::REMOUNT)
}

/// The destination, cleaned, as seen from inside. One that is given as a path on the host below the
/// root file system means the place there, not one of that name further down: bundles are written
/// like that.
pub(crate) fn inside(rootfs: &str, destination: &str) -> String {
    inside_clean(&clean(rootfs), destination)
}

/// The same of a root file system whose path is clean.
pub(in crate::plan) fn inside_clean(rootfs: &str, destination: &str) -> String {
    let point = clean(destination);
    match seen_from(rootfs, &point) {
        Some(below) => below.to_owned(),
        None => point,
    }
}

/// Whether the mount is made writable now and read-only at the end: later mounts and nodes go into
/// it.
pub(in crate::plan) fn becomes_readonly_later(entry: &Entry<'_>) -> bool {
    let mount = entry.mount;
    let recursive = mount.rec_attr.unwrap_or_default();
    let own =
        mount.flags.contains(MountFlags::RDONLY) && recursive.attr_clr & MountAttr::RDONLY == 0;
    // The recursive attributes of a bind are for the whole tree, and set on it at once.
    let all = recursive.attr_set & MountAttr::RDONLY != 0 && !mount.is_bind();
    (own || all) && (mount.device == "tmpfs" || entry.point == "/dev")
}

/// The attributes of a new mount for now.
pub(in crate::plan) fn attributes_now(entry: &Entry<'_>) -> u64 {
    let all = attributes_of(entry.mount, entry.mount.flags);
    if becomes_readonly_later(entry) {
        all & !MountAttr::RDONLY
    } else {
        all
    }
}

pub(in crate::plan) fn flags_now(entry: &Entry<'_>) -> MountFlags {
    if becomes_readonly_later(entry) {
        entry.mount.flags.difference(MountFlags::RDONLY)
    } else {
        entry.mount.flags
    }
}
