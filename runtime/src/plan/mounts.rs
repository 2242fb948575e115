//! The mounts of the configuration, in its order. Each is made detached, gets its attributes, and is then attached to a
//! target that was resolved once, inside the root.

use configs::config::{Mount, MountAttr, MountFlags, NamespaceType};
use nsenter::plan::{Dir, Expect, FsOption, Leaf, Op, Slot};

use super::common::Common;
use super::mount_options::{Change, attributes, bind_change, options};
use super::rootfs::Rootfs;
use super::steps::{Steps, c_string, clean};
use super::{CgroupView, Tag, cgroup_mounts, sysctl};
use crate::{Error, ErrorKind, Result};

/// `PROC_SUPER_MAGIC` of `statfs(2)`.
pub(super) const PROC_MAGIC: u64 = 0x9fa0;

/// Files of a procfs that may be replaced: those that lxcfs provides, and two that container managers set.
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
        format!("{action} \"{}\" at \"{}\"", self.shown_source(), self.point)
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
    common: &Common<'_>,
    view: &CgroupView,
    root: &mut Rootfs,
) -> Result<()> {
    for (index, mount) in common.config.mounts.iter().enumerate() {
        let point = clean(&mount.destination);
        let index = u32::try_from(index)
            .ok()
            .filter(|index| *index < 0x1_0000)
            .ok_or_else(|| Error::config("mounts has more than 65536 entries"))?;
        let entry = Entry {
            index,
            mount,
            point: &point,
        };
        check_destination(&entry)?;
        one(steps, common, view, root, &entry)?;
        if !root.mount_namespace {
            steps.host_mount(
                format!("{}{point}", common.config.rootfs.trim_end_matches('/')).into(),
            );
        }
    }
    Ok(())
}

fn one(
    steps: &mut Steps,
    common: &Common<'_>,
    view: &CgroupView,
    root: &mut Rootfs,
    entry: &Entry<'_>,
) -> Result<()> {
    if entry.mount.is_bind() {
        return bind(steps, common, root, entry);
    }
    if entry.mount.flags.contains(MountFlags::REMOUNT) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("mounts[{}]: remount of what is no bind mount", entry.index),
        ));
    }
    match entry.mount.device.as_str() {
        "proc" | "sysfs" => kernel_view(steps, common, root, entry),
        "cgroup" => cgroup_mounts::mount(steps, common, view, root, entry),
        _ => file_system(steps, common, root, entry),
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
pub(super) fn target(steps: &mut Steps, root: Slot, entry: &Entry<'_>, leaf: Leaf) -> Result<Slot> {
    let into = steps.slot();
    let path = c_string("mounts.destination", entry.point)?;
    steps.push(
        format!("create mountpoint \"{}\"", entry.point),
        Op::MakePath {
            root,
            path,
            leaf,
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
}

/// Attaches the mount with its propagation.
///
/// What is attached below a shared mount becomes shared, so the propagation comes after the attachment, unless nothing
/// made so far can be shared: then it is set before, in one call with the attributes where that means the same.
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
    if !root.may_be_shared
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
        } = pending;
        steps.push(
            entry.context("set the flags of"),
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
    for Propagation { kind, recursive } in settings {
        steps.push(
            entry.context("set the propagation of"),
            Op::MountAttributes {
                mount,
                set: 0,
                clear: 0,
                propagation: kind,
                recursive,
                keep_locked: false,
            },
        );
    }
    if !root.may_be_shared {
        steps.push(entry.context("attach"), Op::Attach { mount, target });
    }
    steps.close(target);
    if entry
        .mount
        .propagation_flags
        .iter()
        .any(|flags| flags.intersects(MountFlags::SHARED))
    {
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

/// Whether the mount is made writable now and read-only at the end: later mounts and nodes go into it.
fn becomes_readonly_later(entry: &Entry<'_>) -> bool {
    entry.mount.flags.contains(MountFlags::RDONLY)
        && (entry.mount.device == "tmpfs" || entry.point == "/dev")
}

pub(super) fn flags_now(entry: &Entry<'_>) -> MountFlags {
    if becomes_readonly_later(entry) {
        entry.mount.flags.difference(MountFlags::RDONLY)
    } else {
        entry.mount.flags
    }
}

/// Hands an attached mount to whoever needs it later, or closes it.
pub(super) fn keep_or_close(steps: &mut Steps, root: &mut Rootfs, entry: &Entry<'_>, mount: Slot) {
    let later = becomes_readonly_later(entry);
    if entry.point == "/dev" {
        root.dev_is_bound = entry.mount.is_bind();
        if let Some(covered) = root.dev.take()
            && !root.readonly_later.iter().any(|(slot, _)| *slot == covered)
        {
            steps.close(covered);
        }
        if !entry.mount.is_bind() {
            root.dev = Some(mount);
        }
    }
    if later {
        root.readonly_later.push((mount, entry.point.to_owned()));
    }
    if !later && root.dev != Some(mount) {
        steps.close(mount);
    }
}

/// A bind mount: of the source as it is at this point, which may be what an earlier mount made.
fn bind(
    steps: &mut Steps,
    common: &Common<'_>,
    root: &mut Rootfs,
    entry: &Entry<'_>,
) -> Result<()> {
    let mount = entry.mount;
    if !mount.data.is_empty() {
        return Err(Error::config(
            "bind mounts cannot have any filesystem-specific options applied",
        ));
    }
    if !mount.source.starts_with('/') {
        return Err(Error::config(format!(
            "mounts[{}].source {:?} is not absolute",
            entry.index, mount.source
        )));
    }
    let tree = source(steps, common, entry)?;
    if entry.point == "/proc" {
        steps.push(
            format!("check that {:?} is a procfs", mount.source),
            Op::Verify {
                fd: tree,
                expect: Expect {
                    magic: Some(PROC_MAGIC),
                    ..Expect::default()
                },
            },
        );
    }
    if mount.id_mapping.is_some() {
        if common.config.rootless_euid {
            return Err(Error::config(
                "id-mapped mounts are not supported for rootless containers",
            ));
        }
        steps.push(
            entry.context("map the ids of"),
            Op::LendDescriptor {
                tag: Tag::IdMap(entry.index).number(),
                fd: tree,
            },
        );
    }
    let target = target(steps, root.slot, entry, Leaf::Like(tree))?;
    let wanted = Mount {
        flags: flags_now(entry),
        ..mount.clone()
    };
    let change = bind_change(&wanted);
    let lockable = common.in_user_namespace();
    let (explicit, rest) = if lockable {
        (change.explicit, change.rest)
    } else {
        // Nothing is locked, so one call does it.
        let all = Change {
            set: change.rest.set,
            clear: change.rest.clear | change.explicit.clear,
        };
        (Change::default(), all)
    };
    if !explicit.is_nothing() {
        attributes_of(
            steps,
            entry.context("clear flags of"),
            tree,
            explicit,
            false,
            false,
        );
    }
    let mut pending = Pending {
        change: rest,
        keep_locked: lockable,
    };
    if let Some(recursive) = &mount.rec_attr {
        // The attributes of the top mount come first: the recursive ones are on top of them.
        let Pending {
            change: top,
            keep_locked,
        } = std::mem::take(&mut pending);
        if !top.is_nothing() {
            attributes_of(
                steps,
                entry.context("set the flags of"),
                tree,
                top,
                false,
                keep_locked,
            );
        }
        let change = Change {
            set: recursive.attr_set,
            clear: recursive.attr_clr,
        };
        if !change.is_nothing() {
            attributes_of(
                steps,
                entry.context("set recursive attributes of"),
                tree,
                change,
                true,
                false,
            );
        }
    }
    attach(steps, root, entry, tree, target, pending);
    keep_or_close(steps, root, entry, tree);
    Ok(())
}

fn attributes_of(
    steps: &mut Steps,
    context: String,
    mount: Slot,
    change: Change,
    recursive: bool,
    keep_locked: bool,
) {
    steps.push(
        context,
        Op::MountAttributes {
            mount,
            set: change.set,
            clear: change.clear,
            propagation: 0,
            recursive,
            keep_locked,
        },
    );
}

/// The detached tree of a bind source.
///
/// In a user namespace the process may lack the right to reach the source although the parent has it: then the parent
/// opens it, below this process' root, so that it sees the mounts made so far.
fn source(steps: &mut Steps, common: &Common<'_>, entry: &Entry<'_>) -> Result<Slot> {
    let recursive = entry.mount.flags.contains(MountFlags::REC);
    let path = c_string("mounts.source", entry.mount.source.as_str())?;
    let tree = steps.slot();
    let own = Op::CloneTree {
        dir: Dir::Cwd,
        path,
        recursive,
        into: tree,
    };
    if !(common.has(NamespaceType::User) && common.host.effective_uid == 0) {
        steps.push(entry.context("open the source of the bind mount of"), own);
        return Ok(tree);
    }
    let (ask, opened) = (steps.label(), steps.label());
    steps.push_or(
        entry.context("open the source of the bind mount of"),
        own,
        &[libc::EACCES, libc::EPERM],
        ask,
    );
    steps.jump(opened);
    steps.bind(ask);
    let handle = steps.slot();
    steps.push(
        "open the root for the parent",
        Op::Open {
            dir: Dir::Cwd,
            path: c"/".to_owned(),
            flags: (libc::O_PATH | libc::O_DIRECTORY).cast_unsigned(),
            mode: 0,
            resolve: 0,
            into: handle,
        },
    );
    steps.push(
        "show the parent the root",
        Op::SendDescriptor {
            tag: Tag::Root.number(),
            fd: handle,
        },
    );
    steps.close(handle);
    let found = steps.slot();
    steps.push(
        entry.context("ask the parent for the source of the bind mount of"),
        Op::AskDescriptor {
            tag: Tag::Source(entry.index).number(),
            into: found,
        },
    );
    steps.push(
        entry.context("clone the source of the bind mount of"),
        Op::CloneTree {
            dir: Dir::Slot(found),
            path: c"".to_owned(),
            recursive,
            into: tree,
        },
    );
    steps.close(found);
    steps.bind(opened);
    Ok(tree)
}

/// A mount of proc or sysfs: only on a directory that no symbolic link led to, and without a label.
fn kernel_view(
    steps: &mut Steps,
    common: &Common<'_>,
    root: &mut Rootfs,
    entry: &Entry<'_>,
) -> Result<()> {
    let kind = entry.mount.device.as_str();
    let target = steps.slot();
    let path = c_string("mounts.destination", entry.point)?;
    steps.push(
        format!("filesystem {kind:?} must be mounted on ordinary directory"),
        Op::MakePlainDirectory {
            root: root.slot,
            path,
            into: target,
        },
    );
    let mut options = options(kind, flags_now(entry), &entry.mount.data)?;
    if kind == "proc"
        && let Some(path) = common.config.namespaces.path_of(NamespaceType::Pid)
        && root.outside_pid_namespace
    {
        // A new procfs shows the namespace of the process that makes it, unless it is told another one (Linux 6.17).
        options.push(FsOption::String(
            c"pidns".to_owned(),
            c_string("linux.namespaces.path", path)?,
        ));
    }
    let mount = new_mount(steps, entry, options, None)?;
    attach(steps, root, entry, mount, target, Pending::default());
    if entry.point == "/proc"
        && sysctl::serves(entry.mount)
        && !common.config.sysctl.is_empty()
        && root.procfs.is_none()
    {
        root.procfs = Some(mount);
    } else {
        keep_or_close(steps, root, entry, mount);
    }
    Ok(())
}

/// `fsopen` to `fsmount` for an entry.
fn new_mount(
    steps: &mut Steps,
    entry: &Entry<'_>,
    options: Vec<FsOption>,
    mode_of: Option<Slot>,
) -> Result<Slot> {
    let into = steps.slot();
    let source = if entry.mount.source.is_empty() {
        &entry.mount.device
    } else {
        &entry.mount.source
    };
    steps.push(
        entry.context("mount"),
        Op::NewMount {
            fstype: c_string("mounts.type", entry.mount.device.as_str())?,
            source: Some(c_string("mounts.source", source.as_str())?),
            options,
            mode_of,
            attributes: attributes(flags_now(entry)),
            into,
        },
    );
    Ok(into)
}

/// A new instance of any other file system.
fn file_system(
    steps: &mut Steps,
    common: &Common<'_>,
    root: &mut Rootfs,
    entry: &Entry<'_>,
) -> Result<()> {
    let mount = entry.mount;
    let kind = mount.device.as_str();
    if mount.id_mapping.is_some() {
        return Err(Error::config(format!(
            "mounts[{}]: only bind mounts can be id-mapped",
            entry.index
        )));
    }
    if mount
        .rec_attr
        .is_some_and(|change| change.attr_set | change.attr_clr != 0)
    {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "mounts[{}]: recursive attributes of what is no bind mount",
                entry.index
            ),
        ));
    }
    let mut options = options(kind, flags_now(entry), &mount.data)?;
    let label = common.config.mount_label.as_str();
    if !label.is_empty() && !matches!(kind, "mqueue" | "cgroup2") {
        options.push(FsOption::String(
            c"context".to_owned(),
            c_string("linux.mountLabel", label)?,
        ));
    }
    let target = target(steps, root.slot, entry, Leaf::Directory)?;
    // A directory that exists gives its mode to a tmpfs over it, and one that was made for it does not: the stub knows.
    let mode_of = (kind == "tmpfs").then_some(target);
    let tree = new_mount(steps, entry, options, mode_of)?;
    if mount.is_copy_up() {
        if kind != "tmpfs" {
            return Err(Error::config(format!(
                "mounts[{}]: tmpcopyup is for tmpfs only",
                entry.index
            )));
        }
        steps.push(
            entry.context("copy the content of the mount point to"),
            Op::CopyTree {
                from: target,
                to: tree,
            },
        );
    }
    attach(steps, root, entry, tree, target, Pending::default());
    if kind == "mqueue" && !label.is_empty() {
        steps.push(
            entry.context("label"),
            Op::SetXattr {
                fd: tree,
                name: c"security.selinux".to_owned(),
                value: label.as_bytes().to_vec(),
            },
        );
    }
    keep_or_close(steps, root, entry, tree);
    Ok(())
}

/// An empty read-only directory over the target, for what cannot be shown.
pub(super) fn empty_directory(steps: &mut Steps, entry: &Entry<'_>, into: Slot) {
    steps.push(
        entry.context("hide"),
        Op::NewMount {
            fstype: c"tmpfs".to_owned(),
            source: Some(c"tmpfs".to_owned()),
            options: Vec::new(),
            mode_of: None,
            attributes: MountAttr::RDONLY
                | MountAttr::NOSUID
                | MountAttr::NODEV
                | MountAttr::NOEXEC,
            into,
        },
    );
}
