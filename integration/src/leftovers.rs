//! What a container must not leave behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::cgroup;

/// What the kernel shows of a container, by the marks it carries: its cgroup, its bundle, its state
/// root.
#[derive(Clone, Debug)]
pub struct Marks<'a> {
    /// The path of its cgroup.
    pub cgroup: &'a str,
    /// A directory that only its mounts and its processes know.
    pub directory: &'a Path,
    /// The state root; nothing may be in it.
    pub root: &'a Path,
}

/// Everything that is still there, one line each. Empty is good.
pub fn find(marks: &Marks<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for directory in cgroup::directories(marks.cgroup) {
        found.insert(format!("cgroup {}", directory.display()));
    }
    let directory = marks.directory.to_string_lossy();
    for line in fs::read_to_string("/proc/thread-self/mountinfo")
        .expect("read mountinfo")
        .lines()
    {
        if line.contains(&*directory) {
            found.insert(format!("mount {line}"));
        }
    }
    if let Ok(entries) = fs::read_dir(marks.root) {
        for entry in entries.flatten() {
            found.insert(format!("state {}", entry.path().display()));
        }
    }
    found.extend(processes(marks.cgroup));
    found
}

/// The processes in a cgroup of this path, whatever the hierarchy.
fn processes(path: &str) -> Vec<String> {
    let mut found = Vec::new();
    if path.is_empty() {
        return found;
    }
    for entry in fs::read_dir("/proc").expect("read /proc").flatten() {
        let directory = entry.path();
        // A process may end while it is looked at.
        let Ok(cgroups) = fs::read_to_string(directory.join("cgroup")) else {
            continue;
        };
        // A zombie that was not waited for yet stays in a cgroup that is gone.
        if cgroups
            .lines()
            .filter(|line| !line.ends_with(" (deleted)"))
            .any(|line| line.ends_with(path) || line.contains(&format!("{path}/")))
        {
            let state = fs::read_to_string(directory.join("stat")).unwrap_or_default();
            found.push(format!("process {}", state.trim_end()));
        }
    }
    found
}
