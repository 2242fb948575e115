//! The second stage before it is taken over: a child that must not be lost, whatever happens to the
//! process that made it.
//!
//! The stub makes the second stage with `CLONE_PARENT`, so it is a child of this process that this
//! process has not made itself. A message about it may never come: the stub may be killed right
//! after the clone, or there may be no descriptor left to receive one. So the kernel writes the
//! process id (`CLONE_PARENT_SETTID`, `clone(2)`) into memory that both share, before the child
//! runs. Once the stub has ended and the word is still zero, no second stage exists.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::error::{Error, ErrorKind, Result};
use crate::pidfd;
use crate::procfs::Procfs;
use crate::sys::OwnedProcess;

/// How long a killed process may take to end.
const REAP_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two looks whether it has ended.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 1_000_000,
};

/// Clock ticks of procfs a second: `USER_HZ`, part of the kernel's ABI.
const TICKS: u64 = 100;

/// The word with the process id, and from when on a process of that number can be meant.
#[derive(Debug)]
pub(crate) struct SecondStage {
    word: OwnedFd,
    /// In the unit of `/proc/PID/stat`.
    not_before: u64,
    /// It has another owner by now.
    released: bool,
}

impl SecondStage {
    /// Room for a process id. The page is there from now on, so that writing to it takes no memory
    /// of the container's cgroup.
    pub(crate) fn new() -> Result<Self> {
        let failed = |errno| Error::system("make the memory file of the second stage", errno);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let word = match memfd_create(c"cofferdam-pid", flags | MemfdFlags::NOEXEC_SEAL) {
            // Linux before 6.3.
            Err(Errno::INVAL) => memfd_create(c"cofferdam-pid", flags),
            result => result,
        }
        .map_err(failed)?;
        match rustix::io::write(&word, &0_u32.to_ne_bytes()) {
            Ok(4) => {}
            Ok(_) => return Err(failed(Errno::NOSPC)),
            Err(errno) => return Err(failed(errno)),
        }
        fcntl_add_seals(&word, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW)
            .map_err(failed)?;
        Ok(Self {
            word,
            not_before: now_in_ticks(),
            released: false,
        })
    }

    /// The process id that the kernel has written; `None` if there was no clone so far.
    fn pid(&self) -> Option<u32> {
        let mut bytes = [0; 4];
        match rustix::io::pread(&self.word, &mut bytes, 0) {
            Ok(4) => Some(u32::from_ne_bytes(bytes)).filter(|pid| *pid != 0),
            _ => None,
        }
    }

    fn is_recent(&self, pid: u32) -> Result<bool> {
        match Procfs::system()?.stat(pid) {
            Ok(stat) => Ok(stat.start_time() >= self.not_before),
            // Hidden (procfs option `hidepid`): it is of another user, as no child of this process
            // is but the second stage.
            Err(error) if error.kind() == ErrorKind::Process => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The second stage: process id and pidfd. `None`: the word holds no child of this process that
    /// was made since.
    pub(crate) fn open(&self) -> Result<Option<(u32, OwnedFd)>> {
        let Some(pid) = self.pid() else {
            return Ok(None);
        };
        let pidfd = match pidfd::open(pid) {
            Err(error) if error.kind() == ErrorKind::Process => return Ok(None),
            result => result?,
        };
        // A number that the first stage has written itself may be that of another child.
        let known = pidfd::is_child(&pidfd)? && self.is_recent(pid)?;
        Ok(known.then_some((pid, pidfd)))
    }

    /// Another owner has it.
    pub(crate) fn release(mut self) {
        self.released = true;
    }
}

/// Kills and reaps a second stage that nothing else owns. The first stage must have ended before.
impl Drop for SecondStage {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        match self.open() {
            Ok(None) => {}
            Ok(Some((_, pidfd))) => drop(OwnedProcess::new(pidfd)),
            // No descriptor is left, most likely. A child that was not reaped keeps its number, so
            // that does as well.
            Err(_) => {
                if let Some(pid) = self.pid() {
                    end_by_number(pid);
                }
            }
        }
    }
}

impl AsFd for SecondStage {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.word.as_fd()
    }
}

/// The time since boot as `/proc/PID/stat` counts it, rounded down as the kernel does.
fn now_in_ticks() -> u64 {
    let (seconds, nanoseconds) = crate::sys::since_boot();
    let part = nanoseconds.saturating_mul(TICKS) / 1_000_000_000;
    seconds.saturating_mul(TICKS).saturating_add(part)
}

fn end_by_number(pid: u32) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    let wait = |more: WaitIdOptions| {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | pidfd::WALL | more;
        waitid(WaitId::Pid(pid), options)
    };
    if wait(WaitIdOptions::NOWAIT).is_err() || kill_process(pid, Signal::KILL).is_err() {
        return;
    }
    let end = Instant::now() + REAP_TIMEOUT;
    while matches!(wait(WaitIdOptions::empty()), Ok(None) | Err(Errno::INTR))
        && Instant::now() < end
    {
        // Without a descriptor there is nothing to wait for. `std::thread::sleep` panics if it is
        // not let; this does not.
        let _ = poll(&mut [], Some(&PAUSE));
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn word(pid: u32) -> SecondStage {
        let second_stage = SecondStage::new().unwrap();
        rustix::io::pwrite(&second_stage.word, &pid.to_ne_bytes(), 0).unwrap();
        second_stage
    }

    fn sleeper() -> Child {
        Command::new("sleep").arg("1000").spawn().unwrap()
    }

    #[test]
    fn a_number_that_is_written_is_opened_and_ended() {
        assert!(SecondStage::new().unwrap().open().unwrap().is_none());
        let second_stage = SecondStage::new().unwrap();
        let mut child = sleeper();
        rustix::io::pwrite(&second_stage.word, &child.id().to_ne_bytes(), 0).unwrap();
        let (pid, _) = second_stage.open().unwrap().unwrap();
        assert_eq!(pid, child.id());
        drop(second_stage);
        // Reaped, not only killed.
        assert!(child.wait().is_err());
    }

    #[test]
    fn without_a_descriptor_it_is_ended_by_its_number() {
        let mut child = sleeper();
        end_by_number(child.id());
        assert!(child.wait().is_err(), "reaped");
    }

    #[test]
    fn one_that_has_another_owner_lives_on() {
        let second_stage = SecondStage::new().unwrap();
        let mut child = sleeper();
        rustix::io::pwrite(&second_stage.word, &child.id().to_ne_bytes(), 0).unwrap();
        second_stage.release();
        assert_eq!(child.try_wait().unwrap(), None);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// What a compromised first stage might write.
    #[test]
    fn numbers_of_other_processes_are_not_taken() {
        let mut older = sleeper();
        let started = Procfs::system().unwrap().stat(older.id()).unwrap();
        while now_in_ticks() <= started.start_time() {
            std::hint::spin_loop();
        }
        for pid in [1, std::process::id(), older.id(), u32::MAX, 0] {
            let second_stage = word(pid);
            assert!(second_stage.open().unwrap().is_none(), "{pid}");
            drop(second_stage);
        }
        assert_eq!(older.try_wait().unwrap(), None);
        older.kill().unwrap();
        older.wait().unwrap();
    }
}
