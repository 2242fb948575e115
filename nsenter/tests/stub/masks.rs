//! Paths that are hidden or read-only, the root among them.

use std::os::fd::AsFd;
use std::os::unix::fs::symlink;

use cofferdam_nsenter::NamespaceType;
use cofferdam_nsenter::plan::{Op, PlanBuilder};

use crate::rootfs::{self, bind, inside, pivot, usual};
use crate::support::{c, null, open_below, open_directory, root, run, run_with, shell};

#[test]
fn paths_are_hidden_and_made_readonly() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    for name in ["dir/sub", "other/sub", "writable/sub"] {
        std::fs::create_dir_all(inside(&directory, name)).unwrap();
    }
    std::fs::write(inside(&directory, "secret"), "secret").unwrap();
    symlink("dir", inside(&directory, "alias")).unwrap();
    let null = null();
    let mut plan = PlanBuilder::new();
    // The null device of the host, as part of the mount namespace of the stub.
    let source = plan.input("null device");
    let root = usual(&mut plan, directory.path());
    bind(&mut plan, root, "/dev/null", "/dev/null", 0);
    pivot(&mut plan, root);
    let device = open_below(&mut plan, root, "dev/null");
    let other = open_below(&mut plan, root, "other");
    let mut paths = ["/dir", "/secret", "/missing/path", "/alias", "/proc/kcore"]
        .map(|path| (root, c(path)))
        .to_vec();
    paths.push((other, c("sub")));
    plan.push(
        "mask",
        Op::Mask {
            paths,
            null: device,
            context: None,
        },
    );
    plan.push(
        "readonly",
        Op::ReadonlyPaths(vec![(root, c("/writable")), (root, c("/nothing"))]),
    );
    for slot in [root, other, device, source] {
        plan.push("close", Op::Close(slot));
    }
    let script = "ls /dir /other/sub /alias | grep -v :; cat /secret; head -c 1 /proc/kcore | wc -c; \
                  stat -c %d /dir; stat -c %d /other/sub; touch /dir/x; mkdir /writable/x; ls /writable; \
                  grep -c ' /dir ' /proc/self/mountinfo; grep ' /writable ' /proc/self/mountinfo | cut -d' ' -f6";
    shell(&mut plan, script);
    let outcome = run_with(plan, vec![(source, null.as_fd())], &mut ());
    assert!(outcome.served.is_ok(), "{:?}", outcome.served);
    let lines: Vec<&str> = outcome
        .out
        .lines()
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(lines.first(), Some(&"0"), "{}", outcome.out);
    assert_eq!(lines[1], lines[2], "both directories share one file system");
    assert_eq!(lines[3], "sub");
    // Covered once, although it was reached in two ways.
    assert_eq!(lines[4], "1");
    assert!(lines[5].starts_with("ro"), "{}", outcome.out);
    assert_eq!(
        outcome.err.matches("Read-only file system").count(),
        2,
        "{}",
        outcome.err
    );
}

#[test]
fn a_mask_wants_a_real_null_device() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(inside(&directory, "fake"), "").unwrap();
    let mut plan = PlanBuilder::new();
    plan.clone_namespaces(NamespaceType::Mount);
    let root = open_directory(&mut plan, directory.path());
    let null = open_below(&mut plan, root, "fake");
    plan.push(
        "mask",
        Op::Mask {
            paths: vec![(root, c("/fake"))],
            null,
            context: None,
        },
    );
    shell(&mut plan, "exit 0");
    assert_eq!(run(plan).error().raw_os_error(), Some(libc::EBADMSG));
}

/// A failure is that of the path that it is about, whatever the list.
#[test]
fn a_failure_names_its_path() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    symlink("loop", inside(&directory, "loop")).unwrap();
    for name in ["one", "two"] {
        std::fs::create_dir(inside(&directory, name)).unwrap();
    }
    for masks in [false, true] {
        let null = null();
        let mut plan = PlanBuilder::new();
        let source = plan.input("null device");
        let root = usual(&mut plan, directory.path());
        bind(&mut plan, root, "/dev/null", "/dev/null", 0);
        let device = open_below(&mut plan, root, "dev/null");
        let paths = ["/one", "/nothing", "/two", "/loop/x", "/one"]
            .map(|path| (root, c(path)))
            .to_vec();
        plan.push(
            "protect",
            if masks {
                Op::Mask {
                    paths,
                    null: device,
                    context: None,
                }
            } else {
                Op::ReadonlyPaths(paths)
            },
        );
        plan.push("close", Op::Close(source));
        shell(&mut plan, "exit 0");
        let error = run_with(plan, vec![(source, null.as_fd())], &mut ()).error();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        assert_eq!(error.failure().unwrap().item(), Some(3));
        assert_eq!(error.to_string(), "protect (/loop/x)");
    }
}

#[test]
fn the_root_itself_can_be_made_readonly() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    let mut plan = PlanBuilder::new();
    let root = usual(&mut plan, directory.path());
    pivot(&mut plan, root);
    plan.push("readonly", Op::ReadonlyPaths(vec![(root, c("/"))]));
    plan.push("close", Op::Close(root));
    shell(
        &mut plan,
        "touch /x; grep -c ' / ' /proc/self/mountinfo; grep ' / / \\| /[^ ]* / ' /proc/self/mountinfo | cut -d' ' -f6",
    );
    let outcome = run(plan);
    assert!(
        outcome.err.contains("Read-only file system"),
        "{}",
        outcome.err
    );
    assert!(
        outcome.out.lines().nth(1).unwrap().starts_with("ro,"),
        "{}",
        outcome.out
    );
}

/// Whoever is in a root does not see what is mounted on it. What is mounted on the root of another
/// mount is in everybody's way.
#[test]
fn the_root_of_the_process_cannot_be_hidden_and_that_of_another_mount_can() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    symlink("/", inside(&directory, "link")).unwrap();
    for (path, on_procfs, fine) in [
        ("/", false, false),
        ("/..", false, false),
        ("/link", false, false),
        ("/", true, true),
        ("/..", true, true),
    ] {
        let null = null();
        let mut plan = PlanBuilder::new();
        let source = plan.input("null device");
        let root = usual(&mut plan, directory.path());
        bind(&mut plan, root, "/dev/null", "/dev/null", 0);
        pivot(&mut plan, root);
        let device = open_below(&mut plan, root, "dev/null");
        let procfs = open_below(&mut plan, root, "proc");
        let on = if on_procfs { procfs } else { root };
        plan.push(
            "mask",
            Op::Mask {
                paths: vec![(on, c(path))],
                null: device,
                context: None,
            },
        );
        for slot in [root, procfs, device, source] {
            plan.push("close", Op::Close(slot));
        }
        shell(&mut plan, "ls /proc");
        let outcome = run_with(plan, vec![(source, null.as_fd())], &mut ());
        if fine {
            assert!(outcome.served.is_ok(), "{:?}", outcome.served);
            assert_eq!(outcome.out, "");
        } else {
            let error = outcome.error();
            assert_eq!(error.raw_os_error(), Some(libc::EXDEV), "{path}");
            assert_eq!(error.failure().unwrap().item(), Some(0));
        }
    }
}
