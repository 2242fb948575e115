//! The slots: the descriptors that steps name, and what is known of them.

use super::Executor;
use super::fields::{Dir, Slot};
use super::sys::{self, Errno, Fd, Result};

/// What is known of what is in a slot.
#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    /// A directory that was made by this process.
    pub(super) made: bool,
    /// The root of a new tmpfs: it most likely has no entry of a given name.
    pub(super) fresh: bool,
    /// A place, a mount or a file that is only written: it may be closed later, with all others.
    pub(super) place: bool,
}

impl Executor {
    /// The descriptor in a slot.
    pub(super) fn fd(&self, slot: Slot) -> Result<i32> {
        match self.fds.get(usize::from(slot.0)) {
            Some(fd) if *fd >= 0 => Ok(*fd),
            _ => Err(Errno::EBADF),
        }
    }

    /// The descriptor a path starts at.
    pub(super) fn dir(&self, dir: Dir) -> Result<i32> {
        match dir {
            Dir::Cwd => Ok(sys::CWD),
            Dir::Slot(slot) => self.fd(slot),
        }
    }

    /// Puts a descriptor into a slot; one that was there is closed.
    pub(super) fn fill(&mut self, slot: Slot, fd: Fd) -> Result<()> {
        self.empty(slot)?;
        let entry = self.fds.get_mut(usize::from(slot.0));
        *entry.ok_or(Errno::EINVAL)? = fd.into_raw();
        Ok(())
    }

    /// Closes what is in a slot, if anything is.
    pub(super) fn empty(&mut self, slot: Slot) -> Result<()> {
        let slot = usize::from(slot.0);
        let entry = self.fds.get_mut(slot).ok_or(Errno::EINVAL)?;
        let known = self.known.get_mut(slot).ok_or(Errno::EINVAL)?;
        let known = core::mem::take(known);
        if *entry >= 0 {
            let fd = Fd::from_raw(core::mem::replace(entry, -1));
            if known.place {
                fd.leave();
            }
        }
        Ok(())
    }

    /// Notes something of what is in a slot.
    pub(super) fn mark(&mut self, slot: Slot, note: impl FnOnce(&mut Known)) {
        if let Some(known) = self.known.get_mut(usize::from(slot.0)) {
            note(known);
        }
    }

    pub(super) fn known(&self, slot: Slot) -> Known {
        let known = self.known.get(usize::from(slot.0));
        known.copied().unwrap_or_default()
    }
}
