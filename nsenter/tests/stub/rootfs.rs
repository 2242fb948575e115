//! A root file system of a container, made by a plan: bind mounts, proc, tmpfs, devices, pivot,
//! masks.

use std::path::Path;

use cofferdam_nsenter::NamespaceType;
use cofferdam_nsenter::plan::{Dir, FsOption, Leaf, Op, PlanBuilder, Slot};

use crate::support::{c, open_directory, path};

pub(crate) const RDONLY: u64 = 1;
pub(crate) const NOSUID: u64 = 2;
pub(crate) const NODEV: u64 = 4;
pub(crate) const NOEXEC: u64 = 8;

/// An empty root file system that runs the host's programs: links into `/usr`, which a plan binds.
pub(crate) fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["bin", "sbin", "lib", "lib64"] {
        if Path::new("/").join(name).is_symlink() {
            std::os::unix::fs::symlink(format!("usr/{name}"), directory.path().join(name)).unwrap();
        }
    }
    directory
}

/// Namespaces, private propagation, and the root as a mount: what every container's plan begins
/// with.
pub(crate) fn begin(plan: &mut PlanBuilder, directory: &Path) -> Slot {
    plan.clone_namespaces(NamespaceType::Mount | NamespaceType::Pid);
    plan.push(
        "no propagation",
        Op::Propagation {
            path: c("/"),
            flags: libc::MS_REC | libc::MS_SLAVE,
        },
    );
    let (root, at) = (plan.slot(), open_directory(plan, directory));
    let clone = Op::CloneTree {
        dir: Dir::Slot(at),
        path: c(""),
        recursive: true,
        into: root,
    };
    plan.push("clone the root", clone);
    plan.push(
        "attach the root",
        Op::Attach {
            mount: root,
            target: at,
        },
    );
    plan.push("close the directory below", Op::Close(at));
    root
}

/// A bind mount of a host path below the root.
pub(crate) fn bind(plan: &mut PlanBuilder, root: Slot, source: &str, target: &str, set: u64) {
    let (tree, at) = (plan.slot(), plan.slot());
    plan.push(
        format!("clone {source}"),
        Op::CloneTree {
            dir: Dir::Cwd,
            path: c(source),
            recursive: true,
            into: tree,
        },
    );
    plan.push(
        format!("make {target}"),
        Op::MakePath {
            root,
            path: c(target),
            leaf: Leaf::Like(tree),
            into: at,
        },
    );
    if set != 0 {
        let attributes = Op::MountAttributes {
            mount: tree,
            set,
            clear: 0,
            propagation: 0,
            recursive: true,
            keep_locked: false,
        };
        plan.push(format!("attributes of {target}"), attributes);
    }
    plan.push(
        format!("attach {target}"),
        Op::Attach {
            mount: tree,
            target: at,
        },
    );
    plan.push("close", Op::Close(tree));
    plan.push("close", Op::Close(at));
}

/// A new file system below the root.
pub(crate) fn mount(
    plan: &mut PlanBuilder,
    root: Slot,
    fstype: &str,
    target: &str,
    options: &[(&str, &str)],
    attributes: u64,
) {
    let (mount, at) = (plan.slot(), plan.slot());
    let make = if matches!(fstype, "proc" | "sysfs") {
        Op::MakePlainDirectory {
            root,
            path: c(target),
            into: at,
        }
    } else {
        Op::MakePath {
            root,
            path: c(target),
            leaf: Leaf::Directory,
            into: at,
        }
    };
    plan.push(format!("make {target}"), make);
    let options = options
        .iter()
        .map(|(key, value)| {
            if value.is_empty() {
                FsOption::Flag(c(key))
            } else {
                FsOption::String(c(key), c(value))
            }
        })
        .collect();
    let new = Op::NewMount {
        fstype: c(fstype),
        source: Some(c(fstype)),
        options,
        mode_of: (fstype == "tmpfs").then_some(at),
        attributes,
        into: mount,
    };
    plan.push(format!("mount {fstype} at {target}"), new);
    plan.push(format!("attach {target}"), Op::Attach { mount, target: at });
    plan.push("close", Op::Close(mount));
    plan.push("close", Op::Close(at));
}

/// The root with `/usr` and `/proc`.
pub(crate) fn usual(plan: &mut PlanBuilder, directory: &Path) -> Slot {
    let root = begin(plan, directory);
    bind(plan, root, "/usr", "/usr", RDONLY);
    mount(plan, root, "proc", "proc", &[], NOSUID | NODEV | NOEXEC);
    root
}

/// Enters the root.
pub(crate) fn pivot(plan: &mut PlanBuilder, root: Slot) {
    plan.push("pivot", Op::PivotRoot(root));
}

/// The path of something in the directory.
pub(crate) fn inside(directory: &tempfile::TempDir, name: &str) -> std::path::PathBuf {
    let _ = path(directory.path());
    directory.path().join(name)
}
