//! The flags that say how a process is connected with its caller: shared by `create`, `run` and
//! `exec`.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::termios::tcgetwinsize;

use super::command::Invocation;
use super::failure::Failure;
use super::flag::{Flag, Parsed};
use crate::error::{Error, ErrorKind};
use crate::process::console::own_terminal;
use crate::process::inherited_descriptors::InheritedDescriptors;
use crate::process::{Process, Stdio, Terminal};
use crate::state::pid_file::write_pid_file;

pub(crate) const BUNDLE: Flag = Flag::text(
    "bundle",
    "path of the bundle directory, default is the current directory",
)
.directory()
.letter("b");
pub(crate) const CONSOLE_SOCKET: Flag = Flag::text(
    "console-socket",
    "path of an AF_UNIX stream socket that receives the master side of the process' terminal",
)
.file();
pub(crate) const PIDFD_SOCKET: Flag = Flag::text(
    "pidfd-socket",
    "path of an AF_UNIX stream socket that receives a pidfd of the process",
)
.file();
pub(crate) const PID_FILE: Flag =
    Flag::text("pid-file", "write the process id to this file").file();
pub(crate) const DETACH: Flag =
    Flag::switch("detach", "return as soon as the process runs").letter("d");
pub(crate) const NO_SUBREAPER: Flag = Flag::switch(
    "no-subreaper",
    "do not become the parent of orphans of the container",
);
pub(crate) const NO_PIVOT: Flag = Flag::switch(
    "no-pivot",
    "change the root without pivot_root(2); only for a rootfs on a ramdisk, where that cannot work",
);
pub(crate) const NO_NEW_KEYRING: Flag = Flag::switch(
    "no-new-keyring",
    "keep the session keyring of the caller instead of a new one for the container",
);
pub(crate) const PRESERVE_FDS: Flag = Flag::integer(
    "preserve-fds",
    "pass this many more descriptors to the process, after stdio and $LISTEN_FDS",
)
.default("0");

pub(crate) const STATUS_FD: Flag = Flag::integer(
    "status-fd",
    "descriptor that gets a NUL byte when lazy pages are ready",
)
.default("-1");

/// The first descriptor after the standard streams.
const FIRST_PASSED: i32 = 3;

/// Whether the command stays until the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It stays, and carries signals, streams and the exit code.
    Foreground,
    /// It returns once the process is there.
    Detached,
}

/// The descriptors that systemd passed for socket activation: how many, or none if they are meant
/// for another process.
pub(crate) fn listen_descriptors() -> u32 {
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    match (number("LISTEN_PID"), number("LISTEN_FDS")) {
        (Some(pid), Some(count)) if pid == std::process::id() => count,
        _ => 0,
    }
}

/// The descriptors this process was started with, if the flags or the environment ask for some to
/// be passed on. In any case none of them gets into a hook, or another program that is started, by
/// itself.
pub(crate) fn inherited(parsed: &Parsed) -> Result<Option<InheritedDescriptors>, Failure> {
    let asked = parsed
        .integer(PRESERVE_FDS.name)
        .is_some_and(|count| count > 0)
        || parsed
            .integer(STATUS_FD.name)
            .is_some_and(|number| number >= 0)
        || listen_descriptors() > 0;
    if asked {
        return Ok(Some(InheritedDescriptors::snapshot()?));
    }
    crate::sys::keep_descriptors();
    Ok(None)
}

/// The socket of the service manager that waits for the container (`sd_notify(3)`), as the
/// environment names it. An empty variable counts as one that is not set.
pub(crate) fn notify_socket() -> Option<PathBuf> {
    std::env::var_os("NOTIFY_SOCKET")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

/// Connects `process` with its caller as the flags say: terminal or standard streams, descriptors,
/// pidfd socket.
///
/// `listening` descriptors of the caller come before the preserved ones.
pub(crate) fn connect(
    invocation: &Invocation<'_>,
    process: &mut Process,
    terminal: bool,
    presence: Presence,
    listening: u32,
) -> Result<(), Failure> {
    let socket = invocation.parsed.text("console-socket").map(PathBuf::from);
    check_terminal(terminal, presence, socket.is_some())?;
    check_standard_streams()?;
    process.terminal(match (terminal, socket) {
        (false, _) => None,
        (true, None) => Some(Terminal::Keep),
        (true, Some(path)) => Some(Terminal::Socket(path)),
    });
    if presence == Presence::Foreground && !terminal {
        // Pipes of its own, so that the process cannot reach the terminal of its caller through its
        // streams.
        process
            .stdin(Stdio::Pipe)
            .stdout(Stdio::Pipe)
            .stderr(Stdio::Pipe);
    }
    // The program may ask for the size as soon as it runs.
    if presence == Presence::Foreground
        && terminal
        && let Ok(size) = own_terminal().and_then(|own| Ok(tcgetwinsize(own)?))
        && size.ws_row != 0
        && size.ws_col != 0
    {
        process.console_size(size.ws_row, size.ws_col);
    }
    for descriptor in passed(invocation, listening)? {
        process.pass(descriptor);
    }
    if let Some(path) = invocation.parsed.text("pidfd-socket") {
        process.pidfd_socket(PathBuf::from(path));
    }
    Ok(())
}

/// A terminal needs a process that holds its master side, and a console socket needs a terminal
/// that this process does not hold.
fn check_terminal(terminal: bool, presence: Presence, socket: bool) -> Result<(), Failure> {
    let detached_terminal = terminal && presence == Presence::Detached;
    match (detached_terminal, socket) {
        (true, false) => Err(Failure::new(
            "cannot allocate tty if runc will detach without setting console socket",
        )),
        (false, true) => Err(Failure::new(
            "cannot use console socket if runc will not detach or allocate tty",
        )),
        _ => Ok(()),
    }
}

/// Refuses standard streams that are directories: nothing can be copied from them, and from one
/// that is given away a process in a container would find the host around it.
fn check_standard_streams() -> Result<(), Error> {
    let (input, output, error) = (io::stdin(), io::stdout(), io::stderr());
    for (name, stream) in [
        ("input", input.as_fd()),
        ("output", output.as_fd()),
        ("error", error.as_fd()),
    ] {
        let stat = rustix::fs::fstat(stream)
            .map_err(|errno| Error::system(format!("look at standard {name}"), errno))?;
        if FileType::from_raw_mode(stat.st_mode).is_dir() {
            return Err(Error::new(
                ErrorKind::InvalidState,
                format!("standard {name} is a directory"),
            ));
        }
    }
    Ok(())
}

/// The descriptors to pass, in order.
fn passed(invocation: &Invocation<'_>, listening: u32) -> Result<Vec<OwnedFd>, Failure> {
    let preserved = match invocation
        .parsed
        .integer("preserve-fds")
        .unwrap_or_default()
    {
        negative if negative < 0 => 0,
        count => u32::try_from(count)
            .map_err(|_| Failure::new(format!("invalid value {count} for flag -preserve-fds")))?,
    };
    let Some(inherited) = invocation.inherited else {
        return Ok(Vec::new());
    };
    let mut descriptors = inherited.duplicate(FIRST_PASSED, listening)?;
    let first = FIRST_PASSED.saturating_add(i32::try_from(listening).unwrap_or(i32::MAX));
    descriptors.extend(inherited.duplicate(first, preserved)?);
    Ok(descriptors)
}

/// Where `--pid-file` points, as the caller means it: relative to its directory, not to the bundle.
pub(crate) fn pid_file(invocation: &Invocation<'_>) -> Result<Option<PathBuf>, Failure> {
    absolute(invocation.parsed.text("pid-file").map(|name| &**name))
}

fn absolute(path: Option<&OsStr>) -> Result<Option<PathBuf>, Failure> {
    path.map(|path| {
        std::path::absolute(path).map_err(|error| Failure::io("resolve --pid-file", error))
    })
    .transpose()
}

/// Writes the pid file, if one was asked for.
pub(crate) fn record_pid(path: Option<&Path>, pid: i32) -> Result<(), Failure> {
    match path {
        Some(path) => Ok(write_pid_file(path, pid)?),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_needs_exactly_one_holder_of_its_master_side() {
        use Presence::{Detached, Foreground};
        let refused = |terminal, presence, socket| {
            check_terminal(terminal, presence, socket)
                .unwrap_err()
                .message
        };
        for socket in [false, true] {
            assert_eq!(check_terminal(true, Detached, socket).is_ok(), socket);
        }
        assert!(check_terminal(true, Foreground, false).is_ok());
        assert!(check_terminal(false, Foreground, false).is_ok());
        assert!(check_terminal(false, Detached, false).is_ok());
        assert!(
            refused(true, Detached, false).starts_with("cannot allocate tty if runc will detach")
        );
        for (terminal, presence) in [(true, Foreground), (false, Foreground), (false, Detached)] {
            assert!(refused(terminal, presence, true).starts_with("cannot use console socket"));
        }
    }

    #[test]
    fn relative_pid_files_are_relative_to_the_caller() {
        let path = absolute(Some(OsStr::new("p/file"))).unwrap().unwrap();
        assert_eq!(path, std::env::current_dir().unwrap().join("p/file"));
        assert_eq!(absolute(None).unwrap(), None);
    }
}
