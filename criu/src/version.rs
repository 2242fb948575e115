use std::fmt;

use crate::rpc;

/// The version of a CRIU program. Versions are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number, 0 if it is missing.
    pub sublevel: u32,
}

impl Version {
    /// A version by its numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32, sublevel: u32) -> Self {
        Self {
            major,
            minor,
            sublevel,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        match self.sublevel {
            0 => Ok(()),
            sublevel => write!(f, ".{sublevel}"),
        }
    }
}

impl From<rpc::Version> for Version {
    /// A program that was built between two releases has a commit and the numbers of the former;
    /// it has most of the latter and counts as such.
    fn from(answer: rpc::Version) -> Self {
        let number = |number: i32| u32::try_from(number).unwrap_or(0);
        let (major, minor) = (number(answer.major_number), number(answer.minor_number));
        match answer.gitid {
            Some(commit) if !commit.is_empty() => Self::new(major, minor.saturating_add(1), 0),
            _ => Self::new(major, minor, number(answer.sublevel.unwrap_or(0))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(sublevel: Option<i32>, gitid: Option<&str>) -> Version {
        Version::from(rpc::Version {
            major_number: 3,
            minor_number: 17,
            gitid: gitid.map(str::to_owned),
            sublevel,
        })
    }

    #[test]
    fn a_release_has_its_numbers() {
        assert_eq!(answer(Some(1), None).to_string(), "3.17.1");
        assert_eq!(answer(None, Some("")).to_string(), "3.17");
        assert!(answer(Some(1), None) > answer(None, None));
    }

    #[test]
    fn a_build_between_releases_counts_as_the_next() {
        assert_eq!(answer(Some(1), Some("v3.17.1-12-g0a")).to_string(), "3.18");
    }

    #[test]
    fn a_negative_number_is_zero() {
        let answer = rpc::Version {
            major_number: -1,
            minor_number: i32::MIN,
            ..rpc::Version::default()
        };
        assert_eq!(Version::from(answer), Version::new(0, 0, 0));
    }
}
