//! The commands, one a file.

#[cfg(feature = "audit")]
pub(crate) mod audit;
pub(crate) mod checkpoint;
pub(crate) mod completion;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod features;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod pause;
#[cfg(feature = "explain")]
pub(crate) mod plan;
pub(crate) mod ps;
pub(crate) mod restore;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod spec;
pub(crate) mod start;
pub(crate) mod state;
#[cfg(feature = "top")]
pub(crate) mod stats;
#[cfg(feature = "top")]
pub(crate) mod top;
pub(crate) mod update;

use std::mem::ManuallyDrop;

use super::command::Invocation;
use super::failure::Failure;
use crate::container::Container;
use crate::error::ErrorKind;
use crate::process::child::KILL_TIMEOUT;
use crate::process::signal::Signal;
use crate::runtime::Runtime;

/// The containers below the state root of this invocation.
fn runtime(invocation: &Invocation<'_>) -> Result<Runtime, Failure> {
    let runtime = Runtime::new(&invocation.globals.root)?.of_command();
    Ok(runtime.with_seccomp_backend(invocation.globals.seccomp))
}

/// Kills and removes a container that a command has made and cannot hand over.
pub(crate) fn abandon(container: &Container) {
    let removed = match container.signal(Signal::KILL) {
        // It may have ended by itself.
        Err(error) if error.kind() != ErrorKind::NotRunning => Err(error),
        // One in a frozen cgroup does not end: then it is left to `delete --force`, which says why
        // that fails.
        _ => container
            .wait_timeout(KILL_TIMEOUT)
            .and_then(|_| container.destroy()),
    };
    if let Err(error) = removed {
        log::debug!("{}", error.chain());
    }
}

/// The container that the first argument names. The program ends with its command: then the kernel
/// closes all descriptors at once, and nothing is gained by closing and freeing them one by one.
fn container(invocation: &Invocation<'_>) -> Result<ManuallyDrop<Container>, Failure> {
    let container = runtime(invocation)?.load(&invocation.id()?)?;
    Ok(ManuallyDrop::new(container))
}
