use crate::Permissions;
use crate::error::{Repr, Result};

/// What the kernel says about a key (`keyctl_describe(3)`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The type, such as `keyring` or `user`.
    pub kind: String,
    /// The owner, in the reader's user namespace; -1 if it has no id there.
    pub uid: i64,
    /// The group, in the reader's user namespace; -1 if it has no id there.
    pub gid: i64,
    /// Who may do what.
    pub permissions: Permissions,
    /// The key's own text; a keyring's name. Bytes that are not UTF-8 are replaced.
    pub text: String,
}

impl Description {
    /// Reads `type;uid;gid;permissions;text`: ids decimal, permissions hexadecimal, the text up to
    /// the end, whatever it contains.
    ///
    /// ```
    /// let description = cofferdam_keys::Description::parse(b"keyring;0;0;3f3f0000;_ses.web")?;
    /// assert_eq!(description.permissions.bits(), 0x3f3f_0000);
    /// assert_eq!(description.text, "_ses.web");
    /// # Ok::<(), cofferdam_keys::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Malformed`](crate::ErrorKind::Malformed) if a field is missing or no number.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(text);
        Self::fields(&text).ok_or_else(|| Repr::Description(text.into_owned()).into())
    }

    fn fields(text: &str) -> Option<Self> {
        let mut fields = text.splitn(5, ';');
        Some(Self {
            kind: fields.next()?.to_owned(),
            uid: fields.next()?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
            permissions: Permissions::from_bits(u32::from_str_radix(fields.next()?, 16).ok()?),
            text: fields.next()?.to_owned(),
        })
    }
}
