use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::{Error, Result};

/// The name as the kernel takes it.
pub(crate) fn c_name(
    operation: &'static str,
    name: &OsStr,
    path: Option<&Path>,
) -> Result<CString> {
    CString::new(name.as_bytes()).map_err(|_| Error::invalid_name(operation, name, path))
}

/// The attribute names of one file, as the kernel lists them (`listxattr(2)`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(pub(crate) Vec<u8>);

impl Names {
    /// The names, in the kernel's order.
    pub fn iter(&self) -> impl Iterator<Item = &OsStr> + Clone {
        self.0
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(OsStr::from_bytes)
    }

    /// Whether it has no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this name is among them.
    #[must_use]
    pub fn contains(&self, name: impl AsRef<OsStr>) -> bool {
        let name = name.as_ref();
        self.iter().any(|listed| listed == name)
    }
}
