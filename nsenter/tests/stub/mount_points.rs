//! Mount points: made below the root, never outside of it and never on procfs.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use cofferdam_nsenter::INSIDE_PROCFS;
use cofferdam_nsenter::plan::{Dir, Leaf, Op, PlanBuilder};

use crate::rootfs::{self, inside, usual};
use crate::support::{c, open_directory, root, run, shell};

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
    outcome(plan)
}

/// Runs the steps; the error is the errno of the one that failed.
fn outcome(mut plan: PlanBuilder) -> Result<(), i32> {
    shell(&mut plan, "exit 0");
    let served = run(plan).served;
    served
        .map(drop)
        .map_err(|error| error.raw_os_error().unwrap())
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
        assert_eq!(outcome(plan), expected, "{target}");
    }
}

/// An image cannot lead a mount onto the container's procfs; a configuration that names it can.
#[test]
fn a_link_onto_procfs_is_no_mount_point() {
    if !root() {
        return;
    }
    for (link, target, expected) in [
        ("proc/sys", "link", Err(libc::ELOOP)),
        ("/proc", "link/sys/kernel", Err(libc::ELOOP)),
        ("proc/1/fd", "link", Err(libc::ELOOP)),
        ("elsewhere", "/proc/uptime", Ok(())),
        ("elsewhere", "//./proc/sys", Err(libc::ELOOP)),
        // What is not there cannot be made there either.
        ("/proc", "link/foo", Err(libc::ELOOP)),
        ("proc/sys/kernel", "link/foo/bar", Err(libc::ELOOP)),
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
        let served = run(plan).served;
        let found = served
            .as_ref()
            .map(drop)
            .map_err(|error| error.raw_os_error().unwrap());
        assert_eq!(found, expected, "{link} {target}");
        if let Err(error) = served {
            let failure = error.failure().unwrap();
            assert_eq!(failure.detail(), INSIDE_PROCFS, "{link} {target}");
        }
    }
}

/// Another thread exchanges a directory of the path with a link to the outside, all the time.
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
