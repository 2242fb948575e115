//! New mounts: options, attributes, locked flags.

use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;

use cofferdam_nsenter::NamespaceType;
use cofferdam_nsenter::plan::{Dir, FsOption, Leaf, Op, PlanBuilder};

use crate::rootfs::{self, NODEV, NOEXEC, NOSUID, RDONLY, bind, inside, mount, pivot, usual};
use crate::support::{c, open_directory, root, run, run_with, shell};

/// An explicit option wins over the mode of the directory, and a directory that was made has none
/// to give.
#[test]
fn a_tmpfs_takes_the_mode_of_its_mount_point() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    for name in ["inherit", "explicit"] {
        std::fs::create_dir(inside(&directory, name)).unwrap();
        std::fs::set_permissions(
            inside(&directory, name),
            std::fs::Permissions::from_mode(0o2710),
        )
        .unwrap();
    }
    let mut plan = PlanBuilder::new();
    let root = usual(&mut plan, directory.path());
    mount(&mut plan, root, "tmpfs", "inherit", &[], 0);
    mount(&mut plan, root, "tmpfs", "explicit", &[("mode", "0751")], 0);
    mount(&mut plan, root, "tmpfs", "made", &[], 0);
    pivot(&mut plan, root);
    shell(&mut plan, "stat -c %a /inherit /explicit /made");
    assert_eq!(run(plan).output(), "2710\n751\n1777\n");
}

#[test]
fn a_file_system_says_what_it_does_not_like() {
    if !root() {
        return;
    }
    let mut plan = PlanBuilder::new();
    let into = plan.slot();
    let options = vec![FsOption::String(c("size"), c("huge"))];
    plan.push(
        "mount",
        Op::NewMount {
            fstype: c("tmpfs"),
            source: None,
            options,
            mode_of: None,
            attributes: 0,
            into,
        },
    );
    shell(&mut plan, "exit 0");
    let error = run(plan).error();
    let failure = error.failure().unwrap();
    assert_eq!(failure.errno(), libc::EINVAL);
    let detail = String::from_utf8_lossy(failure.detail()).into_owned();
    assert!(
        detail.contains("tmpfs") && detail.contains("size"),
        "{detail}"
    );
    assert!(error.to_string().starts_with("mount ("), "{error}");
}

/// The pid namespace of a new procfs, by descriptor (Linux 6.17).
#[test]
fn an_option_can_be_a_descriptor() {
    if !root() {
        return;
    }
    let namespace = std::fs::File::open("/proc/self/ns/pid").unwrap();
    let mut plan = PlanBuilder::new();
    let (pidns, into) = (plan.input("pid namespace"), plan.slot());
    plan.clone_namespaces(NamespaceType::Pid | NamespaceType::Mount);
    let new = Op::NewMount {
        fstype: c("proc"),
        source: None,
        options: vec![FsOption::Descriptor(c("pidns"), pidns)],
        mode_of: None,
        attributes: NOSUID,
        into,
    };
    plan.push_tolerating("procfs", new, &[libc::EINVAL]);
    plan.push("wait", Op::AskGate(1));
    let at = open_directory(&mut plan, "/mnt".as_ref());
    let end = plan.label();
    plan.push_or("attach", Op::ChangeDirectoryTo(into), &[libc::EBADF], end);
    plan.push(
        "attach",
        Op::Attach {
            mount: into,
            target: at,
        },
    );
    plan.bind(end);
    shell(
        &mut plan,
        "test -e /mnt/self && cat /mnt/$$/stat || cut -d' ' -f1 /mnt/self/stat",
    );
    let mut recorder = crate::support::Recorder::default();
    let outcome = run_with(plan, vec![(pidns, namespace.as_fd())], &mut recorder);
    if outcome
        .served
        .as_ref()
        .is_ok_and(|served| !served.warnings().is_empty())
    {
        println!("skipped: procfs takes no pid namespace");
        return;
    }
    // A procfs of the host's namespace: the number there is not 1.
    let out = outcome.out;
    let number: u32 = out
        .split_whitespace()
        .next()
        .unwrap_or_else(|| panic!("{}", outcome.err))
        .parse()
        .unwrap();
    assert!(number > 1, "{out}");
}

#[test]
fn attributes_are_set_before_a_mount_is_attached() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    let source = tempfile::tempdir().unwrap();
    std::fs::write(source.path().join("file"), "").unwrap();
    let mut plan = PlanBuilder::new();
    let root = usual(&mut plan, directory.path());
    let source = source.path().to_str().unwrap();
    bind(
        &mut plan,
        root,
        source,
        "/data",
        RDONLY | NOSUID | NODEV | NOEXEC,
    );
    bind(
        &mut plan,
        root,
        &format!("{source}/file"),
        "/etc/file",
        RDONLY,
    );
    // MS_SHARED on one of them.
    let (tree, at) = (plan.slot(), plan.slot());
    plan.push(
        "clone",
        Op::CloneTree {
            dir: Dir::Cwd,
            path: c(source),
            recursive: false,
            into: tree,
        },
    );
    plan.push(
        "make",
        Op::MakePath {
            root,
            path: c("shared"),
            leaf: Leaf::Directory,
            into: at,
        },
    );
    plan.push(
        "attach",
        Op::Attach {
            mount: tree,
            target: at,
        },
    );
    let attributes = Op::MountAttributes {
        mount: tree,
        set: 0,
        clear: 0,
        propagation: libc::MS_SHARED,
        recursive: false,
        keep_locked: false,
    };
    plan.push("shared", attributes);
    pivot(&mut plan, root);
    shell(
        &mut plan,
        "grep -E ' (/data|/etc/file|/shared) ' /proc/self/mountinfo | cut -d' ' -f5-7; touch /data/x /etc/file",
    );
    let outcome = run(plan);
    assert!(
        outcome.err.matches("Read-only file system").count() == 2,
        "{}",
        outcome.err
    );
    assert!(
        outcome.out.contains("/data ro,nosuid,nodev,noexec"),
        "{}",
        outcome.out
    );
    assert!(outcome.out.contains("/etc/file ro,"), "{}", outcome.out);
    assert!(
        outcome
            .out
            .lines()
            .any(|l| l.starts_with("/shared ") && l.contains("shared:")),
        "{}",
        outcome.out
    );
}

/// In a user namespace the flags of the host's mounts cannot be taken away.
#[test]
fn locked_flags_are_kept_if_the_plan_allows_it() {
    if !root() {
        return;
    }
    for keep_locked in [true, false] {
        let mut plan = PlanBuilder::new();
        // A mount with flags, then a user namespace, whose mount namespace locks them.
        plan.push("mount namespace", Op::Unshare(NamespaceType::Mount.into()));
        plan.push(
            "no propagation",
            Op::Propagation {
                path: c("/"),
                flags: libc::MS_REC | libc::MS_PRIVATE,
            },
        );
        let (fs, at) = (plan.slot(), open_directory(&mut plan, "/mnt".as_ref()));
        let new = Op::NewMount {
            fstype: c("tmpfs"),
            source: None,
            options: Vec::new(),
            mode_of: None,
            attributes: NOSUID | NODEV,
            into: fs,
        };
        plan.push("tmpfs", new);
        plan.push(
            "attach",
            Op::Attach {
                mount: fs,
                target: at,
            },
        );
        plan.push("user namespace", Op::Unshare(NamespaceType::User.into()));
        plan.push("dumpable", Op::Dumpable(true));
        plan.push("maps", Op::AskIdMaps);
        plan.push("not dumpable", Op::Dumpable(false));
        plan.push("gid", Op::SetGid(0));
        plan.push("uid", Op::SetUid(0));
        plan.push("mount namespace", Op::Unshare(NamespaceType::Mount.into()));
        let tree = plan.slot();
        plan.push(
            "clone",
            Op::CloneTree {
                dir: Dir::Cwd,
                path: c("/mnt"),
                recursive: false,
                into: tree,
            },
        );
        let attributes = Op::MountAttributes {
            mount: tree,
            set: RDONLY,
            clear: NOSUID | NODEV | NOEXEC,
            propagation: 0,
            recursive: false,
            keep_locked,
        };
        plan.push("attributes", attributes);
        let target = open_directory(&mut plan, "/mnt".as_ref());
        plan.push(
            "attach",
            Op::Attach {
                mount: tree,
                target,
            },
        );
        shell(
            &mut plan,
            "grep ' /mnt ' /proc/self/mountinfo | tail -1 | cut -d' ' -f6",
        );
        let outcome = run_with(plan, Vec::new(), &mut crate::support::Recorder::default());
        if keep_locked {
            assert_eq!(outcome.output(), "ro,nosuid,nodev,relatime\n");
        } else {
            let error = outcome.error();
            let failure = error.failure().unwrap();
            assert_eq!(failure.errno(), libc::EPERM);
            // f_flags of statfs(2): nosuid 2, nodev 4, valid 32, relatime 4096.
            assert_eq!(failure.detail(), b"4134");
        }
    }
}
