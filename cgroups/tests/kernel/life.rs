//! From creation to removal.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cofferdam_cgroups::{Cgroup, CgroupSpec, ErrorKind, Hierarchy, Resources};

use crate::fixture::{BUDGET, Sleeper};
use crate::hierarchies::{v1, v2};
use crate::scratch::{cgroups_of, scratch, unique_path};

fn from_creation_to_removal(hierarchy: &Hierarchy) {
    let resources = Resources::default();
    let spec = CgroupSpec::at(unique_path().join("a/b"));
    let top = hierarchy.path().to_owned();
    let cgroup = Cgroup::prepare(hierarchy, &spec, &resources).unwrap();
    // Controllers that are mounted together have one directory.
    let parents: BTreeSet<_> = cgroup
        .paths()
        .values()
        .map(|path| path.ancestors().nth(2).unwrap().to_owned())
        .collect();
    assert!(cgroup.exists().unwrap());
    cgroup.check_unused().unwrap();
    assert!(cgroup.paths().values().all(|path| path.starts_with(&top)));

    let sleeper = Sleeper::new();
    cgroup.add(sleeper.pid()).unwrap();
    assert_eq!(cgroup.processes().unwrap(), [sleeper.pid()]);

    // Another creator finds it used.
    let other = Cgroup::prepare(hierarchy, &spec, &resources).unwrap();
    let error = other.check_unused().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotEmpty);
    assert_eq!(
        error.to_string(),
        "container's cgroup is not empty: 1 process(es) found"
    );
    let error = other.delete(Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotEmpty);
    assert!(cgroup.exists().unwrap());

    // By its paths, or by the process, it is the same.
    let loaded = Cgroup::load(hierarchy, &cgroup.paths()).unwrap();
    assert_eq!(loaded.processes().unwrap(), [sleeper.pid()]);
    let found = Cgroup::of_process(hierarchy, sleeper.pid()).unwrap();
    assert_eq!(found.processes().unwrap(), [sleeper.pid()]);
    assert_eq!(found.paths(), cgroup.paths());

    loaded.kill().unwrap();
    drop(sleeper);
    loaded.delete(BUDGET).unwrap();
    assert!(!cgroup.exists().unwrap() && !loaded.exists().unwrap());
    assert_eq!(cgroup.all_processes().unwrap(), [0_u32; 0]);
    loaded.delete(BUDGET).unwrap();
    let error = Cgroup::load(hierarchy, &cgroup.paths())
        .unwrap()
        .kill()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for parent in parents {
        fs::remove_dir(parent.join("a")).unwrap();
        fs::remove_dir(parent).unwrap();
    }
}

#[test]
fn from_creation_to_removal_on_v1() {
    if let Some(hierarchy) = v1(&["devices"]) {
        from_creation_to_removal(&hierarchy);
    }
}

#[test]
fn from_creation_to_removal_on_v2() {
    if let Some(hierarchy) = v2() {
        from_creation_to_removal(&hierarchy);
    }
}

/// Another program removes the cgroup above, which is empty until this one is made in it.
fn the_cgroup_above_is_made_again(hierarchy: &Hierarchy) {
    // Each removal costs one of the five attempts after the first one.
    const REMOVALS: usize = 5;
    let spec = CgroupSpec::at(unique_path().join("a"));
    let intended = Cgroup::intended(hierarchy, &spec).unwrap().paths();
    let above = intended.values().next().unwrap().parent().unwrap();
    let (removals, ends) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failed = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Ordering::Acquire) {
                if removals.load(Ordering::Acquire) > 0 && fs::remove_dir(above).is_ok() {
                    removals.fetch_sub(1, Ordering::AcqRel);
                }
            }
        });
        let failed = (0..50).find_map(|_| {
            removals.store(REMOVALS, Ordering::Release);
            let made = Cgroup::prepare(hierarchy, &spec, &Resources::default());
            removals.store(0, Ordering::Release);
            made.map(|cgroup| cgroup.undo_create()).err()
        });
        ends.store(true, Ordering::Release);
        failed
    });
    assert!(failed.is_none(), "{failed:?}");
    let mut above = intended.values().filter_map(|path| path.parent());
    assert!(above.all(|path| !path.exists()));
}

#[test]
fn the_cgroup_above_is_made_again_on_v1() {
    if let Some(hierarchy) = v1(&["devices"]) {
        the_cgroup_above_is_made_again(&hierarchy);
    }
}

#[test]
fn the_cgroup_above_is_made_again_on_v2() {
    if let Some(hierarchy) = v2() {
        the_cgroup_above_is_made_again(&hierarchy);
    }
}

fn children_and_kill(hierarchy: &Hierarchy, controller: &str) {
    let cgroup = scratch(hierarchy, &Resources::default());
    let sub = BTreeMap::from([(controller.to_owned(), PathBuf::from("x/y"))]);
    fs::create_dir_all(cgroup.path(controller).unwrap().join("x/y")).unwrap();
    let below = cgroup.sub_cgroup(&sub).unwrap();
    let (inner, outer) = (Sleeper::new(), Sleeper::new());
    cgroup.add(outer.pid()).unwrap();
    below.add(inner.pid()).unwrap();
    // On cgroup v1 only this controller has the sub-cgroup; the others are the cgroup itself.
    assert_eq!(
        below.path(controller).unwrap(),
        cgroup.path(controller).unwrap().join("x/y")
    );
    assert!(cgroups_of(&inner).contains("/x/y"));
    let mut all = cgroup.all_processes().unwrap();
    all.sort_unstable();
    let mut expected = [inner.pid(), outer.pid()];
    expected.sort_unstable();
    assert_eq!(all, expected);

    // Frozen processes die, too.
    cgroup.freeze().unwrap();
    cgroup.kill().unwrap();
    for mut sleeper in [inner, outer] {
        let status = sleeper.0.wait().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL));
    }
    cgroup.delete(BUDGET).unwrap();
    assert!(!cgroup.exists().unwrap());
}

#[test]
fn children_and_kill_on_v1() {
    if let Some(hierarchy) = v1(&["devices", "freezer"]) {
        children_and_kill(&hierarchy, "devices");
    }
}

#[test]
fn children_and_kill_on_v2() {
    if let Some(hierarchy) = v2() {
        children_and_kill(&hierarchy, "");
    }
}

/// A container that owns its cgroup may nest as it likes.
fn deep_trees(hierarchy: &Hierarchy, controller: &str) {
    const DEPTH: usize = 400;
    let cgroup = scratch(hierarchy, &Resources::default());
    let mut path = cgroup.path(controller).unwrap().to_owned();
    for _ in 0..DEPTH {
        path.push("d");
        fs::create_dir(&path).unwrap();
    }
    let sleeper = Sleeper::new();
    fs::write(path.join("cgroup.procs"), sleeper.pid().to_string()).unwrap();
    assert_eq!(cgroup.all_processes().unwrap(), [sleeper.pid()]);
    cgroup.kill().unwrap();
    drop(sleeper);
    cgroup.delete(BUDGET).unwrap();
    assert!(!cgroup.exists().unwrap());
}

#[test]
fn deep_trees_on_v1() {
    if let Some(hierarchy) = v1(&["devices"]) {
        deep_trees(&hierarchy, "devices");
    }
}

#[test]
fn deep_trees_on_v2() {
    if let Some(hierarchy) = v2() {
        deep_trees(&hierarchy, "");
    }
}

/// A process that has ended is not waited for, reaped or not.
fn removal_waits_for_the_last_process(hierarchy: &Hierarchy) {
    let spec = CgroupSpec::at(unique_path());
    let cgroup = Cgroup::prepare(hierarchy, &spec, &Resources::default()).unwrap();
    let mut sleepers = [(); 3].map(|()| Sleeper::new());
    for sleeper in &sleepers {
        cgroup.add(sleeper.pid()).unwrap();
    }
    std::thread::scope(|scope| {
        let removal = scope.spawn(|| cgroup.delete(BUDGET));
        for sleeper in &mut sleepers {
            sleeper.0.kill().unwrap();
        }
        removal.join().unwrap().unwrap();
    });
    assert!(!cgroup.exists().unwrap());
}

#[test]
fn removal_waits_for_the_last_process_on_v1() {
    if let Some(hierarchy) = v1(&["devices"]) {
        removal_waits_for_the_last_process(&hierarchy);
    }
}

#[test]
fn removal_waits_for_the_last_process_on_v2() {
    if let Some(hierarchy) = v2() {
        removal_waits_for_the_last_process(&hierarchy);
    }
}

/// An error that says who is still inside, and one call of `signal_each` that reaches all.
fn what_is_inside_is_named_and_signalled(hierarchy: &Hierarchy) {
    let cgroup = scratch(hierarchy, &Resources::default());
    let mut sleepers = [(); 3].map(|()| Sleeper::new());
    for sleeper in &sleepers {
        cgroup.add(sleeper.pid()).unwrap();
    }
    let error = cgroup.delete(Duration::from_millis(20)).unwrap_err();
    for sleeper in &sleepers {
        let pid = sleeper.pid().to_string();
        assert!(error.to_string().contains(&pid), "{error}");
    }
    let mut reached = 0;
    cgroup
        .signal_each(|pidfd| {
            reached += 1;
            rustix::process::pidfd_send_signal(pidfd, rustix::process::Signal::TERM).unwrap();
        })
        .unwrap();
    assert_eq!(reached, sleepers.len());
    for sleeper in &mut sleepers {
        let status = sleeper.0.wait().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGTERM));
    }
    cgroup.delete(BUDGET).unwrap();
}

#[test]
fn what_is_inside_is_named_and_signalled_on_v1() {
    if let Some(hierarchy) = v1(&["devices"]) {
        what_is_inside_is_named_and_signalled(&hierarchy);
    }
}

#[test]
fn what_is_inside_is_named_and_signalled_on_v2() {
    if let Some(hierarchy) = v2() {
        what_is_inside_is_named_and_signalled(&hierarchy);
    }
}

/// The owner of a cgroup may choose any names for those below it.
fn names_that_are_no_text(hierarchy: &Hierarchy, controller: &str) {
    let cgroup = scratch(hierarchy, &Resources::default());
    let below = cgroup.path(controller).unwrap();
    let below = below.join(OsStr::from_bytes(b"\xff\xfe"));
    fs::create_dir_all(below.join("a")).unwrap();
    let mut sleeper = Sleeper::new();
    fs::write(below.join("cgroup.procs"), sleeper.pid().to_string()).unwrap();
    assert_eq!(cgroup.all_processes().unwrap(), [sleeper.pid()]);
    cgroup.kill().unwrap();
    let status = sleeper.0.wait().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    cgroup.delete(BUDGET).unwrap();
    assert!(!cgroup.exists().unwrap());
}

#[test]
fn names_that_are_no_text_on_v1() {
    if let Some(hierarchy) = v1(&["devices"]) {
        names_that_are_no_text(&hierarchy, "devices");
    }
}

#[test]
fn names_that_are_no_text_on_v2() {
    if let Some(hierarchy) = v2() {
        names_that_are_no_text(&hierarchy, "");
    }
}
