//! The numbers that errors had in libcontainer.

use super::{Error, ErrorKind};

/// A moment in the life of libcontainer, by which its numbers of errors are known.
///
/// They are the values of `ErrorCode` in its `error.go`. Later releases, from 2021 on, have error
/// values in place of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Era {
    /// libcontainer 1.4, of December 2014: the first interface with containers.
    December2014,
    /// libcontainer 2.2, of June 2015.
    June2015,
    /// libcontainer as a part of runc, from 1.0.0-rc1 of June 2016 to 1.0.0-rc10 of February 2020.
    June2016,
}

impl Era {
    /// All of them, the oldest first.
    pub const ALL: [Self; 3] = [Self::December2014, Self::June2015, Self::June2016];
}

impl ErrorKind {
    /// The number of this kind in an era; `None` for a state that it had no number for. What has
    /// no number of its own in any era is a failure of the system.
    #[must_use]
    pub const fn legacy_code(self, era: Era) -> Option<u8> {
        let [december_2014, june_2015, june_2016] = match self {
            Self::AlreadyExists => [Some(0), Some(0), Some(0)],
            Self::InvalidId => [Some(1), Some(1), Some(1)],
            Self::NotFound => [Some(2), Some(2), Some(2)],
            Self::Paused => [Some(3), Some(3), Some(3)],
            Self::StillRunning => [None, Some(4), Some(4)],
            Self::NotRunning => [None, Some(5), Some(5)],
            Self::NotPaused => [None, None, Some(6)],
            Self::InvalidConfig => [Some(4), Some(7), Some(8)],
            Self::Unsupported
            | Self::InvalidState
            | Self::CgroupInUse
            | Self::CgroupNotFound
            | Self::OomKilled
            | Self::Hook
            | Self::CorruptState
            | Self::Timeout
            | Self::Criu
            | Self::Init
            | Self::System => [Some(5), Some(8), Some(10)],
        };
        match era {
            Era::December2014 => december_2014,
            Era::June2015 => june_2015,
            Era::June2016 => june_2016,
        }
    }
}

impl Error {
    /// The number of its [kind](ErrorKind::legacy_code) in an era of libcontainer.
    #[must_use]
    pub fn legacy_code(&self, era: Era) -> Option<u8> {
        self.kind().legacy_code(era)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind with its numbers: in December 2014, June 2015 and June 2016.
    const TABLE: [(ErrorKind, [Option<u8>; 3]); 19] = {
        use ErrorKind as Kind;
        const SYSTEM: [Option<u8>; 3] = [Some(5), Some(8), Some(10)];
        [
            (Kind::AlreadyExists, [Some(0), Some(0), Some(0)]),
            (Kind::InvalidId, [Some(1), Some(1), Some(1)]),
            (Kind::NotFound, [Some(2), Some(2), Some(2)]),
            (Kind::Paused, [Some(3), Some(3), Some(3)]),
            (Kind::StillRunning, [None, Some(4), Some(4)]),
            (Kind::NotRunning, [None, Some(5), Some(5)]),
            (Kind::NotPaused, [None, None, Some(6)]),
            (Kind::InvalidConfig, [Some(4), Some(7), Some(8)]),
            (Kind::Unsupported, SYSTEM),
            (Kind::InvalidState, SYSTEM),
            (Kind::CgroupInUse, SYSTEM),
            (Kind::CgroupNotFound, SYSTEM),
            (Kind::OomKilled, SYSTEM),
            (Kind::Hook, SYSTEM),
            (Kind::CorruptState, SYSTEM),
            (Kind::Timeout, SYSTEM),
            (Kind::Criu, SYSTEM),
            (Kind::Init, SYSTEM),
            (Kind::System, SYSTEM),
        ]
    };

    #[test]
    fn every_kind_has_the_number_of_each_era() {
        for (kind, numbers) in TABLE {
            let found = Era::ALL.map(|era| Error::new(kind, "").legacy_code(era));
            assert_eq!(found, numbers, "{kind:?}");
        }
    }

    #[test]
    fn the_number_stays_when_an_error_gets_a_context() {
        let error = Error::new(ErrorKind::Paused, "container paused").context("delete");
        assert_eq!(error.legacy_code(Era::June2015), Some(3));
    }
}
