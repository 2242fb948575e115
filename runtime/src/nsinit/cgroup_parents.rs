//! The cgroups above those of a container that were made for it, to be removed after it.
//!
//! A label of the configuration says which ones these are: a command that is killed leaves them to
//! another one, and another container in the same cgroups may end later.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use cgroups::Cgroup;
use configs::Config;
use rustix::fs::{Mode, OFlags};

use crate::cgroup;
use crate::cli::failure::Failure;
use crate::container::Container;
use crate::error::ErrorKind;
use crate::runtime::Runtime;
use crate::state::lock::wait_for_exclusive;

/// The label, with a directory a line.
const LABEL: &str = "nsinit.cgroup_parents";

/// Cgroups above those of a container, by their directories.
#[derive(Debug, Default)]
pub(crate) struct CgroupParents(BTreeSet<PathBuf>);

impl CgroupParents {
    /// Those that are not there before a container of this configuration is made, or that are there
    /// because they were made for another container of the state root. The configuration gets the
    /// label.
    pub(crate) fn to_be_made(runtime: &Runtime, config: &mut Config) -> Result<Self, Failure> {
        let start = format!("{LABEL}=");
        config.labels.retain(|label| !label.starts_with(&start));
        if config.cgroups.systemd {
            return Ok(Self::default());
        }
        let spec = cgroup::spec(&config.cgroups, config.rootless_cgroups);
        let hierarchy = runtime.system().hierarchy()?;
        // That it cannot be made is an error of making it.
        let Ok(intended) = Cgroup::intended(hierarchy, &spec) else {
            return Ok(Self::default());
        };
        let _exclusive = exclusive(runtime);
        let paths = intended.paths();
        let chains: Vec<Vec<_>> = paths
            .values()
            .map(|path| {
                let above = path.ancestors().skip(1);
                above
                    .map(|above| (above, above.try_exists().unwrap_or(true)))
                    .collect()
            })
            .collect();
        // Looked at last: a container is on record before its cgroups are made.
        let of_others = of_all(runtime)?;
        let mut parents = BTreeSet::new();
        for chain in chains {
            let made = chain
                .into_iter()
                .take_while(|(above, is_there)| !is_there || of_others.contains(*above));
            parents.extend(made.map(|(above, _)| above.to_owned()));
        }
        let lines: Vec<&str> = parents.iter().filter_map(|path| path.to_str()).collect();
        if !lines.is_empty() {
            config.labels.push(start + &lines.join("\n"));
        }
        Ok(Self(parents))
    }

    /// Those that the label of a container names.
    pub(crate) fn of(container: &Container) -> Self {
        let config = container.config().unwrap_or_default();
        let lines = config.label(LABEL).unwrap_or_default().lines();
        Self(lines.map(PathBuf::from).collect())
    }

    /// Removes those that are not used by anything else.
    pub(crate) fn remove(&self) {
        // The innermost first.
        for path in self.0.iter().rev() {
            // It refuses a cgroup that has processes or cgroups.
            match std::fs::remove_dir(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    log::debug!("remove {}: {error}", path.display());
                }
                _ => {}
            }
        }
    }
}

/// Until the result is dropped, no other command decides which cgroups are made for a container of
/// this state root, or removes a container and then those above: between the two these are neither
/// on record nor gone.
///
/// `None` if there is no state root, if it cannot be locked, or if another command has the lock for
/// ten seconds: one whose hook calls this one, for example. What is at stake is an empty cgroup.
pub(crate) fn exclusive(runtime: &Runtime) -> Option<OwnedFd> {
    let root = runtime.root().ok()?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // A description of its own, whose lock ends with it.
    let own = rustix::fs::openat(root, ".", flags, Mode::empty()).ok()?;
    match wait_for_exclusive(&own) {
        Ok(true) => Some(own),
        missed => {
            log::debug!("lock {}: {missed:?}", runtime.path().display());
            None
        }
    }
}

/// What was made for the containers of a state root.
fn of_all(runtime: &Runtime) -> Result<BTreeSet<PathBuf>, Failure> {
    let containers = match runtime.list() {
        Ok(containers) => containers,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error.into()),
    };
    Ok(containers
        .filter_map(Result::ok)
        .flat_map(|container| CgroupParents::of(&container).0)
        .collect())
}
