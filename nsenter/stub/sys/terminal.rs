//! Pseudo-terminals.

use super::consts::*;
use super::{Errno, Fd, O_CLOEXEC, O_NOCTTY, O_RDWR, Result, invoke, number};

/// `ioctl(2)` whose argument is a number.
pub(crate) fn ioctl_number(fd: i32, request: u32, argument: usize) -> Result<usize> {
    // The requests used here take no pointer.
    if !matches!(request, TIOCGPTPEER | TIOCSCTTY) {
        return Err(Errno::EINVAL);
    }
    // SAFETY: checked above: the argument is not an address.
    unsafe { call!(IOCTL, fd, request, argument) }
}

/// `ioctl(TIOCGPTPEER)` (Linux 4.13): the other end of a pseudo-terminal.
pub(crate) fn terminal_peer(master: i32) -> Result<Fd> {
    ioctl_number(
        master,
        TIOCGPTPEER,
        (O_RDWR | O_NOCTTY | O_CLOEXEC) as usize,
    )
    .map(Fd::new)
}

/// `ioctl(TIOCSCTTY)`.
pub(crate) fn controlling_terminal(fd: i32) -> Result<()> {
    ioctl_number(fd, TIOCSCTTY, 0).map(drop)
}

/// `ioctl(TIOCSPTLCK)`: unlocks a pseudo-terminal.
pub(crate) fn unlock_terminal(master: i32) -> Result<()> {
    let zero: i32 = 0;
    // SAFETY: the kernel reads one int.
    unsafe { call!(IOCTL, master, TIOCSPTLCK, &raw const zero) }.map(drop)
}

/// `ioctl(TIOCGPTN)`: the number of a pseudo-terminal.
pub(crate) fn terminal_number(master: i32) -> Result<u32> {
    let mut number: u32 = 0;
    // SAFETY: the kernel writes one unsigned int.
    unsafe { call!(IOCTL, master, TIOCGPTN, &raw mut number) }?;
    Ok(number)
}
