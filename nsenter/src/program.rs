//! Programs that run in the namespaces of this process: hooks, and the helpers of the system.

use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::{Error, Result};
use crate::hook_outcome::HookOutcome;
use crate::output::Output;
use crate::pidfd::{self, Exit, remaining};
use crate::sys::{NotStarted, OwnedProcess, ProgramStart, start_program};

/// How long a killed process may take to end before it is not waited for any more.
pub(crate) const END_AFTER_KILL: Duration = Duration::from_secs(5);

/// A program and what it is given. It is started as the init stub is, without a copy of the address
/// space: safe in a program with any number of threads, of any size.
///
/// It leads a process group of its own, has three standard streams and no other descriptor of this
/// process, no blocked signals, and ignores what the caller of this process has let it ignore, but
/// neither `SIGPIPE` nor `SIGXFSZ`.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// The file to execute. It is not looked for in `PATH`.
    pub path: &'a CStr,
    /// Its arguments verbatim, `argv[0]` first; if empty, the path alone.
    pub args: &'a [CString],
    /// Its environment verbatim; `None` inherits that of this process.
    pub env: Option<&'a [CString]>,
    /// Its working directory, open in any way (`O_PATH` will do); `None` inherits that of this
    /// process.
    pub directory: Option<BorrowedFd<'a>>,
    /// What it reads from its standard input.
    pub stdin: &'a [u8],
    /// How long it may run; `None` for as long as it likes.
    pub timeout: Option<Duration>,
    /// A process, by its pidfd, whose end ends the program as well: what it does is of no use any
    /// more then.
    pub lives_with: Option<BorrowedFd<'a>>,
}

impl Program<'_> {
    /// Runs it to its end, and keeps the first 64 KiB of each output stream.
    ///
    /// When its time is over, or [`lives_with`](Self::lives_with) has ended, it is killed with its
    /// process group. Processes that it leaves behind and that hold its output open are not
    /// waited for.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System) if it cannot be started or watched; what was
    /// started is killed then. A program that fails is not an error.
    pub fn run(&self) -> Result<HookOutcome> {
        let own = [self.path.to_owned()];
        let inherited;
        let env = match self.env {
            Some(env) => env,
            None => {
                inherited = environment();
                &inherited
            }
        };
        let stdin = memory_file(self.stdin)
            .map_err(|e| Error::system("make the standard input of a program", e))?;
        let pipe = || {
            pipe_with(PipeFlags::CLOEXEC).map_err(|e| Error::system("make a pipe for output", e))
        };
        let (stdout, stdout_write) = pipe()?;
        let (stderr, stderr_write) = pipe()?;
        let output = Output::new(stdout, stderr)?;
        let start = ProgramStart {
            path: self.path,
            args: if self.args.is_empty() {
                &own
            } else {
                self.args
            },
            env,
            directory: self.directory,
            streams: [stdin.as_fd(), stdout_write.as_fd(), stderr_write.as_fd()],
        };
        let (pid, pidfd) = start_program(&start).map_err(|error| self.not_started(error))?;
        // Or their ends would never be seen.
        drop((stdout_write, stderr_write));
        let process = Running {
            group: i32::try_from(pid).ok().and_then(Pid::from_raw),
            process: OwnedProcess::new(pidfd),
            ended: false,
        };
        self.supervise(process, output)
    }

    fn not_started(&self, error: NotStarted) -> Error {
        let path = self.path.to_string_lossy();
        match error {
            NotStarted::Execute(e) => Error::system(format!("fork/exec {path}"), e),
            NotStarted::Directory(e) => {
                Error::system(format!("enter the working directory of {path}"), e)
            }
            NotStarted::Clone(e) | NotStarted::Child(e) => {
                Error::system(format!("start a process for {path}"), e)
            }
        }
    }

    /// Collects the output until the process ends, and kills it when its time is over.
    fn supervise(&self, mut running: Running, mut output: Output) -> Result<HookOutcome> {
        let after = |limit| Instant::now().checked_add(limit);
        let mut end = self.timeout.and_then(after);
        let mut timed_out = None;
        let mut lives_with = self.lives_with;
        let mut killed = false;
        loop {
            match running.poll(&output, lives_with, end)? {
                Ended::Program => break,
                Ended::LivesWith => {
                    lives_with = None;
                    killed = true;
                    running.kill();
                    end = after(END_AFTER_KILL);
                }
                Ended::Neither => {}
            }
            output.collect();
            if end.is_some_and(|end| Instant::now() >= end) {
                if killed {
                    // The kernel does not let it go.
                    break;
                }
                killed = true;
                timed_out = self.timeout;
                running.kill();
                end = after(END_AFTER_KILL);
            }
        }
        let exit = running.reap()?;
        let (stdout, stderr) = output.finish();
        Ok(HookOutcome::new(exit, timed_out, stdout, stderr))
    }
}

/// What a wait for a program has found.
enum Ended {
    Program,
    /// The process that it lives with.
    LivesWith,
    Neither,
}

/// A started program, killed and reaped unless that has been done.
struct Running {
    process: OwnedProcess,
    /// The process group that it leads.
    group: Option<Pid>,
    ended: bool,
}

impl Running {
    /// Waits for output, for the end of the process, of the one that it lives with, or of the time.
    fn poll(
        &self,
        output: &Output,
        lives_with: Option<BorrowedFd<'_>>,
        end: Option<Instant>,
    ) -> Result<Ended> {
        let mut watched = vec![PollFd::new(&self.process, PollFlags::IN)];
        watched.extend(lives_with.map(|process| PollFd::from_borrowed_fd(process, PollFlags::IN)));
        watched.extend(output.watched());
        let left = end.map(remaining);
        match poll(&mut watched, left.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Ended::Neither),
            Err(e) => return Err(Error::system("wait for a program", e)),
        }
        let ready = |index: usize| {
            let process = watched.get(index);
            process.is_some_and(|process| !process.revents().is_empty())
        };
        Ok(match (ready(0), lives_with.is_some() && ready(1)) {
            (true, _) => Ended::Program,
            (false, true) => Ended::LivesWith,
            (false, false) => Ended::Neither,
        })
    }

    /// Ends the whole group: what the program has started shall not outlive its time either. The
    /// number is that of the group as long as the process is not reaped.
    fn kill(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn reap(&mut self) -> Result<Exit> {
        let exit = pidfd::try_wait(&self.process)?;
        if exit.is_some() {
            self.ended = true;
            self.process.set_reaped();
        }
        Ok(exit.unwrap_or(Exit::Unknown))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
        }
    }
}

/// The environment of this process.
fn environment() -> Vec<CString> {
    let entry = |(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        // It comes from C strings, so that it has no NUL.
        CString::new(name.into_vec()).ok()
    };
    std::env::vars_os().filter_map(entry).collect()
}

/// A memory file instead of a pipe: a program that does not read its input cannot block this
/// process or send it `SIGPIPE`.
fn memory_file(content: &[u8]) -> std::io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(c"state", MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}

#[cfg(test)]
mod tests;
