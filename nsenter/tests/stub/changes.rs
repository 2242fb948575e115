//! Steps that change, check or take away mounts, and the errnos in which mounts differ from
//! `mount(2)`.

use cofferdam_nsenter::plan::{Dir, FsOption, Leaf, Op, PlanBuilder, Slot};

use crate::rootfs::{self, inside, pivot, usual};
use crate::support::{c, open_below, root, run, shell};

fn flag(key: &str) -> FsOption {
    FsOption::Flag(c(key))
}

fn string(key: &str, value: &str) -> FsOption {
    FsOption::String(c(key), c(value))
}

/// A tmpfs on a directory that exists; its slot.
fn tmpfs(plan: &mut PlanBuilder, root: Slot, target: &str) -> Slot {
    let (mount, at) = (plan.slot(), plan.slot());
    plan.push(
        "make",
        Op::MakePath {
            root,
            path: c(target),
            leaf: Leaf::Directory,
            into: at,
        },
    );
    let new = Op::NewMount {
        fstype: c("tmpfs"),
        source: None,
        options: vec![string("mode", "0755")],
        mode_of: None,
        attributes: 0,
        into: mount,
    };
    plan.push("mount", new);
    plan.push("attach", Op::Attach { mount, target: at });
    plan.push("close", Op::Close(at));
    mount
}

/// Whichever of the two is the directory, and however the mount came about.
#[test]
fn a_directory_and_a_file_do_not_go_together() {
    if !root() {
        return;
    }
    for (source, target) in [("dir", "file"), ("file", "dir"), ("", "file")] {
        let directory = rootfs::directory();
        std::fs::create_dir(inside(&directory, "dir")).unwrap();
        std::fs::write(inside(&directory, "file"), "").unwrap();
        let mut plan = PlanBuilder::new();
        let root = usual(&mut plan, directory.path());
        let (mount, at) = (plan.slot(), open_below(&mut plan, root, target));
        let tree = if source.is_empty() {
            Op::NewMount {
                fstype: c("tmpfs"),
                source: None,
                options: Vec::new(),
                mode_of: None,
                attributes: 0,
                into: mount,
            }
        } else {
            Op::CloneTree {
                dir: Dir::Slot(root),
                path: c(source),
                recursive: false,
                into: mount,
            }
        };
        plan.push("tree", tree);
        plan.push("attach", Op::Attach { mount, target: at });
        shell(&mut plan, "exit 0");
        let error = run(plan).error();
        assert_eq!(
            error.raw_os_error(),
            Some(libc::ENOTDIR),
            "{source} on {target}"
        );
        assert!(error.to_string().starts_with("attach"), "{error}");
    }
}

#[test]
fn a_file_system_is_changed_where_it_is_mounted() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    let mut plan = PlanBuilder::new();
    let root = usual(&mut plan, directory.path());
    let mount = tmpfs(&mut plan, root, "small");
    plan.push(
        "remount",
        Op::Reconfigure {
            mount,
            options: vec![string("size", "1m"), flag("ro")],
        },
    );
    plan.push("close", Op::Close(mount));
    pivot(&mut plan, root);
    shell(
        &mut plan,
        "grep ' /small ' /proc/self/mountinfo | cut -d' ' -f9-; touch /small/x",
    );
    let outcome = run(plan);
    assert!(
        outcome.err.contains("Read-only file system"),
        "{}",
        outcome.err
    );
    assert!(outcome.out.contains("ro,size=1024k"), "{}", outcome.out);
}

#[test]
fn only_the_root_of_a_mount_can_be_changed() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    std::fs::create_dir(inside(&directory, "plain")).unwrap();
    for (target, options) in [("plain", vec![]), ("tmp", vec![string("size", "huge")])] {
        let mut plan = PlanBuilder::new();
        let root = usual(&mut plan, directory.path());
        let made = tmpfs(&mut plan, root, "tmp");
        let mount = open_below(&mut plan, root, target);
        plan.push("remount", Op::Reconfigure { mount, options });
        plan.push("close", Op::Close(made));
        shell(&mut plan, "exit 0");
        let error = run(plan).error();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{target}");
        // The file system says what it does not like.
        assert_eq!(
            error.to_string().contains("size"),
            target == "tmp",
            "{error}"
        );
    }
}

#[test]
fn options_are_checked_without_a_mount() {
    if !root() {
        return;
    }
    for (option, result) in [
        (string("size", "1m"), Ok(())),
        (flag("no_such_option"), Err(libc::EINVAL)),
        (string("size", "huge"), Err(libc::EINVAL)),
    ] {
        let mut plan = PlanBuilder::new();
        plan.push(
            "check",
            Op::CheckOptions {
                fstype: c("tmpfs"),
                options: vec![option],
            },
        );
        shell(&mut plan, "exit 0");
        let served = run(plan).served;
        let errno = served
            .map(drop)
            .map_err(|error| error.raw_os_error().unwrap());
        assert_eq!(errno, result);
    }
}

#[test]
fn a_mount_is_taken_away_by_its_descriptor() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    let mut plan = PlanBuilder::new();
    let root = usual(&mut plan, directory.path());
    let first = tmpfs(&mut plan, root, "twice");
    let second = tmpfs(&mut plan, root, "twice");
    plan.push("detach", Op::Detach(second));
    for slot in [first, second] {
        plan.push("close", Op::Close(slot));
    }
    pivot(&mut plan, root);
    shell(&mut plan, "grep -c ' /twice ' /proc/self/mountinfo; pwd");
    assert_eq!(run(plan).output(), "1\n/\n");
}
