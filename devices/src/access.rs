use std::fmt;
use std::ops;
use std::str::FromStr;

use crate::{Error, ErrorKind};

/// A set of the three things a device rule can grant: reading, writing and creating the node.
///
/// The text form is any of the letters `r`, `w` and `m` (OCI runtime-spec, config-linux.md,
/// "Allowed Device list"; cgroup-v1/devices.rst). It is always printed in that order.
///
/// ```
/// use cofferdam_devices::Access;
///
/// let all: Access = "mwr".parse()?;
/// assert_eq!(all, Access::ALL);
/// assert_eq!((all - Access::MKNOD).to_string(), "rw");
/// # Ok::<(), cofferdam_devices::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Access(u8);

impl Access {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Make the device node (`m`). The bit is `BPF_DEVCG_ACC_MKNOD`.
    pub const MKNOD: Self = Self(1);
    /// Open for reading (`r`). The bit is `BPF_DEVCG_ACC_READ`.
    pub const READ: Self = Self(2);
    /// Open for writing (`w`). The bit is `BPF_DEVCG_ACC_WRITE`.
    pub const WRITE: Self = Self(4);
    /// All three (`rwm`).
    pub const ALL: Self = Self(7);

    /// The bits as `linux/bpf.h` numbers them (`BPF_DEVCG_ACC_*`).
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set with these bits; bits without a meaning are dropped.
    #[must_use]
    pub const fn from_bits_truncate(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether the set grants nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether everything in `other` is also in `self`.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl ops::BitOr for Access {
    type Output = Self;
    /// Union.
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl ops::BitAnd for Access {
    type Output = Self;
    /// Intersection.
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl ops::Sub for Access {
    type Output = Self;
    /// Difference.
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bit, letter) in [(Self::READ, "r"), (Self::WRITE, "w"), (Self::MKNOD, "m")] {
            if self.contains(bit) {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access(\"{self}\")")
    }
}

impl FromStr for Access {
    type Err = Error;

    /// Reads any combination of `r`, `w`, `m`; the empty text is the empty set.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidAccess`] for any other letter.
    fn from_str(text: &str) -> Result<Self, Error> {
        text.chars().try_fold(Self::NONE, |set, letter| {
            Ok(set
                | match letter {
                    'r' => Self::READ,
                    'w' => Self::WRITE,
                    'm' => Self::MKNOD,
                    _ => {
                        return Err(Error::new(
                            ErrorKind::InvalidAccess,
                            format_args!("invalid device permissions {text:?}"),
                        ));
                    }
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_unknown_letters() {
        let error = "rwx".parse::<Access>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidAccess);
        assert_eq!(error.to_string(), "invalid device permissions \"rwx\"");
    }

    #[test]
    fn repeated_letters_count_once() {
        assert_eq!("rrr".parse::<Access>().unwrap(), Access::READ);
    }

    proptest! {
        #[test]
        fn text_form_is_canonical_and_round_trips(bits in 0_u8..8) {
            let access = Access::from_bits_truncate(bits);
            let text = access.to_string();
            prop_assert_eq!(text.parse::<Access>().unwrap(), access);
            prop_assert!("rwm".chars().filter(|c| text.contains(*c)).eq(text.chars()));
        }

        #[test]
        fn set_algebra(a in 0_u8..8, b in 0_u8..8) {
            let (a, b) = (Access::from_bits_truncate(a), Access::from_bits_truncate(b));
            prop_assert!((a | b).contains(a));
            prop_assert!(((a - b) & b).is_empty());
            prop_assert_eq!((a - b) | (a & b), a);
            prop_assert_eq!(a.contains(b), (b - a).is_empty());
        }
    }
}
