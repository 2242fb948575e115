//! The crates that are compared, each asked for all of its statistics.

use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use cgroups::{Cgroup, Hierarchy, Paths};
use libcgroups::common::CgroupManager as _;
use libcgroups::{v1, v2};

use crate::groups::Groups;
use crate::layout::Layout;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// A crate that reads statistics.
pub(crate) trait Contender {
    /// Reads all cgroups once: through what was made before, or finding each of them anew.
    fn read(&mut self, reopened: bool) -> Outcome<()>;
}

/// `cofferdam-cgroups`.
pub(crate) struct Cofferdam {
    hierarchy: Hierarchy,
    paths: Vec<Paths>,
    kept: Vec<Cgroup>,
}

impl Cofferdam {
    pub(crate) fn new(groups: &Groups) -> Outcome<Self> {
        let hierarchy = Hierarchy::system()?;
        let paths: Vec<Paths> = groups
            .names
            .iter()
            .map(|name| {
                let place = |(controller, mount): (&String, &PathBuf)| {
                    (controller.clone(), mount.join(name))
                };
                groups.mounts.iter().map(place).collect()
            })
            .collect();
        let kept = paths
            .iter()
            .map(|paths| Cgroup::load(&hierarchy, paths))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            hierarchy,
            paths,
            kept,
        })
    }
}

impl Contender for Cofferdam {
    fn read(&mut self, reopened: bool) -> Outcome<()> {
        if reopened {
            for paths in &self.paths {
                black_box(Cgroup::load(&self.hierarchy, paths)?.stats()?);
            }
        } else {
            for cgroup in &self.kept {
                black_box(cgroup.stats()?);
            }
        }
        Ok(())
    }
}

/// youki's `libcgroups`.
pub(crate) struct Libcgroups {
    layout: Layout,
    names: Vec<PathBuf>,
    kept: Vec<Manager>,
}

enum Manager {
    V1(v1::manager::Manager),
    V2(v2::manager::Manager),
}

impl Manager {
    fn new(layout: Layout, name: &Path) -> Outcome<Self> {
        // It wants paths as a container's configuration has them.
        let name = Path::new("/").join(name);
        Ok(match layout {
            Layout::V1 => Self::V1(v1::manager::Manager::new(&name)?),
            Layout::Unified => Self::V2(v2::manager::Manager::new("/sys/fs/cgroup".into(), name)?),
        })
    }

    fn read(&self) -> Outcome<()> {
        match self {
            Self::V1(manager) => drop(black_box(manager.stats()?)),
            Self::V2(manager) => drop(black_box(manager.stats()?)),
        }
        Ok(())
    }
}

impl Libcgroups {
    pub(crate) fn new(groups: &Groups, layout: Layout) -> Outcome<Self> {
        let kept = groups
            .names
            .iter()
            .map(|name| Manager::new(layout, name))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            layout,
            names: groups.names.clone(),
            kept,
        })
    }
}

impl Contender for Libcgroups {
    fn read(&mut self, reopened: bool) -> Outcome<()> {
        if reopened {
            for name in &self.names {
                Manager::new(self.layout, name)?.read()?;
            }
        } else {
            for manager in &self.kept {
                manager.read()?;
            }
        }
        Ok(())
    }
}
