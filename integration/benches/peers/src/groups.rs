//! The cgroups that are read: made in every hierarchy of the layout, removed at the end.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::layout::Layout;

const ROOT: &str = "/sys/fs/cgroup";
const PREFIX: &str = "cofferdam-stats-";

/// As many cgroups as asked for, in one parent named after this process.
pub(crate) struct Groups {
    /// The parent's directory in each hierarchy.
    parents: Vec<PathBuf>,
    /// Relative to the root of each hierarchy.
    pub(crate) names: Vec<PathBuf>,
    /// Mount points by controller; on cgroup v2 the one has no name.
    pub(crate) mounts: BTreeMap<String, PathBuf>,
}

impl Groups {
    pub(crate) fn create(layout: Layout, count: usize) -> io::Result<Self> {
        let mounts = mounts(layout)?;
        for mount in mounts.values() {
            remove_abandoned(mount)?;
        }
        let parent = PathBuf::from(format!("{PREFIX}{}", std::process::id()));
        let mut groups = Self {
            parents: Vec::new(),
            names: (0..count)
                .map(|number| parent.join(number.to_string()))
                .collect(),
            mounts,
        };
        for mount in groups.mounts.values() {
            let directory = mount.join(&parent);
            groups.parents.push(directory.clone());
            if layout == Layout::Unified {
                // Whatever controllers there are, so that there is something to read.
                delegate(mount)?;
            }
            fs::create_dir(&directory)?;
            if layout == Layout::Unified {
                delegate(&directory)?;
            }
            for name in &groups.names {
                fs::create_dir(mount.join(name))?;
            }
        }
        Ok(groups)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for parent in &self.parents {
            if let Err(error) = remove(parent) {
                eprintln!("stats: removing {}: {error}", parent.display());
            }
        }
    }
}

fn mounts(layout: Layout) -> io::Result<BTreeMap<String, PathBuf>> {
    if layout == Layout::Unified {
        return Ok([(String::new(), PathBuf::from(ROOT))].into());
    }
    let mut mounts = BTreeMap::new();
    for entry in fs::read_dir(ROOT)? {
        let entry = entry?;
        // Links are second names of hierarchies that are there under their own.
        if entry.file_type()?.is_dir() && entry.path().join("tasks").exists() {
            let name = entry.file_name().to_string_lossy().into_owned();
            mounts.insert(name, entry.path());
        }
    }
    Ok(mounts)
}

/// Enables the controllers of a cgroup for those inside it.
fn delegate(directory: &Path) -> io::Result<()> {
    let controllers = fs::read_to_string(directory.join("cgroup.controllers"))?;
    for controller in controllers.split_whitespace() {
        fs::write(
            directory.join("cgroup.subtree_control"),
            format!("+{controller}"),
        )?;
    }
    Ok(())
}

fn remove_abandoned(mount: &Path) -> io::Result<()> {
    for entry in fs::read_dir(mount)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        if !Path::new("/proc").join(pid).exists() {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir(entry.path())?;
        }
    }
    fs::remove_dir(parent)
}
