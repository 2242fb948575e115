//! Pseudo terminals: the master side of a container's, and the terminal this process runs on.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::termios::{
    OptionalActions, OutputModes, Termios, Winsize, isatty, tcgetattr, tcgetwinsize, tcsetattr,
    tcsetwinsize,
};

use crate::error::{Error, Result};

/// The master side of a process' terminal.
#[derive(Debug)]
pub struct Console {
    master: OwnedFd,
    name: String,
}

impl Console {
    pub(crate) fn new(master: OwnedFd, pts: u32) -> Self {
        Self {
            master,
            name: format!("/dev/pts/{pts}"),
        }
    }

    /// The console that this is the master of.
    pub(crate) fn of_master(master: OwnedFd) -> Result<Self> {
        let name = rustix::pty::ptsname(&master, Vec::new())
            .map_err(|errno| Error::system("read the name of the console", errno))?;
        let name = name.to_string_lossy().into_owned();
        Ok(Self { master, name })
    }

    /// Name of the other side inside the container, `/dev/pts/N`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the window size in characters (`TIOCSWINSZ`).
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.master, size)
            .map_err(|errno| Error::system("set the size of the console", errno))
    }

    /// Turns off the translation of line feeds into carriage return and line feed (`ONLCR`): what
    /// is copied to another terminal is translated there, once.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub(crate) fn clear_onlcr(&self) -> Result<()> {
        let change = || {
            let mut modes = tcgetattr(&self.master)?;
            modes.output_modes.remove(OutputModes::ONLCR);
            tcsetattr(&self.master, OptionalActions::Now, &modes)
        };
        change().map_err(|errno| Error::system("set the modes of the console", errno))
    }

    /// The descriptor itself, to be read and written.
    #[must_use]
    pub fn into_descriptor(self) -> OwnedFd {
        self.master
    }
}

impl AsFd for Console {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

/// The terminal this process runs on, in raw mode until dropped.
#[derive(Debug)]
pub(crate) struct RawTerminal {
    terminal: OwnedFd,
    before: Termios,
}

impl RawTerminal {
    /// Makes [`own_terminal`] raw.
    pub(crate) fn enter() -> Result<Self> {
        let terminal = own_terminal()
            .map_err(|error| Error::system("find the terminal of this process", error))?;
        let before = tcgetattr(&terminal)
            .map_err(|errno| Error::system("read the modes of the terminal", errno))?;
        let mut raw = before.clone();
        raw.make_raw();
        // Output of the container arrives untranslated.
        raw.output_modes
            .insert(OutputModes::OPOST | OutputModes::ONLCR);
        let this = Self { terminal, before };
        tcsetattr(&this.terminal, OptionalActions::Now, &raw)
            .map_err(|errno| Error::system("make the terminal raw", errno))?;
        Ok(this)
    }

    /// Gives the console the size of this terminal.
    pub(crate) fn copy_size(&self, console: &impl AsFd) -> Result<()> {
        let copy = || tcsetwinsize(console, tcgetwinsize(&self.terminal)?);
        copy().map_err(|errno| Error::system("set the size of the console", errno))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // Drained, so that the container's last output is not translated twice; a destructor has no
        // way to report a failure.
        let _ = tcsetattr(&self.terminal, OptionalActions::Drain, &self.before);
    }
}

/// The terminal this process runs on: looked for at standard error, output, input and at
/// `/dev/tty`, in that order.
pub(crate) fn own_terminal() -> io::Result<OwnedFd> {
    let (stderr, stdout, stdin) = (io::stderr(), io::stdout(), io::stdin());
    for stream in [stderr.as_fd(), stdout.as_fd(), stdin.as_fd()] {
        if isatty(stream) {
            return stream.try_clone_to_owned();
        }
    }
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(
        "/dev/tty",
        flags,
        rustix::fs::Mode::empty(),
    )?)
}

/// A duplicate of one of the standard streams of this process, for a copy loop or to be given away.
pub(crate) fn standard_stream(number: usize) -> Result<OwnedFd> {
    let clone = match number {
        0 => io::stdin().as_fd().try_clone_to_owned(),
        1 => io::stdout().as_fd().try_clone_to_owned(),
        _ => io::stderr().as_fd().try_clone_to_owned(),
    };
    clone.map_err(|error| Error::system("duplicate a standard stream", error))
}

/// `/dev/null`, open for reading and writing.
pub(crate) fn null() -> Result<OwnedFd> {
    let open = File::options().read(true).write(true).open("/dev/null");
    open.map(OwnedFd::from)
        .map_err(|error| Error::system("open /dev/null", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Console, OwnedFd) {
        let (master, slave) = crate::process::stream_end::test_terminal();
        (Console::new(master, 3), slave)
    }

    #[test]
    fn resizing_is_seen_on_the_other_side() {
        let (console, slave) = pair();
        console.resize(25, 132).unwrap();
        let size = tcgetwinsize(&slave).unwrap();
        assert_eq!((size.ws_row, size.ws_col), (25, 132));
        assert_eq!(console.name(), "/dev/pts/3");
    }

    #[test]
    fn line_feeds_stay_line_feeds() {
        use std::io::{Read, Write};
        let (console, slave) = pair();
        console.clear_onlcr().unwrap();
        File::from(slave.try_clone().unwrap())
            .write_all(b"a\nb")
            .unwrap();
        let mut seen = [0_u8; 16];
        let length = File::from(console.into_descriptor())
            .read(&mut seen)
            .unwrap();
        assert_eq!(&seen[..length], b"a\nb");
    }

    #[test]
    fn raw_mode_is_undone_on_drop() {
        let (_console, slave) = pair();
        let before = tcgetattr(&slave).unwrap();
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &raw).unwrap();
        let terminal = slave.try_clone().unwrap();
        drop(RawTerminal {
            terminal,
            before: before.clone(),
        });
        assert_eq!(tcgetattr(&slave).unwrap().local_modes, before.local_modes);
    }
}
