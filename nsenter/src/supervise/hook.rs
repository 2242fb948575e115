//! Supervising a hook that the stub has started.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::error::{Error, ErrorKind, Result};
use crate::foreign_descriptors;
use crate::hook_outcome::HookOutcome;
use crate::output::Output;
use crate::pidfd::{self, Exit, remaining};
use crate::plan::HookCommand;
use crate::procfs::Procfs;
use crate::wire::Message;

use super::control::{Control, Event, Received};
use super::process_ref::ProcessRef;

/// The hook's process: killed unless the stub has reported its end.
struct Hook {
    pidfd: OwnedFd,
    /// It is what the stub says, and has not ended.
    may_be_killed: bool,
}

impl Hook {
    /// The stub is not trusted, and every process can be opened by its number, also a stranger's
    /// that this process may kill: only a child of the stub is taken. Whose child one was that
    /// is gone is not known, and its group may live on, so that one is left alone. With the stub
    /// gone its hook has another parent, and dies by its death signal.
    fn new(pidfd: OwnedFd, stub: &ProcessRef<'_>) -> Result<Self> {
        let procfs = Procfs::system()?;
        let parent = pidfd::pid_of(&procfs, &pidfd)
            .and_then(|pid| procfs.stat(pid))
            .map(|stat| stat.parent());
        let may_be_killed = parent.is_ok_and(|parent| parent == stub.pid());
        let gone = || {
            let asked = pidfd::send_signal(&pidfd, 0);
            asked.is_err_and(|error| error.kind() == ErrorKind::Process)
        };
        let orphaned = || pidfd::has_exited(stub.pidfd()).unwrap_or(false);
        if may_be_killed || gone() || orphaned() {
            return Ok(Self {
                pidfd,
                may_be_killed,
            });
        }
        Err(Error::protocol(
            "the hook that the init process names is no child of it",
        ))
    }

    /// The group, since a hook may have started others; before Linux 6.9 the hook alone.
    fn kill(&self) {
        if !self.may_be_killed {
            return;
        }
        if crate::sys::signal::pidfd_send_signal(self.pidfd.as_fd(), libc::SIGKILL, true).is_err() {
            let _ = pidfd::send_signal(&self.pidfd, libc::SIGKILL);
        }
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How long a hook is waited for.
struct Limits {
    /// Its own limit.
    timeout: Option<Duration>,
    end: Option<Instant>,
    /// How long the stub may take to say that the hook has ended: a stub that is not heard of is
    /// no reason to wait for ever.
    stub_timeout: Duration,
    timed_out: Option<Duration>,
    /// The hook has ended, or was killed.
    over: bool,
}

impl Limits {
    /// Called when the hook is found to have ended.
    fn hook_has_ended(&mut self) {
        if !self.over {
            self.over = true;
            self.end = Instant::now().checked_add(self.stub_timeout);
        }
    }

    /// Looks at the clock; `Ok(true)` means that the hook's time is over and it is to be killed.
    fn check(&mut self) -> Result<bool> {
        if self.end.is_none_or(|end| Instant::now() < end) {
            return Ok(false);
        }
        if self.over {
            return Err(Error::new(
                ErrorKind::Timeout,
                format!(
                    "the init process does not say how a hook ended within {:.1}s",
                    self.stub_timeout.as_secs_f64()
                ),
            ));
        }
        self.timed_out = self.timeout;
        self.hook_has_ended();
        Ok(true)
    }
}

/// Whether the kernel takes it for one; whose child it is does not matter.
fn is_pidfd(descriptor: &OwnedFd) -> bool {
    let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(
        waitid(WaitId::PidFd(descriptor.as_fd()), how),
        Err(Errno::BADF)
    )
}

/// Collects the output of a hook until it ends, and kills it when its time is over. `None`: the
/// stub itself is gone.
pub(crate) fn supervise(
    mut started: Received,
    command: &HookCommand,
    control: &mut Control,
    stub: &ProcessRef<'_>,
    stub_timeout: Duration,
) -> Result<Option<HookOutcome>> {
    let step = started.packet.step;
    let Some([process, out, err]) = started.descriptors.take::<3>() else {
        return Err(Error::protocol(
            "the init process sent another number of descriptors than three",
        ));
    };
    let is_what_it_should_be = is_pidfd(&process)
        && foreign_descriptors::is_pipe(&out)
        && foreign_descriptors::is_pipe(&err);
    if !is_what_it_should_be {
        foreign_descriptors::close(vec![process, out, err]);
        return Err(Error::protocol(
            "the init process gives something else than a hook and its output",
        ));
    }
    let mut process = Hook::new(process, stub)?;
    let mut output = Output::new(out, err)?;
    let timeout =
        (command.timeout_ms != 0).then(|| Duration::from_millis(command.timeout_ms.into()));
    let mut limits = Limits {
        timeout,
        end: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
        stub_timeout,
        timed_out: None,
        over: false,
    };
    let ended = loop {
        if limits.check()? {
            process.kill();
        }
        let left = limits.end.map(remaining);
        let stub_pidfd = stub.pidfd();
        let mut fds = vec![
            PollFd::new(control, PollFlags::IN),
            PollFd::new(&stub_pidfd, PollFlags::IN),
        ];
        if !limits.over {
            fds.push(PollFd::new(&process.pidfd, PollFlags::IN));
        }
        fds.extend(output.watched());
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(Error::system("wait for a hook", e)),
        }
        let ready = |index: usize| fds.get(index).is_some_and(|fd| !fd.revents().is_empty());
        let (says, hook_ended) = (ready(0) || ready(1), !limits.over && ready(2));
        drop(fds);
        output.collect();
        if says {
            break match control.next(stub.pidfd(), stub_timeout)? {
                Event::Packet(received) => received,
                Event::Ended => return Ok(None),
            };
        }
        if hook_ended {
            limits.hook_has_ended();
        }
    };
    if ended.packet.message != Message::HookEnded || ended.packet.step != step {
        return Err(Error::protocol(
            "the init process does not say how a hook ended",
        ));
    }
    process.may_be_killed = false;
    // si_code and si_status of waitid(2).
    let status = i32::try_from(ended.packet.value & 0xffff).unwrap_or(-1);
    let exit = match ended.packet.value >> 16 {
        1 => Exit::Code(status),
        code @ (2 | 3) => Exit::Signal {
            signal: status,
            core_dumped: code == 3,
        },
        _ => Exit::Unknown,
    };
    let (stdout, stderr) = output.finish();
    Ok(Some(HookOutcome::new(
        exit,
        limits.timed_out,
        stdout,
        stderr,
    )))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;
    use crate::foreign_descriptors::Sent;
    use crate::foreign_descriptors::tests::lingering;
    use crate::wire::Packet;

    const SHORT: Duration = Duration::from_millis(50);

    fn sleeper() -> Child {
        Command::new("sleep")
            .arg("1000")
            .process_group(0)
            .spawn()
            .unwrap()
    }

    /// Supervises a hook that a stub names and then never speaks of again.
    fn supervised(hook: OwnedFd, stub: u32, timeout_ms: u32) -> Result<Option<HookOutcome>> {
        let (out, _out_writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (err, _err_writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        started_with(vec![hook, out, err], stub, timeout_ms)
    }

    fn started_with(
        descriptors: Vec<OwnedFd>,
        stub: u32,
        timeout_ms: u32,
    ) -> Result<Option<HookOutcome>> {
        let (ours, _theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let started = Received {
            packet: Packet {
                message: Message::HookStarted,
                step: 7,
                value: 0,
            },
            payload: Vec::new(),
            descriptors: Sent::new(descriptors),
        };
        let command = HookCommand {
            path: c"/bin/sleep".to_owned(),
            args: Vec::new(),
            env: None,
            stdin: (Vec::new(), Vec::new()),
            timeout_ms,
        };
        let pidfd = pidfd::open(stub).unwrap();
        let stub = ProcessRef::new(stub, pidfd.as_fd());
        supervise(started, &command, &mut Control::new(ours), &stub, SHORT)
    }

    #[test]
    fn a_process_that_is_no_child_of_the_stub_is_refused_and_lives() {
        let (mut stub, mut stranger) = (sleeper(), sleeper());
        let error = supervised(pidfd::open(stranger.id()).unwrap(), stub.id(), 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert_eq!(stranger.try_wait().unwrap(), None);
        // Neither is something else than a process.
        let null = std::fs::File::open("/dev/null").unwrap();
        let error = supervised(null.into(), stub.id(), 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        for child in [&mut stub, &mut stranger] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Also where closing it would take an hour.
    #[test]
    fn what_is_no_hook_is_refused_and_closed_elsewhere() {
        let own = std::process::id();
        let pipe = || OwnedFd::from(std::io::pipe().unwrap().0);
        let mut kept = Vec::new();
        for place in 0..3 {
            let (slow, other) = lingering();
            kept.push(other);
            let mut sent = vec![pidfd::open(own).unwrap(), pipe(), pipe()];
            sent[place] = slow;
            let error = started_with(sent, own, 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
        }
    }

    #[test]
    fn the_group_of_one_that_is_gone_is_left_alone() {
        // A leader that ends, and a member of its group that does not.
        let mut leader = Command::new("sh")
            .args(["-c", "sleep 1000 >/dev/null & echo $!"])
            .process_group(0)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pidfd = pidfd::open(leader.id()).unwrap();
        let mut number = String::new();
        std::io::Read::read_to_string(&mut leader.stdout.take().unwrap(), &mut number).unwrap();
        leader.wait().unwrap();
        let member = pidfd::open(number.trim().parse().unwrap()).unwrap();
        let error = supervised(pidfd, std::process::id(), 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(!pidfd::has_exited(&member).unwrap());
        pidfd::send_signal(&member, libc::SIGKILL).unwrap();
    }

    #[test]
    fn a_stub_that_does_not_speak_of_the_end_is_not_waited_for_without_end() {
        // After the timeout of the hook, and after its end.
        for timeout_ms in [1, 0] {
            let mut hook = sleeper();
            let pidfd = pidfd::open(hook.id()).unwrap();
            if timeout_ms == 0 {
                hook.kill().unwrap();
            }
            let error = supervised(pidfd, std::process::id(), timeout_ms).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert!(!hook.wait().unwrap().success(), "it was killed");
        }
    }
}
