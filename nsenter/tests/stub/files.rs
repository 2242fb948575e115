//! Files that are written: copied trees, extended attributes, kernel parameters.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use cofferdam_nsenter::ErrorKind;
use cofferdam_nsenter::NamespaceType;
use cofferdam_nsenter::plan::{Op, PlanBuilder};
use tempfile::TempDir;

use crate::rootfs::{NODEV, NOEXEC, NOSUID, inside};
use crate::support::{Outcome, c, open_directory, root, run, shell};

/// Copies the content of one directory into the other.
fn copied(from: &TempDir, to: &TempDir) -> Outcome {
    let mut plan = PlanBuilder::new();
    let copy = Op::CopyTree {
        from: open_directory(&mut plan, from.path()),
        to: open_directory(&mut plan, to.path()),
    };
    plan.push("copy", copy);
    shell(&mut plan, "exit 0");
    run(plan)
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
    copied(&from, &to).output();

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
    let error = copied(&from, &to).error();
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
        plan.clone_namespaces(NamespaceType::Mount | NamespaceType::Network);
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
