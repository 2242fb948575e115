//! Compiled programs on disk.

use std::os::fd::OwnedFd;

use crate::compile::{Backend, Compiled, compile};
use crate::error::Result;
use crate::profile::Profile;

/// A directory of compiled programs.
#[derive(Debug)]
pub struct Cache {
    #[allow(dead_code, reason = "the lookup is the next step")]
    directory: OwnedFd,
}

impl Cache {
    /// A cache in this directory.
    #[must_use]
    pub fn open_at(directory: OwnedFd) -> Self {
        Self { directory }
    }

    /// The compiled form of a profile.
    ///
    /// # Errors
    ///
    /// Those of [`compile`].
    pub fn get_or_compile(&self, profile: &Profile, backend: Backend) -> Result<Compiled> {
        compile(profile, backend)
    }
}
