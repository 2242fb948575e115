//! New instances of file systems.

use configs::config::{Mount, MountAttr};
use nsenter::plan::{Dir, Expect, FsOption, Leaf, Op, Slot};

use super::attach::{Pending, attach, enter, is_needed_later, plain_directory, target};
use super::entry::{Entry, attributes_now, flags_now, shown_source};
use super::options::{options, source};
use crate::plan::params::ProcessParams;
use crate::plan::rootfs::Rootfs;
use crate::plan::steps::{Steps, c_string};
use crate::{Error, Result};

/// `SYSFS_MAGIC` of `statfs(2)`.
const SYSFS_MAGIC: u64 = 0x6265_6572;

/// A mount of proc or sysfs: only on a directory that no symbolic link led to, and without a label.
pub(in crate::plan) fn kernel_view(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    root: &mut Rootfs,
    entry: &Entry<'_>,
) -> Result<()> {
    let kind = entry.mount.device.as_str();
    let target = plain_directory(steps, root, entry)?;
    let mut options = options(kind, flags_now(entry), &entry.mount.data)?;
    if kind == "proc"
        && let Some(namespace) = root.pid_namespace
    {
        // A new procfs shows the namespace of the process that makes it, unless it is given another
        // one (Linux 6.17).
        options.push(FsOption::Descriptor(c"pidns".to_owned(), namespace));
    }
    let into = steps.slot();
    let op = new_mount(entry, options, None, into)?;
    if kind == "sysfs" && params.in_user_namespace() {
        let (refused, done) = (steps.label(), steps.label());
        steps.push_or(entry.context("mount"), op, &[libc::EPERM], refused);
        steps.jump(done);
        steps.bind(refused);
        host_sysfs(steps, entry, into);
        steps.bind(done);
    } else {
        steps.push(entry.context("mount"), op);
    }
    attach(steps, root, entry, into, target, Pending::default());
    enter(steps, params, root, entry, into);
    Ok(())
}

/// The host's `/sys`, where the kernel mounts no sysfs: it shows the network namespace of the
/// process, and does so only if that belongs to the process' user namespace. Read-only all through:
/// what is mounted in it, control groups among that, may belong to the user who starts the
/// container.
fn host_sysfs(steps: &mut Steps, entry: &Entry<'_>, into: Slot) {
    steps.push(
        entry.context("bind the host's /sys"),
        Op::CloneTree {
            dir: Dir::Cwd,
            path: c"/sys".to_owned(),
            recursive: true,
            into,
        },
    );
    steps.push(
        entry.context("check that the host's /sys is a sysfs"),
        Op::Verify {
            fd: into,
            expect: Expect {
                magic: Some(SYSFS_MAGIC),
                ..Expect::default()
            },
        },
    );
    let kept = MountAttr::NOSUID | MountAttr::NODEV | MountAttr::NOEXEC | MountAttr::NOSYMFOLLOW;
    steps.push(
        entry.context("set flags"),
        Op::MountAttributes {
            mount: into,
            set: attributes_now(entry) & kept | MountAttr::RDONLY,
            clear: 0,
            propagation: libc::MS_PRIVATE,
            recursive: true,
            keep_locked: false,
        },
    );
}

/// Whether `mount(2)` and `fsconfig(2)` mean the same by options and source: the kernel's own file
/// systems, which have neither devices nor helpers.
fn is_simple(kind: &str) -> bool {
    matches!(kind, "tmpfs" | "devpts" | "mqueue")
}

/// `fsopen` to `fsmount` for an entry.
fn new_mount(
    entry: &Entry<'_>,
    options: Vec<FsOption>,
    mode_of: Option<Slot>,
    into: Slot,
) -> Result<Op> {
    Ok(Op::NewMount {
        fstype: c_string("mounts.type", entry.mount.device.as_str())?,
        source: Some(source(entry.index, shown_source(entry.mount))?),
        options,
        mode_of,
        attributes: attributes_now(entry),
        into,
    })
}

/// A new instance of any other file system.
pub(in crate::plan) fn file_system(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    root: &mut Rootfs,
    entry: &Entry<'_>,
) -> Result<()> {
    let mount = entry.mount;
    let kind = mount.device.as_str();
    let data = if kind == "devpts" && has_no_options(mount) {
        terminals(params)
    } else {
        mount.data.clone()
    };
    let mut options = options(kind, flags_now(entry), &data)?;
    let label = params.config.mount_label.as_str();
    if !label.is_empty() && !matches!(kind, "mqueue" | "cgroup2") {
        options.push(FsOption::String(
            c"context".to_owned(),
            c_string("linux.mountLabel", label)?,
        ));
    }
    let labelled = kind == "mqueue" && !label.is_empty();
    // The mode of what it is mounted on, if that is there.
    let takes_mode = kind == "tmpfs" && !names_mode(&options);
    let simple = is_simple(kind)
        && !takes_mode
        && !mount.is_copy_up()
        && !labelled
        && !is_needed_later(params, root, entry);
    if simple {
        return at_once(steps, root, entry, options);
    }
    let target = target(steps, root, entry, Leaf::Directory)?;
    // A directory that exists gives its mode to a tmpfs over it, and one that was made for it does
    // not: the stub knows.
    let mode_of = takes_mode.then_some(target);
    let tree = steps.slot();
    steps.push(
        entry.context("mount"),
        new_mount(entry, options, mode_of, tree)?,
    );
    if mount.is_copy_up() {
        if kind != "tmpfs" {
            return Err(Error::config(format!(
                "mounts[{}]: tmpcopyup is for tmpfs only",
                entry.index
            )));
        }
        steps.push(
            entry.context("copy the content of the mount point"),
            Op::CopyTree {
                from: target,
                to: tree,
            },
        );
    }
    attach(steps, root, entry, tree, target, Pending::default());
    if labelled {
        steps.push(
            entry.context("label"),
            Op::SetXattr {
                fd: tree,
                name: c"security.selinux".to_owned(),
                value: label.as_bytes().to_vec(),
            },
        );
    }
    enter(steps, params, root, entry, tree);
    Ok(())
}

/// A mount that nothing is done with afterwards: one step makes and attaches it.
fn at_once(
    steps: &mut Steps,
    root: &mut Rootfs,
    entry: &Entry<'_>,
    options: Vec<FsOption>,
) -> Result<()> {
    let fstype = c_string("mounts.type", entry.mount.device.as_str())?;
    let source = Some(source(entry.index, shown_source(entry.mount))?);
    let attributes = attributes_now(entry);
    let place = root.mounts.place_of_mount_point(root.slot, entry.point);
    let name = place.path.trim_matches('/');
    if place.fresh && !name.is_empty() && !name.contains('/') {
        steps.push(
            entry.context("mount"),
            Op::MountIn {
                dir: place.root,
                name: c_string("mounts.destination", name)?,
                fstype,
                source,
                options,
                attributes,
            },
        );
    } else {
        let target = target(steps, root, entry, Leaf::Directory)?;
        steps.push(
            entry.context("mount"),
            Op::MountOn {
                target,
                fstype,
                source,
                options,
                attributes,
            },
        );
        steps.close(target);
    }
    root.mounts.enter_closed(entry);
    Ok(())
}

fn has_no_options(mount: &Mount) -> bool {
    mount.data.is_empty()
        && mount.flags.is_empty()
        && mount.cleared_flags.is_empty()
        && mount.rec_attr.is_none()
}

/// The options of a devpts for which none are given: users can open terminals. The group of
/// terminals is 5 everywhere.
fn terminals(params: &ProcessParams<'_>) -> String {
    const TTY: u32 = 5;
    let group = if params.in_user_namespace() {
        let maps = &params.config.gid_mappings;
        maps.iter()
            .any(|map| (map.container_id..map.container_id.saturating_add(map.size)).contains(&TTY))
    } else {
        true
    };
    let group = if group { ",gid=5" } else { "" };
    format!("newinstance,ptmxmode=0666,mode=0620{group}")
}

/// Whether the mode is among the options.
fn names_mode(options: &[FsOption]) -> bool {
    options
        .iter()
        .any(|option| matches!(option, FsOption::String(name, _) if name.as_bytes() == b"mode"))
}

/// An empty read-only directory over the target, for what cannot be shown.
pub(in crate::plan) fn empty_directory(steps: &mut Steps, entry: &Entry<'_>, into: Slot) {
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
