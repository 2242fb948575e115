//! Requests to the supervisor. The stub waits for the answer to each, and ends when the supervisor
//! is gone. Only for the home directory it does not wait: the answer is picked up when the next one
//! is waited for, or at the end.

use core::ffi::CStr;

use super::fields::Slot;
use super::fixed_string::FixedString;
use super::operations::Operation;
use super::sys::{self, Errno, Fd, Result};
use super::wire::{MAX_HOME, MAX_HOME_FILE, MAX_PAYLOAD, Message, PACKET, Packet};
use super::{Executor, Home};

impl Executor {
    fn head(&self, message: Message, value: u32, extra: usize) -> Result<[u8; PACKET]> {
        let extra = u32::try_from(extra).map_err(|_| Errno::EINVAL)?;
        Ok(Packet {
            message,
            step: self.step,
            value,
        }
        .encode(extra))
    }

    /// Sends without descriptors, with nothing but `write(2)`: a filter may be on that permits no
    /// `sendmsg(2)`.
    pub(super) fn tell(&self, message: Message, value: u32, body: &[u8]) -> Result<()> {
        let mut packet = FixedString::<512>::new();
        packet.push(&self.head(message, value, body.len())?)?;
        packet.push(body)?;
        let count = sys::write(self.control, packet.get())?;
        if count == packet.get().len() {
            Ok(())
        } else {
            Err(Errno::EPROTO)
        }
    }

    fn tell_with(&self, message: Message, value: u32, body: &[u8], fds: &[i32]) -> Result<()> {
        sys::send(
            self.control,
            &self.head(message, value, body.len())?,
            body,
            fds,
        )
    }

    /// Waits for the answer, which is an errno, and perhaps bytes.
    pub(super) fn answer<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
        self.take_home()?;
        let count = sys::read(self.control, buffer)?;
        accept(self.step, buffer.get(..count).unwrap_or(&[]))
    }

    fn ask(&mut self, message: Message, value: u32, fds: &[i32]) -> Result<()> {
        if fds.is_empty() {
            self.tell(message, value, &[])?;
        } else {
            self.tell_with(message, value, &[], fds)?;
        }
        self.answer(&mut [0; PACKET]).map(drop)
    }

    pub(super) fn ask_gate(&mut self, number: u32) -> Result<()> {
        self.ask(Message::Gate, number, &[])
    }

    pub(super) fn ask_id_maps(&mut self) -> Result<()> {
        self.ask(Message::IdMaps, 0, &[])
    }

    pub(super) fn send_descriptor(&self, tag: u32, fd: i32) -> Result<()> {
        self.tell_with(Message::Send, tag, &[], &[fd])
    }

    pub(super) fn send_descriptor_and_wait(&mut self, tag: u32, fd: i32) -> Result<()> {
        self.ask(Message::SendAndWait, tag, &[fd])
    }

    pub(super) fn ask_descriptor(&mut self, tag: u32, into: Slot) -> Result<()> {
        self.tell(Message::Ask, tag, &[])?;
        self.take_home()?;
        let mut buffer = [0; PACKET];
        let (count, fd): (usize, Option<Fd>) = sys::receive(self.control, &mut buffer)?;
        accept(self.step, buffer.get(..count).unwrap_or(&[]))?;
        self.fill(into, fd.ok_or(Errno::EPROTO)?)
    }

    pub(super) fn ask_console(&mut self, master: i32) -> Result<()> {
        self.ask(Message::Console, sys::terminal_number(master)?, &[master])
    }

    /// Sends the file in pieces. The answer will be the home directory. Without a file nothing is
    /// asked.
    pub(super) fn ask_home(&mut self, path: &CStr, otherwise: &CStr) -> Result<()> {
        let flags = sys::O_NONBLOCK | sys::O_NOCTTY;
        match sys::openat2(sys::CWD, path, flags, 0, sys::RESOLVE_NO_MAGICLINKS) {
            Ok(file) if sys::fstat(file.raw()).is_ok_and(|stat| stat.is_regular()) => {
                self.send_file(file.raw())?;
            }
            Err(Errno::ENOENT) => return self.set_home(otherwise.to_bytes()),
            _ => {}
        }
        self.tell(Message::HomeEnd, 0, &[])?;
        self.home_asked = Some(self.step);
        Ok(())
    }

    /// The answer to [`ask_home`](Self::ask_home), if it is not here yet. Not inlined, for its
    /// buffer.
    #[inline(never)]
    fn take_home(&mut self) -> Result<()> {
        let Some(step) = self.home_asked.take() else {
            return Ok(());
        };
        let mut buffer = [0; PACKET + MAX_HOME];
        let count = sys::read(self.control, &mut buffer)?;
        let home = accept(step, buffer.get(..count).unwrap_or(&[]))?;
        self.set_home(home)
    }

    fn set_home(&mut self, home: &[u8]) -> Result<()> {
        let text = self.home.insert(Home::new());
        let set = text.push(b"HOME=").and_then(|()| text.push(home));
        if set.is_err() {
            self.home = None;
        }
        set
    }

    /// Not inlined, for its buffer.
    #[inline(never)]
    fn send_file(&self, file: i32) -> Result<()> {
        let mut buffer = [0; MAX_PAYLOAD];
        let mut sent = 0;
        // An error ends the file as its end does: what cannot be read does not count.
        while let Ok(count @ 1..) = sys::read(file, &mut buffer) {
            let count = count.min(MAX_HOME_FILE - sent);
            if count == 0 {
                break;
            }
            self.tell_with(Message::Home, 0, buffer.get(..count).unwrap_or(&[]), &[])?;
            sent += count;
        }
        Ok(())
    }

    /// From here on the process belongs to the program's owner: the supervisor may end.
    pub(super) fn ask_ready(&mut self) -> Result<()> {
        let warnings = self.warnings.encode();
        self.tell(Message::Ready, 0, &warnings)?;
        self.answer(&mut [0; PACKET])?;
        if self.death_signal == sys::SIGKILL {
            self.death_signal = 0;
            self.arm()?;
        }
        Ok(())
    }

    pub(super) fn close_control(&mut self) -> Result<()> {
        self.take_home()?;
        // At the end of the channel the supervisor may want to end the process that then waits for
        // its start, or for hooks.
        let next = self.operation(self.step.saturating_add(1));
        if matches!(
            next,
            Some(Operation::WaitStart { .. } | Operation::LateHooks { .. })
        ) {
            sys::exit_on_signals();
        }
        let warnings = self.warnings.encode();
        self.tell(Message::Done, 0, &warnings)?;
        // These close it with all others, before anything else.
        if !matches!(
            next,
            Some(Operation::WaitStart { .. } | Operation::Exec { .. })
        ) {
            sys::close(self.control);
        }
        self.control = -1;
        Ok(())
    }

    /// Reports to the supervisor why the stub ends.
    pub(super) fn report(&self, errno: Errno) {
        let _ = self.tell(Message::Fail, errno.0.unsigned_abs(), self.detail.get());
    }
}

/// Reports that the plan was not begun: its channel comes right after the plan.
pub(super) fn cannot_begin(plan_fd: u32, errno: Errno) {
    let packet = Packet {
        message: Message::NotBegun,
        step: 0,
        value: errno.0.unsigned_abs(),
    };
    if let Some(control) = plan_fd.checked_add(1).and_then(|fd| i32::try_from(fd).ok()) {
        let _ = sys::write(control, &packet.encode(0));
    }
}

/// A supervisor that is gone, or that says something else than the answer to this step, is the end.
fn accept(step: u32, packet: &[u8]) -> Result<&[u8]> {
    match Packet::decode(packet) {
        Some((head, payload)) if head.message == Message::Go && head.step == step => {
            match head.value {
                0 => Ok(payload),
                errno => Err(Errno(i32::try_from(errno).map_err(|_| Errno::EPROTO)?)),
            }
        }
        _ => sys::exit(255),
    }
}
