//! How far a restore is, on a terminal.

use super::terminal_line::TerminalLine;
use crate::checkpoint::{RestoreObserver, RestoreStage};

/// Shows the stages in one line on standard error, which is gone before the container runs, and if
/// the restore fails; nothing if standard error is no terminal.
pub(crate) fn observer() -> Option<RestoreObserver> {
    let line = TerminalLine::begin()?;
    Some(RestoreObserver::new(move |stage| match doing(stage) {
        Some(text) => line.show(text),
        None => line.clear(),
    }))
}

/// What comes next, before the container runs.
fn doing(stage: RestoreStage) -> Option<&'static str> {
    match stage {
        RestoreStage::Begun => Some("restoring namespaces"),
        RestoreStage::Namespaces => Some("restoring mounts"),
        RestoreStage::Contents => Some("restoring processes and memory"),
        RestoreStage::Processes => None,
    }
}
