//! Staying with a container in the foreground.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitId, WaitIdOptions, set_child_subreaper, waitid};

use crate::child::Child;
use crate::console::{RawTerminal, standard_stream};
use crate::error::{Error, Result};
use crate::exit_status::ExitStatus;
use crate::notify_socket::NotifySocket;
use crate::relay::Relay;
use crate::signal::Signal;
use crate::sys::{self, SignalSet};

/// What a command does that stays until the process in the container ends: it forwards signals, reaps orphans, copies
/// standard streams or the terminal.
///
/// [`prepare`](Self::prepare) must come before the process is started: signals are blocked and collected from then on, so
/// that none is lost however soon the process ends. For programs whose main thread has nothing else to do meanwhile; in
/// other ones use [`Child::wait`] or poll [`Child::pidfd`].
#[derive(Debug)]
pub struct Foreground {
    signals: OwnedFd,
    mask_before: SignalSet,
    reap: bool,
    notify: Option<NotifySocket>,
}

impl Foreground {
    /// Blocks signals in the calling thread (other threads started later inherit that) and opens a signalfd. An ignored
    /// `SIGCHLD` is set to its default, because a child of a process that ignores it leaves no exit status.
    ///
    /// With `subreaper`, orphans of the container become children of this process (`PR_SET_CHILD_SUBREAPER`) and
    /// [`wait`](Self::wait) reaps *every* child of this process.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn prepare(subreaper: bool) -> Result<Self> {
        let failed = |error| Error::system("set up signal handling", error);
        let set = SignalSet::forwardable();
        let mask_before = set.block().map_err(failed)?;
        sys::default_sigchld().map_err(failed)?;
        let signals = set.descriptor().map_err(failed)?;
        if subreaper {
            // Any pid means "on".
            set_child_subreaper(Pid::from_raw(1))
                .map_err(|errno| Error::system("become a subreaper", errno))?;
        }
        Ok(Self {
            signals,
            mask_before,
            reap: subreaper,
            notify: None,
        })
    }

    /// Passes the readiness of the container on to the service manager while waiting.
    pub fn notify(&mut self, socket: NotifySocket) {
        self.notify = Some(socket);
    }

    /// Waits until the process ends. Its terminal or pipes, if the child has them, are connected with those of this
    /// process; the terminal of this process is in raw mode meanwhile. Signals that arrive are sent on to the process,
    /// except `SIGCHLD`, `SIGURG` and `SIGWINCH`; the latter resizes the terminal. A standard stream of this process that
    /// cannot be read or written is no error: the process finds it closed.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn wait(&mut self, child: &mut Child) -> Result<ExitStatus> {
        let mut streams = Streams::connect(child)?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            let (signal, notified) = self.poll(child, &mut streams, None)?;
            if signal {
                self.signals(child, &streams)?;
            }
            if notified && let Some(socket) = &mut self.notify {
                socket.step();
            }
        };
        self.finish(child, &mut streams)?;
        Ok(status)
    }

    /// Waits for anything to happen and copies; returns whether signals came in and whether the notification socket is to
    /// be looked at.
    fn poll(
        &self,
        child: &Child,
        streams: &mut Streams,
        limit: Option<Timespec>,
    ) -> Result<(bool, bool)> {
        let mut watched = vec![
            PollFd::from_borrowed_fd(child.pidfd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
        ];
        let mut limit = limit;
        let notify = self.notify.as_ref().and_then(NotifySocket::interest);
        let notify_at = notify.map(|(interest, deadline)| {
            if let Some(left) =
                deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
            {
                limit = limit.or(Timespec::try_from(left).ok());
            }
            watched.push(interest);
            watched.len() - 1
        });
        let relatives = child.relatives();
        watched.extend(
            relatives
                .iter()
                .filter(|member| member.pidfd().as_raw_fd() != child.pidfd().as_raw_fd())
                .map(|member| PollFd::from_borrowed_fd(member.pidfd(), PollFlags::IN)),
        );
        let copies_at = watched.len();
        let copies: Vec<usize> = streams
            .copies
            .iter()
            .enumerate()
            .filter(|(_, copy)| !copy.is_finished())
            .map(|(i, _)| i)
            .collect();
        watched.extend(streams.copies.iter().filter_map(Relay::interest));
        let count = rustix::io::retry_on_intr(|| poll(&mut watched, limit.as_ref()))
            .map_err(|errno| Error::system("wait for the process", errno))?;
        let ready: Vec<bool> = watched
            .iter()
            .map(|one| !one.revents().is_empty())
            .collect();
        drop(watched);
        for (copy, is_ready) in copies.into_iter().zip(ready.iter().skip(copies_at)) {
            if *is_ready && let Some(copy) = streams.copies.get_mut(copy) {
                copy.step();
            }
        }
        let is_ready = |index: usize| ready.get(index).copied().unwrap_or(false);
        Ok((
            is_ready(1),
            notify_at.is_some_and(|at| is_ready(at) || count == 0),
        ))
    }

    /// Forwards what came in, and reaps.
    fn signals(&self, child: &Child, streams: &Streams) -> Result<()> {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        while let Some(delivered) = sys::read_signal(self.signals.as_fd())
            .map_err(|error| Error::system("read a signal", error))?
        {
            match delivered.signal {
                libc::SIGCHLD => self.reap(child)?,
                libc::SIGWINCH => streams.resize(),
                libc::SIGURG => {}
                // Our own write to a pipe without reader; not meant for the container.
                libc::SIGPIPE if delivered.sender == own => {}
                number => {
                    if let Some(signal) = Signal::from_number(number) {
                        // It may have ended in between, which the loop sees next.
                        let _ = child.signal(signal);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the status of every ended child but the one waited for, whose status is kept.
    fn reap(&self, child: &Child) -> Result<()> {
        let failed = |error| Error::system("reap orphans", error);
        if !self.reap {
            return Ok(());
        }
        loop {
            let Some(number) = sys::ended_child().map_err(failed)? else {
                return Ok(());
            };
            if number == child.pid() {
                child.try_wait()?;
                continue;
            }
            let Some(pid) = Pid::from_raw(number) else {
                return Ok(());
            };
            match waitid(
                WaitId::Pid(pid),
                WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
            ) {
                Ok(_) | Err(rustix::io::Errno::CHILD) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
        }
    }

    /// Copies what the process wrote before its end, and takes signals that came in at the same time off the queue.
    fn finish(&self, child: &Child, streams: &mut Streams) -> Result<()> {
        streams.input_is_over();
        loop {
            // A sink that is full is waited for; a source that somebody else holds open is not.
            let pending = streams.copies.iter().any(Relay::has_pending);
            let mut watched: Vec<_> = streams.copies.iter().filter_map(Relay::interest).collect();
            let now = Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            let limit = if pending { None } else { Some(&now) };
            if watched.is_empty() {
                break;
            }
            let count = rustix::io::retry_on_intr(|| poll(&mut watched, limit))
                .map_err(|errno| Error::system("wait for output", errno))?;
            if count == 0 {
                break;
            }
            let ready: Vec<bool> = watched
                .iter()
                .map(|one| !one.revents().is_empty())
                .collect();
            drop(watched);
            let mut ready = ready.into_iter();
            for copy in streams.copies.iter_mut().filter(|copy| !copy.is_finished()) {
                if ready.next().unwrap_or(false) {
                    copy.step();
                }
            }
        }
        self.reap(child)
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        // Signals that nobody read go to the program as they would have without us.
        let _ = self.mask_before.set_mask();
    }
}

/// What is copied between this process and the child.
#[derive(Debug, Default)]
struct Streams {
    copies: Vec<Relay>,
    /// Index of the copy towards the child.
    input: Option<usize>,
    terminal: Option<(RawTerminal, OwnedFd)>,
}

impl Streams {
    fn connect(child: &mut Child) -> Result<Self> {
        let mut this = Self::default();
        if let Some(console) = child.console().take() {
            let failed = |error| Error::system("duplicate the console", error);
            let terminal = RawTerminal::enter()?;
            terminal.copy_size(&console)?;
            let master = console.into_descriptor();
            let writer = master.try_clone().map_err(failed)?;
            let sizer = master.try_clone().map_err(failed)?;
            this.copies.push(Relay::new(standard_stream(0)?, writer));
            this.copies.push(Relay::new(master, standard_stream(1)?));
            this.input = Some(0);
            this.terminal = Some((terminal, sizer));
            return Ok(this);
        }
        let pipes = child.pipes();
        if let Some(stdin) = pipes.stdin.take() {
            this.input = Some(this.copies.len());
            this.copies.push(Relay::new(standard_stream(0)?, stdin));
        }
        if let Some(stdout) = pipes.stdout.take() {
            this.copies.push(Relay::new(stdout, standard_stream(1)?));
        }
        if let Some(stderr) = pipes.stderr.take() {
            this.copies.push(Relay::new(stderr, standard_stream(2)?));
        }
        Ok(this)
    }

    fn resize(&self) {
        if let Some((terminal, console)) = &self.terminal {
            // A window that vanished keeps its last size.
            let _ = terminal.copy_size(console);
        }
    }

    fn input_is_over(&mut self) {
        if let Some(copy) = self
            .input
            .take()
            .and_then(|index| self.copies.get_mut(index))
        {
            copy.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[allow(clippy::zombie_processes, reason = "waited for through its pidfd")]
    fn start(script: &str) -> Child {
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .spawn()
            .unwrap();
        let pidfd = nsenter::pidfd::open(child.id()).unwrap();
        Child::new(
            i32::try_from(child.id()).unwrap(),
            pidfd,
            &"x".parse().unwrap(),
            &std::sync::Arc::default(),
        )
    }

    #[test]
    fn a_process_that_ends_at_once_is_not_missed() {
        for _ in 0..50 {
            let mut foreground = Foreground::prepare(false).unwrap();
            let mut child = start("exit 3");
            assert_eq!(foreground.wait(&mut child).unwrap(), ExitStatus::Exited(3));
        }
    }

    #[test]
    fn signals_go_to_the_child() {
        let mut foreground = Foreground::prepare(false).unwrap();
        let (ready, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::empty()).unwrap();
        use std::os::fd::AsRawFd;
        let mut child = start(&format!(
            "trap 'exit 5' USR1; echo >&{}; while :; do sleep 1; done",
            tell.as_raw_fd()
        ));
        rustix::io::read(&ready, &mut [0_u8; 1]).unwrap();
        // Not one that goes to the container.
        sys::signal_this_thread(libc::SIGWINCH);
        sys::signal_this_thread(libc::SIGURG);
        sys::signal_this_thread(libc::SIGUSR1);
        assert_eq!(foreground.wait(&mut child).unwrap(), ExitStatus::Exited(5));
    }

    #[test]
    fn an_ignored_sigchld_does_not_cost_the_status() {
        // Its own process: the disposition belongs to the whole one.
        let Ok(run) = std::env::var("COFFERDAM_TEST_IGNORES_SIGCHLD") else {
            let test = std::env::current_exe().unwrap();
            let name = "foreground::tests::an_ignored_sigchld_does_not_cost_the_status";
            let command = format!("trap '' CHLD; exec \"$0\" --exact {name}");
            let status = Command::new("/bin/bash")
                .args(["-c", &command])
                .arg(test)
                .env("COFFERDAM_TEST_IGNORES_SIGCHLD", "1")
                .status();
            assert!(status.unwrap().success());
            return;
        };
        assert_eq!(run, "1");
        let mut foreground = Foreground::prepare(false).unwrap();
        let mut child = start("exit 9");
        assert_eq!(foreground.wait(&mut child).unwrap(), ExitStatus::Exited(9));
    }

    #[test]
    fn output_written_just_before_the_end_arrives() {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let (sink_read, sink_write) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let mut child = Command::new("/bin/sh")
            .args(["-c", "head -c 30000 /dev/zero"])
            .stdout(write)
            .spawn()
            .unwrap();
        let foreground = Foreground::prepare(false).unwrap();
        let pidfd = nsenter::pidfd::open(child.id()).unwrap();
        let ours = Child::new(
            i32::try_from(child.id()).unwrap(),
            pidfd,
            &"x".parse().unwrap(),
            &std::sync::Arc::default(),
        );
        child.wait().unwrap();
        let mut streams = Streams {
            copies: vec![Relay::new(read, sink_write)],
            ..Streams::default()
        };
        foreground.finish(&ours, &mut streams).unwrap();
        drop(streams);
        let mut all = Vec::new();
        std::io::Read::read_to_end(&mut std::fs::File::from(sink_read), &mut all).unwrap();
        assert_eq!(all.len(), 30_000);
    }
}
