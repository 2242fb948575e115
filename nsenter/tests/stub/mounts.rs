//! Mounts, and paths in a root that belongs to somebody else.

use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use cofferdam_nsenter::ErrorKind;
use cofferdam_nsenter::namespaces::Kind;
use cofferdam_nsenter::plan::{Dir, FsOption, Leaf, Op, PlanBuilder};

use crate::rootfs::{
    self, NODEV, NOEXEC, NOSUID, RDONLY, begin, bind, inside, mount, pivot, usual,
};
use crate::support::{c, null, open_directory, path, root, run, run_with, shell};

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

/// An explicit option wins over the mode of the directory, and a directory that was made has none to give.
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
        plan.push("mount namespace", Op::Unshare(Kind::Mount.flag()));
        plan.push(
            "no propagation",
            Op::Propagation {
                paths: vec![c("/")],
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
        plan.push("user namespace", Op::Unshare(Kind::User.flag()));
        plan.push("dumpable", Op::Dumpable(true));
        plan.push("maps", Op::AskIdMaps);
        plan.push("not dumpable", Op::Dumpable(false));
        plan.push("gid", Op::SetGid(0));
        plan.push("uid", Op::SetUid(0));
        plan.push("mount namespace", Op::Unshare(Kind::Mount.flag()));
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
        let outcome = run_with(plan, Vec::new(), &mut crate::support::Parent::default());
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

#[test]
fn propagation_takes_the_first_candidate_that_is_a_mount() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut plan = PlanBuilder::new();
    plan.clone_namespaces(Kind::Mount.flag());
    let paths = vec![path(directory.path()), c("/proc")];
    plan.push(
        "private",
        Op::Propagation {
            paths,
            flags: libc::MS_UNBINDABLE,
        },
    );
    shell(&mut plan, "grep ' /proc ' /proc/self/mountinfo");
    let out = run(plan).output();
    assert!(out.contains("unbindable"), "{out}");
    let mut plan = PlanBuilder::new();
    plan.clone_namespaces(Kind::Mount.flag());
    plan.push(
        "private",
        Op::Propagation {
            paths: vec![path(directory.path())],
            flags: libc::MS_PRIVATE,
        },
    );
    shell(&mut plan, "exit 0");
    assert_eq!(run(plan).error().raw_os_error(), Some(libc::EINVAL));
}

/// Makes a path below a directory and writes a mark into what was opened.
fn made(directory: &tempfile::TempDir, target: &str, leaf: Leaf) -> Result<(), i32> {
    let mut plan = PlanBuilder::new();
    let root = open_directory(&mut plan, directory.path());
    let at = plan.slot();
    plan.push(
        "make",
        Op::MakePath {
            root,
            path: c(target),
            leaf,
            into: at,
        },
    );
    if leaf == Leaf::Directory {
        let mark = plan.slot();
        let open = Op::Open {
            dir: Dir::Slot(at),
            path: c("mark"),
            flags: (libc::O_CREAT | libc::O_WRONLY) as u32,
            mode: 0o600,
            resolve: 0,
            into: mark,
        };
        plan.push("mark", open);
    }
    shell(&mut plan, "exit 0");
    match run(plan).served {
        Ok(_) => Ok(()),
        Err(error) => Err(error.raw_os_error().unwrap()),
    }
}

#[test]
fn paths_are_made_and_links_stay_inside() {
    let outside = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let host = outside.path().to_str().unwrap();
    symlink(format!("{host}/escape"), inside(&directory, "absolute")).unwrap();
    symlink("../../../../../../../../up", inside(&directory, "relative")).unwrap();
    symlink("dangling/deep", inside(&directory, "dangles")).unwrap();
    symlink("loop", inside(&directory, "loop")).unwrap();
    std::fs::create_dir_all(inside(&directory, "real/dir")).unwrap();
    symlink("real/dir/..", inside(&directory, "dots")).unwrap();
    for (target, expected) in [
        ("/plain/a/b", "plain/a/b"),
        ("../../above/./x//y/", "above/x/y"),
        ("absolute/sub", &format!("{}/escape/sub", &host[1..])),
        ("relative/sub", "up/sub"),
        ("dangles", "dangling/deep"),
        ("dangles/further", "dangling/deep/further"),
        ("dots/new", "real/new"),
        ("real/dir/../../side", "side"),
    ] {
        assert_eq!(
            made(&directory, target, Leaf::Directory),
            Ok(()),
            "{target}"
        );
        assert!(
            inside(&directory, expected).join("mark").exists(),
            "{target} did not become {expected}"
        );
        std::fs::remove_file(inside(&directory, expected).join("mark")).unwrap();
    }
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert!(!std::path::Path::new("/up").exists());
    assert_eq!(
        std::fs::metadata(inside(&directory, "plain/a"))
            .unwrap()
            .mode()
            & 0o7777,
        0o755
    );
    assert_eq!(
        made(&directory, "loop/x", Leaf::Directory),
        Err(libc::ELOOP)
    );
    std::fs::write(inside(&directory, "file"), "").unwrap();
    assert_eq!(
        made(&directory, "file/x", Leaf::Directory),
        Err(libc::ENOTDIR)
    );
    let long = format!("{}/x", "n".repeat(300));
    assert_eq!(
        made(&directory, &long, Leaf::Directory),
        Err(libc::ENAMETOOLONG)
    );
}

#[test]
fn the_root_itself_is_no_mount_point() {
    let directory = tempfile::tempdir().unwrap();
    symlink("/", inside(&directory, "self")).unwrap();
    for target in ["/", ".", "..", "self", "a/.."] {
        assert_eq!(
            made(&directory, target, Leaf::Directory),
            Err(libc::EXDEV),
            "{target}"
        );
    }
}

#[test]
fn a_file_is_made_for_a_file_and_a_directory_for_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(made(&directory, "etc/file", Leaf::File), Ok(()));
    let file = std::fs::metadata(inside(&directory, "etc/file")).unwrap();
    assert!(file.is_file() && file.mode() & 0o7777 == 0o644 && file.len() == 0);
    // Not truncated, not replaced.
    std::fs::write(inside(&directory, "etc/file"), "content").unwrap();
    assert_eq!(made(&directory, "etc/file", Leaf::File), Ok(()));
    assert_eq!(
        std::fs::read_to_string(inside(&directory, "etc/file")).unwrap(),
        "content"
    );
    symlink("/etc/new", inside(&directory, "link")).unwrap();
    assert_eq!(made(&directory, "link", Leaf::File), Ok(()));
    assert!(inside(&directory, "etc/new").is_file());
}

#[test]
fn a_set_group_id_directory_gives_its_bit_to_what_is_made_in_it() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(directory.path(), None, Some(777)).unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o2755)).unwrap();
    assert_eq!(made(&directory, "a/b", Leaf::Directory), Ok(()));
    for name in ["a", "a/b"] {
        let stat = std::fs::metadata(inside(&directory, name)).unwrap();
        assert_eq!((stat.mode() & 0o7777, stat.gid()), (0o2755, 777), "{name}");
    }
}

#[test]
fn proc_is_only_mounted_on_ordinary_directories() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(inside(&directory, "elsewhere")).unwrap();
    symlink("elsewhere", inside(&directory, "link")).unwrap();
    std::fs::write(inside(&directory, "file"), "").unwrap();
    for (target, expected) in [
        ("proc", Ok(())),
        ("/made/on/the/way", Ok(())),
        ("elsewhere", Ok(())),
        ("link", Err(libc::ELOOP)),
        ("link/proc", Err(libc::ELOOP)),
        ("file", Err(libc::ENOTDIR)),
        ("new/../proc", Err(libc::EINVAL)),
        (".", Err(libc::EXDEV)),
    ] {
        let mut plan = PlanBuilder::new();
        let root = open_directory(&mut plan, directory.path());
        let into = plan.slot();
        plan.push(
            "make",
            Op::MakePlainDirectory {
                root,
                path: c(target),
                into,
            },
        );
        shell(&mut plan, "exit 0");
        let result = run(plan)
            .served
            .map(drop)
            .map_err(|error| error.raw_os_error().unwrap());
        assert_eq!(result, expected, "{target}");
    }
}

/// Somebody exchanges a directory of the path with a link to the outside, all the time.
#[test]
fn a_race_never_leads_outside() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let outside = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(inside(&directory, "a")).unwrap();
    symlink(outside.path(), inside(&directory, "b")).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let (a, b) = (inside(&directory, "a"), inside(&directory, "b"));
                rustix::fs::renameat_with(
                    rustix::fs::CWD,
                    &a,
                    rustix::fs::CWD,
                    &b,
                    rustix::fs::RenameFlags::EXCHANGE,
                )
                .unwrap();
            }
        });
        for index in 0..100 {
            // It may fail, or land inside; never outside.
            let _ = made(&directory, &format!("a/x{index}/y"), Leaf::Directory);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

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
    let device = plan.slot();
    let open = Op::Open {
        dir: Dir::Slot(root),
        path: c("dev/null"),
        flags: libc::O_PATH as u32,
        mode: 0,
        resolve: 0,
        into: device,
    };
    plan.push("open null", open);
    let paths = [
        "/dir",
        "/secret",
        "/missing/path",
        "/other",
        "/alias",
        "/proc/kcore",
    ]
    .map(c)
    .to_vec();
    plan.push(
        "mask",
        Op::Mask {
            root,
            paths,
            null: device,
            context: None,
        },
    );
    plan.push(
        "readonly",
        Op::ReadonlyPaths {
            root,
            paths: vec![c("/writable"), c("/nothing")],
        },
    );
    for slot in [root, device, source] {
        plan.push("close", Op::Close(slot));
    }
    let script = "ls /dir /other /alias | grep -v :; cat /secret; head -c 1 /proc/kcore | wc -c; \
                  stat -c %d /dir; stat -c %d /other; touch /dir/x; mkdir /writable/x; ls /writable; \
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
    plan.clone_namespaces(Kind::Mount.flag());
    let root = open_directory(&mut plan, directory.path());
    let null = plan.slot();
    let open = Op::Open {
        dir: Dir::Slot(root),
        path: c("fake"),
        flags: libc::O_PATH as u32,
        mode: 0,
        resolve: 0,
        into: null,
    };
    plan.push("open", open);
    plan.push(
        "mask",
        Op::Mask {
            root,
            paths: vec![c("/fake")],
            null,
            context: None,
        },
    );
    shell(&mut plan, "exit 0");
    assert_eq!(run(plan).error().raw_os_error(), Some(libc::EBADMSG));
}

#[test]
fn a_tree_is_copied_with_everything() {
    if !root() {
        return;
    }
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(inside(&from, "dir/deeper")).unwrap();
    std::fs::set_permissions(
        inside(&from, "dir"),
        std::fs::Permissions::from_mode(0o1777),
    )
    .unwrap();
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(inside(&from, "dir/deeper/file"), &content).unwrap();
    std::os::unix::fs::chown(inside(&from, "dir/deeper/file"), Some(55), Some(66)).unwrap();
    std::fs::set_permissions(
        inside(&from, "dir/deeper/file"),
        std::fs::Permissions::from_mode(0o4755),
    )
    .unwrap();
    symlink("/dangling", inside(&from, "link")).unwrap();
    let node = rustix::fs::makedev(1, 5);
    let mode = rustix::fs::Mode::from_raw_mode(0o640);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        inside(&from, "zero"),
        rustix::fs::FileType::CharacterDevice,
        mode,
        node,
    )
    .unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        inside(&from, "fifo"),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .unwrap();
    let past = std::fs::File::options()
        .write(true)
        .open(inside(&from, "dir/deeper/file"))
        .unwrap();
    past.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000))
        .unwrap();
    let xattr = rustix::fs::setxattr(
        inside(&from, "dir/deeper/file"),
        "user.mark",
        b"value",
        rustix::fs::XattrFlags::empty(),
    );
    for index in 0..200 {
        std::fs::write(
            inside(&from, &format!("many-{index}-with-a-longer-name")),
            "",
        )
        .unwrap();
    }
    let mut plan = PlanBuilder::new();
    let source = open_directory(&mut plan, from.path());
    let target = open_directory(&mut plan, to.path());
    plan.push(
        "copy",
        Op::CopyTree {
            from: source,
            to: target,
        },
    );
    shell(&mut plan, "exit 0");
    run(plan).output();

    let compare = |name: &str| {
        let (a, b) = (inside(&from, name), inside(&to, name));
        let (a, b) = (
            std::fs::symlink_metadata(a).unwrap(),
            std::fs::symlink_metadata(b).unwrap(),
        );
        let of = |m: &std::fs::Metadata| {
            (
                m.mode(),
                m.uid(),
                m.gid(),
                m.rdev(),
                m.mtime(),
                m.mtime_nsec(),
            )
        };
        assert_eq!(of(&a), of(&b), "{name}");
    };
    for name in [
        "dir",
        "dir/deeper",
        "dir/deeper/file",
        "link",
        "zero",
        "fifo",
    ] {
        compare(name);
    }
    assert!(std::fs::read(inside(&to, "dir/deeper/file")).unwrap() == content);
    assert_eq!(
        std::fs::read_link(inside(&to, "link")).unwrap().to_str(),
        Some("/dangling")
    );
    assert_eq!(
        std::fs::read_dir(to.path()).unwrap().count(),
        std::fs::read_dir(from.path()).unwrap().count()
    );
    if xattr.is_ok() {
        let mut value = [0; 16];
        let count =
            rustix::fs::getxattr(inside(&to, "dir/deeper/file"), "user.mark", &mut value).unwrap();
        assert_eq!(&value[..count], b"value");
    }
}

#[test]
fn a_tree_without_end_is_refused() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let deep = (0..200).fold(from.path().to_owned(), |path, _| path.join("d"));
    std::fs::create_dir_all(&deep).unwrap();
    let mut plan = PlanBuilder::new();
    let source = open_directory(&mut plan, from.path());
    let target = open_directory(&mut plan, to.path());
    plan.push(
        "copy",
        Op::CopyTree {
            from: source,
            to: target,
        },
    );
    shell(&mut plan, "exit 0");
    let error = run(plan).error();
    assert_eq!(
        (error.kind(), error.raw_os_error()),
        (ErrorKind::Step, Some(libc::ELOOP))
    );
}

#[test]
fn an_extended_attribute_is_set_also_through_a_path_descriptor() {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = PlanBuilder::new();
    let fd = open_directory(&mut plan, directory.path());
    plan.push_tolerating(
        "xattr",
        Op::SetXattr {
            fd,
            name: c("user.test"),
            value: b"set".to_vec(),
        },
        &[libc::EOPNOTSUPP],
    );
    shell(&mut plan, "exit 0");
    let outcome = run(plan);
    if outcome.served.unwrap().warnings().is_empty() {
        let mut value = [0; 8];
        assert_eq!(
            rustix::fs::getxattr(directory.path(), "user.test", &mut value).unwrap(),
            3
        );
    } else {
        println!("skipped: the file system has no user attributes");
    }
}

#[test]
fn a_sysctl_is_written_through_a_private_procfs() {
    if !root() {
        return;
    }
    for (name, value, failure) in [
        ("sys/net/ipv4/ip_forward", "1", None),
        ("sys/net/no/such", "1", Some((libc::ENOENT, "open"))),
        (
            "sys/net/ipv4/ip_forward",
            "nonsense",
            Some((libc::EINVAL, "write")),
        ),
        (
            "self/../sys/net/ipv4/ip_forward",
            "1",
            Some((libc::ELOOP, "open")),
        ),
    ] {
        let mut plan = PlanBuilder::new();
        plan.clone_namespaces(Kind::Mount.flag() | Kind::Network.flag());
        let procfs = plan.slot();
        let new = Op::NewMount {
            fstype: c("proc"),
            source: None,
            options: Vec::new(),
            mode_of: None,
            attributes: NOSUID | NODEV | NOEXEC,
            into: procfs,
        };
        plan.push("procfs", new);
        plan.push(
            "sysctl",
            Op::Sysctl {
                procfs,
                path: c(name),
                value: value.into(),
            },
        );
        plan.push("close", Op::Close(procfs));
        shell(&mut plan, "cat /proc/sys/net/ipv4/ip_forward");
        let outcome = run(plan);
        match failure {
            None => assert_eq!(outcome.output(), "1\n"),
            Some((errno, detail)) => {
                let error = outcome.error();
                let failure = error.failure().unwrap();
                assert_eq!(
                    (failure.errno(), failure.detail()),
                    (errno, detail.as_bytes()),
                    "{name}"
                );
            }
        }
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

/// An image cannot lead a mount onto the container's procfs; a configuration that names it can.
#[test]
fn a_link_onto_procfs_is_no_mount_point() {
    if !root() {
        return;
    }
    for (link, target, expected) in [
        ("proc/sys", "link", Some(libc::ELOOP)),
        ("/proc", "link/sys/kernel", Some(libc::ELOOP)),
        ("proc/1/fd", "link", Some(libc::ELOOP)),
        ("elsewhere", "/proc/uptime", None),
        ("elsewhere", "//./proc/sys", Some(libc::ELOOP)),
    ] {
        let directory = rootfs::directory();
        symlink(link, inside(&directory, "link")).unwrap();
        let mut plan = PlanBuilder::new();
        let root = usual(&mut plan, directory.path());
        let into = plan.slot();
        plan.push(
            "make",
            Op::MakePath {
                root,
                path: c(target),
                leaf: Leaf::File,
                into,
            },
        );
        shell(&mut plan, "exit 0");
        let result = run(plan)
            .served
            .map(drop)
            .map_err(|error| error.raw_os_error().unwrap());
        assert_eq!(result.err(), expected, "{link} {target}");
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
    plan.push(
        "readonly",
        Op::ReadonlyPaths {
            root,
            paths: vec![c("/")],
        },
    );
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

/// The pid namespace of a new procfs, by descriptor (Linux 6.17).
#[test]
fn an_option_can_be_a_descriptor() {
    if !root() {
        return;
    }
    let namespace = std::fs::File::open("/proc/self/ns/pid").unwrap();
    let mut plan = PlanBuilder::new();
    let (pidns, into) = (plan.input("pid namespace"), plan.slot());
    plan.clone_namespaces(Kind::Pid.flag() | Kind::Mount.flag());
    let new = Op::NewMount {
        fstype: c("proc"),
        source: None,
        options: vec![FsOption::Descriptor(c("pidns"), pidns)],
        mode_of: None,
        attributes: NOSUID,
        into,
    };
    plan.push_tolerating("procfs", new, &[libc::EINVAL]);
    plan.push("lend", Op::AskGate(1));
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
    let mut parent = crate::support::Parent::default();
    let outcome = run_with(plan, vec![(pidns, namespace.as_fd())], &mut parent);
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
