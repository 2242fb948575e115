//! The mounts of the configuration, in its order. Each is made detached, gets its attributes, and
//! is then attached to a target that was resolved once, inside the root.

pub(in crate::plan) mod bind;
pub(in crate::plan) mod cgroup;
pub(in crate::plan) mod file_system;
pub(in crate::plan) mod options;
pub(in crate::plan) mod remount;
pub(in crate::plan) mod source;
pub(in crate::plan) mod table;

use configs::config::{Mount, MountAttr, MountFlags};
use nsenter::plan::{Dir, Expect, Leaf, Op, Slot};

use super::mounts::options::{Change, attributes_of};
use super::params::ProcessParams;
use super::rootfs::Rootfs;
use super::steps::{Steps, c_string, clean, seen_from};
use super::{CgroupView, sysctl};
use crate::{Error, Result};

/// `PROC_SUPER_MAGIC` of `statfs(2)`.
pub(super) const PROC_MAGIC: u64 = 0x9fa0;
/// Inode of the root directory of every procfs (`PROC_ROOT_INO`).
pub(super) const PROC_ROOT_INODE: u64 = 1;

/// Most mounts. Each takes five steps or more, of which a plan has 65536; the index of a mount in a
/// tag has 16 bits.
const MOST: u32 = 10_000;

/// Files of a procfs that may be replaced: those that lxcfs provides, and two that container
/// managers set.
const PROC_FILES: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

/// One mount of the configuration, with what its steps need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) index: u32,
    pub(super) mount: &'a Mount,
    /// The destination, cleaned.
    pub(super) point: &'a str,
}

impl Entry<'_> {
    /// What failures of its steps are called.
    pub(super) fn context(&self, action: &str) -> String {
        let source = self.shown_source();
        let destination = &self.mount.destination;
        format!("error mounting {source:?} to rootfs at {destination:?}: {action}")
    }

    fn shown_source(&self) -> &str {
        if self.mount.source.is_empty() {
            &self.mount.device
        } else {
            &self.mount.source
        }
    }
}

/// The steps of all mounts.
pub(super) fn all(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    view: &CgroupView,
    root: &mut Rootfs,
) -> Result<()> {
    for (index, mount) in params.config.mounts.iter().enumerate() {
        let point = inside(&params.config.rootfs, &mount.destination);
        let index = u32::try_from(index)
            .ok()
            .filter(|index| *index < MOST)
            .ok_or_else(|| Error::config(format!("mounts has more than {MOST} entries")))?;
        let entry = Entry {
            index,
            mount,
            point: &point,
        };
        check_destination(&entry)?;
        if is_remount(mount) {
            remount::remount(steps, params, view, root, &entry)?;
            continue;
        }
        one(steps, params, view, root, &entry)?;
        if !root.mount_namespace {
            steps.host_mount(entry.point.into());
        }
    }
    check_proc(steps, params, root)
}

/// Looks whether `/proc` ended up as what the configuration says: a mount that was made before it,
/// through a symbolic link of the image, may have come to lie there. After the procfs nothing can:
/// no path that is not written as one below `/proc` may lead onto a procfs.
fn check_proc(steps: &mut Steps, params: &ProcessParams<'_>, root: &Rootfs) -> Result<()> {
    let is_proc = |mount: &Mount| {
        inside(&params.config.rootfs, &mount.destination) == "/proc" && !is_remount(mount)
    };
    let mounts = &params.config.mounts;
    if !mounts.iter().any(is_proc) || mounts.first().is_some_and(is_proc) {
        return Ok(());
    }
    let into = steps.slot();
    steps.push(
        "open the container's /proc",
        Op::Open {
            dir: Dir::Slot(root.slot),
            path: c_string("path", "proc")?,
            flags: (libc::O_PATH | libc::O_DIRECTORY).cast_unsigned(),
            mode: 0,
            resolve: libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_SYMLINKS,
            into,
        },
    );
    steps.push(
        "check that the container's /proc is a procfs",
        Op::Verify {
            fd: into,
            expect: Expect {
                magic: Some(PROC_MAGIC),
                inode: Some(PROC_ROOT_INODE),
                ..Expect::default()
            },
        },
    );
    steps.close(into);
    Ok(())
}

fn one(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    view: &CgroupView,
    root: &mut Rootfs,
    entry: &Entry<'_>,
) -> Result<()> {
    if entry.mount.is_bind() {
        return bind::bind(steps, params, root, entry);
    }
    if entry.mount.id_mapping.is_some() {
        return Err(Error::config(format!(
            "mounts[{}]: only bind mounts can be id-mapped",
            entry.index
        )));
    }
    match entry.mount.device.as_str() {
        "proc" | "sysfs" => file_system::kernel_view(steps, params, root, entry),
        "cgroup" => cgroup::mount(steps, params, view, root, entry),
        _ => file_system::file_system(steps, params, root, entry),
    }
}

/// Whether the entry makes no mount, but changes the one that is there.
pub(super) fn is_remount(mount: &Mount) -> bool {
    mount.flags.contains(MountFlags::REMOUNT)
}

/// The destination, cleaned, as seen from inside. One that is given as a path on the host below the
/// root file system means the place there, not one of that name further down: bundles are written
/// like that.
pub(super) fn inside(rootfs: &str, destination: &str) -> String {
    let (rootfs, point) = (clean(rootfs), clean(destination));
    match seen_from(&rootfs, &point) {
        Some(below) => below.to_owned(),
        None => point,
    }
}

/// The rules for destinations that need no look at the file system.
fn check_destination(entry: &Entry<'_>) -> Result<()> {
    let (mount, point) = (entry.mount, entry.point);
    if mount.destination.contains('\0')
        || mount.source.contains('\0')
        || mount.device.contains('\0')
    {
        return Err(Error::config("mount field contains null byte"));
    }
    if point == "/" {
        return Err(Error::config(format!(
            "mountpoint {:?} is on the top of rootfs",
            mount.destination
        )));
    }
    if point == "/proc" {
        // A bind is looked at when its source is open.
        if mount.device != "proc" && !mount.is_bind() {
            return Err(Error::config(format!(
                "{point:?} cannot be mounted because it is not of type proc"
            )));
        }
    } else if point.starts_with("/proc/") && !PROC_FILES.contains(&point) {
        return Err(Error::config(format!(
            "{point:?} cannot be mounted because it is inside /proc"
        )));
    }
    Ok(())
}

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
        entry.context(&format!(
            "filesystem {kind:?} must be mounted on ordinary directory"
        )),
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

/// Whether the mount is made writable now and read-only at the end: later mounts and nodes go into
/// it.
pub(super) fn becomes_readonly_later(entry: &Entry<'_>) -> bool {
    let mount = entry.mount;
    let recursive = mount.rec_attr.unwrap_or_default();
    let own =
        mount.flags.contains(MountFlags::RDONLY) && recursive.attr_clr & MountAttr::RDONLY == 0;
    // The recursive attributes of a bind are for the whole tree, and set on it at once.
    let all = recursive.attr_set & MountAttr::RDONLY != 0 && !mount.is_bind();
    (own || all) && (mount.device == "tmpfs" || entry.point == "/dev")
}

/// The attributes of a new mount for now.
pub(super) fn attributes_now(entry: &Entry<'_>) -> u64 {
    let all = attributes_of(entry.mount, entry.mount.flags);
    if becomes_readonly_later(entry) {
        all & !MountAttr::RDONLY
    } else {
        all
    }
}

pub(super) fn flags_now(entry: &Entry<'_>) -> MountFlags {
    if becomes_readonly_later(entry) {
        entry.mount.flags.difference(MountFlags::RDONLY)
    } else {
        entry.mount.flags
    }
}

/// Hands an attached mount to whoever needs it later, or closes it.
pub(super) fn enter(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    root: &mut Rootfs,
    entry: &Entry<'_>,
    mount: Slot,
) {
    let later = becomes_readonly_later(entry);
    let takes_nodes = entry.point == "/dev" && !entry.mount.is_bind();
    let parameters = entry.point == "/proc"
        && sysctl::serves(entry.mount)
        && !root.mounts.is_changed_later(entry)
        && !params.config.sysctl.is_empty();
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
