//! The crates that are compared, each asked for all of its statistics.

use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use cgroups::stats::Controllers;
use cgroups::{Cgroup, Hierarchy, Paths, Sampler};
use libcgroups::common::CgroupManager as _;
use libcgroups::{v1, v2};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::groups::Groups;
use crate::layout::Layout;

/// What is read: everything that `libcgroups` knows.
fn wanted() -> Controllers {
    Controllers::CPU
        | Controllers::MEMORY
        | Controllers::IO
        | Controllers::PIDS
        | Controllers::HUGETLB
}

/// How the cgroups are come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through what was made for each of them before.
    Known,
    /// As often as a monitor does it: `cofferdam-cgroups` keeps files open for that, as far as
    /// descriptors go.
    Watched,
    /// Each of them found anew by its path.
    Found,
}

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// A crate that reads statistics.
pub(crate) trait Contender {
    /// Reads all cgroups once.
    fn read(&mut self, way: Way) -> Outcome<()>;
}

/// `cofferdam-cgroups`.
pub(crate) struct Cofferdam {
    hierarchy: Hierarchy,
    paths: Vec<Paths>,
    known: Vec<Cgroup>,
    watched: Vec<Sampler>,
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
        let known: Vec<Cgroup> = paths
            .iter()
            .map(|paths| Cgroup::load(&hierarchy, paths))
            .collect::<Result<_, _>>()?;
        let files = files_for_each(paths.len());
        let watched = known
            .iter()
            .map(|cgroup| cgroup.sampler(files))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            hierarchy,
            paths,
            known,
            watched,
        })
    }
}

impl Contender for Cofferdam {
    fn read(&mut self, way: Way) -> Outcome<()> {
        match way {
            Way::Known => {
                for cgroup in &self.known {
                    black_box(cgroup.stats_of(wanted())?);
                }
            }
            Way::Watched => {
                for sampler in &self.watched {
                    black_box(sampler.stats_of(wanted())?);
                }
            }
            Way::Found => {
                for paths in &self.paths {
                    black_box(Cgroup::load(&self.hierarchy, paths)?.stats_of(wanted())?);
                }
            }
        }
        Ok(())
    }
}

/// As many files as a full reading takes, with room to spare.
pub(crate) const ENOUGH: usize = 40;

/// How many descriptors there are for the files of each of so many cgroups.
pub(crate) fn files_for_each(cgroups: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let all = usize::try_from(limit).unwrap_or(usize::MAX);
    // The directories that are read from, and what else a process has open.
    let (directories, others) = (6, 100);
    (all.saturating_sub(others) / cgroups)
        .saturating_sub(directories)
        .min(ENOUGH)
}

/// Lets this process have as many descriptors as it may.
pub(crate) fn raise_descriptor_limit() -> Outcome<()> {
    let mut limits = getrlimit(Resource::Nofile);
    limits.current = limits.maximum;
    Ok(setrlimit(Resource::Nofile, limits)?)
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
    fn read(&mut self, way: Way) -> Outcome<()> {
        if way == Way::Found {
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
