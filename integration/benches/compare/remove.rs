//! Removal of what a run made, complete or not.

use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cofferdam_integration::cgroup;
use rustix::process::{Pid, Signal, kill_process};

use crate::peer::{self, Peer};
use crate::scratch;

type Outcome = Result<(), Box<dyn Error>>;

/// Below a hierarchy the runtimes put the cgroup of a container at most this deep.
const DEPTH: usize = 3;
/// How many commands remove containers at the same time.
const WORKERS: usize = 4;
/// A killed process needs a moment to leave its cgroup.
const PATIENCE: Duration = Duration::from_secs(30);

/// Containers, cgroups and the folder itself. To be called in the layout in which they were made.
pub(crate) fn everything(folder: &Path) -> Outcome {
    let mark = scratch::mark(folder)?;
    containers(&peer::installed(folder)?, mark)?;
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// The containers of all peers whose id begins with `prefix`, and the cgroups of that name that no state tells of.
pub(crate) fn containers(peers: &[Peer], prefix: &str) -> Outcome {
    // With the processes gone no runtime has to wait for them.
    let cgroups = cgroups(prefix);
    kill(&cgroups);
    for peer in peers {
        let ids = ids(peer, prefix)?;
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // A container that was killed while it was made may not be deletable: its cgroups are removed
                        // below, and its state goes with the folder.
                        let _best_effort = peer.command(["delete", "--force", id]).status();
                    }
                });
            }
        });
    }
    let deadline = Instant::now() + PATIENCE;
    for directory in &cgroups {
        loop {
            match fs::remove_dir(directory) {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::NotFound => break,
                Err(error) if Instant::now() > deadline => {
                    return Err(format!("removing {}: {error}", directory.display()).into());
                }
                Err(_) => {
                    kill(&cgroups);
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }
    Ok(())
}

/// All three keep the state of a container in a directory of its name below the state root.
fn ids(peer: &Peer, prefix: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let entries = match fs::read_dir(&peer.root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut ids = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string()
            && name.starts_with(prefix)
        {
            ids.push(name);
        }
    }
    Ok(ids)
}

/// The directories of all hierarchies that are part of a container's cgroup, deepest first.
fn cgroups(prefix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for hierarchy in cgroup::mounts() {
        collect(&hierarchy, prefix, DEPTH, false, &mut found);
    }
    found
}

fn collect(directory: &Path, prefix: &str, depth: usize, inside: bool, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let ours = inside || entry.file_name().to_string_lossy().starts_with(prefix);
        if depth > 1 {
            collect(&entry.path(), prefix, depth - 1, ours, found);
        }
        if ours {
            found.push(entry.path());
        }
    }
}

fn kill(cgroups: &[PathBuf]) {
    for directory in cgroups {
        // One that is already gone has no processes.
        let list = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
        for pid in list.lines().filter_map(|line| line.parse().ok()) {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ended_before = kill_process(pid, Signal::KILL);
            }
        }
    }
}
