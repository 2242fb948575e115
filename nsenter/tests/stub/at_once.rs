//! Mounts that are made with one call: they are what the longer way makes.

use std::path::Path;

use cofferdam_nsenter::plan::{FsOption, Leaf, Op, PlanBuilder, Slot};

use crate::rootfs::{self, NODEV, NOEXEC, NOSUID, RDONLY};
use crate::support::{c, path, root, run, shell};

fn string(key: &str, value: &str) -> FsOption {
    FsOption::String(c(key), c(value))
}

fn make(plan: &mut PlanBuilder, root: Slot, name: &str) -> Slot {
    let into = plan.slot();
    plan.push(
        format!("make {name}"),
        Op::MakePath {
            root,
            path: c(name),
            leaf: Leaf::Directory,
            into,
        },
    );
    into
}

fn attach(plan: &mut PlanBuilder, at: Slot, kind: &str, options: Vec<FsOption>, set: u64) -> Slot {
    let into = plan.slot();
    plan.push(
        format!("mount {kind}"),
        Op::NewMount {
            fstype: c(kind),
            source: Some(c(kind)),
            mode_of: None,
            options,
            attributes: set,
            into,
        },
    );
    plan.push(
        format!("attach {kind}"),
        Op::Attach {
            mount: into,
            target: at,
        },
    );
    into
}

/// A plan that has mounted a new tmpfs at `t` below the root of a new mount namespace.
fn with_tmpfs(directory: &Path) -> (PlanBuilder, Slot) {
    let mut plan = PlanBuilder::new();
    let root = rootfs::begin(&mut plan, directory);
    let at = make(&mut plan, root, "t");
    let tmpfs = attach(&mut plan, at, "tmpfs", Vec::new(), NOSUID | NODEV | NOEXEC);
    (plan, tmpfs)
}

/// Ends the plan with a look at the mounts below `t`: their names, attributes, and file systems.
fn mounts(mut plan: PlanBuilder, directory: &Path) -> Vec<(String, String)> {
    let below = directory.join("t");
    shell(
        &mut plan,
        "while read -r _ _ _ _ at attributes rest; do echo \"$at|$attributes ${rest#*- }\"; done </proc/self/mountinfo",
    );
    let prefix = format!("{}/", below.display());
    run(plan)
        .output()
        .lines()
        .filter_map(|line| {
            let (at, how) = line.strip_prefix(&prefix)?.split_once('|')?;
            Some((at.to_owned(), how.to_owned()))
        })
        .collect()
}

#[test]
fn a_mount_made_at_once_is_the_same_as_one_made_in_steps() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    let devpts = || vec![FsOption::Flag(c("newinstance")), string("mode", "0620")];
    let limited = || vec![string("mode", "1777"), string("size", "64k")];
    let readonly = || vec![string("mode", "700"), FsOption::Flag(c("ro"))];
    let (mut plan, tmpfs) = with_tmpfs(directory.path());
    for (kind, options, set) in [
        ("devpts", devpts(), NOSUID | NOEXEC),
        ("tmpfs", limited(), NOSUID | NODEV | NOEXEC),
        ("tmpfs", readonly(), RDONLY | NODEV),
        ("mqueue", Vec::new(), NOSUID),
    ] {
        let number = options.len();
        let steps = make(&mut plan, tmpfs, &format!("{kind}-{number}-{set}-steps"));
        attach(&mut plan, steps, kind, options.clone(), set);
        let target = make(&mut plan, tmpfs, &format!("{kind}-{number}-{set}-on"));
        plan.push(
            format!("mount {kind} on"),
            Op::MountOn {
                target,
                fstype: c(kind),
                source: Some(c(kind)),
                options: options.clone(),
                attributes: set,
            },
        );
        // The second time the name exists.
        for _ in 0..2 {
            plan.push(
                format!("mount {kind} in"),
                Op::MountIn {
                    dir: tmpfs,
                    name: c(&format!("{kind}-{number}-{set}-in")),
                    fstype: c(kind),
                    source: Some(c(kind)),
                    options: options.clone(),
                    attributes: set,
                },
            );
        }
    }
    let found = mounts(plan, directory.path());
    assert_eq!(found.len(), 16, "{found:?}");
    for (name, how) in &found {
        let (kind, _) = name.rsplit_once('-').unwrap();
        let steps = format!("{kind}-steps");
        let expected = found.iter().find(|(other, _)| *other == steps).unwrap();
        assert_eq!(how, &expected.1, "{name}");
    }
}

#[test]
fn options_that_mount_cannot_be_told_are_set_in_steps() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    let (mut plan, tmpfs) = with_tmpfs(directory.path());
    // A read-only mount of a file system that is not, and a value with a comma.
    for (name, options, attributes) in [
        ("one", vec![string("size", "64k")], RDONLY),
        ("two", vec![string("mpol", "bind:0,0")], NOSUID),
    ] {
        plan.push(
            name,
            Op::MountIn {
                dir: tmpfs,
                name: c(name),
                fstype: c("tmpfs"),
                source: Some(c("tmpfs")),
                options,
                attributes,
            },
        );
    }
    let found = mounts(plan, directory.path());
    let [one, two] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!(one.1.starts_with("ro,relatime tmpfs tmpfs rw,"), "{one:?}");
    assert!(
        two.1.starts_with("rw,nosuid,relatime tmpfs tmpfs rw,"),
        "{two:?}"
    );
}

#[test]
fn what_a_file_system_says_of_an_option_is_reported() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    let (mut plan, tmpfs) = with_tmpfs(directory.path());
    plan.push(
        "mount",
        Op::MountIn {
            dir: tmpfs,
            name: c("one"),
            fstype: c("tmpfs"),
            source: Some(c("tmpfs")),
            options: vec![string("size", "much")],
            attributes: 0,
        },
    );
    shell(&mut plan, "exit 0");
    let error = run(plan).error();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
    let failure = error.failure().expect("a failed step");
    assert!(
        failure.detail().ends_with(b"Bad value for 'size'"),
        "{failure:?}"
    );
}

#[test]
fn directories_are_bound_and_restricted() {
    if root() {
        bound_and_restricted();
    }
}

/// Also without `mount_setattr(2)`.
pub(crate) fn bound_and_restricted() {
    let directory = rootfs::directory();
    let sources = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        std::fs::create_dir_all(sources.path().join(name).join("inside")).unwrap();
    }
    let (mut plan, tmpfs) = with_tmpfs(directory.path());
    for name in ["a", "b"] {
        plan.push(
            format!("bind {name}"),
            Op::BindDirectory {
                dir: tmpfs,
                name: c(name),
                source: path(&sources.path().join(name)),
            },
        );
    }
    plan.push(
        "restrict",
        Op::MountAttributesOfAll {
            mount: tmpfs,
            names: vec![c("a"), c("b")],
            set: RDONLY | NOSUID | NODEV | NOEXEC,
            clear: 0,
        },
    );
    let t = directory.path().join("t");
    shell(
        &mut plan,
        &format!(
            "cd {0} && for at in . a b; do mkdir $at/x 2>/dev/null && echo writable; done; ls a b; grep -c ' {0}.* ro,nosuid,nodev,noexec,[^ ]* - ' /proc/self/mountinfo",
            t.display()
        ),
    );
    assert_eq!(run(plan).output(), "a:\ninside\n\nb:\ninside\n3\n");
    assert!(!sources.path().join("a/x").exists());
}
