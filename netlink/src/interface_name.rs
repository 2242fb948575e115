use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Repr, Result};

/// The name of a network device: 1 to 15 bytes, as the kernel's `dev_valid_name` allows them.
///
/// `.`, `..`, `/`, `:` and white space are refused by the kernel; so are, here, control characters
/// and bytes outside ASCII, and `%`, which asks the kernel to number the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(String);

/// `IFNAMSIZ` less the NUL.
const MAX_BYTES: usize = 15;

impl InterfaceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name of this prefix and random hexadecimal digits up to seven, as many as fit.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if the prefix leaves no room or is not a name;
    /// [`Io`](crate::ErrorKind::Io).
    pub fn random(prefix: &str) -> Result<Self> {
        let number = crate::sys::random().map_err(|source| Error::io("getrandom", source))?;
        let room = MAX_BYTES.saturating_sub(prefix.len()).min(7);
        let digits: String = format!("{number:016x}").chars().take(room).collect();
        if digits.is_empty() {
            return Err(Repr::Name(prefix.to_owned()).into());
        }
        format!("{prefix}{digits}").parse()
    }
}

impl FromStr for InterfaceName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |byte: u8| byte.is_ascii_graphic() && !b"/:%".contains(&byte);
        if text.is_empty()
            || text.len() > MAX_BYTES
            || matches!(text, "." | "..")
            || !text.bytes().all(allowed)
        {
            return Err(Repr::Name(text.to_owned()).into());
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<&str> for InterfaceName {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<String> for InterfaceName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_kernel_takes() {
        for good in ["lo", "eth0", "eno2.100", "a", "fifteen-letters", "wlp3s0@x"] {
            let name: InterfaceName = good.parse().unwrap();
            assert_eq!(name.as_str(), good);
            assert_eq!(InterfaceName::try_from(good).unwrap(), name);
            assert_eq!(InterfaceName::try_from(good.to_owned()).unwrap(), name);
        }
        for bad in [
            "",
            ".",
            "..",
            "a b",
            "a/b",
            "a:b",
            "sixteen-letters!",
            "a\0",
            "a\n",
            "eth%d",
            "\u{e9}",
        ] {
            let error = bad.parse::<InterfaceName>().unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{bad:?}");
        }
    }

    #[test]
    fn random_names_have_the_prefix_and_fit() {
        for prefix in ["veth", "", "fourteen-bytes"] {
            let name = InterfaceName::random(prefix).unwrap();
            assert!(name.as_str().starts_with(prefix));
            assert!(name.as_str().len() > prefix.len() && name.as_str().len() <= 15);
        }
        assert_ne!(
            InterfaceName::random("veth").unwrap(),
            InterfaceName::random("veth").unwrap()
        );
        assert!(InterfaceName::random("fifteen-letters").is_err());
    }
}
