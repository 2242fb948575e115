use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Repr, Result};
use crate::level::Level;

/// A security context: `user:role:type` or `user:role:type:level`.
///
/// The form alone is checked; whether the policy knows the parts is a question to the kernel
/// ([`SeLinux::check`](crate::SeLinux::check)). White space, control characters, quotation marks
/// and backslashes occur in no policy and are refused: a label is put between quotation marks into
/// mount options.
///
/// ```
/// use cofferdam_selinux::Label;
///
/// let label: Label = "system_u:system_r:container_t:s0:c1,c2".parse()?;
/// assert_eq!(label.type_name(), "container_t");
/// assert_eq!(label.level(), Some("s0:c1,c2"));
/// # Ok::<(), cofferdam_selinux::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    text: String,
    /// Where the role, the type and, if there is one, the level start.
    role: usize,
    kind: usize,
    level: Option<usize>,
}

/// The kernel takes and gives labels in one page; 4096 is the smallest.
const MAX_BYTES: usize = 4095;

impl Label {
    /// The label of these parts.
    ///
    /// # Errors
    /// [`InvalidLabel`](crate::ErrorKind::InvalidLabel).
    pub fn new(user: &str, role: &str, type_name: &str, level: Option<&Level>) -> Result<Self> {
        let text = match level {
            Some(level) => format!("{user}:{role}:{type_name}:{level}"),
            None => format!("{user}:{role}:{type_name}"),
        };
        text.parse()
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The SELinux user.
    #[must_use]
    pub fn user(&self) -> &str {
        self.part(0, self.role.saturating_sub(1))
    }

    /// The role.
    #[must_use]
    pub fn role(&self) -> &str {
        self.part(self.role, self.kind.saturating_sub(1))
    }

    /// The type, or domain of a process.
    #[must_use]
    pub fn type_name(&self) -> &str {
        let end = self
            .level
            .map_or(self.text.len(), |level| level.saturating_sub(1));
        self.part(self.kind, end)
    }

    /// The text of the level or range, with its categories; `None` under a policy without levels.
    #[must_use]
    pub fn level(&self) -> Option<&str> {
        self.level.map(|start| self.part(start, self.text.len()))
    }

    /// The label with another level; one without level stays without.
    ///
    /// # Errors
    /// [`InvalidLabel`](crate::ErrorKind::InvalidLabel) if it becomes too long.
    pub fn with_level(&self, level: &Level) -> Result<Self> {
        let level = self.level.is_some().then_some(level);
        Self::new(self.user(), self.role(), self.type_name(), level)
    }

    /// The label without categories: what all containers of one type share (`s0` as the level).
    ///
    /// # Errors
    /// As [`Label::with_level`].
    pub fn shared(&self) -> Result<Self> {
        self.with_level(&Level::LOWEST)
    }

    fn part(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }
}

impl FromStr for Label {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |problem| {
            Error::from(Repr::Label {
                label: text.to_owned(),
                problem,
            })
        };
        if text.len() > MAX_BYTES {
            return Err(bad("longer than 4095 bytes"));
        }
        if text.contains(|c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '\\')) {
            return Err(bad("a character that no label has"));
        }
        let mut colons = text
            .match_indices(':')
            .map(|(index, _)| index.saturating_add(1));
        let (Some(role), Some(kind)) = (colons.next(), colons.next()) else {
            return Err(bad("not user:role:type[:level]"));
        };
        let label = Self {
            text: text.to_owned(),
            role,
            kind,
            level: colons.next(),
        };
        // A range of levels has two: each level has one before its categories.
        if colons.count() > 2 {
            return Err(bad("too many parts"));
        }
        let parts = [label.user(), label.role(), label.type_name()];
        if parts.contains(&"") || label.level() == Some("") {
            return Err(bad("an empty part"));
        }
        Ok(label)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl AsRef<str> for Label {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use proptest::prelude::*;

    fn label(text: &str) -> Label {
        text.parse().unwrap()
    }

    #[test]
    fn parts() {
        let full = label("system_u:object_r:container_file_t:s0-s0:c0.c1023");
        assert_eq!(full.user(), "system_u");
        assert_eq!(full.role(), "object_r");
        assert_eq!(full.type_name(), "container_file_t");
        assert_eq!(full.level(), Some("s0-s0:c0.c1023"));
        assert_eq!(label("u:r:t:s0:c1-s1:c2").level(), Some("s0:c1-s1:c2"));
        let short = label("u:r:t");
        assert_eq!((short.type_name(), short.level()), ("t", None));
    }

    #[test]
    fn what_is_no_label() {
        let long = format!("u:r:{}", "t".repeat(4092));
        for bad in [
            "",
            "kernel",
            "u:r",
            "::",
            "u::t",
            ":r:t",
            "u:r:",
            "u:r:t:",
            "u:r:t ",
            "u:r:\"",
            "u:r:t\0",
            "u:r:t\n",
            "u:r:\u{e9}",
            "u:r:t:s0:c1-s0:c2:x",
            "u:r:\\",
            "u:r:'",
            long.as_str(),
        ] {
            let error = bad.parse::<Label>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidLabel, "{bad:?}");
        }
        label(&long[..4095]);
    }

    #[test]
    fn levels_can_be_exchanged() {
        let private = label("u:r:t:s0:c1,c2");
        assert_eq!(private.shared().unwrap().as_str(), "u:r:t:s0");
        let level: Level = "s0:c5".parse().unwrap();
        assert_eq!(private.with_level(&level).unwrap().as_str(), "u:r:t:s0:c5");
        assert_eq!(label("u:r:t").with_level(&level).unwrap().as_str(), "u:r:t");
    }

    proptest! {
        #[test]
        fn parts_put_together_are_the_text(text in "[a-z_]{0,4}(:[a-z0-9_.,:-]{0,6}){0,5}") {
            if let Ok(label) = text.parse::<Label>() {
                let level = label.level().map_or_else(String::new, |level| format!(":{level}"));
                prop_assert_eq!(format!("{}:{}:{}{level}", label.user(), label.role(), label.type_name()), text);
            }
        }

        #[test]
        fn any_text_ends(text in ".{0,40}") {
            let _ = text.parse::<Label>();
        }
    }
}
