//! A cgroup that is a unit of systemd.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::create::sub_path;
use super::{Cgroup, Driver, Frozen};
use crate::dir::Below;
use crate::group_dir::GroupDir;
use crate::systemd::Unit;
use crate::{
    Applied, CgroupSpec, Error, ErrorKind, FreezerState, Hierarchy, Mode, Resources, Result, v1, v2,
};

/// The unit, and what has to be done when it is there.
#[derive(Debug)]
pub(super) struct SystemdUnit {
    unit: Arc<Unit>,
    /// What has to be set before the first process runs.
    resources: Arc<Resources>,
    owner: Option<u32>,
    /// Below the unit's cgroup: `/`, or `/a/b` for a sub-cgroup.
    sub: String,
}

impl SystemdUnit {
    pub(super) fn is_waiting(&self) -> bool {
        self.unit.is_scope() && !self.unit.is_started()
    }

    /// Stops the unit, if it was started.
    pub(super) fn stop(&self) -> Result<()> {
        if self.unit.is_started() {
            self.unit.stop()
        } else {
            Ok(())
        }
    }

    /// The unit for a sub-cgroup. With different paths for single controllers (cgroup v1) systemd's
    /// own stays where it is.
    pub(super) fn below(&self, paths: &BTreeMap<String, PathBuf>) -> Result<Self> {
        let path = paths.get("").map_or(Path::new(""), PathBuf::as_path);
        let path = Path::new(&self.sub).join(sub_path(path)?);
        Ok(Self {
            unit: Arc::clone(&self.unit),
            resources: Arc::clone(&self.resources),
            owner: None,
            sub: path.display().to_string(),
        })
    }
}

impl Cgroup {
    pub(super) fn create_by_unit(
        hierarchy: &Hierarchy,
        spec: &CgroupSpec,
        resources: &Resources,
    ) -> Result<Self> {
        let cgroup = Self::described_by_unit(hierarchy, spec, resources)?;
        if let Some(by_unit) = cgroup.unit.as_ref().filter(|by_unit| !by_unit.is_waiting()) {
            by_unit.unit.start(None, resources)?;
            cgroup.settle()?;
        }
        Ok(cgroup)
    }

    /// The cgroup with its unit, which is not started.
    pub(super) fn described_by_unit(
        hierarchy: &Hierarchy,
        spec: &CgroupSpec,
        resources: &Resources,
    ) -> Result<Self> {
        let unit = Unit::new(hierarchy, spec)?;
        let path = unit.manager_path()?.join(unit.path()?);
        let driver = match hierarchy.mode() {
            Mode::V2 => Driver::V2(v2::Group::at(GroupDir::new(
                hierarchy,
                path,
                Below::Unified,
            ))),
            Mode::V1 | Mode::Hybrid => {
                if !resources.unified.is_empty() {
                    return Err(v1::unified_on_v1());
                }
                Driver::V1(v1::Group::from_members(v1_members(hierarchy, &path)?))
            }
        };
        let mut cgroup = Self::new(hierarchy, driver, spec.rootless);
        cgroup.unit = Some(SystemdUnit {
            unit: Arc::new(unit),
            resources: Arc::new(resources.clone()),
            owner: spec.owner_uid,
            sub: "/".to_owned(),
        });
        Ok(cgroup)
    }

    pub(super) fn with_existing_unit(mut self, spec: &CgroupSpec) -> Result<Self> {
        self.unit = Some(SystemdUnit {
            unit: Arc::new(Unit::existing(&self.hierarchy, spec)?),
            resources: Arc::new(Resources::default()),
            owner: None,
            sub: "/".to_owned(),
        });
        Ok(self)
    }

    /// Does to the cgroup what systemd has not done.
    fn settle(&self) -> Result<()> {
        let Some(by_unit) = &self.unit else {
            return Ok(());
        };
        match &self.driver {
            Driver::V2(group) => group.settle(&self.hierarchy, &by_unit.resources, by_unit.owner),
            Driver::V1(group) => group.settle(&self.hierarchy, &by_unit.resources),
        }
    }

    pub(super) fn add_by_unit(&self, by_unit: &SystemdUnit, pid: u32) -> Result<()> {
        if by_unit.is_waiting() {
            by_unit.unit.start(Some(pid), &by_unit.resources)?;
            self.settle()?;
        } else {
            by_unit.unit.attach(&by_unit.sub, pid)?;
        }
        match &self.driver {
            Driver::V2(_) => Ok(()),
            Driver::V1(group) => group.add_beside_systemd(&self.hierarchy, pid),
        }
    }

    pub(super) fn set_by_unit(
        &self,
        by_unit: &SystemdUnit,
        resources: &Resources,
    ) -> Result<Applied> {
        if by_unit.is_waiting() {
            return Err(Error::new(
                ErrorKind::Systemd,
                "limits cannot be set before the unit has its first process",
            ));
        }
        match &self.driver {
            // systemd would apply the limit, and the kernel kill, before we get to look.
            Driver::V2(group) => {
                v2::check_memory_usage(group.dir(&self.hierarchy)?, resources)?;
            }
            Driver::V1(_) if !resources.unified.is_empty() => return Err(v1::unified_on_v1()),
            Driver::V1(_) => {}
        }
        let mut applied = Applied::default();
        let hold = || self.freeze_for_update(resources.freezer);
        let rounded = by_unit.unit.set(resources, &mut applied, hold)?;
        let files = self.set_files(&rounded)?;
        applied.warnings.extend(files.warnings);
        Ok(applied)
    }

    /// Freezes the processes, if they are not and can be, until the guard goes. With `wanted` being
    /// [`Frozen`](FreezerState::Frozen) they stay frozen.
    fn freeze_for_update(&self, wanted: Option<FreezerState>) -> Result<Option<Frozen<'_>>> {
        if self.freezer_state()? == Some(FreezerState::Frozen) {
            return Ok(None);
        }
        if wanted == Some(FreezerState::Frozen) {
            return self.freeze().map(|()| None);
        }
        match self.freeze_guard() {
            // Without a freezer the moment has to be taken as it is.
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                log::debug!("{error}");
                Ok(None)
            }
            frozen => frozen.map(Some),
        }
    }
}

/// The directories of a unit in the v1 hierarchies: below the cgroup of the init process.
fn v1_members(hierarchy: &Hierarchy, path: &Path) -> Result<Vec<v1::Member>> {
    let init = hierarchy.membership_of(1)?;
    let mut members = Vec::new();
    for v1 in hierarchy.v1() {
        let first = v1.controllers.first().map_or("", String::as_str);
        let own = match init.path_of(first) {
            Some(own) => hierarchy.below_mount(v1, own)?,
            None => PathBuf::new(),
        };
        // systemd itself sits in a leaf of its own.
        let top = if own.ends_with("init.scope") {
            own.parent().unwrap_or(Path::new(""))
        } else {
            &own
        };
        let place = Path::new(&v1.directory).join(top).join(path);
        members.push(v1::Member::new(
            v1,
            GroupDir::new(hierarchy, place, Below::V1),
        ));
    }
    Ok(members)
}
