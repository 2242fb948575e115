//! Reading `config.json` and its parts.

use std::os::fd::AsFd;
use std::path::Path;

use super::{Process, Resources, Spec};
use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, Result, json};

/// The name of the configuration file in a bundle.
pub const CONFIG_FILE: &str = "config.json";

impl Spec {
    /// Reads `config.json` of a bundle directory, up to [`json::MAX_SIZE`] bytes.
    ///
    /// # Errors
    /// The file is missing ([`ErrorKind::NotFound`]), unreadable, too large, or as
    /// [`Spec::from_slice`].
    pub fn load(bundle: impl AsFd) -> Result<Self> {
        Self::load_limited(bundle, json::MAX_SIZE)
    }

    /// As [`Spec::load`], with another limit for the size.
    ///
    /// # Errors
    /// As [`Spec::load`].
    pub fn load_limited(bundle: impl AsFd, max_size: u64) -> Result<Self> {
        let text =
            json::read_at(bundle, Path::new(CONFIG_FILE), max_size).map_err(|error| match error
                .kind()
            {
                ErrorKind::NotFound => Error::new(
                    ErrorKind::NotFound,
                    format!("JSON specification file {CONFIG_FILE} not found"),
                ),
                _ => error,
            })?;
        Self::from_slice(&text)
    }

    /// Reads the text of a `config.json`.
    ///
    /// # Errors
    /// As [`json::from_slice`]; the document `null` gives "config cannot be null".
    pub fn from_slice(text: &[u8]) -> Result<Self> {
        let (mut spec, unknown) = not_null::<Self>(text, "config cannot be null")?;
        spec.unknown_keys = unknown;
        Ok(spec)
    }
}

impl Process {
    /// Reads a process object, as `exec --process` takes it.
    ///
    /// # Errors
    /// As [`json::from_slice`]; the document `null` is refused.
    pub fn from_slice(text: &[u8]) -> Result<Self> {
        let (mut process, unknown) = not_null::<Self>(text, "process property must not be empty")?;
        process.unknown_keys = unknown;
        Ok(process)
    }
}

impl Resources {
    /// Reads a resources object, as `update --resources` takes it. A section that is `null` is an
    /// absent one.
    ///
    /// # Errors
    /// As [`json::from_slice`]; the document `null` is refused.
    pub fn from_slice(text: &[u8]) -> Result<Self> {
        let (mut resources, unknown) = not_null::<Self>(text, "resources cannot be null")?;
        resources.unknown_keys = unknown;
        Ok(resources)
    }
}

/// Reads a document that is not `null`, and the places of its unknown keys.
fn not_null<T: DeserializeOwned>(text: &[u8], message: &str) -> Result<(T, Vec<String>)> {
    let (document, unknown) = json::from_foreign::<Option<T>>(text)?;
    match document {
        Some(document) => Ok((document, unknown)),
        None => Err(Error::new(ErrorKind::Data, message)),
    }
}
