//! The bundle of a container: the directory with its `config.json`.

use std::io;
use std::path::Path;

use configs::oci::Spec;

use super::command::Invocation;
use super::failure::Failure;

/// The name every bundle gives its configuration.
pub(crate) const CONFIG_FILE: &str = "config.json";

/// Goes to the bundle that `--bundle` names. Relative paths in the configuration, and hooks, start there.
pub(crate) fn enter(invocation: &Invocation<'_>) -> Result<(), Failure> {
    match invocation.parsed.text("bundle") {
        None => Ok(()),
        Some(bundle) => std::env::set_current_dir(bundle)
            .map_err(|error| Failure::io(format!("chdir {}", Path::new(bundle).display()), error)),
    }
}

/// Reads the configuration of the bundle in `directory`.
pub(crate) fn read(directory: &Path) -> Result<Spec, Failure> {
    let path = directory.join(CONFIG_FILE);
    let text = std::fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::new(format!("JSON specification file {CONFIG_FILE} not found")),
        _ => Failure::io(format!("read {}", path.display()), error),
    })?;
    Spec::from_slice(&text).map_err(|error| Failure::new(super::failure::describe(&error)).prefixed(&format!("{CONFIG_FILE}: ")))
}
