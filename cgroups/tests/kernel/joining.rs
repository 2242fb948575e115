//! How processes get in without being moved by another process.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use cofferdam_cgroups::{Mode, Resources};

use crate::fixture::{BUDGET, Sleeper};
use crate::hierarchies::{any, v1, v2};
use crate::scratch::{cgroups_of, scratch};

#[test]
fn by_tasks_files() {
    let Some(hierarchy) = v1(&["devices"]) else {
        return;
    };
    let cgroup = scratch(&hierarchy, &Resources::default());
    let files = cgroup.self_join_files().unwrap();
    assert!(files.iter().all(|(name, _)| !name.is_empty()));
    let directory = cgroup.path("devices").unwrap().file_name().unwrap();
    for (name, file) in files {
        let joined = Sleeper::run("echo 0 >&0; exec sleep 1000", file);
        let line = format!(":{name}:/{}", directory.display());
        let deadline = Instant::now() + BUDGET;
        while !cgroups_of(&joined).lines().any(|own| own.ends_with(&line)) {
            assert!(Instant::now() < deadline, "{line} did not come");
            std::thread::yield_now();
        }
    }
}

#[test]
fn by_the_hybrid_directory() {
    let Some(hierarchy) = any() else {
        return;
    };
    if hierarchy.mode() != Mode::Hybrid {
        println!("skipped: needs a hybrid machine");
        return;
    }
    let cgroup = scratch(&hierarchy, &Resources::default());
    assert!(cgroup.dir().unwrap().is_some());
    let sleeper = Sleeper::new();
    cgroup.add(sleeper.pid()).unwrap();
    let name = cgroup.path("").unwrap().file_name().unwrap();
    let line = format!("0::/{}\n", name.display());
    assert!(cgroups_of(&sleeper).contains(&line));
}

#[test]
fn a_process_that_does_not_exist_is_named() {
    let Some(hierarchy) = any() else {
        return;
    };
    let cgroup = scratch(&hierarchy, &Resources::default());
    // More than the kernel ever gives (`PID_MAX_LIMIT`).
    let error = cgroup.add(1 << 23).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    assert!(
        error.to_string().starts_with("failed to write 8388608"),
        "{error}"
    );
}

#[test]
fn processes_of_a_threaded_cgroup_are_listed_by_their_threads() {
    let Some(hierarchy) = v2() else {
        return;
    };
    let cgroup = scratch(&hierarchy, &Resources::default());
    let path = cgroup.path("").unwrap().join("threaded");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("cgroup.type"), "threaded").unwrap();
    let sleeper = Sleeper::new();
    cgroup.add(sleeper.pid()).unwrap();
    fs::write(path.join("cgroup.threads"), sleeper.pid().to_string()).unwrap();
    // The kernel lists processes in the domain only.
    let refused = fs::read_to_string(path.join("cgroup.procs")).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EOPNOTSUPP));
    let sub = BTreeMap::from([(String::new(), PathBuf::from("threaded"))]);
    let threaded = cgroup.sub_cgroup(&sub).unwrap();
    assert_eq!(threaded.processes().unwrap(), [sleeper.pid()]);
    assert!(cgroup.all_processes().unwrap().contains(&sleeper.pid()));
}
