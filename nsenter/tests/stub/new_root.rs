//! Entering the new root, and leaving the old one.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use cofferdam_nsenter::NamespaceType;
use cofferdam_nsenter::plan::{Dir, Op, PlanBuilder};
use cofferdam_nsenter::{ProcessRef, Refusal, RequestHandler};

use crate::rootfs::{self, NODEV, NOSUID, begin, inside, mount, pivot, usual};
use crate::support::{c, open_below, open_directory, path, root, run, run_with, shell};

#[test]
fn a_container_gets_its_root_and_nothing_of_the_old_one() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    std::fs::write(inside(&directory, "mark"), "inside").unwrap();
    let mut plan = PlanBuilder::new();
    let root = usual(&mut plan, directory.path());
    mount(
        &mut plan,
        root,
        "tmpfs",
        "run/lock",
        &[("size", "64k")],
        NOSUID | NODEV,
    );
    pivot(&mut plan, root);
    plan.push("close", Op::Close(root));
    shell(
        &mut plan,
        "cat /mark; echo; echo $$; pwd; sed -E 's/^([^ ]+ ){4}([^ ]+) .* - ([^ ]+) .*/\\2 \\3/' /proc/self/mountinfo; ls /proc/self/fd | wc -l",
    );
    let out = run(plan).output();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..3], ["inside", "1", "/"]);
    // The root, /usr with what is mounted in it, /proc, /run/lock: no old root.
    assert!(
        lines[3..]
            .iter()
            .any(|line| line.starts_with("/run/lock tmpfs")),
        "{out}"
    );
    assert!(
        lines[3..].iter().any(|line| line.starts_with("/proc proc")),
        "{out}"
    );
    assert!(
        lines[3..]
            .iter()
            .all(|line| ["/ ", "/usr", "/proc ", "/run/lock "]
                .iter()
                .any(|p| line.starts_with(p))
                || line.len() == 1),
        "{out}"
    );
    // Nothing of it is left on the host.
    assert!(
        !std::fs::read_to_string("/proc/self/mountinfo")
            .unwrap()
            .contains(directory.path().to_str().unwrap())
    );
    assert_eq!(
        std::fs::metadata(inside(&directory, "run/lock"))
            .unwrap()
            .mode()
            & 0o7777,
        0o755
    );
}

#[test]
fn the_other_ways_to_enter_a_root() {
    if !root() {
        return;
    }
    for op in [Op::Chroot, Op::MoveRoot] {
        let directory = rootfs::directory();
        std::fs::write(inside(&directory, "mark"), "inside").unwrap();
        let mut plan = PlanBuilder::new();
        let root = usual(&mut plan, directory.path());
        plan.push("new root", op(root));
        plan.push("close", Op::Close(root));
        plan.push("check", Op::VerifyDirectory);
        shell(&mut plan, "cat mark; pwd");
        assert_eq!(run(plan).output(), "inside/\n");
    }
}

#[test]
fn a_root_that_is_gone_is_noticed() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    let mut plan = PlanBuilder::new();
    let root = begin(&mut plan, directory.path());
    plan.push("close the root", Op::Close(root));
    let again = open_directory(&mut plan, "/proc/self/ns".as_ref());
    plan.push("pivot", Op::PivotRoot(again));
    shell(&mut plan, "exit 0");
    assert_eq!(
        run(plan).error().failure().map(|f| f.context().to_owned()),
        Some("pivot".into())
    );
}

#[test]
fn a_mount_is_detached_again() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    let mut plan = PlanBuilder::new();
    let root = usual(&mut plan, directory.path());
    mount(&mut plan, root, "tmpfs", "mnt", &[], 0);
    pivot(&mut plan, root);
    plan.push("close", Op::Close(root));
    plan.push(
        "detach",
        Op::Unmount {
            path: c("/mnt"),
            flags: libc::MNT_DETACH as u32,
        },
    );
    shell(&mut plan, "grep -c ' /mnt ' /proc/self/mountinfo || true");
    assert_eq!(run(plan).output(), "0\n");
}

#[test]
fn propagation_is_changed_at_a_mount_point_and_nowhere_else() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let unbindable = |at: std::ffi::CString| {
        let mut plan = PlanBuilder::new();
        plan.clone_namespaces(NamespaceType::Mount);
        let change = Op::Propagation {
            path: at,
            flags: libc::MS_UNBINDABLE,
        };
        plan.push("unbindable", change);
        shell(&mut plan, "grep ' /proc ' /proc/self/mountinfo");
        run(plan)
    };
    let out = unbindable(c("/proc")).output();
    assert!(out.contains("unbindable"), "{out}");
    let error = unbindable(path(directory.path())).error();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
}

#[test]
fn the_mount_that_holds_a_directory_is_found() {
    if !root() {
        return;
    }
    for directory in ["/proc/sys/kernel", "/proc"] {
        let mut plan = PlanBuilder::new();
        plan.clone_namespaces(NamespaceType::Mount);
        let fd = open_directory(&mut plan, directory.as_ref());
        let change = Op::HolderPropagation {
            directory: fd,
            kind: libc::MS_UNBINDABLE,
        };
        plan.push("unbindable", change);
        shell(
            &mut plan,
            "grep unbindable /proc/self/mountinfo | cut -d' ' -f5",
        );
        assert_eq!(run(plan).output(), "/proc\n", "{directory}");
    }
}

/// Moves a directory out of what is mounted, while the stub waits.
struct Mover {
    from: PathBuf,
    to: PathBuf,
}

impl RequestHandler for Mover {
    fn gate(&mut self, _: u32, _: &ProcessRef<'_>) -> Result<(), Refusal> {
        Ok(std::fs::rename(&self.from, &self.to)?)
    }
}

#[test]
fn a_directory_that_left_its_mount_is_an_error() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(inside(&directory, "mounted/inner")).unwrap();
    let mut plan = PlanBuilder::new();
    plan.clone_namespaces(NamespaceType::Mount);
    let tree = plan.slot();
    let clone = Op::CloneTree {
        dir: Dir::Cwd,
        path: path(&inside(&directory, "mounted")),
        recursive: false,
        into: tree,
    };
    plan.push("clone a directory", clone);
    let inner = open_below(&mut plan, tree, "inner");
    plan.push("wait", Op::AskGate(1));
    let change = Op::HolderPropagation {
        directory: inner,
        kind: libc::MS_PRIVATE,
    };
    plan.push("private", change);
    shell(&mut plan, "exit 0");
    let mut mover = Mover {
        from: inside(&directory, "mounted/inner"),
        to: inside(&directory, "outer"),
    };
    let error = run_with(plan, Vec::new(), &mut mover).error();
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
}
