//! Remounts: entries of the configuration that change a mount and make none.
//!
//! As for `mount(2)` with `MS_REMOUNT`, source and type count for nothing. With `bind` only the
//! mount is changed, without it its file system as well. The flags become exactly those of the
//! entry.

use nsenter::plan::{Op, Slot};

use super::attach::{Pending, plain_directory, propagate_attached, target};
use super::bind::{attributes_of, explicit_first, set_recursive};
use super::entry::{Entry, becomes_readonly_later, flags_now};
use super::options::{exact_change, remount_options};
use crate::plan::params::ProcessParams;
use crate::plan::request::CgroupView;
use crate::plan::rootfs::Rootfs;
use crate::plan::steps::Steps;
use crate::{Error, ErrorKind, Result};

/// Changes the mount at the destination.
///
/// A mount of the configuration is changed by its handle, so that names of the root file system
/// that are exchanged meanwhile lead the change to no other mount. Only what came with a recursive
/// bind is looked up by its path.
pub(in crate::plan) fn remount(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    view: &CgroupView,
    root: &mut Rootfs,
    entry: &Entry<'_>,
) -> Result<()> {
    refuse(view, entry)?;
    let (changed, opened) = match root.mounts.handle_of(entry.point) {
        Some(slot) => (slot, false),
        None => (found(steps, root, entry)?, true),
    };
    // The last entry counts: the mount may be read-only no longer.
    root.readonly_later
        .retain(|(_, point)| point.as_str() != entry.point);
    let wanted = configs::config::Mount {
        flags: flags_now(entry),
        ..entry.mount.clone()
    };
    if !wanted.is_bind() {
        steps.push(
            entry.context("remount"),
            Op::Reconfigure {
                mount: changed,
                options: remount_options(wanted.flags, &wanted.data)?,
            },
        );
    }
    let change = exact_change(&wanted, params.host.nosymfollow);
    let Pending {
        change,
        keep_locked,
        ..
    } = explicit_first(steps, params, entry, changed, change);
    let context = entry.context("set flags");
    attributes_of(steps, context, changed, change, false, keep_locked);
    set_recursive(steps, entry, changed);
    propagate_attached(steps, root, entry, changed);
    let later = becomes_readonly_later(entry);
    if later {
        root.readonly_later.push((changed, entry.point.to_owned()));
    }
    match (opened, later) {
        (true, true) => root.mounts.keep(changed),
        (true, false) => steps.close(changed),
        (false, _) => {}
    }
    Ok(())
}

/// What is at the destination. If that is not a mount point, the kernel refuses to change it.
fn found(steps: &mut Steps, root: &Rootfs, entry: &Entry<'_>) -> Result<Slot> {
    match entry.mount.device.as_str() {
        "proc" | "sysfs" => plain_directory(steps, root, entry),
        _ => target(steps, root, entry, nsenter::plan::Leaf::Directory),
    }
}

/// What a remount cannot do.
fn refuse(view: &CgroupView, entry: &Entry<'_>) -> Result<()> {
    let mount = entry.mount;
    let what = if mount.id_mapping.is_some() {
        "the ids of a mount cannot be mapped by a remount"
    } else if mount.is_copy_up() {
        "tmpcopyup is for new mounts"
    } else if mount.device == "cgroup" && matches!(view, CgroupView::Legacy(_)) {
        "the mounts of several cgroup v1 hierarchies cannot be changed by one remount"
    } else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("mounts[{}]: {what}", entry.index),
    ))
}
