//! The cgroups above those of a container that were made for it, to be removed after it.
//!
//! Which ones these are is in a file beside the state of the container: several commands may work
//! on one container, and another container in the same cgroups may end after it.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use cgroups::Cgroup;
use configs::Config;

use crate::cgroup;
use crate::cli::failure::Failure;
use crate::container::Container;
use crate::runtime::Runtime;

const FILE: &str = "cgroup-parents";

/// Cgroups above those of a container, by their directories.
#[derive(Debug, Default)]
pub(crate) struct CgroupParents(BTreeSet<PathBuf>);

impl CgroupParents {
    /// Those that are not there before the container is made, or that are there because this
    /// program has made them for another container.
    pub(crate) fn to_be_made(runtime: &Runtime, config: &Config) -> Result<Self, Failure> {
        if config.cgroups.systemd {
            return Ok(Self::default());
        }
        let spec = cgroup::spec(&config.cgroups, config.rootless_cgroups);
        let hierarchy = runtime.system().hierarchy()?;
        // That it cannot be made is an error of making it.
        let Ok(intended) = Cgroup::intended(hierarchy, &spec) else {
            return Ok(Self::default());
        };
        let of_others = of_all(runtime.path());
        let mut parents = BTreeSet::new();
        for path in intended.paths().into_values() {
            for above in path.ancestors().skip(1) {
                let is_there = above.try_exists().unwrap_or(true);
                if is_there && !of_others.contains(above) {
                    break;
                }
                parents.insert(above.to_owned());
            }
        }
        Ok(Self(parents))
    }

    /// Those on record of a container.
    pub(crate) fn of(container: &Container) -> Self {
        Self(read(container.directory()))
    }

    /// Puts them on record.
    pub(crate) fn record(&self, container: &Container) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        let lines: Vec<&[u8]> = self.0.iter().map(|it| it.as_os_str().as_bytes()).collect();
        let path = container.directory().join(FILE);
        std::fs::write(&path, lines.join(&b'\n'))
            .map_err(|error| Failure::io(format!("write {}", path.display()), error))
    }

    /// Removes those that are not used by anything else.
    pub(crate) fn remove(&self) {
        // The innermost first.
        for path in self.0.iter().rev() {
            match std::fs::remove_dir(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    log::debug!("remove {}: {error}", path.display());
                }
                _ => {}
            }
        }
    }
}

/// What is on record below a state root.
fn of_all(root: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    entries.flat_map(|entry| read(&entry.path())).collect()
}

fn read(directory: &Path) -> BTreeSet<PathBuf> {
    let text = std::fs::read(directory.join(FILE)).unwrap_or_default();
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| PathBuf::from(std::ffi::OsString::from_vec(line.to_vec())))
        .collect()
}
