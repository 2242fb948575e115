//! When the steps of a plan ended.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::wire::TIME;

/// Takes the time at which each step of one stub ended, up to the one that loads a system call
/// filter: see [`Spawn::start_timed`](crate::Spawn::start_timed). A shared memory file that the
/// stub writes into; the clock is `CLOCK_MONOTONIC`, and reading it is the one system call a step
/// takes more.
#[derive(Debug)]
pub struct StepTimes {
    file: OwnedFd,
    steps: usize,
    origin: Timespec,
}

impl StepTimes {
    /// Room for the steps of this plan. Times count from now.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System): no memory is left for it.
    pub fn new(plan: &Plan) -> Result<Self> {
        let failed = |errno| Error::system("make the memory file of the step times", errno);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = match memfd_create(c"cofferdam-times", flags | MemfdFlags::NOEXEC_SEAL) {
            // Linux before 6.3.
            Err(Errno::INVAL) => memfd_create(c"cofferdam-times", flags),
            result => result,
        }
        .map_err(failed)?;
        let steps = plan.steps().len();
        let size = u64::try_from(steps.saturating_mul(TIME)).unwrap_or(u64::MAX);
        ftruncate(&file, size).map_err(failed)?;
        fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW)
            .map_err(failed)?;
        Ok(Self {
            file,
            steps,
            origin: clock_gettime(ClockId::Monotonic),
        })
    }

    /// When each step ended, by its index in the plan. `None`: it was not reached, was jumped over,
    /// or came too late to be timed. The numbers come from the stub and are to be shown, not to
    /// be relied upon.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn read(&self) -> Result<Vec<Option<Duration>>> {
        let mut bytes = vec![0; self.steps.saturating_mul(TIME)];
        let count = rustix::io::pread(&self.file, bytes.as_mut_slice(), 0)
            .map_err(|errno| Error::system("read the step times", errno))?;
        let origin = nanoseconds(self.origin);
        let times = bytes.get(..count).unwrap_or(&[]).chunks_exact(TIME);
        Ok(times
            .map(|time| {
                let at = u64::from_le_bytes(time.try_into().ok()?);
                (at != 0).then(|| Duration::from_nanos(at.saturating_sub(origin)))
            })
            .collect())
    }
}

fn nanoseconds(time: Timespec) -> u64 {
    let whole = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
    whole.saturating_mul(1_000_000_000).saturating_add(rest)
}

impl AsFd for StepTimes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
