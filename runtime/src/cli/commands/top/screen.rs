//! The terminal while the table is on it: raw mode, the alternate screen, keys and signals.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

use super::frame::{Line, Size};
use super::keys::{self, Key};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::sys::{self, SignalSet};

/// The alternate screen, no cursor, and no line goes on in the next one (`console_codes(4)`).
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// How long the rest of the sequence of a key may take. An escape alone is the key of that name.
const SEQUENCE: Duration = Duration::from_millis(50);
/// Signals that end the program, change the size of the terminal, or stop and continue the program.
const SIGNALS: [Signal; 7] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::WINCH,
    Signal::TSTP,
    Signal::CONT,
];

/// What has come.
#[derive(Debug)]
pub(super) enum Input {
    Keys(Vec<Key>),
    /// The time is up.
    Nothing,
    /// The terminal has another size, or was used by others.
    Redraw,
    Suspend,
    /// A signal that ends the program, or none: the terminal is gone.
    End(Option<i32>),
}

/// The terminal. It is as it was before when this value is dropped.
pub(super) struct Screen {
    before: Termios,
    signals: OwnedFd,
    mask: SignalSet,
}

/// Whether a person sits in front of standard input and output.
pub(super) fn is_interactive() -> bool {
    isatty(stdin()) && isatty(stdout())
}

/// The size of the terminal that is standard output, if it is one.
pub(super) fn size() -> Option<Size> {
    if !isatty(stdout()) {
        return None;
    }
    let size = tcgetwinsize(stdout()).ok();
    // A serial line does not know.
    let known = size.filter(|size| size.ws_col != 0 && size.ws_row != 0);
    Some(known.map_or(
        Size {
            columns: 80,
            lines: 24,
        },
        |size| Size {
            columns: size.ws_col.into(),
            lines: size.ws_row.into(),
        },
    ))
}

impl Screen {
    pub(super) fn open() -> Result<Self, Failure> {
        let before = tcgetattr(stdin()).map_err(failed("read the settings of the terminal"))?;
        let signals = SignalSet::of(SIGNALS.map(Signal::as_raw));
        let mask = signals.block().map_err(failed("block signals"))?;
        let descriptor = signals.descriptor().map_err(failed("open a signalfd"));
        let screen = descriptor.map(|signals| Self {
            before,
            signals,
            mask: mask.clone(),
        });
        match screen {
            Ok(screen) => {
                screen.enter()?;
                Ok(screen)
            }
            Err(failure) => {
                let _ = mask.set_mask();
                Err(failure)
            }
        }
    }

    fn enter(&self) -> Result<(), Failure> {
        let mut raw = self.before.clone();
        raw.make_raw();
        set(&raw).map_err(failed("set the terminal to raw mode"))?;
        output::write(ENTER)
    }

    fn leave(&self) {
        let _ = output::write(LEAVE);
        let _ = set(&self.before);
    }

    /// Stops this process as the terminal does at control and Z, and goes on afterwards.
    pub(super) fn suspend(&self) -> Result<(), Failure> {
        self.leave();
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, Signal::STOP).map_err(failed("stop this process"))?;
        self.enter()
    }

    /// Draws everything; `all` erases what others may have written.
    pub(super) fn draw(&self, lines: &[Line], all: bool) -> Result<(), Failure> {
        let mut text = String::from(if all { "\x1b[2J\x1b[H" } else { "\x1b[H" });
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                text.push_str("\r\n");
            }
            // Erased before and not after: a cursor in the last column would erase that.
            text.push_str("\x1b[2K");
            let (begin, end) = if line.reverse {
                ("\x1b[7m", "\x1b[27m")
            } else {
                ("", "")
            };
            text.extend([begin, &line.text, end]);
        }
        output::write(&text)
    }

    /// Waits for keys or a signal.
    pub(super) fn wait(&self, until: Option<Instant>) -> Result<Input, Failure> {
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let (typed, signalled) = ready(stdin(), Some(self.signals.as_fd()), timeout)?;
        if signalled {
            return self.signal();
        }
        if typed {
            return typed_keys();
        }
        Ok(Input::Nothing)
    }

    fn signal(&self) -> Result<Input, Failure> {
        let taken =
            sys::read_signals::<1>(self.signals.as_fd()).map_err(failed("read a signal"))?;
        let Some(number) = taken.first().map(|delivered| delivered.signal) else {
            return Ok(Input::Nothing);
        };
        match Signal::from_named_raw(number) {
            Some(Signal::WINCH) => Ok(Input::Redraw),
            Some(Signal::TSTP) => Ok(Input::Suspend),
            // Somebody else has stopped it, and the shell has set the terminal for itself.
            Some(Signal::CONT) => {
                self.enter()?;
                Ok(Input::Redraw)
            }
            _ => Ok(Input::End(Some(number))),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
        let _ = self.mask.set_mask();
    }
}

fn set(settings: &Termios) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| tcsetattr(stdin(), OptionalActions::Drain, settings))
}

/// Whether there is something to read.
fn ready(
    input: BorrowedFd<'_>,
    signals: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> Result<(bool, bool), Failure> {
    let limit = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    let mut watched = vec![PollFd::from_borrowed_fd(input, PollFlags::IN)];
    watched.extend(signals.map(|signals| PollFd::from_borrowed_fd(signals, PollFlags::IN)));
    match poll(&mut watched, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(errno) => return Err(failed("wait for keys")(errno)),
    }
    let is_ready = |index: usize| {
        watched
            .get(index)
            .is_some_and(|watched| !watched.revents().is_empty())
    };
    Ok((is_ready(0), is_ready(1)))
}

fn typed_keys() -> Result<Input, Failure> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 256];
        match rustix::io::read(stdin(), &mut buffer) {
            // The terminal was hung up.
            Ok(0) | Err(rustix::io::Errno::IO) => return Ok(Input::End(None)),
            Ok(count) => bytes.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(errno) => return Err(failed("read from the terminal")(errno)),
        }
        if !keys::is_begun(&bytes) || !ready(stdin(), None, Some(SEQUENCE))?.0 {
            return Ok(Input::Keys(keys::keys(&bytes)));
        }
    }
}

fn failed<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Failure {
    move |error| Failure::io(doing, error)
}
