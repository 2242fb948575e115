//! Starting the stub.

use std::os::fd::BorrowedFd;

use crate::error::Result;
use crate::init::Init;
use crate::plan::{Plan, Slot};

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
    /// The cgroup v2 directory to be born in (`CLONE_INTO_CGROUP`, Linux 5.7). It must not be frozen: the caller would be blocked.
    pub cgroup: Option<BorrowedFd<'a>>,
}

impl Spawn<'_> {
    /// Starts the stub. Safe in a program with any number of threads: between clone and execution only a few
    /// system calls are made, on a stack of their own, with all signals blocked.
    ///
    /// Until the parent has answered [`Op::AskReady`](crate::plan::Op::AskReady) the stub is killed when the *thread* that spawned it ends:
    /// spawn and [serve](Init::serve) on one thread.
    ///
    /// # Errors
    /// [`ErrorKind::Plan`](crate::ErrorKind::Plan) if descriptors and plan do not fit, [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn start(self) -> Result<Init> {
        Err(crate::error::Error::new(
            crate::ErrorKind::System,
            "not built",
        ))
    }
}
