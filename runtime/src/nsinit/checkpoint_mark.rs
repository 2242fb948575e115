//! The mark of a container that ends because it was checkpointed.
//!
//! The command that waits for its first process has to know why that ends: the record of a
//! checkpointed container stays for `restore`.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::container::Container;

const FILE: &str = "checkpoint";

fn path(container: &Container) -> PathBuf {
    container.directory().join(FILE)
}

/// Marks a container.
pub(crate) fn set(container: &Container) -> Result<(), Failure> {
    let path = path(container);
    match File::create(&path) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::io(format!("make {}", path.display()), error)),
    }
}

/// Takes the mark away.
pub(crate) fn take_back(container: &Container) -> Result<(), Failure> {
    let path = path(container);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::io(format!("remove {}", path.display()), error))
        }
        _ => Ok(()),
    }
}

/// Whether a container has the mark.
pub(crate) fn is_there(container: &Container) -> bool {
    path(container).exists()
}
