//! How processes get in without being moved by somebody else.

use std::time::Instant;

use cofferdam_cgroups::{Mode, Resources};

use crate::{
    fixture::{BUDGET, Sleeper},
    hierarchies::{any, v1},
    scratch::{cgroups_of, scratch},
};

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
