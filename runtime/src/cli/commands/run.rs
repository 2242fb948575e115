//! `run`: makes a container and runs its program.

use std::io::Write as _;
use std::mem::ManuallyDrop;
use std::path::Path;

use super::abandon;
use super::create::from_bundle;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Order};
use crate::cli::process_flags::{self as flags, Presence};
use crate::container::{Container, WhenReady};
use crate::error::{Error, ErrorKind};
use crate::process::child::Child;
use crate::process::exit_status::ExitStatus;
use crate::process::foreground::Foreground;
use crate::process::notify_socket::NotifySocket;
use crate::process::signal::Signal;
use crate::timings::Timings;

pub(crate) static COMMAND: Command = Command {
    name: "run",
    about: "create and run a container",
    arguments: "<container-id>",
    completions: &[],
    description: "Makes a container from a bundle, runs its program, stays until that ends, and removes the container.\n\
                  The exit code is that of the program, or 128 + N if signal N ended it.",
    flags: &[
        flags::BUNDLE,
        flags::CONSOLE_SOCKET,
        flags::PIDFD_SOCKET,
        flags::DETACH,
        Flag::switch("keep", "do not remove the container when its program ends"),
        flags::PID_FILE,
        Flag::switch("timings", "show what took how long, on standard error"),
        flags::NO_SUBREAPER,
        flags::NO_PIVOT,
        flags::NO_NEW_KEYRING,
        flags::PRESERVE_FDS,
    ],
    count: Count::Exactly(1),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let prefix = format!("{} run failed: ", invocation.program);
    let creation = Creation {
        create: &|presence| from_bundle(invocation, presence, when_ready()),
        start: Some(&Container::start),
    };
    carry_out(invocation, &creation).map_err(|failure| failure.prefixed(&prefix))
}

/// How a container comes to run.
pub(super) struct Creation<'a> {
    /// Creates it.
    pub(super) create: &'a dyn Fn(Presence) -> Result<Container, Failure>,
    /// Lets it run when its notification socket is there. A restored one runs already, and has said
    /// that it is ready before.
    pub(super) start: Option<Start<'a>>,
}

/// Lets a created container run.
type Start<'a> = &'a dyn Fn(&Container) -> Result<(), Error>;

/// Makes a container, and stays with it unless `--detach` is given.
pub(super) fn carry_out(
    invocation: &Invocation<'_>,
    creation: &Creation<'_>,
) -> Result<u8, Failure> {
    if invocation.parsed.switch("detach") {
        detached(invocation, creation)
    } else {
        foreground(invocation, creation)
    }
}

fn detached(invocation: &Invocation<'_>, creation: &Creation<'_>) -> Result<u8, Failure> {
    let pid_file = flags::pid_file(invocation)?;
    let mut container = (creation.create)(Presence::Detached)?;
    let socket = start(&container, pid_file.as_deref(), creation)?;
    show(container.timings()?.as_ref());
    if let Some(socket) = socket {
        socket.forward()?;
    }
    Ok(0)
}

fn foreground(invocation: &Invocation<'_>, creation: &Creation<'_>) -> Result<u8, Failure> {
    let pid_file = flags::pid_file(invocation)?;
    // Signals are collected from here on, so that none is lost however soon the program ends, and
    // until this process ends: one that comes while the container is removed must not take the
    // place of the exit code.
    let foreground = Foreground::prepare(!invocation.parsed.switch("no-subreaper"))?;
    let mut foreground = ManuallyDrop::new(foreground);
    let mut container = (creation.create)(Presence::Foreground)?;
    if let Some(mut socket) = start(&container, pid_file.as_deref(), creation)? {
        // This process stays, ends as the container does, and is the one that the service manager
        // has started.
        socket.main_pid(rustix::process::getpid().as_raw_nonzero().get());
        foreground.notify(socket);
    }
    let waited = match container.init_mut() {
        Some(init) => foreground.wait(init),
        None => container.wait(),
    };
    // Without anybody who carries its streams the program is of no use.
    let status = waited.inspect_err(|_| abandon(&container))?;
    invocation.warn_of(foreground.warnings());
    let mut timings = container.timings()?;
    let mut mark = |what: &str| {
        if let Some(timings) = &mut timings {
            timings.mark(what);
        }
    };
    mark("wait for the program");
    if status == ExitStatus::Signaled(Signal::KILL) && container.ran_out_of_memory() {
        invocation.log.warn(OUT_OF_MEMORY);
    }
    if !invocation.parsed.switch("keep") {
        // The program has ended and its exit code is what counts now. Another command may have
        // removed the container.
        match container.destroy() {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                invocation.log.warn(&Failure::from(error).message);
            }
            _ => {}
        }
        mark("remove the container");
    }
    show(timings.as_ref());
    // This process ends, and with it all that is open.
    std::mem::forget(container);
    Ok(status.code())
}

/// A bare 137 says nothing of the limit, which may be below what executing the program takes.
const OUT_OF_MEMORY: &str =
    "the program was killed: the memory of the container's cgroup is used up";

/// Standard error may be gone; the container is what counts.
fn show(timings: Option<&Timings>) {
    if let Some(timings) = timings {
        let _ = write!(std::io::stderr().lock(), "{timings}");
    }
}

/// The socket on which a service reports that it is ready must exist before the service is.
fn when_ready() -> WhenReady {
    if flags::notify_socket().is_some() {
        WhenReady::Wait
    } else {
        WhenReady::Go
    }
}

/// Lets the program run, if it does not already, and records its pid; a container for which that
/// fails is removed.
fn start(
    container: &Container,
    pid_file: Option<&Path>,
    creation: &Creation<'_>,
) -> Result<Option<NotifySocket>, Failure> {
    let started = || {
        let mut socket = None;
        if let (Some(host), Some(start)) = (flags::notify_socket(), creation.start) {
            socket = NotifySocket::bind(container, &host)?;
            start(container)?;
        }
        // The pid of a program that has ended by now is still its pid.
        let pid = container.init().map(Child::pid).unwrap_or_default();
        flags::record_pid(pid_file, pid)?;
        Ok(socket)
    };
    started().inspect_err(|_| abandon(container))
}
