use std::fmt;
use std::str::FromStr;

use crate::{Access, Error, ErrorKind, Result};

/// The type of a device node, or of what a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Every device (`a`); only meaningful in a rule.
    All,
    /// Block devices (`b`).
    Block,
    /// Character devices (`c`; the OCI configuration also says `u` for an unbuffered one).
    Char,
    /// A FIFO (`p`); only meaningful as a node.
    Fifo,
}

impl Kind {
    /// The letter of the OCI configuration, of `devices.allow` and of mknod(1).
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::All => 'a',
            Self::Block => 'b',
            Self::Char => 'c',
            Self::Fifo => 'p',
        }
    }

    /// The type of a letter.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidType`] for another letter than `a`, `b`, `c`, `u` and `p`.
    pub fn from_letter(letter: char) -> Result<Self> {
        Ok(match letter {
            'a' => Self::All,
            'b' => Self::Block,
            'c' | 'u' => Self::Char,
            'p' => Self::Fifo,
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidType,
                    format_args!("invalid device type {:?}", letter.to_string()),
                ));
            }
        })
    }

    /// Whether mknod(2) can make such a node.
    #[must_use]
    pub const fn can_mknod(self) -> bool {
        matches!(self, Self::Block | Self::Char | Self::Fifo)
    }

    /// Whether a device cgroup rule can name this type.
    #[must_use]
    pub const fn can_cgroup(self) -> bool {
        matches!(self, Self::All | Self::Block | Self::Char)
    }

    /// The file type bits of `st_mode` (`S_IFBLK`, `S_IFCHR`, `S_IFIFO`), if a node can have this
    /// type.
    #[must_use]
    pub const fn file_type(self) -> Option<u32> {
        match self {
            Self::All => None,
            Self::Block => Some(0o060_000),
            Self::Char => Some(0o020_000),
            Self::Fifo => Some(0o010_000),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.letter())
    }
}

impl FromStr for Kind {
    type Err = Error;

    /// Reads one letter, as [`Kind::from_letter`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidType`] for anything else.
    fn from_str(text: &str) -> Result<Self> {
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => Self::from_letter(letter),
            _ => Err(Error::new(
                ErrorKind::InvalidType,
                format_args!("invalid device type {text:?}"),
            )),
        }
    }
}

/// One rule of the device cgroup: allow or deny some access to the devices it matches.
///
/// [`Display`](fmt::Display) writes the line that `devices.allow` and `devices.deny` of cgroup v1
/// take, without the verdict: `c 1:3 rwm`, `b *:* m`.
///
/// ```
/// use cofferdam_devices::{Access, Kind, Rule};
///
/// let ptys = Rule::allow(Kind::Char, Some(136), None, Access::ALL);
/// assert_eq!(ptys.to_string(), "c 136:* rwm");
/// assert_eq!("c 136:* rwm".parse::<Rule>()?, ptys);
/// # Ok::<(), cofferdam_devices::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// Which type of device; [`Kind::All`] makes the numbers and the access irrelevant.
    pub kind: Kind,
    /// The major number, `None` for every one (the kernel's `*`).
    pub major: Option<u32>,
    /// The minor number, `None` for every one (the kernel's `*`).
    pub minor: Option<u32>,
    /// What the rule is about.
    pub access: Access,
    /// `true` to allow, `false` to deny.
    pub allow: bool,
}

impl Rule {
    /// A rule that allows.
    #[must_use]
    pub const fn allow(kind: Kind, major: Option<u32>, minor: Option<u32>, access: Access) -> Self {
        Self {
            kind,
            major,
            minor,
            access,
            allow: true,
        }
    }

    /// A rule that denies.
    #[must_use]
    pub const fn deny(kind: Kind, major: Option<u32>, minor: Option<u32>, access: Access) -> Self {
        Self {
            kind,
            major,
            minor,
            access,
            allow: false,
        }
    }

    /// The rule that resets a list: everything allowed, or everything denied.
    #[must_use]
    pub const fn everything(allow: bool) -> Self {
        Self {
            kind: Kind::All,
            major: None,
            minor: None,
            access: Access::ALL,
            allow,
        }
    }

    /// The device number of makedev(3).
    ///
    /// # Errors
    /// [`ErrorKind::Wildcard`] when a number is the wildcard.
    pub fn mkdev(&self) -> Result<u64> {
        match (self.major, self.minor) {
            (Some(major), Some(minor)) => Ok(rustix::fs::makedev(major, minor)),
            _ => Err(Error::new(
                ErrorKind::Wildcard,
                "cannot mkdev() device with wildcards",
            )),
        }
    }
}

/// Prints a device number of a rule.
struct Number(Option<u32>);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => write!(f, "{number}"),
            None => f.write_str("*"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}:{} {}",
            self.kind,
            Number(self.major),
            Number(self.minor),
            self.access
        )
    }
}

impl FromStr for Rule {
    type Err = Error;

    /// Reads `TYPE MAJOR:MINOR ACCESS`, as `devices.allow` takes it and as
    /// [`Display`](fmt::Display) writes it. The rule allows; set
    /// [`Rule::allow`](field@Rule::allow) to false for `devices.deny`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidList`] for another form or number, [`ErrorKind::InvalidType`],
    /// [`ErrorKind::InvalidAccess`]; also for a FIFO, for which the kernel has no rules.
    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::new(
                ErrorKind::InvalidList,
                format_args!("invalid device rule {text:?}"),
            )
        };
        let mut fields = text.split(' ');
        let (Some(kind), Some(numbers), Some(access), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(invalid());
        };
        let kind: Kind = kind.parse()?;
        let (major, minor) = numbers.split_once(':').ok_or_else(invalid)?;
        if !kind.can_cgroup() {
            return Err(invalid());
        }
        Ok(Self::allow(
            kind,
            Number::parse(major).ok_or_else(invalid)?,
            Number::parse(minor).ok_or_else(invalid)?,
            access.parse()?,
        ))
    }
}

impl Number {
    /// Decimal digits alone, or `*`; the kernel's own number for `*` does not belong to a device.
    fn parse(text: &str) -> Option<Option<u32>> {
        if text == "*" {
            return Some(None);
        }
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| *number != u32::MAX);
        digits.then_some(number).flatten().map(Some)
    }
}

/// Reads a device number as configurations write it: -1 is the wildcard.
///
/// The kernel's own wildcard is 2³²-1, so that number cannot be a concrete one.
///
/// # Errors
/// [`ErrorKind::InvalidNumber`] for anything outside -1 to 2³²-2.
pub fn number_from_i64(number: i64) -> Result<Option<u32>> {
    match u32::try_from(number) {
        Ok(u32::MAX) => {}
        Ok(number) => return Ok(Some(number)),
        Err(_) if number == -1 => return Ok(None),
        Err(_) => {}
    }
    Err(Error::new(
        ErrorKind::InvalidNumber,
        format_args!("invalid device number {number}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_text() {
        assert_eq!(Rule::everything(false).to_string(), "a *:* rwm");
        assert_eq!(
            Rule::deny(Kind::Block, None, Some(7), Access::WRITE).to_string(),
            "b *:7 w"
        );
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for (text, kind) in [
            ("", ErrorKind::InvalidList),
            ("c", ErrorKind::InvalidList),
            ("c 1:3", ErrorKind::InvalidList),
            ("c 1:3 rwm ", ErrorKind::InvalidList),
            ("c 1 rwm", ErrorKind::InvalidList),
            ("c 1:2:3 rwm", ErrorKind::InvalidList),
            ("c +1:3 rwm", ErrorKind::InvalidList),
            ("c -1:3 rwm", ErrorKind::InvalidList),
            ("c 4294967295:3 rwm", ErrorKind::InvalidList),
            ("p 1:3 rwm", ErrorKind::InvalidList),
            ("x 1:3 rwm", ErrorKind::InvalidType),
            ("cc 1:3 rwm", ErrorKind::InvalidType),
            ("c 1:3 rwx", ErrorKind::InvalidAccess),
        ] {
            let error = text.parse::<Rule>().unwrap_err();
            assert_eq!(error.kind(), kind, "{text:?}");
        }
        assert_eq!(
            "".parse::<Kind>().unwrap_err().kind(),
            ErrorKind::InvalidType
        );
        assert_eq!("u".parse::<Kind>().unwrap(), Kind::Char);
    }

    proptest::proptest! {
        #[test]
        fn printed_rules_read_back(rule in crate::arbitrary::any_rule()) {
            let allowed = Rule { allow: true, ..rule };
            proptest::prop_assert_eq!(rule.to_string().parse::<Rule>().unwrap(), allowed);
        }
    }

    #[test]
    fn mkdev_needs_both_numbers() {
        let rule = Rule::allow(Kind::Char, Some(1), None, Access::ALL);
        let error = rule.mkdev().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Wildcard);
        assert_eq!(error.to_string(), "cannot mkdev() device with wildcards");
        let null = Rule {
            minor: Some(3),
            ..rule
        };
        assert_eq!(null.mkdev().unwrap(), 0x103);
    }

    #[test]
    fn numbers() {
        assert_eq!(number_from_i64(-1).unwrap(), None);
        assert_eq!(number_from_i64(259).unwrap(), Some(259));
        for wrong in [-2, i64::from(u32::MAX), i64::MAX, i64::MIN] {
            assert_eq!(
                number_from_i64(wrong).unwrap_err().kind(),
                ErrorKind::InvalidNumber
            );
        }
    }

    #[test]
    fn letters() {
        for kind in [Kind::All, Kind::Block, Kind::Char, Kind::Fifo] {
            assert_eq!(Kind::from_letter(kind.letter()).unwrap(), kind);
        }
        assert_eq!(Kind::from_letter('u').unwrap(), Kind::Char);
        let error = Kind::from_letter('x').unwrap_err();
        assert_eq!(error.to_string(), "invalid device type \"x\"");
        assert!(!Kind::Fifo.can_cgroup() && !Kind::All.can_mknod());
    }
}
