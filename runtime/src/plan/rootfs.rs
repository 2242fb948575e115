//! The root file system: made a mount of its own, then the root of the process.

use std::ffi::CString;
use std::path::Path;

use configs::config::{MountAttr, MountFlags, NamespaceType};
use nsenter::plan::{Dir, Op, Slot};

use super::mounts::table::MountTable;
use super::params::ProcessParams;
use super::steps::{Steps, c_path, c_string};
use crate::{Error, ErrorKind, Result};

/// The step that keeps mounts of the container from the host.
pub(crate) const ROOT_PROPAGATION_STEP: &str = "set the propagation of /";

const DIRECTORY: u32 = (libc::O_PATH | libc::O_DIRECTORY).cast_unsigned();

/// What the steps of the root file system keep open for later ones.
#[derive(Debug)]
pub(super) struct Rootfs {
    /// The root of the container.
    pub(super) slot: Slot,
    /// The container has a mount namespace.
    pub(super) mount_namespace: bool,
    /// The container's pid namespace, if the mounts are made by a process that is not in it.
    pub(super) pid_namespace: Option<Slot>,
    /// The mounts in it.
    pub(super) mounts: MountTable,
    /// The directory at `/dev`, if it is one that takes nodes.
    pub(super) dev: Option<Slot>,
    /// `/dev` is a bind mount: it is used as it is.
    pub(super) dev_is_bound: bool,
    /// The container's own procfs, complete and writable.
    pub(super) procfs: Option<Slot>,
    /// Mounts that become read-only at the end, with their names.
    pub(super) readonly_later: Vec<(Slot, String)>,
    /// A mount made so far may be shared, and what is mounted below it with it.
    pub(super) may_be_shared: bool,
}

/// The root mount, private to the container, attached where it is on the host.
pub(super) fn prepare(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    pid_namespace: Option<Slot>,
) -> Result<Rootfs> {
    let config = params.config;
    let mount_namespace = params.has(NamespaceType::Mount);
    if !config.rootfs.starts_with('/') {
        return Err(Error::config(format!(
            "root.path {:?} is not absolute",
            config.rootfs
        )));
    }
    let path = c_string("root.path", config.rootfs.as_str())?;
    let propagation = if config.root_propagation.is_empty() {
        MountFlags::SLAVE | MountFlags::REC
    } else {
        config.root_propagation
    };
    let may_be_shared = !propagation.contains(MountFlags::REC)
        || !propagation
            .intersects(MountFlags::SLAVE | MountFlags::PRIVATE | MountFlags::UNBINDABLE);
    // The mount below the root file system: the kernel neither pivots on a shared one nor clones an
    // unbindable one, and what is mounted on a shared one shows up outside.
    let holder_must_change = may_be_shared || propagation.intersects(MountFlags::UNBINDABLE);
    if mount_namespace {
        steps.push(
            ROOT_PROPAGATION_STEP,
            Op::Propagation {
                path: c"/".to_owned(),
                flags: propagation.bits().into(),
            },
        );
    }
    let mut slot = open(steps, path);
    if mount_namespace && holder_must_change {
        steps.push(
            "make the mount of the root file system private",
            Op::HolderPropagation {
                directory: slot,
                kind: MountFlags::PRIVATE.bits().into(),
            },
        );
    }
    if mount_namespace || config.readonlyfs {
        slot = bind(steps, slot, mount_namespace && !holder_must_change);
        if !mount_namespace {
            steps.host_mount("/".into());
        }
    }
    Ok(Rootfs {
        slot,
        mount_namespace,
        pid_namespace,
        mounts: MountTable::of(params),
        dev: None,
        dev_is_bound: false,
        procfs: None,
        readonly_later: Vec::new(),
        may_be_shared: !mount_namespace || may_be_shared,
    })
}

/// Opens the directory of the root file system, through no symlink.
fn open(steps: &mut Steps, path: CString) -> Slot {
    let into = steps.slot();
    steps.push(
        "open the root file system",
        Op::Open {
            dir: Dir::Cwd,
            path,
            flags: DIRECTORY,
            mode: 0,
            resolve: libc::RESOLVE_NO_SYMLINKS,
            into,
        },
    );
    into
}

/// Binds the root file system to where it is, as a `private` mount if what the host mounts there
/// must not show up inside. Returns the root of the new mount; `found` is closed.
fn bind(steps: &mut Steps, found: Slot, private: bool) -> Slot {
    let tree = steps.slot();
    steps.push(
        "bind the root file system",
        Op::CloneTree {
            dir: Dir::Slot(found),
            path: c"".to_owned(),
            recursive: true,
            into: tree,
        },
    );
    if private {
        steps.push(
            "make the root file system private",
            Op::MountAttributes {
                mount: tree,
                set: 0,
                clear: 0,
                propagation: MountFlags::PRIVATE.bits().into(),
                recursive: false,
                keep_locked: false,
            },
        );
    }
    steps.push(
        "attach the root file system",
        Op::Attach {
            mount: tree,
            target: found,
        },
    );
    steps.close(found);
    tree
}

/// Makes the prepared root the root of the process, and of its mount namespace.
pub(super) fn switch(steps: &mut Steps, params: &ProcessParams<'_>, root: &Rootfs) -> Result<()> {
    let config = params.config;
    if !root.mount_namespace {
        steps.push("change the root", Op::Chroot(root.slot));
        return Ok(());
    }
    if config.no_pivot_root {
        for point in &params.host.full_proc_mounts {
            uncover(steps, point)?;
        }
        steps.push("move the root mount", Op::MoveRoot(root.slot));
    } else {
        steps.push("pivot the root", Op::PivotRoot(root.slot));
    }
    if !config.root_propagation.is_empty()
        && !config.root_propagation.intersects(MountFlags::PRIVATE)
    {
        steps.push(
            "set the propagation of the new root",
            Op::Propagation {
                path: c"/".to_owned(),
                flags: config.root_propagation.bits().into(),
            },
        );
    }
    Ok(())
}

/// Takes away a procfs or sysfs of the host that would stay reachable below a moved root: unmounts
/// it, or covers it if it is locked.
fn uncover(steps: &mut Steps, point: &Path) -> Result<()> {
    let path = c_path("mount point", point)?;
    let shown = point.display();
    steps.push_tolerating(
        format!("stop propagation from {shown}"),
        Op::Propagation {
            path: path.clone(),
            flags: (MountFlags::SLAVE | MountFlags::REC).bits().into(),
        },
        &[libc::EINVAL, libc::ENOENT],
    );
    let (cover, done) = (steps.label(), steps.label());
    steps.push_or(
        format!("unmount {shown}"),
        Op::Unmount {
            path: path.clone(),
            flags: libc::MNT_DETACH.cast_unsigned(),
        },
        &[libc::EPERM, libc::EINVAL],
        cover,
    );
    steps.jump(done);
    steps.bind(cover);
    let (target, tree) = (steps.slot(), steps.slot());
    steps.push(
        format!("open {shown}"),
        Op::Open {
            dir: Dir::Cwd,
            path,
            flags: DIRECTORY,
            mode: 0,
            resolve: libc::RESOLVE_NO_MAGICLINKS,
            into: target,
        },
    );
    steps.push(
        format!("cover {shown}"),
        Op::NewMount {
            fstype: c"tmpfs".to_owned(),
            source: Some(c"tmpfs".to_owned()),
            options: Vec::new(),
            mode_of: None,
            attributes: MountAttr::RDONLY,
            into: tree,
        },
    );
    steps.push(
        format!("cover {shown}"),
        Op::Attach {
            mount: tree,
            target,
        },
    );
    steps.close(tree);
    steps.close(target);
    steps.bind(done);
    Ok(())
}

/// The read-only mounts that had to be writable so far, and the root itself.
pub(super) fn make_readonly(steps: &mut Steps, params: &ProcessParams<'_>, root: &mut Rootfs) {
    for (slot, point) in std::mem::take(&mut root.readonly_later) {
        steps.push(format!("make {point} read-only"), readonly(slot));
    }
    if params.config.readonlyfs {
        steps.push("make the root read-only", readonly(root.slot));
    }
}

/// Closes the root and everything that was kept of its mounts.
pub(super) fn close(steps: &mut Steps, mut root: Rootfs) {
    root.mounts.close(steps);
    steps.close(root.slot);
}

fn readonly(mount: Slot) -> Op {
    Op::MountAttributes {
        mount,
        set: MountAttr::RDONLY,
        clear: 0,
        propagation: 0,
        recursive: false,
        keep_locked: true,
    }
}

/// What cannot be made of the root of a configuration.
pub(super) fn refuse(params: &ProcessParams<'_>) -> Result<()> {
    let config = params.config;
    if params.has(NamespaceType::Mount) {
        if config.no_pivot_root && config.root_propagation.intersects(MountFlags::PRIVATE) {
            return Err(Error::config(
                "rootfsPropagation of [r]private is not safe without pivot_root",
            ));
        }
        return Ok(());
    }
    if !config.mask_paths.is_empty() {
        return Err(Error::config(
            "unable to restrict sys entries without a private MNT namespace",
        ));
    }
    if !config.readonly_paths.is_empty() {
        return Err(Error::config(
            "unable to restrict sys entries without a private MNT namespace",
        ));
    }
    if !config.root_propagation.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            "linux.rootfsPropagation needs a mount namespace of the container's own",
        ));
    }
    Ok(())
}
