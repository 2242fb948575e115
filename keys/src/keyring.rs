//! Keys, and the keyrings that hold them.

use std::ffi::CStr;
use std::io;

use crate::error::{Error, Repr, Result};
use crate::{Serial, key_error, sys};

/// Makes a key with this payload and links it to a keyring (`add_key(2)`). A key of the same type
/// and description in that keyring is updated, if its type can be, or replaced.
///
/// `kind` is a type of key: `user` holds up to 32767 bytes that programs may [`read`], `logon` the
/// same for the kernel alone, with a description `prefix:text`; `keyring` is made without payload
/// and holds keys itself. The kernel caps a description at 4095 bytes.
///
/// ```
/// use cofferdam_keys::{ErrorKind, add, join_session, read};
///
/// # std::thread::spawn(|| -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let key = join_session(None).and_then(|keyring| add(c"user", c"token", b"secret", keyring));
/// match key {
///     Ok(key) => assert_eq!(read(key)?, b"secret"),
///     Err(error) => println!("no keys here: {error:#}"),
/// }
/// # Ok(())
/// # }).join().unwrap().unwrap();
/// ```
///
/// # Errors
/// [`Quota`](crate::ErrorKind::Quota); [`Denied`](crate::ErrorKind::Denied) if the caller may not
/// write to the keyring; [`NotFound`](crate::ErrorKind::NotFound),
/// [`Expired`](crate::ErrorKind::Expired) of the keyring; [`Rejected`](crate::ErrorKind::Rejected)
/// by a type or keyring that takes signed payloads only; [`Io`](crate::ErrorKind::Io): `ENODEV` for
/// an unknown type, `EINVAL` for a payload or description that the type does not take.
pub fn add(kind: &CStr, description: &CStr, payload: &[u8], keyring: Serial) -> Result<Serial> {
    sys::add_key(kind, description, payload, keyring.as_raw())
        .map(Serial)
        .map_err(|source| in_keyring("add", description, "to", keyring, source))
}

/// The payload of a key, as its type shows it (`KEYCTL_READ`); of a keyring, the serials it holds,
/// each four bytes in the machine's order.
///
/// The bytes are not erased from memory when they are dropped.
///
/// # Errors
/// [`Denied`](crate::ErrorKind::Denied) if the caller neither may read the key nor possesses it;
/// [`NotFound`](crate::ErrorKind::NotFound), [`Expired`](crate::ErrorKind::Expired);
/// [`Io`](crate::ErrorKind::Io): `EOPNOTSUPP` for a type that shows nothing, such as `logon`.
pub fn read(key: Serial) -> Result<Vec<u8>> {
    let mut payload = vec![0; 1024];
    loop {
        let length = sys::read(key.as_raw(), &mut payload)
            .map_err(|source| key_error("read", key.as_raw(), source))?;
        // The kernel gives the length there is, which grows if the key is updated in between.
        let fitted = length <= payload.len();
        payload.resize(length, 0);
        if fitted {
            return Ok(payload);
        }
    }
}

/// Links a key, or a keyring, to a keyring (`KEYCTL_LINK`). A link to a key of the same type and
/// description is replaced.
///
/// # Errors
/// [`Denied`](crate::ErrorKind::Denied) unless the caller may link the key and write to the
/// keyring; [`Quota`](crate::ErrorKind::Quota); [`NotFound`](crate::ErrorKind::NotFound),
/// [`Expired`](crate::ErrorKind::Expired); [`Rejected`](crate::ErrorKind::Rejected) by a restricted
/// keyring; [`Io`](crate::ErrorKind::Io): `EDEADLK` for a circle of keyrings, `ENOTDIR` if what is
/// linked to is not a keyring, `ENFILE` if it is full.
pub fn link(key: Serial, keyring: Serial) -> Result<()> {
    sys::link(key.as_raw(), keyring.as_raw())
        .map_err(|source| linked("link", key, "to", keyring, source))
}

/// Removes the link to a key from a keyring (`KEYCTL_UNLINK`). A key without links is removed
/// when its last user is gone.
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) if the key or the keyring does not exist;
/// [`Denied`](crate::ErrorKind::Denied) unless the caller may write to the keyring;
/// [`Io`](crate::ErrorKind::Io): `ENOENT` if the keyring has no such link, `ENOTDIR` if it is not a
/// keyring.
pub fn unlink(key: Serial, keyring: Serial) -> Result<()> {
    sys::unlink(key.as_raw(), keyring.as_raw())
        .map_err(|source| linked("unlink", key, "from", keyring, source))
}

/// Searches a keyring, and the keyrings linked to it, for a key by type and description
/// (`KEYCTL_SEARCH`).
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) if the caller may find none;
/// [`Expired`](crate::ErrorKind::Expired) if all there are have expired or were revoked;
/// [`Rejected`](crate::ErrorKind::Rejected) if it was instantiated with that error;
/// [`Denied`](crate::ErrorKind::Denied) if the caller may not search the keyring.
pub fn search(keyring: Serial, kind: &CStr, description: &CStr) -> Result<Serial> {
    sys::search(keyring.as_raw(), kind, description)
        .map(Serial)
        .map_err(|source| in_keyring("find", description, "in", keyring, source))
}

/// Revokes a key: whatever is attempted on it from now on fails with
/// [`Expired`](crate::ErrorKind::Expired) (`KEYCTL_REVOKE`).
///
/// # Errors
/// [`Denied`](crate::ErrorKind::Denied) unless the caller may write to it or set its attributes;
/// [`NotFound`](crate::ErrorKind::NotFound), [`Expired`](crate::ErrorKind::Expired).
pub fn revoke(key: Serial) -> Result<()> {
    sys::revoke(key.as_raw()).map_err(|source| key_error("revoke", key.as_raw(), source))
}

fn in_keyring(
    operation: &'static str,
    description: &CStr,
    preposition: &'static str,
    keyring: Serial,
    source: io::Error,
) -> Error {
    Repr::InKeyring {
        operation,
        key: format!("{:?}", description.to_string_lossy()),
        preposition,
        keyring: keyring.as_raw(),
        source,
    }
    .into()
}

fn linked(
    operation: &'static str,
    key: Serial,
    preposition: &'static str,
    keyring: Serial,
    source: io::Error,
) -> Error {
    Repr::InKeyring {
        operation,
        key: key.to_string(),
        preposition,
        keyring: keyring.as_raw(),
        source,
    }
    .into()
}
