//! What other commands find of a container: `ROOT/ID/state` with the process id of its init and
//! the inode of that process' descriptor, which no other process has (since Linux 6.9), and the
//! fifo of a container that waits to be started.

use core::fmt::Write as _;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags, fstat, mkdir, mknodat, open, rmdir, unlink};
use rustix::io::{Errno, read, write};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::failure::{At as _, Failure, Result};
use crate::sys::Child;
use crate::text::{Text, number};

/// The folder of one container.
pub(crate) struct Record<'a> {
    root: &'a [u8],
    id: &'a [u8],
}

impl<'a> Record<'a> {
    pub(crate) fn new(root: &'a [u8], id: &'a [u8]) -> Self {
        Self { root, id }
    }

    fn path(&self, name: &[u8]) -> Text {
        Text::of(&[self.root, b"/", self.id, name])
    }

    /// Makes the folder: the id is taken.
    pub(crate) fn create(&self) -> Result<()> {
        mkdir(self.path(b"").as_c(), Mode::RWXU).at("make the folder of the container")
    }

    /// Writes down the init process.
    pub(crate) fn write(&self, init: &Child) -> Result<()> {
        let inode = fstat(&init.pidfd).at("look at the init process")?.st_ino;
        let mut line = Text::new();
        let _always_fits = writeln!(line, "{} {inode}", init.pid);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = open(self.path(b"/state").as_c(), flags, Mode::RUSR | Mode::WUSR)
            .at("make the state file")?;
        write(&file, line.bytes())
            .at("write the state file")
            .map(drop)
    }

    /// The process id of the init, and the process, unless it has ended.
    pub(crate) fn init(&self) -> Result<(u64, Option<OwnedFd>)> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file =
            open(self.path(b"/state").as_c(), flags, Mode::empty()).at("open the state file")?;
        let mut buffer = [0; 64];
        let length = read(&file, &mut buffer).at("read the state file")?;
        let mut words = buffer
            .get(..length)
            .unwrap_or_default()
            .split(|byte| *byte == b' ');
        let pid = number(words.next().unwrap_or_default());
        let inode = number(words.next().unwrap_or_default());
        Ok((pid, alive(pid, inode)?))
    }

    /// Makes the fifo, and opens it so that no end of it is missing.
    pub(crate) fn make_fifo(&self) -> Result<OwnedFd> {
        let path = self.path(b"/fifo");
        mknodat(
            rustix::fs::CWD,
            path.as_c(),
            FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .at("make the fifo")?;
        open(path.as_c(), OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).at("open the fifo")
    }

    /// Whether the container waits to be started.
    pub(crate) fn waits(&self) -> bool {
        rustix::fs::access(self.path(b"/fifo").as_c(), rustix::fs::Access::EXISTS).is_ok()
    }

    /// Lets the init go on, once.
    pub(crate) fn start(&self) -> Result<()> {
        let path = self.path(b"/fifo");
        // Without the init no process has the other end: an error.
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fifo = open(path.as_c(), flags, Mode::empty()).at("open the fifo")?;
        unlink(path.as_c()).at("remove the fifo")?;
        write(&fifo, &[0]).at("write into the fifo").map(drop)
    }

    /// Removes the folder.
    pub(crate) fn remove(&self) -> Result<()> {
        unlink(self.path(b"/state").as_c()).at("remove the state file")?;
        let folder = self.path(b"");
        match rmdir(folder.as_c()) {
            Err(Errno::NOTEMPTY) => {
                unlink(self.path(b"/fifo").as_c()).at("remove the fifo")?;
                rmdir(folder.as_c())
            }
            removed => removed,
        }
        .at("remove the folder of the container")
    }
}

/// The process, if it is still the one that was recorded and has not ended.
fn alive(pid: u64, inode: u64) -> Result<Option<OwnedFd>> {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(Failure::new("read the state file", Errno::INVAL))?;
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(None),
        process => process.at("open the init process")?,
    };
    if fstat(&process).at("look at the init process")?.st_ino != inode {
        return Ok(None);
    }
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&now))
        .at("ask whether the init process has ended")?;
    Ok((ended == 0).then_some(process))
}
