//! New instances of file systems.

use configs::config::MountAttr;
use nsenter::plan::{FsOption, Leaf, Op, Slot};

use super::mount_options::{attributes, options};
use super::mounts::{Entry, Pending, attach, enter, flags_now, target};
use super::requested::Requested;
use super::rootfs::Rootfs;
use super::steps::{Steps, c_string};
use crate::{Error, ErrorKind, Result};

/// A mount of proc or sysfs: only on a directory that no symbolic link led to, and without a label.
pub(super) fn kernel_view(
    steps: &mut Steps,
    requested: &Requested<'_>,
    root: &mut Rootfs,
    entry: &Entry<'_>,
) -> Result<()> {
    let kind = entry.mount.device.as_str();
    let target = steps.slot();
    let place = root.mounts.place_of_mount_point(root.slot, entry.point);
    steps.push(
        entry.context(&format!(
            "filesystem {kind:?} must be mounted on ordinary directory"
        )),
        Op::MakePlainDirectory {
            root: place.root,
            path: c_string("mounts.destination", place.path)?,
            into: target,
        },
    );
    let mut options = options(kind, flags_now(entry), &entry.mount.data)?;
    if kind == "proc"
        && let Some(namespace) = root.pid_namespace
    {
        // A new procfs shows the namespace of the process that makes it, unless it is told another one (Linux 6.17).
        options.push(FsOption::Descriptor(c"pidns".to_owned(), namespace));
    }
    let mount = new_mount(steps, entry, options, None)?;
    attach(steps, root, entry, mount, target, Pending::default());
    enter(steps, requested, root, entry, mount);
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
pub(super) fn file_system(
    steps: &mut Steps,
    requested: &Requested<'_>,
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
    let label = requested.config.mount_label.as_str();
    if !label.is_empty() && !matches!(kind, "mqueue" | "cgroup2") {
        options.push(FsOption::String(
            c"context".to_owned(),
            c_string("linux.mountLabel", label)?,
        ));
    }
    let target = target(steps, root, entry, Leaf::Directory)?;
    // A directory that exists gives its mode to a tmpfs over it, and one that was made for it does not: the stub knows.
    let mode_of = (kind == "tmpfs" && !names_mode(&options)).then_some(target);
    let tree = new_mount(steps, entry, options, mode_of)?;
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
    enter(steps, requested, root, entry, tree);
    Ok(())
}

/// Whether the mode is among the options.
fn names_mode(options: &[FsOption]) -> bool {
    options
        .iter()
        .any(|option| matches!(option, FsOption::String(name, _) if name.as_bytes() == b"mode"))
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
