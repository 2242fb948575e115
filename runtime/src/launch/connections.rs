//! What a new process is connected to, opened before anything is made: what fails easily fails
//! first.

use ::seccomp::Backend;
use configs::Config;

use super::seccomp::{self, Agent};
use super::streams::{Receivers, Streams};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Filter;
use crate::process::Process;

/// The filter of a process, its standard streams, and the sockets that are sent its descriptors.
pub(crate) struct Connections {
    /// Moves into the plan.
    pub(crate) filter: Option<Filter>,
    pub(crate) receivers: Receivers,
    pub(crate) agent: Option<Agent>,
    pub(crate) streams: Streams,
    /// User and group id on the host of the container's root user.
    pub(crate) owner: (u32, u32),
}

impl Connections {
    pub(crate) fn open(
        config: &Config,
        process: &mut Process,
        backend: Backend,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let filter = seccomp::compile(config, backend, warnings)?;
        let receivers = Receivers::connect(process)?;
        let agent = Agent::connect(config, filter.as_ref())?;
        let owner = root_user(config)?;
        let streams = Streams::open(process, owner)?;
        Ok(Self {
            filter,
            receivers,
            agent,
            streams,
            owner,
        })
    }
}

/// Ids on the host of the container's root user.
pub(crate) fn root_user(config: &Config) -> Result<(u32, u32)> {
    let failed = |error| {
        Error::with(
            ErrorKind::InvalidConfig,
            "root user of the container",
            error,
        )
    };
    Ok((
        config.host_uid(0).map_err(failed)?,
        config.host_gid(0).map_err(failed)?,
    ))
}
