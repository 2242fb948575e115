//! What a container must not leave behind.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::cgroup;

pub mod programs;

/// How long the kernel may take to free what nothing uses any more: a keyring, a BPF program and a
/// network device go after a grace period, which is longer on a busy machine.
pub const SETTLING: Duration = Duration::from_secs(20);

/// How long the processor is left to what is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

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
    /// Its id, after which its keyring and its resctrl group are called.
    pub id: &'a str,
    /// A device that only its rules name.
    pub device: programs::Device,
    /// The network devices that were there before, by name. Others count where the calling thread
    /// has a network namespace of its own; in that of the machine they are anybody's.
    pub devices: &'a BTreeSet<String>,
}

/// Everything that is still there, one line each. Empty is good. What the kernel frees with a delay
/// is waited for.
pub fn find(marks: &Marks<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for directory in cgroup::directories(marks.cgroup) {
        found.insert(format!("cgroup {}", directory.display()));
    }
    found.extend(mounts(marks.directory));
    found.extend(states(marks.root));
    found.extend(processes(marks.cgroup));
    found.extend(resctrl_groups(|name| name == marks.id));
    // What these are of is there, and with it they are.
    if found.is_empty() {
        found.extend(settled(|| delayed(marks)));
    }
    found
}

/// What goes after a grace period.
fn delayed(marks: &Marks<'_>) -> Vec<String> {
    // A zombie has its keyring until its parent waits for it.
    let mut found = if has_zombie(marks.cgroup) {
        Vec::new()
    } else {
        keyrings(|name| name == marks.id)
    };
    found.extend(programs::with_device(marks.device).expect("look at BPF programs"));
    if has_own_network() {
        let devices = network_devices().expect("read the network devices");
        found.extend(
            devices
                .difference(marks.devices)
                .map(|device| format!("network device {device}")),
        );
    }
    found
}

/// Looks until there is nothing, not longer than [`SETTLING`].
pub fn settled(look: impl Fn() -> Vec<String>) -> Vec<String> {
    let deadline = Instant::now() + SETTLING;
    loop {
        let found = look();
        if found.is_empty() || Instant::now() > deadline {
            return found;
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// The mounts of the calling thread's namespace that know a directory.
pub fn mounts(directory: &Path) -> Vec<String> {
    let directory = directory.to_string_lossy();
    fs::read_to_string("/proc/thread-self/mountinfo")
        .expect("read mountinfo")
        .lines()
        .filter(|line| line.contains(&*directory))
        .map(|line| format!("mount {line}"))
        .collect()
}

/// What is in a state root.
pub fn states(root: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| format!("state {}", entry.path().display()))
        .collect()
}

/// The session keyrings of containers with such an id, among those that this process may view
/// (proc_keys(5)).
///
/// # Panics
/// The list cannot be read, where the kernel has keys.
pub fn keyrings(is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let text = match fs::read_to_string("/proc/keys") {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => panic!("/proc/keys: {error}"),
    };
    // The type and the name, a colon, and how many keys there are in it.
    let id = |line: &str| -> Option<String> {
        let (_, name) = line.split_once(" keyring ")?;
        let (id, _) = name.trim_start().strip_prefix("_ses.")?.rsplit_once(':')?;
        Some(id.to_owned())
    };
    text.lines()
        .filter(|line| id(line).is_some_and(|id| is_wanted(&id)))
        .map(|line| format!("keyring {line}"))
        .collect()
}

/// The groups of Intel RDT with such a name, those for monitoring among them.
pub fn resctrl_groups(is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for parent in ["/sys/fs/resctrl", "/sys/fs/resctrl/mon_groups"] {
        // Few machines have it, and fewer have it mounted.
        let Ok(entries) = fs::read_dir(parent) else {
            continue;
        };
        for entry in entries.flatten() {
            if is_wanted(&entry.file_name().to_string_lossy()) {
                found.push(format!("resctrl group {}", entry.path().display()));
            }
        }
    }
    found
}

/// The network devices of the calling thread's namespace.
///
/// # Errors
/// The kernel does not list them.
pub fn network_devices() -> io::Result<BTreeSet<String>> {
    let table = fs::read_to_string("/proc/thread-self/net/dev")?;
    let names = table.lines().filter_map(|line| line.split_once(':'));
    Ok(names.map(|(name, _)| name.trim().to_owned()).collect())
}

/// Whether the calling thread has left the network of its process.
fn has_own_network() -> bool {
    let namespace = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).expect("a namespace");
    namespace("thread-self") != namespace("self")
}

/// The processes in a cgroup of this path, whatever the hierarchy.
fn processes(path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (directory, cgroups) in memberships() {
        let is_there = |cgroup: &String| !cgroup.ends_with(" (deleted)") && is_in(cgroup, path);
        if cgroups.iter().any(is_there) {
            let state = fs::read_to_string(directory.join("stat")).unwrap_or_default();
            found.push(format!("process {}", state.trim_end()));
        }
    }
    found
}

/// Whether a process that was not waited for yet has been in a cgroup of this path: it stays in a
/// cgroup that is gone.
fn has_zombie(path: &str) -> bool {
    let is_gone = |cgroup: &String| {
        cgroup
            .strip_suffix(" (deleted)")
            .is_some_and(|cgroup| is_in(cgroup, path))
    };
    memberships().any(|(_, cgroups)| cgroups.iter().any(is_gone))
}

/// Whether a line of proc_pid_cgroup(5) names this path or one below it.
fn is_in(cgroup: &str, path: &str) -> bool {
    !path.is_empty() && (cgroup.ends_with(path) || cgroup.contains(&format!("{path}/")))
}

/// The directory in /proc of each process, and the lines of its cgroups.
fn memberships() -> impl Iterator<Item = (PathBuf, Vec<String>)> {
    let entries = fs::read_dir("/proc").expect("read /proc").flatten();
    entries.filter_map(|entry| {
        let directory = entry.path();
        // A process may end while it is looked at.
        let cgroups = fs::read_to_string(directory.join("cgroup")).ok()?;
        Some((directory, cgroups.lines().map(str::to_owned).collect()))
    })
}
