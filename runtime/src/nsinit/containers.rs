//! The containers of the state root, by the flag `--id`.

use std::time::{Duration, Instant};

use configs::Config;

use super::CRIU;
use crate::Status;
use crate::checkpoint::CriuOptions;
use crate::cli::command::Invocation;
use crate::cli::criu_flags;
use crate::cli::failure::Failure;
use crate::cli::flag::Flag;
use crate::container::Container;
use crate::error::{Error, ErrorKind};
use crate::id::ContainerId;
use crate::runtime::Runtime;

/// The id of a container for which none is given.
pub(crate) const DEFAULT_ID: &str = "nsinit";
pub(crate) const ID: Flag = Flag::text("id", "id of the container")
    .container()
    .default(DEFAULT_ID);

/// Replaces the flag of `cofferdam`, which has a default.
pub(crate) const IMAGE_PATH: Flag = Flag::text("image-path", "directory of the images").directory();

/// How long another process may take to make a container.
const CREATE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often its progress is looked at.
const INTERVAL: Duration = Duration::from_millis(5);

pub(crate) fn runtime(invocation: &Invocation<'_>) -> Result<Runtime, Failure> {
    Ok(Runtime::new(&invocation.globals.root)?.of_command())
}

pub(crate) fn id(invocation: &Invocation<'_>) -> Result<ContainerId, Failure> {
    let parsed = invocation.parsed;
    if !parsed.given(ID.name) {
        return Ok(ContainerId::new(DEFAULT_ID)?);
    }
    Ok(ContainerId::new(
        parsed.string(ID.name).unwrap_or_default(),
    )?)
}

/// A container as it was found: another process may change or remove it at any time.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) container: Container,
    pub(crate) status: Status,
    pub(crate) config: Config,
}

impl Found {
    pub(crate) fn of(container: Container) -> Result<Self, Error> {
        Ok(Self {
            status: container.status()?,
            config: container.config()?,
            container,
        })
    }
}

/// The container of this id, if there is one.
///
/// One that another process is just making is waited for. What a killed process has left of one
/// that is not on record is removed: no command of this program does that later.
pub(crate) fn find(runtime: &Runtime, id: &ContainerId) -> Result<Option<Found>, Failure> {
    let deadline = Instant::now() + CREATE_TIMEOUT;
    loop {
        let in_time = Instant::now() < deadline;
        match runtime.load(id).and_then(Found::of) {
            Ok(found) if in_time && found.status == Status::Creating => {}
            Ok(found) => return Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => match runtime.remove_stale(id) {
                // It is on record now.
                Err(error) if in_time && error.kind() == ErrorKind::InvalidState => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(None),
            },
            Err(error) => return Err(error.into()),
        }
        std::thread::sleep(INTERVAL);
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
    if !invocation.parsed.given(IMAGE_PATH.name) {
        return Err(Failure::new("The --image-path option isn't specified"));
    }
    let mut options = criu_flags::options(invocation)?;
    options.program = invocation.global.text(CRIU.name).map(Into::into);
    Ok(options)
}
