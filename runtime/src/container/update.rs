//! Changing the limits of a running container: all of them, or none.

use cgroups::{Cgroup, Resources, Snapshot};
use configs::Config;

use super::Container;
use crate::error::{Error, Result};
use crate::{cgroup, rdt};

impl Container {
    /// Changes the limits of a running container to those of `config.cgroups.resources` (and
    /// `config.intel_rdt`) and records them; nothing else of `config` is looked at. Take the
    /// one of [`config`](Self::config) and change it. A paused container stays paused. Device
    /// rules are set if they are others than those on record, unless `skip_devices` says
    /// otherwise.
    ///
    /// Whatever fails, the kernel's refusal of a limit, Intel RDT, or writing the record, the
    /// limits are those from before the call, and so is the record. What had
    /// no limit has none again.
    ///
    /// Returns what was asked for and is not in force.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`](crate::ErrorKind::NotRunning);
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig),
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for Intel RDT settings that the
    /// container or the machine cannot have; [`ErrorKind::System`](crate::ErrorKind::System) if
    /// the kernel refuses a limit, or the record cannot be written. The message says so if the
    /// former limits could not be restored.
    pub fn set(&self, config: &Config) -> Result<Vec<String>> {
        self.require_running()?;
        let _lock = self.directory.lock(self.runtime.root()?, &self.id)?;
        let mut state = self.state()?;
        let group = self.cgroup()?;
        let present = &state.config.cgroups.resources;
        let asked = &config.cgroups.resources;
        let devices_change = !asked.skip_devices && asked.devices != present.devices;
        let mut wanted = wanted(asked)?;
        let recorded = wanted_before(&wanted, present)?;
        wanted.skip_devices = !devices_change;
        let devices = devices_change.then(|| Resources {
            devices: present.devices.clone(),
            ..Resources::default()
        });
        let rdt = rdt::Change::new(
            self.system(),
            &self.id,
            state.config.intel_rdt.as_ref(),
            config.intel_rdt.as_ref(),
        )?;
        let before = Before {
            group: &group,
            limits: group
                .snapshot(&wanted)
                .map_err(cgroup::failed("read the limits of the container"))?,
            // systemd needs the limits as well: it sets what it knows again and again.
            recorded: state.config.cgroups.systemd.then_some(recorded),
            devices,
            rdt,
        };
        let mut change = || {
            let applied = group
                .set(&wanted)
                .map_err(cgroup::failed("set the limits of the container"))?;
            if let Some(rdt) = &before.rdt {
                rdt.make()?;
                state.config.intel_rdt.clone_from(&config.intel_rdt);
            }
            state.config.cgroups.resources = config.cgroups.resources.clone();
            self.directory.write_state(&state)?;
            Ok(cgroup::warnings(applied).collect())
        };
        change().map_err(|error: Error| match before.take_back() {
            Ok(()) => error,
            Err(again) => {
                log::debug!("setting the former limits again failed: {}", again.chain());
                error.context("the former limits could not be restored")
            }
        })
    }
}

/// What there was before a change.
struct Before<'a> {
    group: &'a Cgroup,
    limits: Snapshot,
    recorded: Option<Resources>,
    /// The device rules, if they change.
    devices: Option<Resources>,
    rdt: Option<rdt::Change<'a>>,
}

impl Before<'_> {
    /// Takes back as much as can be.
    fn take_back(&self) -> Result<()> {
        let failed = || cgroup::failed("set the former limits");
        let unit = match &self.recorded {
            Some(recorded) => self.group.set(recorded).map(drop).map_err(failed()),
            None => Ok(()),
        };
        let limits = self.group.restore(&self.limits).map_err(failed());
        let devices = match &self.devices {
            Some(rules) => self.group.set(rules).map(drop).map_err(failed()),
            None => Ok(()),
        };
        let rdt = self.rdt.as_ref().map_or(Ok(()), rdt::Change::take_back);
        unit.and(limits).and(devices).and(rdt)
    }
}

/// The limits to write, without device rules, and the freezer as it is now.
fn wanted(resources: &configs::config::Resources) -> Result<Resources> {
    let mut wanted = cgroup::resources(resources)?;
    wanted.skip_devices = true;
    wanted.freezer = None;
    Ok(wanted)
}

/// The limits on record, and an explicit "no limit" for those that `wanted` adds to them.
fn wanted_before(new: &Resources, recorded: &configs::config::Resources) -> Result<Resources> {
    let mut before = wanted(recorded)?;
    before.memory_check_before_update = false;
    let none = |old: &mut Option<i64>, new: Option<i64>| *old = old.or(new.map(|_| -1));
    none(&mut before.memory, new.memory);
    none(&mut before.memory_swap, new.memory_swap);
    none(&mut before.cpu_quota, new.cpu_quota);
    none(&mut before.pids_limit, new.pids_limit);
    // The kernel's defaults: a weight cannot be absent.
    if before.cpu_shares.is_none() && before.cpu_weight.is_none() {
        before.cpu_shares = new.cpu_shares.map(|_| 1024);
        before.cpu_weight = new.cpu_weight.or(new.cpu_shares).map(|_| 100);
    }
    before.cpu_idle = before.cpu_idle.or(new.cpu_idle.map(|_| 0));
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_are_new_become_none_in_words() {
        let new = Resources {
            memory: Some(1 << 26),
            pids_limit: Some(50),
            cpu_quota: Some(1000),
            cpu_shares: Some(300),
            ..Resources::default()
        };
        let recorded = configs::config::Resources {
            memory: 1 << 25,
            ..configs::config::Resources::default()
        };
        let before = wanted_before(&new, &recorded).unwrap();
        assert_eq!(before.memory, Some(1 << 25), "an old limit stays");
        assert_eq!((before.pids_limit, before.cpu_quota), (Some(-1), Some(-1)));
        assert_eq!(
            (before.cpu_shares, before.cpu_weight),
            (Some(1024), Some(100))
        );
        assert_eq!((before.memory_swap, before.cpu_idle), (None, None));
    }
}
