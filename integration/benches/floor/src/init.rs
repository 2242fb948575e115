//! What the child does until it executes the program.

use rustix::fd::OwnedFd;
use rustix::io::{read, write};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::system::sethostname;
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use crate::bundle::Strings;
use crate::cgroup::Hierarchies;
use crate::failure::{At as _, Failure, Result};
use crate::text::Text;
use crate::{privileges, rootfs, sys};

const CLONE_NEWNS: u64 = 0x2_0000;
const CLONE_NEWUTS: u64 = 0x400_0000;
const CLONE_NEWIPC: u64 = 0x800_0000;
const CLONE_NEWPID: u64 = 0x2000_0000;
const CLONE_NEWNET: u64 = 0x4000_0000;
/// Those of the bundle.
pub(crate) const NAMESPACES: u64 =
    CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET;

/// Where `create` and `start` meet.
pub(crate) struct Gate {
    /// Gets a byte when the container is ready.
    pub(crate) ready: OwnedFd,
    /// Gives a byte when the program is to run.
    pub(crate) fifo: OwnedFd,
}

/// The first process of a container.
pub(crate) struct Init<'a> {
    pub(crate) id: &'a [u8],
    pub(crate) root: Text,
    pub(crate) hierarchies: &'a Hierarchies,
    pub(crate) arguments: Strings,
    pub(crate) environment: Strings,
    pub(crate) gate: Option<Gate>,
}

/// Another process of it.
pub(crate) struct Joining<'a> {
    pub(crate) id: &'a [u8],
    pub(crate) init: OwnedFd,
    pub(crate) hierarchies: &'a Hierarchies,
    pub(crate) arguments: Strings,
}

pub(crate) extern "C" fn begin(init: &Init<'_>) -> ! {
    end(init.run())
}

pub(crate) extern "C" fn join(joining: &Joining<'_>) -> ! {
    end(joining.run())
}

fn end(failed: Result<Failure>) -> ! {
    match failed {
        Ok(failure) | Err(failure) => failure.report(sys::stream(2)),
    }
    sys::exit(1)
}

impl Init<'_> {
    /// Returns only when something failed.
    fn run(&self) -> Result<Failure> {
        self.hierarchies.join(self.id)?;
        loopback_up()?;
        rootfs::build(self.root.as_c(), self.hierarchies, self.id)?;
        sethostname(b"bench").at("set the host name")?;
        privileges::drop(self.id)?;
        if let Some(gate) = &self.gate {
            write(&gate.ready, &[0]).at("say that the container is ready")?;
            read(&gate.fifo, &mut [0]).at("wait for the start")?;
        }
        Ok(execute(&self.arguments, &self.environment))
    }
}

impl Joining<'_> {
    fn run(&self) -> Result<Failure> {
        use rustix::fd::AsFd as _;
        self.hierarchies.join(self.id)?;
        let namespaces = ThreadNameSpaceType::MOUNT
            | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
            | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
            | ThreadNameSpaceType::NETWORK;
        move_into_thread_name_spaces(self.init.as_fd(), namespaces).at("join the namespaces")?;
        privileges::drop(self.id)?;
        Ok(execute(&self.arguments, &[core::ptr::null()]))
    }
}

fn execute(arguments: &Strings, environment: &[*const u8]) -> Failure {
    // The parent blocks them while it waits.
    if let Err(failure) = sys::block_signals(0).at("unblock signals") {
        return failure;
    }
    Failure::new("execute the program", sys::execute(arguments, environment))
}

fn loopback_up() -> Result<()> {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .at("open a socket")?;
    sys::set_interface_up(&socket, b"lo").at("set the loopback device up")
}
