#![doc = include_str!("../README.md")]
//!
//! ## In detail
//!
//! Session keyrings ([`session-keyring(7)`]): join one by name, describe it, set its permissions;
//! keys in keyrings ([`keyrings(7)`]): [`add`], [`read()`], [`link`], [`unlink`], [`search`],
//! [`revoke`].
//!
//! A container gets its own session keyring, so that it neither sees nor keeps alive the keys of
//! its creator. [`session_name`] is the name that container runtimes agree on;
//! [`join_session`] makes or joins it and [`add_permissions`] lets the container's processes find
//! it.
//!
//! A session keyring belongs to a *thread* (`credentials(7)`): what is done here holds for the
//! calling thread and what it starts. A caller pins the work to one thread and lets that thread end
//! or `execve`.
//!
//! To give the keyring an SELinux label, write the label to the thread's `attr/keycreate` before
//! joining.
//!
//! [`keyrings(7)`]: https://man7.org/linux/man-pages/man7/keyrings.7.html
//! [`session-keyring(7)`]: https://man7.org/linux/man-pages/man7/session-keyring.7.html

mod description;
mod error;
mod keyring;
mod permissions;
mod sys;

pub use description::Description;
pub use error::{Error, ErrorKind, Result};
pub use keyring::{add, link, read, revoke, search, unlink};
pub use permissions::Permissions;

use std::ffi::CStr;
use std::fmt;

use crate::error::Repr;

/// The number of a key or keyring; positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Serial(i32);

impl Serial {
    /// The number of a key, or `None` for zero and for the negative numbers of special keyrings.
    #[must_use]
    pub const fn new(raw: i32) -> Option<Self> {
        if raw > 0 { Some(Self(raw)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn as_raw(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a container's session keyring: `_ses.` and the container id.
///
/// ```
/// assert_eq!(cofferdam_keys::session_name("web"), "_ses.web");
/// ```
#[must_use]
pub fn session_name(container_id: &str) -> String {
    format!("_ses.{container_id}")
}

/// Makes the named keyring the session keyring of the calling thread, creating it if it does not
/// exist that the thread may search; without name, a fresh anonymous one
/// (`KEYCTL_JOIN_SESSION_KEYRING`, `keyctl_join_session_keyring(3)`).
///
/// # Errors
/// `unable to create session key`: [`Unsupported`](ErrorKind::Unsupported),
/// [`Quota`](ErrorKind::Quota) or [`Io`](ErrorKind::Io).
pub fn join_session(name: Option<&CStr>) -> Result<Serial> {
    let joined = sys::join_session_keyring(name).map_err(Repr::Join)?;
    // The kernel answers 0 if the named keyring is the thread's session keyring already.
    Serial::new(joined).map_or_else(session, Ok)
}

/// The session keyring of the calling thread (`KEYCTL_GET_KEYRING_ID`). A thread that has none sees
/// its user's.
///
/// # Errors
/// [`Unsupported`](ErrorKind::Unsupported) or [`Io`](ErrorKind::Io).
pub fn session() -> Result<Serial> {
    let special = libc::KEY_SPEC_SESSION_KEYRING;
    sys::keyring_id(special)
        .map(Serial)
        .map_err(|source| key_error("find", special, source))
}

/// What the kernel says about a key (`KEYCTL_DESCRIBE`).
///
/// # Errors
/// [`Denied`](ErrorKind::Denied) if the caller may not view it; [`NotFound`](ErrorKind::NotFound),
/// [`Expired`](ErrorKind::Expired); [`Malformed`](ErrorKind::Malformed).
pub fn describe(key: Serial) -> Result<Description> {
    // The kernel caps a description at 4095 bytes and the fields in front of it at some 60.
    let mut buffer = vec![0; 8192];
    let length =
        sys::describe(key.0, &mut buffer).map_err(|source| key_error("describe", key.0, source))?;
    let text = buffer.get(..length).unwrap_or(&buffer);
    Description::parse(text.strip_suffix(b"\0").unwrap_or(text))
}

/// Sets who may do what with a key (`KEYCTL_SETPERM`).
///
/// # Errors
/// [`Denied`](ErrorKind::Denied) unless the caller owns the key or has `CAP_SYS_ADMIN`;
/// [`NotFound`](ErrorKind::NotFound), [`Expired`](ErrorKind::Expired).
pub fn set_permissions(key: Serial, permissions: Permissions) -> Result<()> {
    sys::set_permissions(key.0, permissions.bits())
        .map_err(|source| key_error("set permissions of", key.0, source))
}

/// Adds to what a key's permissions are now, and gives the result.
///
/// # Errors
/// As [`describe`] and [`set_permissions`].
pub fn add_permissions(key: Serial, more: Permissions) -> Result<Permissions> {
    let permissions = describe(key)?.permissions | more;
    set_permissions(key, permissions)?;
    Ok(permissions)
}

/// Searches the calling thread's keyrings for a key; nothing is asked from user space
/// (`request_key(2)`).
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) if it does not exist; [`Expired`](ErrorKind::Expired).
pub fn request(kind: &CStr, description: &CStr) -> Result<Serial> {
    sys::request(kind, description)
        .map(Serial)
        .map_err(|source| {
            Repr::Request {
                description: description.to_string_lossy().into_owned(),
                source,
            }
            .into()
        })
}

fn key_error(operation: &'static str, serial: i32, source: std::io::Error) -> Error {
    Repr::Key {
        operation,
        serial,
        source,
    }
    .into()
}

#[cfg(test)]
mod tests;
