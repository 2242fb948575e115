//! Reading `config.json` and its parts.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;

use rustix::fs::{Mode, OFlags};

use super::{Process, Resources, Spec};
use crate::{Error, ErrorKind, Result, json};

/// The name of the configuration file in a bundle.
pub const CONFIG_FILE: &str = "config.json";

impl Spec {
    /// Reads `config.json` of a bundle directory, up to [`json::MAX_SIZE`] bytes.
    ///
    /// # Errors
    /// The file is missing ([`ErrorKind::NotFound`]), unreadable, too large, or as [`Spec::from_slice`].
    pub fn load(bundle: impl AsFd) -> Result<Self> {
        Self::load_limited(bundle, json::MAX_SIZE)
    }

    /// As [`Spec::load`], with another limit for the size.
    ///
    /// # Errors
    /// As [`Spec::load`].
    pub fn load_limited(bundle: impl AsFd, max_size: u64) -> Result<Self> {
        let file = rustix::fs::openat(
            bundle,
            CONFIG_FILE,
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|errno| match errno {
            rustix::io::Errno::NOENT => Error::new(
                ErrorKind::NotFound,
                format!("JSON specification file {CONFIG_FILE} not found"),
            ),
            errno => Error::new(ErrorKind::Io, format!("cannot open {CONFIG_FILE}"))
                .because_io(errno.into()),
        })?;
        let mut text = Vec::with_capacity(16 << 10);
        File::from(file)
            .take(max_size.saturating_add(1))
            .read_to_end(&mut text)
            .map_err(|error| {
                Error::new(ErrorKind::Io, format!("cannot read {CONFIG_FILE}")).because_io(error)
            })?;
        if text.len() as u64 > max_size {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("{CONFIG_FILE} is larger than {max_size} bytes"),
            ));
        }
        Self::from_slice(&text)
    }

    /// Reads the text of a `config.json`.
    ///
    /// # Errors
    /// As [`json::from_slice`]; the document `null` gives "config cannot be null".
    pub fn from_slice(text: &[u8]) -> Result<Self> {
        not_null(text, "config cannot be null")
    }
}

impl Process {
    /// Reads a process object, as `exec --process` takes it.
    ///
    /// # Errors
    /// As [`json::from_slice`]; the document `null` is refused.
    pub fn from_slice(text: &[u8]) -> Result<Self> {
        not_null(text, "process property must not be empty")
    }
}

impl Resources {
    /// Reads a resources object, as `update --resources` takes it. A section that is `null` is an absent one.
    ///
    /// # Errors
    /// As [`json::from_slice`]; the document `null` is refused.
    pub fn from_slice(text: &[u8]) -> Result<Self> {
        not_null(text, "resources cannot be null")
    }
}

fn not_null<T: serde::de::DeserializeOwned>(text: &[u8], message: &str) -> Result<T> {
    json::from_slice::<Option<T>>(text)?.ok_or_else(|| Error::new(ErrorKind::Data, message))
}
