//! Changing the limits of a running container.

use configs::Config;

use super::{Container, cgroup};
use crate::error::{Error, Result};

impl Container {
    /// Changes the limits of a running container to those of `config.cgroups.resources` (and `config.intel_rdt`) and
    /// records them; nothing else of `config` is looked at. Take the one of [`config`](Self::config) and change it. A
    /// paused container stays paused, and device rules stay as they are. If the kernel refuses a limit, the recorded
    /// limits are set again.
    ///
    /// Returns what was asked for and is not in force.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`](crate::ErrorKind::NotRunning); [`ErrorKind::System`](crate::ErrorKind::System) if the
    /// kernel refuses a limit.
    pub fn set(&self, config: &Config) -> Result<Vec<String>> {
        self.require_running()?;
        let _lock = self.directory.lock(self.runtime.root()?, &self.id)?;
        let mut state = self.state()?;
        let group = self.cgroup()?;
        let wanted = self.wanted(&config.cgroups.resources)?;
        let applied = match group.set(&wanted) {
            Ok(applied) => applied,
            Err(error) => {
                let error = cgroup::failed("set the limits of the container")(error);
                let before = self.wanted(&state.config.cgroups.resources)?;
                if let Err(again) = group.set(&before) {
                    log::debug!("setting the former limits again failed: {again}");
                    return Err(Error::with(
                        error.kind(),
                        "the former limits could not be restored",
                        error,
                    ));
                }
                return Err(error);
            }
        };
        if config.intel_rdt != state.config.intel_rdt {
            self.set_rdt(config)?;
            state.config.intel_rdt.clone_from(&config.intel_rdt);
        }
        state.config.cgroups.resources = config.cgroups.resources.clone();
        self.directory.write_state(&state)?;
        Ok(applied
            .warnings
            .into_iter()
            .map(|warning| format!("{}: {}", warning.setting, warning.reason))
            .collect())
    }

    /// The limits to write: never device rules, and the freezer as it is now.
    fn wanted(&self, resources: &configs::config::Resources) -> Result<cgroups::Resources> {
        let mut wanted = cgroup::resources(resources)?;
        wanted.skip_devices = true;
        wanted.freezer = None;
        Ok(wanted)
    }
}
