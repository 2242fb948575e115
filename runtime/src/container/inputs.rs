//! The descriptors a plan asks for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use configs::config::NamespaceType;
use nsenter::namespaces::{self, Kind};
use nsenter::plan::Slot;

use crate::error::{Error, ErrorKind, Result};
use crate::plan::Input;

/// What the inputs of a plan are taken from.
#[derive(Debug, Default)]
pub(crate) struct Sources<'a> {
    pub(crate) fifo: Option<BorrowedFd<'a>>,
    /// The v1 `tasks` files by controller.
    pub(crate) tasks: &'a [(String, OwnedFd)],
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
    pub(crate) init: Option<BorrowedFd<'a>>,
}

/// The opened inputs of a plan, each with its slot.
#[derive(Debug)]
pub(crate) struct Inputs(Vec<(Slot, OwnedFd)>);

impl Inputs {
    pub(crate) fn open(wanted: &[(Slot, Input)], sources: &Sources<'_>) -> Result<Self> {
        wanted
            .iter()
            .map(|(slot, input)| Ok((*slot, open(input, sources)?)))
            .collect::<Result<_>>()
            .map(Self)
    }

    pub(crate) fn borrow(&self) -> Vec<(Slot, BorrowedFd<'_>)> {
        self.0
            .iter()
            .map(|(slot, descriptor)| (*slot, descriptor.as_fd()))
            .collect()
    }
}

fn open(input: &Input, sources: &Sources<'_>) -> Result<OwnedFd> {
    let copy = |source: Option<BorrowedFd<'_>>| {
        let source =
            source.ok_or_else(|| Error::new(ErrorKind::System, format!("there is no {input}")))?;
        source
            .try_clone_to_owned()
            .map_err(|error| Error::system(format!("duplicate the {input}"), error))
    };
    match input {
        Input::ExecFifo => copy(sources.fifo),
        Input::CgroupTasks(controller) => {
            let file = sources.tasks.iter().find(|(name, _)| name == controller);
            copy(file.map(|(_, file)| file.as_fd()))
        }
        Input::CgroupDirectory => copy(sources.cgroup),
        Input::Namespace { kind, path } => namespaces::open(Path::new(path), namespace(*kind))
            .map_err(|error| {
                Error::with(
                    ErrorKind::InvalidConfig,
                    format!("namespace path: {path}"),
                    error,
                )
            }),
        Input::InitPidfd => copy(sources.init),
    }
}

fn namespace(kind: NamespaceType) -> Kind {
    match kind {
        NamespaceType::User => Kind::User,
        NamespaceType::Ipc => Kind::Ipc,
        NamespaceType::Uts => Kind::Uts,
        NamespaceType::Network => Kind::Network,
        NamespaceType::Pid => Kind::Pid,
        NamespaceType::Mount => Kind::Mount,
        NamespaceType::Cgroup => Kind::Cgroup,
        NamespaceType::Time => Kind::Time,
    }
}
