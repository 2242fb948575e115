//! Older kernels and stricter hosts, played by a filter that answers `ENOSYS`: this test executes
//! itself under one.

use std::os::unix::fs::PermissionsExt;

use cofferdam_nsenter::plan::{Dir, Leaf, Op, PlanBuilder};

use crate::rootfs::{self, NODEV, NOSUID, RDONLY};
use crate::support::{c, filter, root, run, shell};

const MARK: &str = "NSENTER_TEST_OLD_KERNEL";

/// `ENOSYS` for mount_setattr, close_range, clone3, faccessat2 and fchmodat2.
fn old_kernel() -> Vec<u8> {
    let numbers = [
        libc::SYS_mount_setattr,
        libc::SYS_close_range,
        libc::SYS_clone3,
        libc::SYS_faccessat2,
        452,
    ];
    let mut program = vec![(0x20, 0, 0, 0)];
    for (index, number) in numbers.iter().enumerate() {
        let to_the_end = u8::try_from(numbers.len() - index).unwrap();
        program.push((0x15, to_the_end, 0, u32::try_from(*number).unwrap()));
    }
    program.push((0x06, 0, 0, 0x7fff_0000));
    program.push((0x06, 0, 0, 0x5_0000 | u32::try_from(libc::ENOSYS).unwrap()));
    filter(program)
}

#[test]
fn everything_works_without_the_newer_calls() {
    if !root() {
        return;
    }
    let own = std::env::current_exe().unwrap();
    let mut plan = PlanBuilder::new();
    plan.push("ready", Op::AskReady);
    plan.push(
        "look up this test",
        Op::Lookup(vec![c(own.to_str().unwrap())]),
    );
    plan.push(
        "filter",
        Op::Seccomp {
            flags: 0,
            program: old_kernel(),
            listener: false,
        },
    );
    plan.push("close", Op::CloseControl);
    let args = [
        "test",
        "--exact",
        "fallbacks::under_the_filter",
        "--nocapture",
    ]
    .map(c)
    .to_vec();
    let variable = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|value| c(&format!("{name}={value}")))
    };
    let mut env: Vec<_> = ["PATH", "TMPDIR", "LD_LIBRARY_PATH"]
        .into_iter()
        .filter_map(variable)
        .collect();
    env.push(c(&format!("{MARK}=1")));
    plan.push("run this test again", Op::Exec { args, env });
    let outcome = run(plan);
    assert!(outcome.served.is_ok(), "{:?}", outcome.served);
    assert!(
        outcome.out.contains("1 passed"),
        "{}\n{}",
        outcome.out,
        outcome.err
    );
    assert!(
        outcome.out.contains("the filter was there"),
        "{}",
        outcome.out
    );
}

/// Run by the test above; alone it has nothing to show.
#[test]
fn under_the_filter() {
    if std::env::var_os(MARK).is_none() {
        println!("skipped: only runs inside another test");
        return;
    }
    let missing = rustix::fs::openat(
        rustix::fs::CWD,
        "/proc/self/status",
        rustix::fs::OFlags::RDONLY,
        rustix::fs::Mode::empty(),
    );
    assert!(missing.is_ok());
    println!("the filter was there");
    attributes_are_set_after_attaching();
    propagation_is_set_on_the_whole_tree();
    crate::at_once::bound_and_restricted();
    locked_out_recursion();
    descriptors_of_the_host_are_closed_before_the_first_step();
    a_procfs_made_by_an_image_is_not_used();
    second_stage_without_clone3();
    crate::second_stage::kill_at_every_moment(20);
    crate::host::both_stages_are_born_in_the_cgroup();
    modes_without_fchmodat2();
    programs_are_found_by_their_mode();
}

fn attributes_are_set_after_attaching() {
    let directory = rootfs::directory();
    let source = tempfile::tempdir().unwrap();
    let mut plan = PlanBuilder::new();
    let root = rootfs::begin(&mut plan, directory.path());
    rootfs::bind(&mut plan, root, "/usr", "/usr", 0);
    rootfs::mount(&mut plan, root, "proc", "proc", &[], 0);
    let (tree, at) = (plan.slot(), plan.slot());
    plan.push(
        "clone",
        Op::CloneTree {
            dir: Dir::Cwd,
            path: crate::support::path(source.path()),
            recursive: false,
            into: tree,
        },
    );
    plan.push(
        "make",
        Op::MakePath {
            root,
            path: c("data"),
            leaf: Leaf::Directory,
            into: at,
        },
    );
    let attributes = Op::MountAttributes {
        mount: tree,
        set: RDONLY | NOSUID | NODEV,
        clear: 0,
        propagation: libc::MS_PRIVATE,
        recursive: false,
        keep_locked: false,
    };
    plan.push("attributes", attributes);
    plan.push(
        "attach",
        Op::Attach {
            mount: tree,
            target: at,
        },
    );
    rootfs::pivot(&mut plan, root);
    plan.push("readonly", Op::ReadonlyPaths(vec![(root, c("/proc/sys"))]));
    for slot in [root, tree, at] {
        plan.push("close", Op::Close(slot));
    }
    shell(
        &mut plan,
        "grep -E ' (/data|/proc/sys) ' /proc/self/mountinfo | cut -d' ' -f5,6; ls /proc/self/fd | wc -l",
    );
    assert_eq!(
        run(plan).output(),
        "/data ro,nosuid,nodev,relatime\n/proc/sys ro,relatime\n4\n"
    );
}

fn propagation_is_set_on_the_whole_tree() {
    let directory = rootfs::directory();
    let mut plan = PlanBuilder::new();
    let root = rootfs::begin(&mut plan, directory.path());
    rootfs::bind(&mut plan, root, "/usr", "/usr", 0);
    rootfs::mount(&mut plan, root, "proc", "proc", &[], 0);
    rootfs::mount(&mut plan, root, "tmpfs", "/tree", &[], 0);
    rootfs::mount(&mut plan, root, "tmpfs", "/tree/below", &[], 0);
    let (source, tree, at) = (plan.slot(), plan.slot(), plan.slot());
    for (path, into) in [("/tree", source), ("/copy", at)] {
        plan.push(
            "make",
            Op::MakePath {
                root,
                path: c(path),
                leaf: Leaf::Directory,
                into,
            },
        );
    }
    let clone = Op::CloneTree {
        dir: Dir::Slot(source),
        path: c(""),
        recursive: true,
        into: tree,
    };
    plan.push("clone", clone);
    let attributes = Op::MountAttributes {
        mount: tree,
        set: 0,
        clear: 0,
        propagation: libc::MS_SHARED,
        recursive: true,
        keep_locked: false,
    };
    plan.push("propagation", attributes);
    let attach = Op::Attach {
        mount: tree,
        target: at,
    };
    plan.push("attach", attach);
    rootfs::pivot(&mut plan, root);
    for slot in [root, source, tree, at] {
        plan.push("close", Op::Close(slot));
    }
    shell(
        &mut plan,
        "grep ' /copy' /proc/self/mountinfo | cut -d' ' -f5,7 | cut -d: -f1",
    );
    assert_eq!(run(plan).output(), "/copy shared\n/copy/below shared\n");
}

/// What cannot be done the old way is an error, not forgotten.
fn locked_out_recursion() {
    let mut plan = PlanBuilder::new();
    plan.clone_namespaces(cofferdam_nsenter::NamespaceType::Mount);
    let tree = plan.slot();
    plan.push(
        "clone",
        Op::CloneTree {
            dir: Dir::Cwd,
            path: c("/proc"),
            recursive: true,
            into: tree,
        },
    );
    let attributes = Op::MountAttributes {
        mount: tree,
        set: RDONLY,
        clear: 0,
        propagation: 0,
        recursive: true,
        keep_locked: true,
    };
    plan.push("attributes", attributes);
    shell(&mut plan, "exit 0");
    assert_eq!(run(plan).error().raw_os_error(), Some(libc::ENOSYS));
}

fn second_stage_without_clone3() {
    let mut plan = PlanBuilder::new();
    plan.push("second stage", Op::SecondStage);
    shell(&mut plan, "ls /proc/self/fd | wc -l");
    let mut recorder = crate::support::Recorder::default();
    assert_eq!(
        crate::support::run_with(plan, Vec::new(), &mut recorder).output(),
        "4\n"
    );
    assert_eq!(recorder.log, ["second stage"]);
}

fn modes_without_fchmodat2() {
    use std::os::unix::fs::MetadataExt;
    let directory = tempfile::tempdir().unwrap();
    let mut plan = PlanBuilder::new();
    let dir = crate::support::open_directory(&mut plan, directory.path());
    // A change of owner takes the set-group-ID bit away, which is then set again.
    let mode = libc::S_IFCHR | 0o2751;
    plan.push(
        "node",
        Op::MakeNode {
            dir,
            name: c("n"),
            mode,
            device: (1, 3),
            uid: 7,
            gid: 8,
        },
    );
    shell(&mut plan, "exit 0");
    run(plan).output();
    let stat = std::fs::metadata(directory.path().join("n")).unwrap();
    assert_eq!((stat.mode(), stat.uid(), stat.gid()), (mode, 7, 8));
}

fn programs_are_found_by_their_mode() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("program");
    std::fs::write(&file, "#!/bin/sh\necho found\n").unwrap();
    for (mode, found) in [(0o644, false), (0o755, true)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut plan = PlanBuilder::new();
        plan.push("look up", Op::Lookup(vec![crate::support::path(&file)]));
        plan.push("close", Op::CloseControl);
        plan.push(
            "run",
            Op::Exec {
                args: vec![c("program")],
                env: Vec::new(),
            },
        );
        let outcome = run(plan);
        if found {
            assert_eq!(outcome.output(), "found\n");
        } else {
            assert_eq!(outcome.error().raw_os_error(), Some(libc::EACCES));
        }
    }
}

/// What this process leaves open at high numbers, without close-on-exec.
fn descriptors_of_the_host_are_closed_before_the_first_step() {
    let null = crate::support::null();
    let leaks: Vec<_> = [50, 300, 900]
        .map(|number| rustix::io::fcntl_dupfd_cloexec(&null, number).unwrap())
        .into_iter()
        .inspect(|leak| rustix::io::fcntl_setfd(leak, rustix::io::FdFlags::empty()).unwrap())
        .collect();
    struct Count(usize);
    impl cofferdam_nsenter::RequestHandler for Count {
        fn gate(
            &mut self,
            _: u32,
            p: &cofferdam_nsenter::ProcessRef<'_>,
        ) -> Result<(), cofferdam_nsenter::Refusal> {
            self.0 = std::fs::read_dir(format!("/proc/{}/fd", p.pid()))?.count();
            Ok(())
        }
    }
    let mut plan = PlanBuilder::new();
    plan.push("count", Op::AskGate(1));
    shell(&mut plan, "ls /proc/self/fd | wc -l");
    let mut count = Count(0);
    assert_eq!(
        crate::support::run_with(plan, Vec::new(), &mut count).output(),
        "4\n"
    );
    // The streams, the plan and the control channel.
    assert_eq!(count.0, 5);
    drop(leaks);
}

/// `/proc` of the new root is a link of the image: what needs a real one fails, and touches nothing
/// else.
fn a_procfs_made_by_an_image_is_not_used() {
    let directory = rootfs::directory();
    std::fs::create_dir_all(rootfs::inside(&directory, "fake/self/fd")).unwrap();
    std::os::unix::fs::symlink("/fake", rootfs::inside(&directory, "proc")).unwrap();
    std::fs::write(rootfs::inside(&directory, "file"), "").unwrap();
    std::fs::create_dir(rootfs::inside(&directory, "dir")).unwrap();
    for number in 0..64 {
        std::os::unix::fs::symlink(
            "/fake",
            rootfs::inside(&directory, &format!("fake/self/fd/{number}")),
        )
        .unwrap();
    }
    for (path, expected) in [("/dir", None), ("/file", Some(libc::EBADMSG))] {
        let mut plan = PlanBuilder::new();
        let root = rootfs::begin(&mut plan, directory.path());
        rootfs::bind(&mut plan, root, "/usr", "/usr", 0);
        rootfs::pivot(&mut plan, root);
        plan.push("readonly", Op::ReadonlyPaths(vec![(root, c(path))]));
        plan.push("close", Op::Close(root));
        shell(
            &mut plan,
            "touch /fake/x && ! touch /dir/x 2>/dev/null && echo right",
        );
        let outcome = run(plan);
        match expected {
            None => assert_eq!(outcome.output(), "right\n"),
            Some(errno) => assert_eq!(outcome.error().raw_os_error(), Some(errno)),
        }
    }
}
