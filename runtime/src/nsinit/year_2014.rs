//! The command line of April 2014, and what it had until December.
//!
//! A container is what the `container.json` of a directory describes. The directory is the current
//! one, or what `-root` or the variable `data_path` names; the root file system is the current
//! directory. While the container runs, `pid`, `start` and `state.json` are beside
//! `container.json`, for others to read: they can be written by processes of the container, so
//! nothing here depends on them. What is on record is below the state root, under an id that is
//! made of the directory.

mod directory;
mod exec;
mod records;
mod show;

use std::path::Path;

use crate::cli::command::Command;
use crate::cli::failure::Failure;
use crate::cli::flag::Parsed;
use crate::cli::logging::{Format, Log};
use crate::nsinit::LOG;
use crate::nsinit::commands::convert;

pub(super) use directory::Directory;

/// The commands of 2014.
pub(super) static COMMANDS: &[&Command] = &[
    &exec::COMMAND,
    &show::INIT,
    &show::SPEC,
    &show::CONFIG,
    &show::STATS,
    &show::PAUSE,
    &show::UNPAUSE,
    &exec::NSENTER,
    &convert::COMMAND,
];

/// `-log`, or the variable `log`: `none`, `stderr`, or a file to append to. What is fatal is said
/// on standard error in any case.
pub(super) fn open_log(global: &Parsed) -> Result<Log, Failure> {
    let debug = global.switch("debug");
    let typed = global.text(LOG.name).cloned();
    match typed.or_else(|| std::env::var_os("log")) {
        None => Ok(Log::silent()),
        Some(place) if place == "none" => Ok(Log::silent()),
        Some(place) if place == "stderr" => Log::open(None, Format::Exec, debug),
        Some(path) => Log::open(Some(Path::new(&path)), Format::Exec, debug),
    }
}
