use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Repr};

/// The largest id that [`UserDb::resolve`](crate::UserDb::resolve) accepts as a number when no
/// entry lists it: 2³¹−1, the limit that other OCI tools apply.
pub const MAX_UNLISTED_ID: u32 = 0x7fff_ffff;

/// Reads a decimal number in its only accepted spelling: ASCII digits, no sign, no leading zero.
pub(crate) fn decimal(text: &[u8]) -> Option<u32> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => text.iter().try_fold(0u32, |number, byte| match byte {
            b'0'..=b'9' => number.checked_mul(10)?.checked_add(u32::from(byte - b'0')),
            _ => None,
        }),
        _ => None,
    }
}

macro_rules! id_type {
    ($name:ident, $what:literal, $article:literal, $current:path) => {
        #[doc = concat!("A ", $article, " id: 0 to 4294967294.")]
        ///
        /// 4294967295 is not a value of this type: to the kernel it means "no id" (`setresuid(2)`,
        /// `chown(2)`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(try_from = "u32", into = "u32"))]
        pub struct $name(u32);

        impl $name {
            #[doc = concat!("The ", $article, " id 0.")]
            pub const ROOT: Self = Self(0);

            /// The id, or `None` for 4294967295.
            #[must_use]
            pub const fn new(raw: u32) -> Option<Self> {
                if raw == u32::MAX {
                    None
                } else {
                    Some(Self(raw))
                }
            }

            /// The number.
            #[must_use]
            pub const fn as_raw(self) -> u32 {
                self.0
            }

            #[doc = concat!("The real ", $article, " id of this process.")]
            #[must_use]
            pub fn current() -> Self {
                Self($current().as_raw())
            }

            /// Reads the bytes of one field; see [the crate's rule for numbers](crate#numbers).
            ///
            /// # Errors
            /// [`ErrorKind::InvalidId`](crate::ErrorKind::InvalidId).
            pub fn parse(text: &[u8]) -> Result<Self, Error> {
                Self::parse_quietly(text).ok_or_else(|| {
                    Error::from(Repr::BadId {
                        what: $what,
                        text: String::from_utf8_lossy(text).into_owned(),
                    })
                })
            }
        }

        impl $name {
            /// As `parse`, without a message of what is wrong: a file has thousands of fields.
            pub(crate) fn parse_quietly(text: &[u8]) -> Option<Self> {
                decimal(text).and_then(Self::new)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::parse(text.as_bytes())
            }
        }

        impl TryFrom<u32> for $name {
            type Error = Error;

            fn try_from(raw: u32) -> Result<Self, Error> {
                Self::new(raw).ok_or_else(|| {
                    Error::from(Repr::BadId {
                        what: $what,
                        text: raw.to_string(),
                    })
                })
            }
        }

        impl From<$name> for u32 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id_type!(Uid, "uid", "user", rustix::process::getuid);
id_type!(Gid, "gid", "group", rustix::process::getgid);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_spelling_per_number() {
        assert_eq!("0".parse::<Uid>().unwrap(), Uid::ROOT);
        assert_eq!("1".parse::<Uid>().unwrap().as_raw(), 1);
        assert_eq!("2147483648".parse::<Uid>().unwrap().as_raw(), 1 << 31);
        assert_eq!("4294967294".parse::<Gid>().unwrap().as_raw(), u32::MAX - 1);
    }

    #[test]
    fn what_is_no_number_is_an_error_and_never_zero() {
        for text in [
            "",
            "01",
            "00",
            "+1",
            " 1",
            "1 ",
            "1:",
            ":1",
            "-1",
            "-0",
            "0x1",
            "1e1",
            "1_0",
            "1\0",
            "4294967295",
            "4294967296",
            "18446744073709551616",
            "18446744073709551617",
            "١",
            "𝟘",
        ] {
            assert!(text.parse::<Uid>().is_err(), "{text:?}");
            assert!(text.parse::<Gid>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_reserved_id_is_not_a_value() {
        assert_eq!(Uid::new(u32::MAX), None);
        assert!(Gid::try_from(u32::MAX).is_err());
    }

    #[test]
    fn the_error_names_the_field_and_the_text() {
        let error = "x".parse::<Gid>().unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidId);
        assert!(error.to_string().starts_with("bad gid: \"x\""), "{error}");
    }

    proptest! {
        #[test]
        fn every_number_reads_back(raw in 0..u32::MAX) {
            let id = Uid::new(raw).unwrap();
            prop_assert_eq!(id.to_string().parse::<Uid>().unwrap(), id);
        }

        #[test]
        fn accepted_text_is_what_display_prints(text in ".{0,12}|[0-9]{1,12}") {
            if let Ok(id) = text.parse::<Uid>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
