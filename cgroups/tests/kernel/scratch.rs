//! Cgroups of one test.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use cofferdam_cgroups::{Cgroup, CgroupSpec, Hierarchy, Resources};

use crate::fixture::{BUDGET, Sleeper};

/// A cgroup that is gone at the end of the test, processes included.
pub(crate) struct Scratch(Cgroup);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        self.0.delete(BUDGET).unwrap();
    }
}

impl Deref for Scratch {
    type Target = Cgroup;

    fn deref(&self) -> &Cgroup {
        &self.0
    }
}

pub(crate) fn scratch(hierarchy: &Hierarchy, resources: &Resources) -> Scratch {
    let spec = CgroupSpec::at(unique_path());
    Scratch(Cgroup::prepare(hierarchy, &spec, resources).unwrap())
}

/// As [`scratch`], with the limits in force.
pub(crate) fn limited(hierarchy: &Hierarchy, resources: &Resources) -> Scratch {
    let cgroup = scratch(hierarchy, resources);
    let applied = cgroup.set(resources).unwrap();
    assert!(applied.warnings.is_empty(), "{applied:?}");
    cgroup
}

/// 8 MiB and no swap.
pub(crate) fn little_memory() -> Resources {
    Resources {
        memory: Some(8 << 20),
        memory_swap: Some(8 << 20),
        ..Resources::default()
    }
}

pub(crate) fn unique_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("/cofferdam-test-{}-{number}", std::process::id()).into()
}

/// The cgroups a process is in, as `/proc/PID/cgroup` lists them.
pub(crate) fn cgroups_of(process: &Sleeper) -> String {
    fs::read_to_string(format!("/proc/{}/cgroup", process.pid())).unwrap()
}
