//! Namespaces: made, joined, and entered by the second stage.

use super::Executor;
use super::fields::{List, Slot};
use super::fixed_string::FixedString;
use super::sys::{self, CLONE_NEWUSER, Errno, Result};
use super::wire::{Message, PACKET};

impl Executor {
    pub(super) fn unshare(&mut self, flags: u32) -> Result<()> {
        let mut result = sys::unshare(flags);
        // Old kernels refuse now and then while another process of the same namespace is being
        // made.
        for _ in 0..5 {
            if result != Err(Errno::EINVAL) {
                break;
            }
            result = sys::unshare(flags);
        }
        result?;
        // A new user namespace changes the credentials.
        self.rearm()
    }

    /// Becomes root of the user namespace just joined: otherwise files are made and seen as the
    /// overflow user.
    fn become_root(&self) -> Result<()> {
        sys::setresgid(0)?;
        sys::setresuid(0)?;
        self.rearm()
    }

    /// Three rounds, since a namespace may be owned by the user namespace we leave or by the one we
    /// join.
    pub(super) fn join(&mut self, namespaces: List<'static, (Slot, u32)>) -> Result<()> {
        let mut missing = 0_u32;
        let mut user = None;
        for entry in namespaces {
            let (slot, kind) = entry.ok_or(Errno::EINVAL)?;
            if kind == CLONE_NEWUSER {
                user = user.or(Some(slot));
                continue;
            }
            match sys::setns(self.fd(slot)?, kind) {
                Ok(()) => {}
                Err(Errno::EPERM) => missing |= kind,
                Err(e) => return self.unjoined(kind, e),
            }
        }
        if let Some(slot) = user {
            if let Err(e) = sys::setns(self.fd(slot)?, CLONE_NEWUSER) {
                return self.unjoined(CLONE_NEWUSER | missing, e);
            }
            self.become_root()?;
        }
        let mut first = Ok(());
        let mut still = 0;
        let again = |(_, kind): &(Slot, u32)| missing & kind != 0;
        for (slot, kind) in namespaces.flatten().filter(again) {
            if let Err(e) = sys::setns(self.fd(slot)?, kind) {
                still |= kind;
                first = first.and(Err(e));
            }
        }
        match first {
            Ok(()) => self.rearm(),
            Err(e) => self.unjoined(still, e),
        }
    }

    /// The detail: the unjoined types as a decimal number.
    fn unjoined(&mut self, kinds: u32, errno: Errno) -> Result<()> {
        let mut text = FixedString::<16>::new();
        text.push_number(u64::from(kinds));
        self.detail.set(text.get());
        Err(errno)
    }

    pub(super) fn join_process(&mut self, pidfd: Slot, flags: u32) -> Result<()> {
        sys::setns(self.fd(pidfd)?, flags)?;
        if flags & CLONE_NEWUSER != 0 {
            self.become_root()
        } else {
            self.rearm()
        }
    }

    /// This process ends; its sibling, which has the same parent, goes on.
    ///
    /// The supervisor knows the sibling from the word that the kernel has written; the message only
    /// says when to look.
    pub(super) fn second_stage(&mut self) -> Result<()> {
        let pid = self.second_stage.take().ok_or(Errno::EINVAL)?;
        let mut forked = sys::fork_sibling(&pid);
        if let Err(errno @ (Errno::EAGAIN | Errno::ENOMEM)) = forked {
            // A limit of the cgroup is used up: the supervisor may be able to take this process out
            // of it.
            self.tell(Message::NoRoom, errno.0.unsigned_abs(), &[])?;
            self.answer(&mut [0; PACKET])?;
            forked = sys::fork_sibling(&pid);
        }
        if forked? {
            // The death signal is not inherited. Should the supervisor be gone already, its end of
            // the channel is closed.
            if self.death_signal != 0 {
                self.arm()?;
            }
            return self.answer(&mut [0; PACKET]).map(drop);
        }
        match self.tell(Message::SecondStage, 0, &[]) {
            Ok(()) => sys::exit(0),
            Err(_) => sys::exit(255),
        }
    }
}
