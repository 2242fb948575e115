//! The standard streams of a new process.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Gid, Uid, fchown};
use rustix::pipe::{PipeFlags, pipe_with};

use super::send_descriptor;
use crate::error::{Error, Result};
use crate::process::child::Pipes;
use crate::process::console::{null, standard_stream};
use crate::process::{Process, Receiver, Stdio, Terminal};

/// The three descriptors a process gets, and what stays with us.
#[derive(Debug)]
pub(crate) struct Streams {
    theirs: [OwnedFd; 3],
    pub(crate) ours: Pipes,
}

impl Streams {
    /// Opens what the process asks for. Pipes belong to `owner`, the root user of the container: it
    /// may reopen them through `/dev/stdout`. A process with a terminal gets that inside; until
    /// then its streams are `/dev/null`.
    pub(crate) fn open(process: &mut Process, owner: (u32, u32)) -> Result<Self> {
        let mut ours = Pipes::default();
        let terminal = process.terminal.is_some();
        let mut theirs = Vec::with_capacity(3);
        for (number, stdio) in process.stdio.iter_mut().enumerate() {
            theirs.push(match std::mem::take(stdio) {
                _ if terminal => null()?,
                Stdio::Inherit => standard_stream(number)?,
                Stdio::Null => null()?,
                Stdio::Descriptor(descriptor) => descriptor,
                Stdio::Pipe => {
                    let (read, write) = pipe_with(PipeFlags::CLOEXEC)
                        .map_err(|errno| Error::system("make a pipe", errno))?;
                    let (inside, outside, slot) = match number {
                        0 => (read, write, &mut ours.stdin),
                        1 => (write, read, &mut ours.stdout),
                        _ => (write, read, &mut ours.stderr),
                    };
                    if owner != (0, 0) {
                        fchown(
                            &inside,
                            Some(Uid::from_raw(owner.0)),
                            Some(Gid::from_raw(owner.1)),
                        )
                        .map_err(|errno| {
                            let (uid, gid) = owner;
                            Error::system(
                                format!(
                                    "the id maps make {uid}:{gid} the container's root, to which this user may \
                                     not give a pipe (map its own id, or run as root)"
                                ),
                                errno,
                            )
                        })?;
                    }
                    *slot = Some(outside);
                    inside
                }
            });
        }
        match <[OwnedFd; 3]>::try_from(theirs) {
            Ok(theirs) => Ok(Self { theirs, ours }),
            // The array above has three elements.
            Err(_) => Err(Error::config("a process has three standard streams")),
        }
    }

    pub(crate) fn theirs(&self) -> [BorrowedFd<'_>; 3] {
        let [stdin, stdout, stderr] = &self.theirs;
        [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]
    }

    /// Where the streams lead, as procfs says; empty where that cannot be read.
    pub(crate) fn external_descriptors(&self) -> Vec<String> {
        let made = [
            self.ours.stdin.is_some(),
            self.ours.stdout.is_some(),
            self.ours.stderr.is_some(),
        ];
        let streams = self.theirs.iter().zip(made);
        streams
            .map(|(stream, is_pipe)| shown(stream, is_pipe).unwrap_or_default())
            .collect()
    }
}

/// What a descriptor leads to, as `/proc/self/fd` shows it.
fn shown(stream: &OwnedFd, is_pipe: bool) -> std::io::Result<String> {
    use std::os::fd::AsRawFd;
    if is_pipe {
        let inode = rustix::fs::fstat(stream)?.st_ino;
        return Ok(format!("pipe:[{inode}]"));
    }
    let link = std::fs::read_link(format!("/proc/thread-self/fd/{}", stream.as_raw_fd()))?;
    Ok(link.to_string_lossy().into_owned())
}

/// Where the console and the pidfd of a process go. Connected before anything is made, so that a
/// missing receiver costs nothing.
#[derive(Debug)]
pub(crate) struct Receivers {
    /// The console is sent here; without it, it is kept.
    pub(crate) console: Option<OwnedFd>,
    pub(crate) pidfd: Option<OwnedFd>,
}

impl Receivers {
    pub(crate) fn connect(process: &mut Process) -> Result<Self> {
        let console = match process.terminal.take() {
            Some(Terminal::Socket(path)) => {
                let socket = connect(&path)?;
                process.terminal = Some(Terminal::Keep);
                Some(socket)
            }
            Some(Terminal::Connected(socket)) => {
                process.terminal = Some(Terminal::Keep);
                Some(socket)
            }
            other => {
                process.terminal = other;
                None
            }
        };
        let pidfd = match process.pidfd_socket.take() {
            Some(Receiver::Path(path)) => Some(connect(&path)?),
            Some(Receiver::Connected(socket)) => Some(socket),
            None => None,
        };
        Ok(Self { console, pidfd })
    }
}

fn connect(path: &Path) -> Result<OwnedFd> {
    send_descriptor::connect(path)
        .map_err(|error| Error::system(format!("failed to dial {}", path.display()), error))
}
