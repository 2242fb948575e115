//! The descriptors a plan asks for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nsenter::namespaces;
use nsenter::plan::Slot;

use crate::error::{Error, ErrorKind, Result};
use crate::plan::Input;

/// What the inputs of a plan are taken from.
#[derive(Debug, Default)]
pub(crate) struct Sources<'a> {
    pub(crate) fifo: Option<BorrowedFd<'a>>,
    /// The v1 `tasks` files by controller.
    pub(crate) tasks: &'a [(String, OwnedFd)],
    /// The directory of the v1 hierarchies.
    pub(crate) cgroup_root: Option<BorrowedFd<'a>>,
    pub(crate) init: Option<BorrowedFd<'a>>,
}

/// The inputs of a plan, each with its slot.
#[derive(Debug)]
pub(crate) struct Inputs<'a>(Vec<(Slot, Source<'a>)>);

#[derive(Debug)]
enum Source<'a> {
    Given(BorrowedFd<'a>),
    Opened(OwnedFd),
}

impl<'a> Inputs<'a> {
    pub(crate) fn open(wanted: &[(Slot, Input)], sources: &Sources<'a>) -> Result<Self> {
        wanted
            .iter()
            .map(|(slot, input)| Ok((*slot, open(input, sources)?)))
            .collect::<Result<_>>()
            .map(Self)
    }

    pub(crate) fn borrow(&self) -> Vec<(Slot, BorrowedFd<'_>)> {
        self.0
            .iter()
            .map(|(slot, source)| {
                let descriptor = match source {
                    Source::Given(descriptor) => *descriptor,
                    Source::Opened(descriptor) => descriptor.as_fd(),
                };
                (*slot, descriptor)
            })
            .collect()
    }
}

fn open<'a>(input: &Input, sources: &Sources<'a>) -> Result<Source<'a>> {
    let given = |source: Option<BorrowedFd<'a>>| {
        source
            .map(Source::Given)
            .ok_or_else(|| Error::new(ErrorKind::System, format!("there is no {input}")))
    };
    match input {
        Input::ExecFifo => given(sources.fifo),
        Input::CgroupTasks(controller) => {
            let file = sources.tasks.iter().find(|(name, _)| name == controller);
            given(file.map(|(_, file)| file.as_fd()))
        }
        Input::CgroupRoot => given(sources.cgroup_root),
        Input::Namespace { kind, path } => namespaces::open(Path::new(path), *kind)
            .map(Source::Opened)
            .map_err(|error| {
                Error::with(
                    ErrorKind::InvalidConfig,
                    format!("namespace path: {path}"),
                    error,
                )
            }),
        Input::InitPidfd => given(sources.init),
    }
}
