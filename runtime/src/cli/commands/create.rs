//! `create`: makes a container whose program waits for `start`.

use crate::bundle::Bundle;
use crate::cli::bundle;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::Order;
use crate::cli::process_flags::{self as flags, Presence};
use crate::container::{Container, WhenReady};
use crate::id::ContainerId;
use crate::timings::Timings;

pub(crate) static COMMAND: Command = Command {
    name: "create",
    about: "create a container",
    arguments: "<container-id>",
    completions: &[],
    description: "Makes everything the bundle describes, except that the user's program is not run: the start command\n\
                  does that. The bundle is a directory with a config.json and a root file system.",
    flags: &[
        flags::BUNDLE,
        flags::CONSOLE_SOCKET,
        flags::PIDFD_SOCKET,
        flags::PID_FILE,
        flags::NO_PIVOT,
        flags::NO_NEW_KEYRING,
        flags::PRESERVE_FDS,
    ],
    count: Count::Exactly(1),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let prefix = format!("{} create failed: ", invocation.program);
    create(invocation).map_err(|failure| failure.prefixed(&prefix))
}

fn create(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let pid_file = flags::pid_file(invocation)?;
    let container = from_bundle(invocation, Presence::Detached, WhenReady::Wait)?;
    if let Err(failure) =
        flags::record_pid(pid_file.as_deref(), container.pid().unwrap_or_default())
    {
        super::abandon(&container);
        return Err(failure);
    }
    Ok(0)
}

/// Makes a container from the bundle of this invocation.
pub(crate) fn from_bundle(
    invocation: &Invocation<'_>,
    presence: Presence,
    when_ready: WhenReady,
) -> Result<Container, Failure> {
    // Only where a command has the flag.
    let timings = invocation.parsed.switch("timings").then(Timings::begin);
    let listening = flags::listen_descriptors();
    let (id, mut bundle) = connected_bundle(invocation, presence, listening)?;
    let process = bundle.process();
    if listening > 0 {
        process.add_env(format!("LISTEN_FDS={listening}"));
        process.add_env("LISTEN_PID=1");
    }
    if let Some(timings) = timings {
        process.timings(timings);
    }
    let runtime = super::runtime(invocation)?;
    let container = runtime.make_bundle(&id, bundle, when_ready)?;
    for warning in container.warnings() {
        invocation.log.warn(warning);
    }
    Ok(container)
}

/// The bundle of this invocation, its process connected with the caller, to be made a container
/// with this id.
pub(super) fn connected_bundle(
    invocation: &Invocation<'_>,
    presence: Presence,
    listening: u32,
) -> Result<(ContainerId, Bundle), Failure> {
    let id = invocation.id()?;
    bundle::enter(invocation)?;
    let mut bundle = bundle::load(invocation)?;
    let terminal = bundle.has_terminal();
    let process = bundle.process();
    flags::connect(invocation, process, terminal, presence, listening)?;
    if let Some(host) = flags::notify_socket() {
        process.notify_socket(host);
    }
    Ok((id, bundle))
}
