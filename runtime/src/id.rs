//! Container ids.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// The name of a container: the name of its directory below the state root.
///
/// Non-empty, made of ASCII letters, digits, `_`, `+`, `.` and `-`, neither `.` nor `..`, and at
/// most 255 bytes (the longest file name). Parsed once, so that nothing after it has to think about
/// path tricks again.
///
/// ```
/// use cofferdam::{ContainerId, ErrorKind};
/// let id: ContainerId = "web-1.example".parse()?;
/// assert_eq!(id.as_str(), "web-1.example");
/// assert_eq!("../etc".parse::<ContainerId>().unwrap_err().kind(), ErrorKind::InvalidId);
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(String);

/// `NAME_MAX` of Linux file systems.
const NAME_MAX: usize = 255;

impl ContainerId {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidId`] if it breaks one of the rules above.
    pub fn new(id: impl Into<String>) -> Result<Self, Error> {
        let id = id.into();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'.' | b'-');
        if id.is_empty()
            || id.len() > NAME_MAX
            || id == "."
            || id == ".."
            || !id.bytes().all(allowed)
        {
            return Err(Error::new(
                ErrorKind::InvalidId,
                "invalid container ID format",
            ));
        }
        Ok(Self(id))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContainerId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl TryFrom<&str> for ContainerId {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl AsRef<str> for ContainerId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<Path> for ContainerId {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rejects_what_is_not_one_plain_file_name() {
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "/",
            "a b",
            "a\0",
            "ä",
            "a:b",
            "a\n",
            &"x".repeat(256),
        ] {
            let error = ContainerId::new(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidId, "{bad:?}");
            assert_eq!(error.to_string(), "invalid container ID format");
        }
    }

    #[test]
    fn accepts_every_allowed_character() {
        for good in ["a", "...", "A-Z_0.9+", "-", &"x".repeat(255)] {
            assert_eq!(ContainerId::new(good).unwrap().as_str(), good);
        }
    }

    proptest! {
        #[test]
        fn an_accepted_id_is_a_single_path_component(text in ".*") {
            if let Ok(id) = ContainerId::new(text) {
                let path: &Path = id.as_ref();
                prop_assert_eq!(path.components().count(), 1);
                let first = path.components().next();
                prop_assert!(matches!(first, Some(std::path::Component::Normal(_))));
            }
        }
    }
}
