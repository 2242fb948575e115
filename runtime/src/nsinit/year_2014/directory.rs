//! The directory of a container.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::cli::command::Invocation;
use crate::cli::failure::Failure;
use crate::container::Container;
use crate::id::ContainerId;
use crate::nsinit::ROOT;
use crate::nsinit::containers::{self, Found};
use crate::nsinit::definition::Definition;
use crate::runtime::Runtime;

const FILE: &str = "container.json";

/// Where `container.json` is.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(super) path: PathBuf,
    pub(super) id: ContainerId,
}

impl Directory {
    /// The directory that the flags or the environment name, else the current one.
    pub(super) fn of(invocation: &Invocation<'_>) -> Result<Self, Failure> {
        let named = invocation.global.text(ROOT.name).cloned();
        let path = named.or_else(|| std::env::var_os("data_path"));
        let path = path.map_or_else(|| PathBuf::from("."), PathBuf::from);
        let found = std::fs::metadata(&path)
            .map_err(|error| Failure::io(format!("look at {}", path.display()), error))?;
        // Whatever the directory is called, it is this one.
        let id = ContainerId::new(format!("2014-{:x}-{:x}", found.dev(), found.ino()))?;
        Ok(Self { path, id })
    }

    /// What the file says.
    pub(super) fn definition(&self) -> Result<Definition, Failure> {
        Definition::read(&self.path.join(FILE))
    }

    /// The container that was made of it, if it is on record.
    pub(super) fn container(&self, runtime: &Runtime) -> Result<Option<Found>, Failure> {
        containers::find(runtime, &self.id)
    }

    /// The same, which must be there.
    pub(super) fn existing(&self, invocation: &Invocation<'_>) -> Result<Container, Failure> {
        let runtime = containers::runtime(invocation)?;
        let found = self.container(&runtime)?.ok_or_else(|| {
            let path = self.path.display();
            Failure::new(format!("no container of the directory {path} runs"))
        })?;
        Ok(found.container)
    }
}
