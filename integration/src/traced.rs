//! Commands that are traced from their first instruction on (ptrace(2)).

use std::io;
use std::process::Command;

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Starts the last arguments of `shell`, which is a command that [`shell`] has made, and traces
/// its process. It stops when the kernel has executed the first program of the command line.
///
/// The calling thread is the tracer, and the only one that may wait for the process.
///
/// # Errors
/// The shell cannot be started or traced, or it ends, since there is no such program.
pub fn start(shell: &mut Command, options: Options) -> io::Result<Pid> {
    let shell = shell.spawn()?;
    let pid = Pid::from_raw(i32::try_from(shell.id()).map_err(io::Error::other)?);
    // A shell that stops can be seized before it executes the program.
    waitpid(pid, Some(WaitPidFlag::WUNTRACED))?;
    ptrace::seize(pid, options | Options::PTRACE_O_TRACEEXEC)?;
    kill(pid, Signal::SIGCONT)?;
    loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL))? {
            WaitStatus::PtraceEvent(_, _, event)
                if event == ptrace::Event::PTRACE_EVENT_EXEC as i32 =>
            {
                return Ok(pid);
            }
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                return Err(io::Error::other("the shell ended"));
            }
            _ => ptrace::cont(pid, None)?,
        }
    }
}

/// A shell that stops, and executes its arguments when it is continued.
pub fn shell() -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]);
    shell
}

/// Why processes cannot be traced here; `None` where they can.
pub fn not_permitted() -> Option<String> {
    match start(shell().arg("/bin/true"), Options::PTRACE_O_EXITKILL) {
        Ok(pid) => {
            let _ended = ptrace::cont(pid, None).and_then(|()| waitpid(pid, None));
            None
        }
        Err(error) => Some(format!("processes cannot be traced: {error}")),
    }
}
