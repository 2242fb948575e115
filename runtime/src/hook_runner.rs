//! Running one hook in the runtime's own namespaces.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// How much of each output stream is kept for the error message; the rest is read and dropped.
const KEPT: usize = 64 * 1024;

/// A hook and what it is given.
#[derive(Clone, Debug)]
pub(crate) struct HookRun<'a> {
    /// Absolute path of the program.
    pub(crate) path: &'a str,
    /// Its arguments verbatim, `argv[0]` first; empty stands for the path alone.
    pub(crate) args: &'a [String],
    /// Its environment; `None` inherits that of this process.
    pub(crate) env: Option<&'a [String]>,
    /// Its working directory.
    pub(crate) directory: Option<&'a Path>,
    /// How long it may run.
    pub(crate) timeout: Option<Duration>,
    /// What it reads from its standard input.
    pub(crate) stdin: &'a [u8],
}

/// Why a hook failed: the part of the message that follows `error running NAME hook #I: `.
pub(crate) type Failure = String;

impl HookRun<'_> {
    /// Runs it to its end. A hook that leaves processes behind which hold its output open is not waited for any longer.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut command = self.command().map_err(|error| error.to_string())?;
        let mut child = command
            .spawn()
            .map_err(|error| format!("fork/exec {}: {}", self.path, plain(&error)))?;
        let mut output = Output::default();
        let ended = supervise(&mut child, &mut output, self.timeout);
        if !matches!(ended, Ok(true)) {
            // The group: what the hook started must not outlive its timeout either.
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = child.kill();
        }
        let status = child.wait();
        match ended {
            Err(error) => Err(format!("supervise: {}", plain(&error))),
            Ok(false) => {
                let limit = self.timeout.unwrap_or_default().as_secs_f64();
                Err(format!("hook ran past specified timeout of {limit:.1}s"))
            }
            Ok(true) => match status {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(output.describe(&words(status))),
                // Somebody else took the status: what is not known to have succeeded has failed.
                Err(error) => {
                    Err(output.describe(&format!("exit status unknown ({})", plain(&error))))
                }
            },
        }
    }

    fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(self.path);
        if let Some((name, rest)) = self.args.split_first() {
            command.arg0(name).args(rest);
        }
        if let Some(env) = self.env {
            command.env_clear();
            // An entry without `=` cannot be part of an environment.
            command.envs(
                env.iter()
                    .filter_map(|entry| entry.split_once('='))
                    .filter(|(name, _)| !name.is_empty()),
            );
        }
        if let Some(directory) = self.directory {
            command.current_dir(directory);
        }
        command.process_group(0);
        command
            .stdin(state_file(self.stdin)?)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        crate::sys::inherit_only_streams(&mut command);
        Ok(command)
    }
}

/// A memory file instead of a pipe: a hook that does not read its input cannot block us or send us `SIGPIPE`.
fn state_file(content: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"state", MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

/// The error text without Rust's "(os error N)".
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_lowercase(),
        None => text,
    }
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(libc::SIGSYS)) => "signal: bad system call".to_owned(),
        (None, Some(libc::SIGKILL)) => "signal: killed".to_owned(),
        (None, signal) => format!("signal: {}", signal.unwrap_or_default()),
    }
}

#[derive(Default)]
struct Output {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Output {
    fn describe(&self, what: &str) -> String {
        let mut text = String::from(what);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            ", stdout: {}, stderr: {}",
            String::from_utf8_lossy(self.stdout.trim_ascii_end()),
            String::from_utf8_lossy(self.stderr.trim_ascii_end())
        );
        text
    }
}

/// Reads the output until the hook has ended (`true`) or its time is over (`false`).
fn supervise(
    child: &mut Child,
    output: &mut Output,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(io::ErrorKind::NotFound)?;
    // Not reaped yet, so the pid is the hook's.
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let mut stdout = child.stdout.take().map(OwnedFd::from).map(File::from);
    let mut stderr = child.stderr.take().map(OwnedFd::from).map(File::from);
    for pipe in [&stdout, &stderr].into_iter().flatten() {
        fcntl_setfl(pipe, OFlags::NONBLOCK)?;
    }
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let ended = {
            let mut watched = vec![PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
            for pipe in [&stdout, &stderr].into_iter().flatten() {
                watched.push(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
            }
            let limit = left.and_then(|left| Timespec::try_from(left).ok());
            rustix::io::retry_on_intr(|| poll(&mut watched, limit.as_ref()))?;
            watched
                .first()
                .is_some_and(|pidfd| !pidfd.revents().is_empty())
        };
        drain(&mut stdout, &mut output.stdout)?;
        drain(&mut stderr, &mut output.stderr)?;
        if ended {
            return Ok(true);
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
    }
}

/// Takes what a pipe holds now, at most a few buffers of it so that the clock is looked at; forgets the pipe at its end.
fn drain(pipe: &mut Option<File>, kept: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = [0_u8; 16 * 1024];
    for _ in 0..16 {
        let Some(file) = pipe else { return Ok(()) };
        match file.read(&mut chunk) {
            Ok(0) => *pipe = None,
            Ok(length) => {
                let room = KEPT.saturating_sub(kept.len()).min(length);
                kept.extend_from_slice(chunk.get(..room).unwrap_or_default());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell<'a>(args: &'a [String]) -> HookRun<'a> {
        HookRun {
            path: "/bin/sh",
            args,
            env: None,
            directory: None,
            timeout: None,
            stdin: b"{\"id\":\"x\"}",
        }
    }

    fn script(text: &str) -> Vec<String> {
        ["my-hook", "-c", text].map(str::to_owned).to_vec()
    }

    #[test]
    fn gets_state_arguments_and_environment_verbatim() {
        let args = script(
            r#"read line; test "$line" = '{"id":"x"}' && test "$A" = "b=c" && test "$0" = my-hook && test -z "$HOME""#,
        );
        let env = ["A=b=c".to_owned(), "novalue".to_owned()];
        let run = HookRun {
            env: Some(&env),
            ..shell(&args)
        };
        assert_eq!(run.run(), Ok(()));
    }

    #[test]
    fn no_descriptor_of_this_program_gets_into_a_hook() {
        use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
        let null = File::open("/dev/null").unwrap();
        // As a program may have it that was written in another language.
        let left_open = fcntl_dupfd_cloexec(&null, 500).unwrap();
        fcntl_setfd(&left_open, FdFlags::empty()).unwrap();
        let args = script("ls /proc/$$/fd | tr '\\n' ' '; exit 1");
        assert_eq!(
            shell(&args).run().unwrap_err(),
            "exit status 1, stdout: 0 1 2, stderr: "
        );
    }

    #[test]
    fn inherits_the_environment_if_none_is_given() {
        let args = script(r#"test -n "$PATH""#);
        assert_eq!(shell(&args).run(), Ok(()));
    }

    #[test]
    fn a_failure_tells_status_and_output() {
        let args = script("echo out; echo err >&2; exit 3");
        assert_eq!(
            shell(&args).run(),
            Err("exit status 3, stdout: out, stderr: err".to_owned())
        );
        let args = script("kill -9 $$");
        assert_eq!(
            shell(&args).run(),
            Err("signal: killed, stdout: , stderr: ".to_owned())
        );
    }

    #[test]
    fn a_timeout_ends_the_whole_group() {
        let dir = tempfile::tempdir().unwrap();
        let pids = dir.path().join("pids");
        let args = script(&format!(
            "sleep 1000 & echo $! $$ > {}; wait",
            pids.display()
        ));
        let begin = Instant::now();
        let run = HookRun {
            timeout: Some(Duration::from_secs(1)),
            ..shell(&args)
        };
        assert_eq!(
            run.run(),
            Err("hook ran past specified timeout of 1.0s".to_owned())
        );
        assert!(begin.elapsed() < Duration::from_secs(10));
        for pid in std::fs::read_to_string(pids).unwrap().split_whitespace() {
            // Killed, it may take a moment to end; reaped already, it is gone.
            if let Ok(pidfd) = nsenter::pidfd::open(pid.parse().unwrap()) {
                let limit = Some(Duration::from_secs(5));
                assert!(
                    nsenter::pidfd::wait_timeout(pidfd, limit).unwrap(),
                    "{pid} is alive"
                );
            }
        }
    }

    #[test]
    fn a_daemon_that_holds_the_output_open_is_not_waited_for() {
        let args = script("sleep 30 & echo $! >&2; exit 1");
        let begin = Instant::now();
        let error = shell(&args).run().unwrap_err();
        assert!(begin.elapsed() < Duration::from_secs(20));
        let pid = error
            .rsplit("stderr: ")
            .next()
            .and_then(|pid| pid.trim().parse().ok())
            .and_then(Pid::from_raw)
            .unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }

    #[test]
    fn output_is_capped_and_never_blocks_the_hook() {
        let args = script("head -c 3000000 /dev/zero | tr '\\0' x; exit 1");
        let error = shell(&args).run().unwrap_err();
        assert!(error.starts_with("exit status 1, stdout: xxx"));
        assert!(error.len() < KEPT + 200);
    }

    #[test]
    fn a_missing_program_is_named() {
        let run = HookRun {
            path: "/nonexistent/hook",
            ..shell(&[])
        };
        assert_eq!(
            run.run(),
            Err("fork/exec /nonexistent/hook: no such file or directory".to_owned())
        );
    }
}
