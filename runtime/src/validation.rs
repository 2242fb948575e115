//! The check that nothing is made without: of a configuration and of a process, in the library and
//! on the command line.

use configs::{Config, HostInfo, validate};

use crate::error::{Error, ErrorKind, Result};
use crate::host_info;
use crate::process::{Process, check_label};
use crate::system::System;

/// A configuration that has been validated. Only the functions below make one.
#[derive(Debug)]
pub(crate) struct Validated {
    pub(crate) config: Config,
    /// What the conversion and the validation found questionable.
    pub(crate) warnings: Vec<String>,
}

impl Validated {
    /// Validates a configuration that a program has made, against this machine.
    pub(crate) fn new(system: &System, mut config: Config) -> Result<Self> {
        // A fact, not a wish.
        config.rootless_euid = !rustix::process::geteuid().is_root();
        let host = host_info::for_config(system, &config)?;
        Self::against(&host, config, Vec::new())
    }

    /// Validates a configuration against facts that are known already.
    pub(crate) fn against(
        host: &HostInfo,
        config: Config,
        mut warnings: Vec<configs::Warning>,
    ) -> Result<Self> {
        warnings.extend(validate::validate(&config, host).map_err(refused)?);
        let warnings = warnings.iter().map(ToString::to_string).collect();
        Ok(Self { config, warnings })
    }
}

/// A bundle, a configuration or a process that cannot be used, with the text of the crate that
/// found it.
pub(crate) fn refused(error: configs::Error) -> Error {
    let kind = match error.kind() {
        configs::ErrorKind::Io => ErrorKind::System,
        _ => ErrorKind::InvalidConfig,
    };
    Error::with(kind, error.to_string(), error)
}

/// Checks a process, of either kind.
pub(crate) fn process(process: &Process) -> Result<()> {
    if !process.cwd.starts_with('/') {
        return Err(Error::config("Cwd must be an absolute path"));
    }
    check_label(process.selinux_label.as_deref().unwrap_or_default())?;
    if let Some(attributes) = &process.scheduler {
        validate::scheduler(attributes).map_err(refused)?;
    }
    if let Some(priority) = &process.io_priority {
        validate::io_priority(priority).map_err(refused)?;
    }
    Ok(())
}
