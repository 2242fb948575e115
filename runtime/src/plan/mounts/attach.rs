//! Attaching a mount: its target, its propagation, and who needs it afterwards.

use configs::config::MountFlags;
use nsenter::plan::{Leaf, Op, Slot};

use super::entry::{Entry, becomes_readonly_later};
use super::options::Change;
use crate::Result;
use crate::plan::params::ProcessParams;
use crate::plan::rootfs::Rootfs;
use crate::plan::steps::{Steps, c_string};
use crate::plan::sysctl;

/// How the action of a step begins that makes a mount point which must not be reached by a link.
pub(crate) const PLAIN_DIRECTORY: &str = "create an ordinary directory for ";

/// A mount point below the root, made if it is missing.
pub(super) fn target(
    steps: &mut Steps,
    root: &Rootfs,
    entry: &Entry<'_>,
    leaf: Leaf,
) -> Result<Slot> {
    let into = steps.slot();
    let place = root.mounts.place_of_mount_point(root.slot, entry.point);
    let (root, path) = (place.root, c_string("mounts.destination", place.path)?);
    steps.push(
        entry.context("create mountpoint"),
        Op::MakePath {
            root,
            path,
            leaf,
            into,
        },
    );
    Ok(into)
}

/// The same for proc and sysfs: an ordinary directory that no symbolic link led to.
pub(super) fn plain_directory(steps: &mut Steps, root: &Rootfs, entry: &Entry<'_>) -> Result<Slot> {
    let into = steps.slot();
    let place = root.mounts.place_of_mount_point(root.slot, entry.point);
    let kind = entry.mount.device.as_str();
    steps.push(
        entry.context(&format!("{PLAIN_DIRECTORY}filesystem {kind:?}")),
        Op::MakePlainDirectory {
            root: place.root,
            path: c_string("mounts.destination", place.path)?,
            into,
        },
    );
    Ok(into)
}

/// A change of a mount's own attributes that may be made together with its propagation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pending {
    pub(super) change: Change,
    pub(super) keep_locked: bool,
    /// The first propagation of the configuration is set already, see [`isolate`].
    pub(super) isolated: bool,
}

/// Ends propagation into a tree, if the configuration wants that, before anything else is done with
/// it: what is mounted on the host meanwhile would appear in the tree, in the middle of a change or
/// after it, without the attributes of the others (Linux 6.15 propagates into detached trees, too).
/// Gives whether that was the first of the propagation flags.
pub(super) fn isolate(steps: &mut Steps, root: &Rootfs, entry: &Entry<'_>, tree: Slot) -> bool {
    let mount = entry.mount;
    let Some(first) = mount.propagation_flags.first() else {
        return false;
    };
    let ends = first.intersects(MountFlags::PRIVATE | MountFlags::UNBINDABLE)
        && first.contains(MountFlags::REC)
        && mount.flags.contains(MountFlags::REC);
    let whole_tree = mount.rec_attr.is_some()
        || mount
            .id_mapping
            .as_ref()
            .is_some_and(|mapping| mapping.recursive);
    if !ends || root.may_be_shared && !whole_tree {
        return false;
    }
    steps.push(
        entry.context("set propagation"),
        Op::MountAttributes {
            mount: tree,
            set: 0,
            clear: 0,
            propagation: first.difference(MountFlags::REC).bits().into(),
            recursive: true,
            keep_locked: false,
        },
    );
    // Attached below a shared mount the tree becomes shared: then the propagation is set once more.
    !root.may_be_shared
}

/// Attaches the mount with its propagation.
///
/// What is attached below a shared mount becomes shared, so the propagation comes after the
/// attachment, unless nothing made so far can be shared: then it is set before, in one call with
/// the attributes where that means the same.
pub(super) fn attach(
    steps: &mut Steps,
    root: &mut Rootfs,
    entry: &Entry<'_>,
    mount: Slot,
    target: Slot,
    pending: Pending,
) {
    let lone = !entry.mount.flags.contains(MountFlags::REC);
    let mut settings = entry
        .mount
        .propagation_flags
        .iter()
        .map(|flags| Propagation::of(*flags, lone));
    let mut first = Propagation::default();
    if pending.isolated {
        let _ = settings.next();
    } else if !root.may_be_shared
        && entry
            .mount
            .propagation_flags
            .first()
            .is_some_and(|flags| !Propagation::of(*flags, lone).recursive)
    {
        first = settings.next().unwrap_or_default();
    }
    if !pending.change.is_nothing() || first.kind != 0 {
        let Pending {
            change,
            keep_locked,
            ..
        } = pending;
        steps.push(
            entry.context("set flags"),
            Op::MountAttributes {
                mount,
                set: change.set,
                clear: change.clear,
                propagation: first.kind,
                recursive: false,
                keep_locked,
            },
        );
    }
    if root.may_be_shared {
        steps.push(entry.context("attach"), Op::Attach { mount, target });
    }
    for setting in settings {
        propagate(steps, entry, mount, setting);
    }
    if !root.may_be_shared {
        steps.push(entry.context("attach"), Op::Attach { mount, target });
    }
    steps.close(target);
    note_sharing(root, entry);
}

/// Sets the propagation of a mount that is attached already, and may have others below.
pub(super) fn propagate_attached(
    steps: &mut Steps,
    root: &mut Rootfs,
    entry: &Entry<'_>,
    mount: Slot,
) {
    for flags in &entry.mount.propagation_flags {
        propagate(steps, entry, mount, Propagation::of(*flags, false));
    }
    note_sharing(root, entry);
}

fn propagate(steps: &mut Steps, entry: &Entry<'_>, mount: Slot, setting: Propagation) {
    steps.push(
        entry.context("set propagation"),
        Op::MountAttributes {
            mount,
            set: 0,
            clear: 0,
            propagation: setting.kind,
            recursive: setting.recursive,
            keep_locked: false,
        },
    );
}

fn note_sharing(root: &mut Rootfs, entry: &Entry<'_>) {
    let shares = |flags: &MountFlags| flags.intersects(MountFlags::SHARED);
    if entry.mount.propagation_flags.iter().any(shares) {
        root.may_be_shared = true;
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Propagation {
    kind: u64,
    recursive: bool,
}

impl Propagation {
    /// A propagation flag; recursion means nothing for a tree of one mount.
    fn of(flags: MountFlags, lone: bool) -> Self {
        Self {
            kind: flags.difference(MountFlags::REC).bits().into(),
            recursive: flags.contains(MountFlags::REC) && !lone,
        }
    }
}

/// Whether the mount takes the device nodes.
fn takes_nodes(entry: &Entry<'_>) -> bool {
    entry.point == "/dev" && !entry.mount.is_bind()
}

/// Whether the kernel's parameters are set on the mount.
fn takes_parameters(params: &ProcessParams<'_>, root: &Rootfs, entry: &Entry<'_>) -> bool {
    entry.point == "/proc"
        && sysctl::serves(entry.mount)
        && !root.mounts.is_changed_later(entry)
        && !params.config.sysctl.is_empty()
}

/// Whether a step after the one that attaches the mount needs it.
pub(super) fn is_needed_later(
    params: &ProcessParams<'_>,
    root: &Rootfs,
    entry: &Entry<'_>,
) -> bool {
    becomes_readonly_later(entry)
        || takes_nodes(entry)
        || takes_parameters(params, root, entry)
        || root.mounts.is_changed_later(entry)
        || root.mounts.is_looked_up_later(entry)
        || !entry.mount.propagation_flags.is_empty()
}

/// Keeps an attached mount open for the steps that need it later, or closes it.
pub(super) fn enter(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    root: &mut Rootfs,
    entry: &Entry<'_>,
    mount: Slot,
) {
    let later = becomes_readonly_later(entry);
    let takes_nodes = takes_nodes(entry);
    let parameters = takes_parameters(params, root, entry);
    if entry.point == "/dev" {
        root.dev_is_bound = entry.mount.is_bind();
        root.dev = takes_nodes.then_some(mount);
    }
    if parameters {
        root.procfs = Some(mount);
    }
    if later {
        root.readonly_later.push((mount, entry.point.to_owned()));
    }
    let wanted = later || takes_nodes || parameters || root.mounts.is_changed_later(entry);
    root.mounts.enter(steps, entry, mount, wanted);
}
