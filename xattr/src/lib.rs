#![doc = include_str!("../README.md")]
//!
//! ## In detail
//!
//! Extended attributes ([`xattr(7)`]) of an open file or of a path; no symbolic link is ever
//! followed.
//!
//! * [`get`], [`set`], [`remove`] and [`list`] take a descriptor. One opened with `O_PATH` will do,
//!   although the kernel's calls refuse it: then its entry in `/proc/self/fd` is used, which leads
//!   to the same file.
//! * [`lget`], [`lset`], [`lremove`] and [`llist`] take a path and mean the link itself where it is
//!   one. To reach what a link points to, open it.
//!
//! Names are text (`&str`, `&OsStr` and what else is `AsRef<OsStr>`) with their name space in
//! front, such as `security.selinux`; one with a NUL is an error that names it. An absent attribute
//! is not an error; a file system without attributes is one, with the kind
//! [`ErrorKind::Unsupported`].
//!
//! [`xattr(7)`]: https://man7.org/linux/man-pages/man7/xattr.7.html

mod buffer;
mod error;
mod names;
mod on_descriptor;
mod on_path;

pub use error::{Error, ErrorKind, Result};
pub use names::Names;
pub use on_descriptor::{get, list, remove, set};
pub use on_path::{lget, llist, lremove, lset};

/// What a write does about an attribute that exists already, or does not (`setxattr(2)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SetMode {
    /// Create it, or replace its value.
    #[default]
    Any,
    /// Create it; an [`ErrorKind::Conflict`] if it exists.
    Create,
    /// Replace its value; an [`ErrorKind::Conflict`] if it does not exist.
    Replace,
}

impl SetMode {
    fn flags(self) -> rustix::fs::XattrFlags {
        match self {
            Self::Any => rustix::fs::XattrFlags::empty(),
            Self::Create => rustix::fs::XattrFlags::CREATE,
            Self::Replace => rustix::fs::XattrFlags::REPLACE,
        }
    }
}

#[cfg(test)]
mod tests;
