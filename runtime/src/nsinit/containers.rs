//! The containers of the state root, by the flag `--id`.

use super::CRIU;
use crate::Status;
use crate::checkpoint::CriuOptions;
use crate::cli::command::Invocation;
use crate::cli::criu_flags;
use crate::cli::failure::Failure;
use crate::cli::flag::Flag;
use crate::container::Container;
use crate::error::ErrorKind;
use crate::id::ContainerId;
use crate::runtime::Runtime;

/// The id of a container for which none is given.
pub(crate) const DEFAULT_ID: &str = "nsinit";
pub(crate) const ID: Flag = Flag::text("id", "id of the container").default(DEFAULT_ID);

pub(crate) fn runtime(invocation: &Invocation<'_>) -> Result<Runtime, Failure> {
    Ok(Runtime::new(&invocation.globals.root)?.of_command())
}

pub(crate) fn id(invocation: &Invocation<'_>) -> Result<ContainerId, Failure> {
    let typed = invocation.parsed.string(ID.name);
    Ok(ContainerId::new(typed.as_deref().unwrap_or(DEFAULT_ID))?)
}

/// The container of this id, if there is one.
pub(crate) fn find(runtime: &Runtime, id: &ContainerId) -> Result<Option<Container>, Failure> {
    match runtime.load(id) {
        Ok(container) => Ok(Some(container)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The container that the flags name.
pub(crate) fn named(invocation: &Invocation<'_>) -> Result<Container, Failure> {
    Ok(runtime(invocation)?.load(&id(invocation)?)?)
}

/// The same, which must have processes.
pub(crate) fn alive(invocation: &Invocation<'_>) -> Result<Container, Failure> {
    let container = named(invocation)?;
    if container.status()? == Status::Stopped {
        let id = container.id();
        return Err(Failure::new(format!("container {id} is not running")));
    }
    Ok(container)
}

/// Freezes a container, unless it is frozen already.
pub(crate) fn pause(container: &Container) -> Result<(), Failure> {
    match container.status()? {
        Status::Paused => Ok(()),
        _ => Ok(container.pause()?),
    }
}

/// Thaws a container, unless it is not frozen.
pub(crate) fn unpause(container: &Container) -> Result<(), Failure> {
    match container.resume() {
        Err(error) if error.kind() == ErrorKind::NotPaused => Ok(()),
        resumed => Ok(resumed?),
    }
}

/// What the flags say of CRIU.
pub(crate) fn criu_options(invocation: &Invocation<'_>) -> Result<CriuOptions, Failure> {
    if !invocation.parsed.given(criu_flags::IMAGE_PATH.name) {
        return Err(Failure::new("The --image-path option isn't specified"));
    }
    let mut options = criu_flags::options(invocation)?;
    options.program = invocation.global.text(CRIU.name).map(Into::into);
    Ok(options)
}
