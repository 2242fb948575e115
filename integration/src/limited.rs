//! Commands that cannot hang a test.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use crate::filter_answer::FilterAnswer;
use crate::reduced_kernel::{self, ReducedKernel};

/// How long a command of the runtime may take, unless a test says otherwise: it ends what hangs, on
/// slow machines too.
pub const TIMEOUT: Duration = Duration::from_secs(120);

/// How long a command of a container engine may take: it runs dozens of programs, in the emulated
/// test bed each of them ten times slower, and waits for daemons that do the same.
pub const ENGINE_TIMEOUT: Duration = Duration::from_secs(600);

/// A command with its input and a limit of time.
#[derive(Debug)]
pub struct Limited {
    command: Command,
    input: Vec<u8>,
    timeout: Duration,
}

/// What a command did.
#[derive(Debug)]
pub struct Output {
    /// What was run, for messages.
    pub command: String,
    /// The exit code; 128 + N when signal N ended it.
    pub code: i32,
    /// Standard output. Invalid UTF-8 is replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

impl Limited {
    /// A command without input.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            command: Command::new(program),
            input: Vec::new(),
            timeout: TIMEOUT,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.command.args(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn directory(mut self, directory: impl AsRef<std::path::Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives it something to read.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Changes the limit of time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Lets it run on a kernel that lacks system calls.
    #[must_use]
    pub fn on(mut self, kernel: &ReducedKernel) -> Self {
        kernel.restrict(&mut self.command);
        self
    }

    /// Runs it, and all that it starts, under a filter that gives this answer.
    #[must_use]
    pub fn under(mut self, answer: &FilterAnswer<'_>) -> Self {
        answer.restrict(&mut self.command);
        self
    }

    /// Runs it to its end. One that takes too long is killed, and the test fails.
    pub fn output(mut self) -> Output {
        let text = format!("{:?}", self.command);
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let input = self.input;
        let ended = AtomicBool::new(false);
        let (out, err, in_time) = std::thread::scope(|scope| {
            scope.spawn(move || {
                // A command that does not read its input is free to do so.
                let _ = stdin.write_all(&input);
            });
            let out = scope.spawn(|| read_until(stdout, &ended));
            let err = scope.spawn(|| read_until(stderr, &ended));
            let in_time = wait(&child, self.timeout);
            if !in_time {
                let _ = child.kill();
                wait(&child, TIMEOUT);
            }
            ended.store(true, Ordering::Release);
            (
                out.join().expect("reader"),
                err.join().expect("reader"),
                in_time,
            )
        });
        let status = child.wait().expect("wait for a child");
        let code = status
            .code()
            .or_else(|| status.signal().map(|signal| 128 + signal))
            .unwrap_or(-1);
        let output = Output {
            command: text,
            code,
            stdout: out,
            stderr: err,
        };
        reduced_kernel::note(&output);
        assert!(in_time, "took longer than {:?}: {output}", self.timeout);
        output
    }

    /// Starts it without waiting; the caller owns the child. Its output goes to `/dev/null` unless
    /// redirected.
    pub fn spawn(mut self, stdout: Stdio) -> Child {
        let text = format!("{:?}", self.command);
        self.command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }
}

/// Waits for a child's end, not longer than `timeout`. Returns whether it ended.
pub fn wait(child: &Child, timeout: Duration) -> bool {
    let pid = Pid::from_child(child);
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::NOSYS) => return wait_without_pidfd(pid, timeout),
        Err(errno) => panic!("pidfd_open of a child: {errno}"),
    };
    let mut watched = [PollFd::new(&pidfd, PollFlags::IN)];
    let limit = Timespec::try_from(timeout).expect("a short time");
    loop {
        match poll(&mut watched, Some(&limit)) {
            Err(Errno::INTR) => {}
            result => return result.expect("poll") > 0,
        }
    }
}

/// The same on a kernel without pidfd_open(2) (Linux 5.3). The child stays what can be waited for.
fn wait_without_pidfd(pid: Pid, timeout: Duration) -> bool {
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let began = Instant::now();
    loop {
        if waitid(WaitId::Pid(pid), ended).expect("waitid").is_some() {
            return true;
        }
        if began.elapsed() > timeout {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Reads to the end, or to what was written when the command had ended: a container that it leaves
/// behind may keep the pipe open for ever.
fn read_until(mut from: impl Read + AsFd, ended: &AtomicBool) -> String {
    let interval = Timespec {
        tv_sec: 0,
        tv_nsec: 10_000_000,
    };
    let mut bytes = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        // Looked at first: what was written before the end is in the pipe by then.
        let last = ended.load(Ordering::Acquire);
        let ready = match poll(&mut [PollFd::new(&from, PollFlags::IN)], Some(&interval)) {
            Err(Errno::INTR) => continue,
            result => result.expect("poll") > 0,
        };
        if ready {
            match from
                .read(&mut buffer)
                .expect("read the output of a command")
            {
                0 => break,
                count => bytes.extend_from_slice(&buffer[..count]),
            }
        } else if last {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Output {
    /// The same, after a check that it succeeded.
    #[track_caller]
    #[must_use]
    pub fn ok(self) -> Self {
        assert!(self.code == 0, "failed: {self}");
        self
    }

    /// The same, after a check that it failed with this exit code and said this on standard
    /// error.
    #[track_caller]
    #[must_use]
    pub fn failed(self, code: i32, said: &str) -> Self {
        assert!(self.code == code, "exit code is not {code}: {self}");
        assert!(self.stderr.contains(said), "does not say {said:?}: {self}");
        assert!(!self.stderr.contains("panicked"), "panic: {self}");
        self
    }

    /// The lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            command,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{command}\nexit code {code}\n--- standard output\n{stdout}\n--- standard error\n{stderr}"
        )
    }
}
