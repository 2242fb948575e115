//! Starting the stub.

use std::ffi::CString;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::error::{Error, ErrorKind, Result};
use crate::image::image;
use crate::plan::{Op, Plan, Slot};
use crate::second_stage::SecondStage;
use crate::step_times::StepTimes;
use crate::supervise::StubProcess;
use crate::sys::{StartError, start_stub};
use crate::wire::{FIRST_DESCRIPTOR, SECOND_STAGE, TIMED};

/// What a stub is started with.
#[derive(Debug)]
pub struct Spawn<'a> {
    /// What it shall do.
    pub plan: &'a Plan,
    /// Standard input, output and error of the program.
    pub stdio: [BorrowedFd<'a>; 3],
    /// Descriptors 3, 4, … of the program; as many as the plan says.
    pub passed: Vec<BorrowedFd<'a>>,
    /// The inputs of the plan, each once, in any order.
    pub inputs: Vec<(Slot, BorrowedFd<'a>)>,
    /// The cgroup v2 directory to start in (`CLONE_INTO_CGROUP`, Linux 5.7), or to be entered
    /// before anything of the stub runs where `clone3(2)` is refused (`ENOSYS`, `EPERM`). If
    /// it or one above is frozen, [`start`](Self::start) fails after a second.
    pub cgroup: Option<BorrowedFd<'a>>,
}

impl Spawn<'_> {
    /// Starts the stub. Safe in a program with any number of threads: between clone and execution
    /// only a few system calls are made, on a stack of their own, with all signals blocked. The
    /// calling thread is suspended meanwhile (some tens of microseconds).
    ///
    /// Until the supervisor has answered [`Op::AskReady`](crate::plan::Op::AskReady) the stub is
    /// killed when the *thread* that spawned it ends: spawn and [serve](StubProcess::serve) on one
    /// thread.
    ///
    /// # Errors
    /// [`ErrorKind::Plan`](crate::ErrorKind::Plan) if descriptors and plan do not fit,
    /// [`ErrorKind::System`](crate::ErrorKind::System) if the kernel does not start it
    /// (`EPERM`: a namespace needs a privilege; `EAGAIN`: too many processes; …),
    /// [`ErrorKind::Frozen`] if its cgroup is frozen.
    pub fn start(self) -> Result<StubProcess> {
        self.start_with(None)
    }

    /// As [`start`](Self::start); the stub writes down when each step ended. Made for looking where
    /// the time goes: `times` must be for the same plan, and the stub shares that memory until
    /// it executes the program.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_timed(self, times: &StepTimes) -> Result<StubProcess> {
        self.start_with(Some(times))
    }

    fn start_with(self, times: Option<&StepTimes>) -> Result<StubProcess> {
        let inputs = self.ordered_inputs()?;
        let image = image()?;
        let plan_file = sealed_plan(self.plan)
            .map_err(|e| Error::system("make the memory file of the plan", e))?;
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(|e| Error::system("make the control channel", e))?;
        let steps = self.plan.steps();
        let two_stages = steps.iter().any(|step| *step.op() == Op::SecondStage);
        let second_stage = two_stages.then(SecondStage::new).transpose()?;
        let mut descriptors = Vec::with_capacity(7 + self.passed.len() + inputs.len());
        descriptors.extend(self.stdio);
        descriptors.extend(&self.passed);
        descriptors.extend([plan_file.as_fd(), theirs.as_fd()]);
        descriptors.extend(inputs);
        descriptors.extend(times.map(AsFd::as_fd));
        descriptors.extend(second_stage.as_ref().map(AsFd::as_fd));
        let number = FIRST_DESCRIPTOR.saturating_add(self.plan.passed());
        let mut argument = number.to_string().into_bytes();
        argument.extend(times.map(|_| TIMED));
        argument.extend(second_stage.as_ref().map(|_| SECOND_STAGE));
        let argument = CString::new(argument).unwrap_or_default();
        let (pid, pidfd) = start_stub(
            image.as_fd(),
            &descriptors,
            &argument,
            self.plan.clone_namespaces().flags(),
            self.cgroup,
        )
        .map_err(|error| match error {
            StartError::Clone(e) => Error::system("clone the init process", e),
            StartError::Child(what, e) => Error::system(what, e),
            StartError::Frozen => Error::new(
                ErrorKind::Frozen,
                "start the init process in its cgroup: the cgroup is frozen",
            ),
        })?;
        let plan = self.plan.clone();
        Ok(StubProcess::new(plan, pid, pidfd, second_stage, ours))
    }

    /// The inputs in the order of the plan.
    fn ordered_inputs(&self) -> Result<Vec<BorrowedFd<'_>>> {
        if u32::try_from(self.passed.len()) != Ok(self.plan.passed()) {
            let (given, wanted) = (self.passed.len(), self.plan.passed());
            return Err(Error::plan(format!(
                "{given} descriptors are passed, the plan says {wanted}"
            )));
        }
        if self.inputs.len() > self.plan.inputs().len() {
            return Err(Error::plan(
                "a descriptor is given for a slot that is no input of the plan",
            ));
        }
        let given = |slot: Slot| {
            self.inputs
                .iter()
                .find(|(given, _)| *given == slot)
                .map(|(_, fd)| *fd)
        };
        self.plan
            .inputs()
            .iter()
            .map(|input| {
                given(input.slot())
                    .ok_or_else(|| Error::plan(format!("input \"{}\" is missing", input.name())))
            })
            .collect()
    }
}

fn sealed_plan(plan: &Plan) -> std::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match memfd_create(c"cofferdam-plan", flags | MemfdFlags::NOEXEC_SEAL) {
        // Linux before 6.3.
        Err(Errno::INVAL) => memfd_create(c"cofferdam-plan", flags)?,
        result => result?,
    };
    let mut file = std::fs::File::from(file);
    file.write_all(plan.as_bytes())?;
    fcntl_add_seals(
        &file,
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
    )?;
    Ok(file.into())
}
