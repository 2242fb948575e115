//! Staying with a container in the foreground.
//!
//! One loop carries signals, notifications and streams, so nothing in it waits but its poll: see
//! [`StreamEnd`](crate::process::stream_end::StreamEnd).

mod streams;

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitId, WaitIdOptions, child_subreaper, set_child_subreaper, waitid};

use crate::error::{Error, ErrorKind, Result};
use crate::process::child::Child;
use crate::process::exit_status::ExitStatus;
use crate::process::notify_socket::NotifySocket;
use crate::process::relay::Relay;
use crate::process::signal::Signal;
use crate::sys;
use crate::sys::{Disposition, SignalSet};
use streams::Streams;

/// What a command does that stays until the process in the container ends: it forwards signals,
/// reaps orphans, copies standard streams or the terminal.
///
/// [`prepare`](Self::prepare) must come before the process is started: signals are blocked and
/// collected from then on, so that none is lost however soon the process ends. For programs whose
/// main thread has nothing else to do meanwhile; in other ones use [`Child::wait`] or poll
/// [`Child::pidfd`].
#[derive(Debug)]
pub struct Foreground {
    signals: OwnedFd,
    /// Given back when this value is dropped.
    _before: Before,
    reap: bool,
    notify: Option<NotifySocket>,
    warnings: Vec<Error>,
}

/// What was set for the thread or the process before; dropping it sets that again.
#[derive(Debug)]
struct Before {
    mask: SignalSet,
    /// `SIGCHLD`, if it was ignored.
    child_signal: Option<Disposition>,
    /// This process has become a subreaper and was none.
    subreaper: bool,
}

impl Drop for Before {
    fn drop(&mut self) {
        // What was set once can be set again; and a failure could not be reported.
        if self.subreaper {
            let _ = set_child_subreaper(None);
        }
        if let Some(disposition) = &self.child_signal {
            let _ = disposition.set();
        }
        // Last: signals that were not read go to the program as they would have without this.
        let _ = self.mask.set_mask();
    }
}

/// What is to be looked at after a wait.
struct Ready {
    /// The process has ended.
    child: bool,
    /// Signals came in.
    signals: bool,
    /// There is something to do for the notification socket.
    notification: bool,
}

impl Foreground {
    /// Blocks signals in the calling thread (other threads started later inherit that) and opens a
    /// signalfd. An ignored `SIGCHLD` is set to its default, because a child of a process that
    /// ignores it leaves no exit status.
    ///
    /// With `subreaper`, orphans of the container become children of this process
    /// (`PR_SET_CHILD_SUBREAPER`) and [`wait`](Self::wait) reaps *every* child of this process.
    ///
    /// All of this is undone when the value is dropped, and when this function fails. Drop it in
    /// the same thread.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn prepare(subreaper: bool) -> Result<Self> {
        let failed = |error| Error::system("set up signal handling", error);
        let set = SignalSet::forwardable();
        let mut before = Before {
            mask: set.block().map_err(failed)?,
            child_signal: None,
            subreaper: false,
        };
        before.child_signal = sys::default_sigchld().map_err(failed)?;
        let signals = set.descriptor().map_err(failed)?;
        if subreaper {
            let failed = |errno| Error::system("become a subreaper", errno);
            before.subreaper = child_subreaper().map_err(failed)?.is_none();
            // Any pid means "on".
            set_child_subreaper(Pid::from_raw(1)).map_err(failed)?;
        }
        Ok(Self {
            signals,
            _before: before,
            reap: subreaper,
            notify: None,
            warnings: Vec::new(),
        })
    }

    /// Passes the readiness of the container on to the service manager while waiting.
    pub fn notify(&mut self, socket: NotifySocket) {
        self.notify = Some(socket);
    }

    /// Waits until the process ends. Its terminal or pipes, if the child has them, are connected
    /// with those of this process; the terminal of this process is in raw mode meanwhile.
    /// Signals that arrive are sent on to the process, except `SIGCHLD`, `SIGURG` and
    /// `SIGWINCH`; the latter resizes the terminal. A standard stream of this process that
    /// cannot be read or written does not end the wait: the process finds it closed, and
    /// [`warnings`](Self::warnings) has the reason.
    ///
    /// When the process has ended, what it has written is copied to its end, however slowly it is
    /// taken; `SIGHUP`, `SIGINT`, `SIGQUIT` and `SIGTERM` end that.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System), also if this process reaches its own limit
    /// of CPU time (`RLIMIT_CPU`).
    pub fn wait(&mut self, child: &mut Child) -> Result<ExitStatus> {
        let mut streams = Streams::connect(child)?;
        let waited = self.carry(child, &mut streams);
        self.warnings.append(&mut streams.take_failures());
        if let Some(failure) = self.notify.as_mut().and_then(NotifySocket::take_failure) {
            self.warnings.push(failure);
        }
        waited
    }

    /// What did not work while [`wait`](Self::wait) waited, and was no reason to end that: a
    /// standard stream that could not be read or written, a notification that could not be
    /// passed on.
    #[must_use]
    pub fn warnings(&self) -> &[Error] {
        &self.warnings
    }

    fn carry(&mut self, child: &mut Child, streams: &mut Streams) -> Result<ExitStatus> {
        let status = loop {
            let ready = self.poll(child, streams)?;
            if ready.signals {
                self.forward_signals(child, streams)?;
            }
            if ready.notification
                && let Some(socket) = &mut self.notify
            {
                socket.step();
            }
            // Its descriptor stays readable if another thread has reaped it.
            if ready.child
                && let Some(status) = child.try_wait()?
            {
                break status;
            }
        };
        self.finish(child, streams)?;
        Ok(status)
    }

    /// Waits for anything to happen, and copies.
    fn poll(&self, child: &Child, streams: &mut Streams) -> Result<Ready> {
        let now = Instant::now();
        let mut watched = vec![
            PollFd::from_borrowed_fd(child.pidfd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
        ];
        let mut deadline = streams.rest_until(now);
        let notify = self.notify.as_ref().map(NotifySocket::interest);
        let notify_deadline = notify.as_ref().and_then(|(_, end)| *end);
        deadline = [deadline, notify_deadline].into_iter().flatten().min();
        let notify_at = notify.and_then(|(interest, _)| interest).map(|interest| {
            watched.push(interest);
            watched.len() - 1
        });
        let siblings = child.siblings();
        watched.extend(
            siblings
                .iter()
                .map(|entry| PollFd::from_borrowed_fd(entry.pidfd(), PollFlags::IN)),
        );
        let copies_at = watched.len();
        let (copies, interests) = streams.interests(now);
        watched.extend(interests);
        let limit = deadline.and_then(|end| Timespec::try_from(end.duration_since(now)).ok());
        rustix::io::retry_on_intr(|| poll(&mut watched, limit.as_ref()))
            .map_err(|errno| Error::system("wait for the process", errno))?;
        let ready: Vec<bool> = watched
            .iter()
            .map(|one| !one.revents().is_empty())
            .collect();
        drop(watched);
        for (copy, is_ready) in copies.into_iter().zip(ready.iter().skip(copies_at)) {
            if *is_ready {
                streams.step(copy);
            }
        }
        let is_ready = |index: usize| ready.get(index).copied().unwrap_or(false);
        let late = notify_deadline.is_some_and(|end| Instant::now() >= end);
        Ok(Ready {
            child: is_ready(0),
            signals: is_ready(1),
            notification: late || notify_at.is_some_and(is_ready),
        })
    }

    /// Forwards what came in, and reaps.
    fn forward_signals(&self, child: &Child, streams: &Streams) -> Result<()> {
        let own = || rustix::process::getpid().as_raw_nonzero().get();
        for delivered in self.signals()? {
            match delivered.signal {
                libc::SIGCHLD => self.reap(child)?,
                libc::SIGWINCH => streams.resize(),
                libc::SIGURG => {}
                // Our own write, to a pipe without reader or beyond a limit; not meant for the
                // container.
                libc::SIGPIPE | libc::SIGXFSZ if delivered.sender == own() => {}
                // From the kernel: our own limit, too. This thread would be killed if it did not
                // block the signal.
                libc::SIGXCPU if delivered.sender == 0 => {
                    return Err(Error::new(
                        ErrorKind::System,
                        "this process has reached its limit of CPU time (RLIMIT_CPU)",
                    ));
                }
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

    /// The signals that came in.
    fn signals(&self) -> Result<Vec<sys::Delivered>> {
        sys::read_signals::<4>(self.signals.as_fd())
            .map_err(|error| Error::system("read a signal", error))
    }

    /// Copies what the process wrote before its end, and takes signals that came in at the same
    /// time off the queue.
    fn finish(&self, child: &Child, streams: &mut Streams) -> Result<()> {
        streams.child_has_ended();
        let mut told_to_end = false;
        loop {
            let now = Instant::now();
            let (copies, interests) = streams.interests(now);
            let rest = streams.rest_until(now);
            // A sink that is full is waited for; a source that others hold open is not.
            let pending = streams.copies.iter().any(Relay::has_pending);
            if interests.is_empty() && (rest.is_none() || told_to_end) {
                break;
            }
            let limit = match (pending && !told_to_end, rest) {
                (false, _) => Some(Duration::ZERO),
                (true, Some(end)) => Some(end.duration_since(now)),
                (true, None) => None,
            };
            let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
            let mut watched = vec![PollFd::from_borrowed_fd(
                self.signals.as_fd(),
                PollFlags::IN,
            )];
            watched.extend(interests);
            rustix::io::retry_on_intr(|| poll(&mut watched, limit.as_ref()))
                .map_err(|errno| Error::system("wait for output", errno))?;
            let mut ready = watched.iter().map(|one| !one.revents().is_empty());
            let signal = ready.next().unwrap_or(false);
            let ready: Vec<usize> = copies
                .into_iter()
                .zip(ready)
                .filter_map(|(copy, is_ready)| is_ready.then_some(copy))
                .collect();
            drop(watched);
            if signal {
                told_to_end |= self.is_told_to_end()?;
            } else if ready.is_empty() && (told_to_end || !pending) {
                break;
            }
            for copy in ready {
                streams.step(copy);
            }
        }
        self.reap(child)
    }

    /// Reads the signals that came after the end of the process: whether one of them asks a program
    /// to end.
    fn is_told_to_end(&self) -> Result<bool> {
        let ends = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];
        let mut ends_now = false;
        for delivered in self.signals()? {
            ends_now |= ends.contains(&delivered.signal);
        }
        Ok(ends_now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::stream_end::StreamEnd;
    use std::os::fd::AsRawFd;
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

    fn streams(from: OwnedFd, to: OwnedFd) -> Streams {
        let from = StreamEnd::own(from).unwrap();
        let to = StreamEnd::shared_sink(to).unwrap();
        let mut streams = Streams::default();
        streams.copies.push(Relay::new("standard output", from, to));
        streams
    }

    /// Runs a test again, alone in a process of its own, whose settings it may change; `false` in
    /// that process.
    fn alone(name: &str, shell: &str) -> bool {
        if std::env::var_os("COFFERDAM_TEST_ALONE").is_some() {
            return false;
        }
        let command = format!("{shell}; exec \"$0\" --exact foreground::tests::{name}");
        let status = Command::new("/bin/bash")
            .args(["-c", &command])
            .arg(std::env::current_exe().unwrap())
            .env("COFFERDAM_TEST_ALONE", "1")
            .status();
        assert!(status.unwrap().success());
        true
    }

    fn blocked_signals() -> String {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("SigBlk:"));
        line.unwrap().to_owned()
    }

    #[test]
    fn what_was_set_is_given_back_also_by_a_failure() {
        if alone(
            "what_was_set_is_given_back_also_by_a_failure",
            "trap '' CHLD",
        ) {
            return;
        }
        let settings = || {
            let ignored = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let ignored = ignored.lines().find(|line| line.starts_with("SigIgn:"));
            let subreaper = child_subreaper().unwrap().is_some();
            (blocked_signals(), ignored.unwrap().to_owned(), subreaper)
        };
        let before = settings();
        let foreground = Foreground::prepare(true).unwrap();
        let during = settings();
        assert!(during.2 && during.0 != before.0 && during.1 != before.1);
        drop(foreground);
        assert_eq!(settings(), before);
        // No descriptor is left for the signals.
        let open = std::fs::File::open("/dev/null").unwrap();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let low = rustix::process::Rlimit {
            current: Some(open.as_raw_fd().try_into().unwrap()),
            maximum: limit.maximum,
        };
        drop(open);
        rustix::process::setrlimit(rustix::process::Resource::Nofile, low).unwrap();
        let error = Foreground::prepare(true).unwrap_err();
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        assert_eq!(settings(), before);
    }

    #[test]
    fn a_subreaper_stays_one() {
        if alone("a_subreaper_stays_one", "true") {
            return;
        }
        set_child_subreaper(Pid::from_raw(1)).unwrap();
        drop(Foreground::prepare(true).unwrap());
        assert!(child_subreaper().unwrap().is_some());
    }

    #[test]
    fn output_that_is_never_taken_is_given_up_when_a_signal_asks_for_the_end() {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let (_never_read, sink) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        rustix::pipe::fcntl_setpipe_size(&sink, 4096).unwrap();
        rustix::io::write(&write, &[b'x'; 20_000]).unwrap();
        drop(write);
        let foreground = Foreground::prepare(false).unwrap();
        let child = start("exit 0");
        child.wait().unwrap();
        sys::signal_this_thread(libc::SIGWINCH);
        sys::signal_this_thread(libc::SIGTERM);
        let mut streams = streams(read, sink);
        foreground.finish(&child, &mut streams).unwrap();
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
        // The disposition belongs to the whole process.
        if alone(
            "an_ignored_sigchld_does_not_cost_the_status",
            "trap '' CHLD",
        ) {
            return;
        }
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
        let mut streams = streams(read, sink_write);
        foreground.finish(&ours, &mut streams).unwrap();
        drop(streams);
        let mut all = Vec::new();
        std::io::Read::read_to_end(&mut std::fs::File::from(sink_read), &mut all).unwrap();
        assert_eq!(all.len(), 30_000);
    }
}
