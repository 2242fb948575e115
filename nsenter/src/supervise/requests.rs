//! The requests of the stub, as a trait: the supervisor's side of a plan.

use std::fmt;
use std::os::fd::OwnedFd;

use crate::error::Refusal;
use crate::hook_outcome::HookOutcome;
use crate::wire::{MAX_TOLERATED, WARNINGS, u32_at, u64_at};

use super::process_ref::ProcessRef;

/// What did not work in the stub and was no failure.
///
/// The stub reports this; after the second stage is made it is not trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    ambient: u64,
    tolerated: Vec<(usize, i32)>,
    unlisted: u32,
}

impl Warnings {
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        if payload.len() != WARNINGS {
            return None;
        }
        let total = usize::try_from(u32_at(payload, 8)?).ok()?;
        let listed = total.min(MAX_TOLERATED);
        let mut tolerated = Vec::with_capacity(listed);
        for index in 0..listed {
            let step = usize::try_from(u32_at(payload, 16 + 8 * index)?).ok()?;
            tolerated.push((step, i32::try_from(u32_at(payload, 20 + 8 * index)?).ok()?));
        }
        let unlisted = u32::try_from(total - listed).unwrap_or(u32::MAX);
        Some(Self {
            ambient: u64_at(payload, 0)?,
            tolerated,
            unlisted,
        })
    }

    /// Capabilities, one bit each, that [`Op::AmbientSet`](crate::plan::Op::AmbientSet) could not
    /// raise.
    #[must_use]
    pub fn ambient(&self) -> u64 {
        self.ambient
    }

    /// The steps that failed with an errno which the plan tolerates: index and errno, in order; at
    /// most 32.
    #[must_use]
    pub fn tolerated(&self) -> &[(usize, i32)] {
        &self.tolerated
    }

    /// How many more tolerated failures there were than [`tolerated`](Self::tolerated) lists.
    #[must_use]
    pub fn unlisted(&self) -> u32 {
        self.unlisted
    }

    /// Whether everything worked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A request of the plan that the supervisor does not handle.
#[derive(Debug)]
struct Unanswered(&'static str);

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the supervisor has no answer for {}", self.0)
    }
}

impl std::error::Error for Unanswered {}

fn unanswered<T>(what: &'static str) -> Result<T, Refusal> {
    Err(Box::new(Unanswered(what)))
}

/// What the supervisor does for the requests of a plan
/// ([`StubProcess::serve`](crate::StubProcess::serve)).
///
/// Each method is called at most once for each step that has a request, in the order of the plan;
/// the stub waits meanwhile. Every method has a default that refuses, except where a default is
/// useful. A refusal ends the stub, and `serve` returns it as source of an error of kind
/// [`Refused`](crate::ErrorKind::Refused). What the stub sends is untrusted: descriptors may be of
/// any type.
pub trait RequestHandler {
    /// [`Op::AskGate`](crate::plan::Op::AskGate).
    ///
    /// # Errors
    /// What should end the stub.
    fn gate(&mut self, number: u32, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        let _ = (number, process);
        unanswered("a gate")
    }

    /// [`Op::AskIdMaps`](crate::plan::Op::AskIdMaps): see [`id_maps`](crate::id_maps).
    ///
    /// # Errors
    /// What should end the stub.
    fn id_maps(&mut self, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        let _ = process;
        unanswered("the id maps")
    }

    /// [`Op::SecondStage`](crate::plan::Op::SecondStage): the process that will become the program
    /// was made; the first one is reaped. The default accepts it.
    ///
    /// # Errors
    /// What should end the stub.
    fn second_stage(&mut self, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        let _ = process;
        Ok(())
    }

    /// [`Op::SecondStage`](crate::plan::Op::SecondStage) was refused with this errno, `EAGAIN` or
    /// `ENOMEM`: the processes or the memory of a cgroup of `process` are used up. The second
    /// stage is tried once more afterwards, and it starts where `process` then is: a
    /// supervisor that moves it to another cgroup moves the second stage back in
    /// [`second_stage`](Self::second_stage). The default does nothing.
    ///
    /// # Errors
    /// What should end the stub.
    fn no_room(&mut self, process: &ProcessRef<'_>, errno: i32) -> Result<(), Refusal> {
        let _ = (process, errno);
        Ok(())
    }

    /// [`Op::SendDescriptor`](crate::plan::Op::SendDescriptor). The default closes it.
    ///
    /// # Errors
    /// What should end the stub.
    fn keep_descriptor(&mut self, tag: u32, descriptor: OwnedFd) -> Result<(), Refusal> {
        let _ = (tag, descriptor);
        Ok(())
    }

    /// [`Op::AskDescriptor`](crate::plan::Op::AskDescriptor).
    ///
    /// # Errors
    /// What should end the stub.
    fn provide_descriptor(&mut self, tag: u32) -> Result<OwnedFd, Refusal> {
        let _ = tag;
        unanswered("a descriptor")
    }

    /// [`Op::SendDescriptorAndWait`](crate::plan::Op::SendDescriptorAndWait).
    ///
    /// # Errors
    /// What should end the stub.
    fn use_descriptor(
        &mut self,
        tag: u32,
        descriptor: OwnedFd,
        process: &ProcessRef<'_>,
    ) -> Result<(), Refusal> {
        let _ = (tag, descriptor, process);
        unanswered("a descriptor that was sent")
    }

    /// [`Op::AskConsole`](crate::plan::Op::AskConsole): the terminal's master and the number of its
    /// pts.
    ///
    /// # Errors
    /// What should end the stub.
    fn console(&mut self, master: OwnedFd, pts: u32) -> Result<(), Refusal> {
        let _ = (master, pts);
        unanswered("the console")
    }

    /// [`Op::AskHome`](crate::plan::Op::AskHome): the content of the container's password file,
    /// empty if it cannot be read; at most 1 MiB. The answer is the home directory, at most 4096
    /// bytes without NUL.
    ///
    /// # Errors
    /// What should end the stub.
    fn home(&mut self, passwd: &[u8]) -> Result<Vec<u8>, Refusal> {
        let _ = passwd;
        unanswered("the home directory")
    }

    /// [`Op::AskReady`](crate::plan::Op::AskReady): all privileged preparation is done. The default
    /// accepts it.
    ///
    /// # Errors
    /// What should end the stub.
    fn ready(&mut self, process: &ProcessRef<'_>, warnings: &Warnings) -> Result<(), Refusal> {
        let _ = (process, warnings);
        Ok(())
    }

    /// A hook of [`Op::Hook`](crate::plan::Op::Hook) was supervised and has ended; `context` is
    /// what the plan calls the step. The default refuses unless it ended with exit code 0 in
    /// time; the refusal is [`HookOutcome`] itself.
    ///
    /// # Errors
    /// What should end the stub.
    fn hook(&mut self, context: &str, outcome: HookOutcome) -> Result<(), Refusal> {
        let _ = context;
        if outcome.success() {
            Ok(())
        } else {
            Err(Box::new(outcome))
        }
    }

    /// [`Op::Seccomp`](crate::plan::Op::Seccomp) with a listener.
    ///
    /// # Errors
    /// What should end the stub.
    fn seccomp_listener(
        &mut self,
        listener: OwnedFd,
        process: &ProcessRef<'_>,
    ) -> Result<(), Refusal> {
        let _ = (listener, process);
        unanswered("the seccomp listener")
    }
}

/// Refuses every request and accepts every report: enough for a plan without requests.
impl RequestHandler for () {}
