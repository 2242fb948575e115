//! The system call filter: from the configuration to a program, and its notification descriptor to
//! the agent.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use configs::Config;
use configs::oci::{self, ContainerProcessState};
use seccomp::Backend;

use super::send_descriptor;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Filter;

/// Compiles the filter of the configuration, if it has one.
pub(crate) fn compile(
    config: &Config,
    backend: Backend,
    warnings: &mut Vec<String>,
) -> Result<Option<Filter>> {
    let Some(from) = &config.seccomp else {
        return Ok(None);
    };
    let invalid = |error| Error::with(ErrorKind::InvalidConfig, "linux.seccomp", error);
    let profile = from.profile();
    let compiled = seccomp::compile(&profile, backend).map_err(invalid)?;
    // Refused here, because a socket address with an empty name is one that any user may have
    // bound.
    profile.listener_for(&compiled.program).map_err(invalid)?;
    for warning in &compiled.warnings {
        match warning {
            // Profiles name the calls of all kernels and architectures: a warning is of no use for
            // each.
            seccomp::Warning::UnknownSyscall(_) => log::debug!("{warning}"),
            _ => warnings.push(format!("linux.seccomp: {warning}")),
        }
    }
    let program = &compiled.program;
    log::debug!("seccomp filter flags: {}", program.flags().bits());
    Ok(Some(Filter {
        flags: program.flags().bits(),
        program: program.as_bytes().to_vec(),
        listener: program.notify(),
    }))
}

/// The agent that answers notifications, connected before anything is made.
#[derive(Debug)]
pub(crate) struct Agent {
    socket: OwnedFd,
    metadata: String,
}

impl Agent {
    /// Connects to the agent if the filter has a notification descriptor.
    pub(crate) fn connect(config: &Config, filter: Option<&Filter>) -> Result<Option<Self>> {
        let (Some(profile), true) = (
            &config.seccomp,
            filter.is_some_and(|filter| filter.listener),
        ) else {
            return Ok(None);
        };
        let socket =
            send_descriptor::connect(Path::new(&profile.listener_path)).map_err(|error| {
                Error::system(
                    "failed to connect with seccomp agent specified in the seccomp profile",
                    error,
                )
            })?;
        Ok(Some(Self {
            socket,
            metadata: profile.listener_metadata.clone(),
        }))
    }

    /// Hands the descriptor over; no reply is awaited.
    pub(crate) fn send(&self, listener: &OwnedFd, pid: u32, state: oci::State) -> Result<()> {
        let message = ContainerProcessState {
            version: oci::VERSION.to_owned(),
            fds: vec![oci::SECCOMP_FD_NAME.to_owned()],
            pid: i32::try_from(pid).unwrap_or_default(),
            metadata: self.metadata.clone(),
            state,
        };
        let text = serde_json::to_vec(&message)
            .map_err(|error| Error::system("encode the state for the seccomp agent", error))?;
        send_descriptor::send(self.socket.as_fd(), &text, listener.as_fd())
            .map_err(|error| Error::system("send the seccomp descriptor to the agent", error))
    }
}
