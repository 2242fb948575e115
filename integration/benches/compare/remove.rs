//! Removal of what a run made, complete or not.

use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cofferdam_integration::{cgroup, scratch};

use crate::peer::{self, Named, Peer};

type Outcome = Result<(), Box<dyn Error>>;

/// How many commands remove containers at the same time.
const WORKERS: usize = 4;
/// How long cgroups may take to become empty.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Containers, cgroups and the folder itself. To be called in the layout in which they were made.
pub(crate) fn everything(folder: &Path, named: &[Named]) -> Outcome {
    let mark = scratch::mark(folder).ok_or("a folder without a name")?;
    containers(&peer::installed(folder, named)?, mark)?;
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// The containers of all peers whose id begins with `prefix`, and the cgroups of that name that no
/// state names.
pub(crate) fn containers(peers: &[Peer], prefix: &str) -> Outcome {
    // With the processes gone no runtime has to wait for them.
    let cgroups = cgroup::marked(prefix);
    for cgroup in &cgroups {
        drop(cgroup::kill(cgroup));
    }
    for peer in peers {
        let ids = ids(peer, prefix)?;
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // A container that was killed while it was made may not be deletable: its
                        // cgroups are removed below, and its state goes
                        // with the folder.
                        let _best_effort = peer.command(["delete", "--force", id]).status();
                    }
                });
            }
        });
    }
    cgroup::remove(&cgroups, Instant::now() + REMOVAL_TIMEOUT)?;
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
