//! Hooks: programs that run inside the container's namespaces before the user's program does.

use super::fields::{HookRef, List};
use super::fixed_string::FixedString;
use super::messages;
use super::operations::Operation;
use super::sys::{self, CLONE_VFORK, Errno, Fd, Forked, Pointers, PollFd, Result, SharedWord};
use super::wire::{Message, PACKET};
use super::{Executor, Home, program};

/// How much of each stream of a late hook is kept for the message.
const KEPT: usize = 2048;

/// A started hook.
struct Running {
    pid: i32,
    pidfd: Fd,
    out: Fd,
    err: Fd,
}

/// How a hook ended: `si_code` and `si_status` of `waitid(2)`.
type Ended = (i32, i32);

impl Executor {
    /// A hook that is supervised from outside: the supervisor gets the pidfd, with which it can
    /// kill, and the output.
    pub(super) fn hook(&mut self, hook: &HookRef<'static>) -> Result<()> {
        let running = self.start(hook)?;
        let fds = [running.pidfd.raw(), running.out.raw(), running.err.raw()];
        let head = super::wire::Packet {
            message: Message::HookStarted,
            step: self.step,
            value: sys::getpid(),
        };
        sys::send(self.control, &head.encode(0), &[], &fds)?;
        drop((running.out, running.err, running.pidfd));
        let (code, status) = sys::wait(running.pid)?;
        let value = code.unsigned_abs() << 16 | status.unsigned_abs() & 0xffff;
        self.tell(Message::HookEnded, value, &[])?;
        self.answer(&mut [0; PACKET]).map(drop)
    }

    /// Hooks that nothing outside supervises. Not inlined, for its line of text.
    #[inline(never)]
    pub(super) fn late_hooks(&mut self, hooks: List<'static, HookRef<'static>>) -> Result<()> {
        for (index, hook) in (0..).zip(hooks) {
            let hook = hook.ok_or(Errno::EINVAL)?;
            let mut line = FixedString::<8192>::new();
            line.push_some(b"error running ");
            line.push_some(self.context());
            line.push_some(b" #");
            line.push_number(index);
            line.push_some(b": ");
            let ok = match self.start(&hook) {
                Ok(running) => supervise(running, hook.timeout_ms, &mut line)?,
                Err(e) => {
                    line.push_some(b"exec ");
                    line.push_some(hook.path.to_bytes());
                    line.push_some(b": ");
                    program::push_errno(&mut line, e);
                    false
                }
            };
            if !ok {
                line.push_some(b"\n");
                let _ = sys::write_all(2, line.get());
                sys::exit(255);
            }
        }
        Ok(())
    }

    /// The state, with this process' number in it, ready to be read.
    fn standard_input(hook: &HookRef<'_>) -> Result<Fd> {
        let (before, after) = hook.stdin;
        let mut pid = FixedString::<16>::new();
        pid.push_number(u64::from(sys::getpid()));
        let (read, write) = sys::pipe()?;
        if before.len() + pid.get().len() + after.len() <= sys::pipe_capacity(write.raw())? {
            for piece in [before, pid.get(), after] {
                sys::write_all(write.raw(), piece)?;
            }
            return Ok(read);
        }
        let file = sys::memfd(c"state")?;
        let mut offset = 0;
        for piece in [before, pid.get(), after] {
            sys::write_at(file.raw(), piece, offset)?;
            offset += u64::try_from(piece.len()).map_err(|_| Errno::EINVAL)?;
        }
        Ok(file)
    }

    fn start(&self, hook: &HookRef<'static>) -> Result<Running> {
        let input = Self::standard_input(hook)?;
        let (out, out_write) = sys::pipe()?;
        let (err, err_write) = sys::pipe()?;
        let args = program::pointers(hook.args, None)?;
        let env = match hook.env {
            Some(env) => program::pointers(env, None)?,
            // That of the program: the last step has it.
            None => match self
                .plan
                .steps()
                .checked_sub(1)
                .and_then(|at| self.operation(at))
            {
                Some(Operation::Exec { env, .. }) => {
                    program::pointers(env, self.home.as_ref().map(Home::as_cstr))?
                }
                _ => return Err(Errno::EINVAL),
            },
        };
        let failure = SharedWord::new()?;
        let (own, end) = (sys::getpid(), self.descriptors_end());
        match sys::fork(CLONE_VFORK)? {
            Forked::Child => {
                let errno = child(
                    own,
                    &[input.raw(), out_write.raw(), err_write.raw()],
                    end,
                    hook.path,
                    &args,
                    &env,
                );
                failure.set(errno.0);
                sys::exit(255)
            }
            Forked::Parent(pid, pidfd) => match failure.get() {
                0 => Ok(Running {
                    pid,
                    pidfd,
                    out,
                    err,
                }),
                errno => {
                    let _ = sys::wait(pid);
                    Err(Errno(errno))
                }
            },
        }
    }
}

/// In the child. None of the three is a standard stream itself: those were open before.
fn child(
    parent: u32,
    streams: &[i32; 3],
    descriptors_end: u32,
    path: &core::ffi::CStr,
    args: &Pointers<'_>,
    env: &Pointers<'_>,
) -> Errno {
    let _ = sys::own_process_group();
    // A hook does not outlive the stub, nor the stub its parent.
    if let Err(e) = sys::prctl(sys::PR_SET_PDEATHSIG, sys::SIGKILL as usize, 0) {
        return e;
    }
    if sys::getppid() != parent {
        sys::exit(255);
    }
    for (fd, stream) in streams.iter().zip(0..) {
        if let Err(e) = sys::dup3(*fd, stream) {
            return e;
        }
    }
    program::close_between(3, descriptors_end);
    program::execute(path, args, env)
}

/// Collects output until the hook ends or has run too long. Says whether it succeeded; if not, the
/// line says why.
fn supervise(running: Running, timeout_ms: u32, line: &mut FixedString<8192>) -> Result<bool> {
    let deadline = sys::milliseconds().saturating_add(u64::from(timeout_ms));
    let (mut out, mut err) = (FixedString::<KEPT>::new(), FixedString::<KEPT>::new());
    let watch = |fd: i32| PollFd {
        fd,
        events: sys::POLLIN,
        happened: 0,
    };
    let mut fds = [
        watch(running.pidfd.raw()),
        watch(running.out.raw()),
        watch(running.err.raw()),
    ];
    let mut late = false;
    loop {
        let left = (timeout_ms != 0).then(|| deadline.saturating_sub(sys::milliseconds()));
        if let Err(e) = sys::poll(&mut fds, left) {
            // It would not be watched any more: it does not go on.
            end(&running);
            return Err(e);
        }
        let [process, out_fd, err_fd] = &mut fds;
        collect(out_fd, &mut out);
        collect(err_fd, &mut err);
        if process.happened != 0 {
            break;
        }
        if timeout_ms != 0 && sys::milliseconds() >= deadline {
            late = true;
            break;
        }
    }
    let ended: Ended = if late {
        end(&running)
    } else {
        sys::wait(running.pid)?
    };
    if late {
        line.push_some(b"hook ran past specified timeout of ");
        line.push_number(u64::from(timeout_ms / 1000));
        line.push_some(b".");
        line.push_number(u64::from(timeout_ms % 1000 / 100));
        line.push_some(b"s");
        return Ok(false);
    }
    if ended == (sys::CLD_EXITED, 0) {
        return Ok(true);
    }
    // What it left in the pipes; other holders of them are not waited for.
    for _ in 0..64 {
        let [_, out_fd, err_fd] = &mut fds;
        let mut rest = [watch(out_fd.fd), watch(err_fd.fd)];
        sys::poll(&mut rest, Some(0))?;
        let [out_fd, err_fd] = &mut rest;
        if out_fd.happened | err_fd.happened == 0 {
            break;
        }
        collect(out_fd, &mut out);
        collect(err_fd, &mut err);
        let [_, kept_out, kept_err] = &mut fds;
        (kept_out.fd, kept_err.fd) = (out_fd.fd, err_fd.fd);
    }
    describe(ended, line);
    line.push_some(b", stdout: ");
    line.push_some(out.get().trim_ascii_end());
    line.push_some(b", stderr: ");
    line.push_some(err.get().trim_ascii_end());
    Ok(false)
}

/// Kills a hook and its whole group: it may have started others that hold its output.
fn end(running: &Running) -> Ended {
    let _ = sys::kill(-running.pid, sys::SIGKILL);
    let _ = sys::kill(running.pid, sys::SIGKILL);
    sys::wait(running.pid).unwrap_or_default()
}

/// Reads once if there is something; at the end the stream is not watched any more.
fn collect(stream: &mut PollFd, into: &mut FixedString<KEPT>) {
    if stream.happened == 0 {
        return;
    }
    stream.happened = 0;
    let mut buffer = [0; 1024];
    match sys::read(stream.fd, &mut buffer) {
        Ok(count @ 1..) => into.push_some(buffer.get(..count).unwrap_or(&[])),
        _ => stream.fd = -1,
    }
}

/// `exit status 1`, `signal: killed`.
fn describe((code, status): Ended, line: &mut FixedString<8192>) {
    if code == sys::CLD_EXITED {
        line.push_some(b"exit status ");
        line.push_number(u64::from(status.unsigned_abs()));
        return;
    }
    line.push_some(b"signal: ");
    match messages::signal(status) {
        "" => {
            line.push_some(b"signal ");
            line.push_number(u64::from(status.unsigned_abs()));
        }
        name => line.push_some(name.as_bytes()),
    }
    if code == sys::CLD_DUMPED {
        line.push_some(b" (core dumped)");
    }
}
