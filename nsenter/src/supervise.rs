//! The stub as its supervisor sees it: requests, answers, end.

mod control;
mod hook;
mod process_ref;
mod requests;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, StatxFlags, statx};

use crate::error::{Error, ErrorKind, Refusal, Result};
use crate::foreign_descriptors;
use crate::pidfd::{self, Exit};
use crate::plan::{Op, Plan, Step};
use crate::second_stage::SecondStage;
use crate::sys::OwnedProcess;
use crate::wire::{MAX_DETAIL, MAX_HOME, MAX_HOME_FILE, Message};
pub use process_ref::ProcessRef;
pub use requests::{RequestHandler, Warnings};

use control::{Control, Event, Received};

/// How long the stub may go without progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Duration);

impl Deadline {
    /// No single wait for the stub may take longer. The time its requests take does not
    /// count, nor do hooks, up to their end or the end of their time.
    #[must_use]
    pub fn without_progress(limit: Duration) -> Self {
        Self(limit)
    }
}

/// Ten seconds.
impl Default for Deadline {
    fn default() -> Self {
        Self(Duration::from_secs(10))
    }
}

/// What serving the stub has ended with: its plan has run up to [`Op::CloseControl`] or
/// [`Op::Exit`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    warnings: Warnings,
}

impl Served {
    /// What did not work and was no failure.
    #[must_use]
    pub fn warnings(&self) -> &Warnings {
        &self.warnings
    }
}

/// A started stub, later the program. Dropping it kills and reaps the process, unless it was
/// [detached](Self::detach) or waited for.
#[derive(Debug)]
pub struct StubProcess {
    plan: Plan,
    pid: u32,
    process: OwnedProcess,
    /// Until it is taken over, and becomes the process. Dropped after the first stage: then no
    /// other one can come.
    second_stage: Option<SecondStage>,
    exit: Option<Exit>,
    control: Option<Control>,
}

impl StubProcess {
    pub(crate) fn new(
        plan: Plan,
        pid: u32,
        pidfd: OwnedFd,
        second_stage: Option<SecondStage>,
        control: OwnedFd,
    ) -> Self {
        Self {
            plan,
            pid,
            process: OwnedProcess::new(pidfd),
            second_stage,
            exit: None,
            control: Some(Control::new(control)),
        }
    }

    /// The process id. It changes once, when a second stage takes over.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The pidfd. It changes once, when a second stage takes over.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    /// The plan that it executes.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Serves the stub's requests until its plan has reached [`Op::CloseControl`]
    /// or [`Op::Exit`].
    ///
    /// Call it on the thread that spawned the stub.
    ///
    /// # Errors
    /// [`ErrorKind::Step`] with the [`Failure`](crate::Failure), [`ErrorKind::Refused`],
    /// [`ErrorKind::Timeout`], [`ErrorKind::Died`], [`ErrorKind::Protocol`] or
    /// [`ErrorKind::System`]. The stub is then killed and reaped.
    pub fn serve(
        &mut self,
        handler: &mut dyn RequestHandler,
        deadline: Deadline,
    ) -> Result<Served> {
        let Some(control) = self.control.take() else {
            return Err(Error::protocol(
                "the plan of this process was already served",
            ));
        };
        let mut serving = Serving {
            stub: self,
            control,
            deadline,
            last: None,
        };
        let result = serving.run(handler);
        drop(serving);
        if result.is_err() {
            self.kill();
            self.exit.get_or_insert(Exit::Unknown);
        }
        result
    }

    /// Kills and reaps what there is, the first stage first: after that no second one comes.
    fn kill(&mut self) {
        self.process.kill();
        self.second_stage = None;
    }

    /// Waits for the end of the process and reaps it. The status is kept: a second call gives it
    /// again.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn wait(&mut self) -> Result<Exit> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        let exit = pidfd::wait(&self.process)?;
        self.process.set_reaped();
        self.exit = Some(exit);
        Ok(exit)
    }

    /// Lets the process live on its own: it is not killed when this value is gone. Returns its
    /// pidfd. A stub whose plan was not served ends with its control channel.
    #[must_use]
    pub fn detach(self) -> OwnedFd {
        self.process.release()
    }
}

/// The conversation about one plan.
struct Serving<'a> {
    stub: &'a mut StubProcess,
    control: Control,
    deadline: Deadline,
    /// The last step with a request or a report: the next one is of a later step.
    last: Option<u32>,
}

impl Serving<'_> {
    fn run(&mut self, handler: &mut dyn RequestHandler) -> Result<Served> {
        loop {
            let received = self.next()?;
            let index = received.packet.step;
            match received.packet.message {
                Message::Fail => return Err(self.failure(&received)),
                Message::NotBegun if self.last.is_none() => return Err(not_begun(&received)),
                _ => {}
            }
            if self.last.is_some_and(|last| index <= last) {
                return Err(Error::protocol("the init process goes back in its plan"));
            }
            self.last = Some(index);
            let plan = self.stub.plan.clone();
            let step = usize::try_from(index)
                .ok()
                .and_then(|index| plan.steps().get(index));
            let Some(step) = step else {
                return Err(Error::protocol(
                    "the init process is beyond the end of its plan",
                ));
            };
            if let Some(served) = self.handle(handler, step, received)? {
                return Ok(served);
            }
        }
    }

    fn next(&mut self) -> Result<Received> {
        match self
            .control
            .next(self.stub.process.as_fd(), self.deadline.0)?
        {
            Event::Packet(received) => Ok(received),
            Event::Ended => Err(self.died()),
        }
    }

    /// The stub is gone, or says nothing any more.
    fn died(&mut self) -> Error {
        let ended =
            pidfd::wait_timeout(&self.stub.process, Some(Duration::from_secs(1))).unwrap_or(false);
        match if ended {
            self.stub.wait()
        } else {
            Ok(Exit::Unknown)
        } {
            Ok(exit) if ended => Error::new(
                ErrorKind::Died,
                format!("the init process ended early: {exit}{}", self.after()),
            ),
            _ => Error::new(
                ErrorKind::Died,
                "the init process closed its control channel early",
            ),
        }
    }

    /// The last step that is known to be done, for a message.
    fn after(&self) -> String {
        let last = self.last.and_then(|index| usize::try_from(index).ok());
        match last.and_then(|index| self.stub.plan.steps().get(index)) {
            Some(step) => format!(", some time after \"{}\"", step.context()),
            None => String::new(),
        }
    }

    fn failure(&self, received: &Received) -> Error {
        let (index, errno) = (
            received.packet.step,
            i32::try_from(received.packet.value).unwrap_or(0),
        );
        if self.last.is_some_and(|last| index < last)
            || errno > 4095
            || received.payload.len() > MAX_DETAIL
        {
            return Error::protocol("the init process reports an impossible failure");
        }
        match self.stub.plan.failure(index, errno, &received.payload) {
            Some(failure) => Error::step(failure),
            None => Error::protocol("the init process is beyond the end of its plan"),
        }
    }

    /// One request. A step may only make the one of its operation.
    fn handle(
        &mut self,
        handler: &mut dyn RequestHandler,
        step: &Step,
        mut received: Received,
    ) -> Result<Option<Served>> {
        let index = received.packet.step;
        let refused = refused(step);
        let process = ProcessRef::new(self.stub.pid, self.stub.process.as_fd());
        match (received.packet.message, step.op()) {
            (Message::Gate, Op::AskGate(number)) => {
                handler.gate(*number, &process).map_err(refused)?
            }
            (Message::IdMaps, Op::AskIdMaps) => handler.id_maps(&process).map_err(refused)?,
            (Message::SecondStage | Message::NoRoom, Op::SecondStage) => {
                self.second_stage(handler, received)?;
                let process = ProcessRef::new(self.stub.pid, self.stub.process.as_fd());
                handler.second_stage(&process).map_err(refused)?;
            }
            (Message::Send, Op::SendDescriptor { tag, .. }) => {
                let descriptor = one(&mut received)?;
                handler.keep_descriptor(*tag, descriptor).map_err(refused)?;
                return Ok(None);
            }
            (Message::Ask, Op::AskDescriptor { tag, .. }) => {
                let descriptor = handler.provide_descriptor(*tag).map_err(refused)?;
                self.control.go(index, &[], Some(descriptor.as_fd()))?;
                return Ok(None);
            }
            (Message::SendAndWait, Op::SendDescriptorAndWait { tag, .. }) => {
                handler
                    .use_descriptor(*tag, one(&mut received)?, &process)
                    .map_err(refused)?;
            }
            (Message::Console, Op::AskConsole(_)) => console(handler, step, received)?,
            (Message::Home | Message::HomeEnd, Op::AskHome { .. }) => {
                let passwd = self.home_file(received)?;
                let home = home(handler, step, &passwd)?;
                self.control.go(index, &home, None)?;
                return Ok(None);
            }
            (Message::Ready, Op::AskReady) => {
                let warnings = decode_warnings(&received)?;
                handler.ready(&process, &warnings).map_err(refused)?;
            }
            (Message::HookStarted, Op::Hook(command)) => {
                let limit = self.deadline.0;
                let outcome =
                    hook::supervise(received, command, &mut self.control, &process, limit)?;
                let outcome = outcome.ok_or_else(|| self.died())?;
                handler.hook(step.context(), outcome).map_err(refused)?;
            }
            (Message::Listener, Op::Seccomp { listener: true, .. }) => {
                let listener = pidfd::take_descriptor(process.pidfd(), received.packet.value)?;
                if !pidfd::is_seccomp_listener(&listener) {
                    foreign_descriptors::close(vec![listener]);
                    return Err(Error::protocol(
                        "the init process gives something else than a seccomp listener",
                    ));
                }
                handler
                    .seccomp_listener(listener, &process)
                    .map_err(refused)?;
            }
            (Message::Done, Op::CloseControl | Op::Exit) => {
                return Ok(Some(Served {
                    warnings: decode_warnings(&received)?,
                }));
            }
            _ => {
                return Err(Error::protocol(format!(
                    "step \"{}\" asks something else than planned",
                    step.context()
                )));
            }
        }
        self.control.go(index, &[], None)?;
        Ok(None)
    }

    /// The second stage was made, or a limit was in the way and is to be made room for.
    fn second_stage(
        &mut self,
        handler: &mut dyn RequestHandler,
        mut received: Received,
    ) -> Result<()> {
        let step = received.packet.step;
        if received.packet.message == Message::NoRoom {
            let errno = i32::try_from(received.packet.value).unwrap_or(0);
            let process = ProcessRef::new(self.stub.pid, self.stub.process.as_fd());
            let refused = |refusal: Refusal| {
                let what = "make room for the second stage";
                Error::with_source(ErrorKind::Refused, what, refusal)
            };
            handler.no_room(&process, errno).map_err(refused)?;
            self.control.go(step, &[], None)?;
            received = self.next()?;
        }
        match received.packet.message {
            Message::SecondStage if received.packet.step == step => self.take_over(),
            Message::Fail => Err(self.failure(&received)),
            _ => Err(Error::protocol(
                "the init process does not say whether it has a second stage",
            )),
        }
    }

    /// Takes over the second process and reaps the first.
    fn take_over(&mut self) -> Result<()> {
        let strange = || Error::protocol("the second stage is no child of this process");
        let second_stage = self.stub.second_stage.as_ref().ok_or_else(strange)?;
        let (pid, pidfd) = second_stage.open()?.ok_or_else(strange)?;
        if !pidfd::wait_timeout(&self.stub.process, Some(self.deadline.0))? {
            return Err(Error::new(
                ErrorKind::Timeout,
                "the first stage of the init process does not end",
            ));
        }
        let exit = pidfd::try_wait(&self.stub.process)?.unwrap_or(Exit::Unknown);
        self.stub.process.set_reaped();
        if exit.success() || exit == Exit::Unknown {
            self.stub.process = OwnedProcess::new(pidfd);
            if let Some(second_stage) = self.stub.second_stage.take() {
                second_stage.release();
            }
            self.stub.pid = pid;
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::Died,
                format!("the first stage of the init process ended early: {exit}"),
            ))
        }
    }

    /// The pieces of a file, up to the packet that ends it.
    fn home_file(&mut self, mut received: Received) -> Result<Vec<u8>> {
        let step = received.packet.step;
        let mut file = Vec::new();
        while received.packet.message == Message::Home && received.packet.step == step {
            if received.payload.is_empty() || file.len() + received.payload.len() > MAX_HOME_FILE {
                return Err(Error::protocol("the init process sends too large a file"));
            }
            file.append(&mut received.payload);
            received = self.next()?;
        }
        match received.packet.message {
            Message::HomeEnd if received.packet.step == step => Ok(file),
            Message::Fail => Err(self.failure(&received)),
            _ => Err(Error::protocol(
                "the init process does not end the file it sends",
            )),
        }
    }
}

/// The stub could not even prepare itself for its plan.
fn not_begun(received: &Received) -> Error {
    let errno = i32::try_from(received.packet.value).unwrap_or(0);
    Error::with_source(
        ErrorKind::Died,
        "the init process cannot begin its plan",
        Box::new(std::io::Error::from_raw_os_error(errno)),
    )
}

/// A step whose request was refused.
fn refused(step: &Step) -> impl Fn(Refusal) -> Error + Copy {
    |refusal| Error::with_source(ErrorKind::Refused, step.context(), refusal)
}

/// The terminal, which is checked to be one.
fn console(handler: &mut dyn RequestHandler, step: &Step, mut received: Received) -> Result<()> {
    let (master, pts) = (one(&mut received)?, received.packet.value);
    if !is_master_of(master.as_fd(), pts) {
        foreign_descriptors::close(vec![master]);
        return Err(Error::protocol(
            "the init process gives something else than the master of its terminal",
        ));
    }
    handler.console(master, pts).map_err(refused(step))
}

/// The home directory in this password file.
fn home(handler: &mut dyn RequestHandler, step: &Step, passwd: &[u8]) -> Result<Vec<u8>> {
    let home = handler.home(passwd).map_err(refused(step))?;
    if home.len() > MAX_HOME || home.contains(&0) {
        return Err(Error::new(
            ErrorKind::Refused,
            "the home directory is too long or contains a NUL",
        ));
    }
    Ok(home)
}

fn one(received: &mut Received) -> Result<OwnedFd> {
    match received.descriptors.take() {
        Some([descriptor]) => Ok(descriptor),
        None => Err(Error::protocol(
            "the init process sent another number of descriptors than one",
        )),
    }
}

/// Whether this is the master of the pseudoterminal with that number. Whatever else it is, it is
/// not asked: a file system in the hands of a container might not answer.
fn is_master_of(descriptor: BorrowedFd<'_>, number: u32) -> bool {
    // The device `ptmx`, in every instance of devpts.
    const PTMX: (u32, u32) = (5, 2);
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let device = statx(descriptor, c"", flags, StatxFlags::TYPE).is_ok_and(|found| {
        FileType::from_raw_mode(found.stx_mode.into()) == FileType::CharacterDevice
            && (found.stx_rdev_major, found.stx_rdev_minor) == PTMX
    });
    device && crate::sys::terminal_number(descriptor).is_ok_and(|found| found == number)
}

fn decode_warnings(received: &Received) -> Result<Warnings> {
    Warnings::decode(&received.payload)
        .ok_or_else(|| Error::protocol("the init process sent malformed warnings"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_master_of_that_terminal_is_one() {
        let open = |path: &str| std::fs::File::options().read(true).write(true).open(path);
        let Ok(master) = open("/dev/ptmx") else {
            return;
        };
        let number = crate::sys::terminal_number(master.as_fd()).unwrap();
        assert!(is_master_of(master.as_fd(), number));
        assert!(!is_master_of(master.as_fd(), number + 1));
        let (pipe, _writer) = std::io::pipe().unwrap();
        assert!(!is_master_of(pipe.as_fd(), number));
        assert!(!is_master_of(open("/dev/null").unwrap().as_fd(), 0));
        if let Ok(other_end) = open(&format!("/dev/pts/{number}")) {
            assert!(!is_master_of(other_end.as_fd(), number));
        }
    }
}
