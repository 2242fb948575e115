//! Descriptors that this process inherited from the one that started it.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;

use crate::error::{Error, Result};
use crate::sys;

/// The numbers of the descriptors that were open when a program started, so that what a caller
/// passed on purpose can be distinguished from what the program opened itself.
#[derive(Clone, Debug, Default)]
pub struct InheritedDescriptors {
    numbers: BTreeSet<i32>,
}

impl InheritedDescriptors {
    /// Takes the snapshot. Call it first in `main`, before anything else opens a file. All but the
    /// standard streams become close-on-exec.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System) if `/proc/self/fd` cannot be read.
    pub fn snapshot() -> Result<Self> {
        let failed = |error| Error::system("list the inherited descriptors", error);
        let mut listed = BTreeSet::new();
        for entry in fs::read_dir("/proc/thread-self/fd").map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            listed.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
        }
        // The directory just read was one of them; it is closed by now and its number is free
        // again.
        let mut numbers = BTreeSet::new();
        for number in listed {
            if sys::duplicate(number).map_err(failed)?.is_some() {
                numbers.insert(number);
            }
        }
        // What is passed on is passed by duplicates, nothing by accident.
        sys::keep_descriptors();
        Ok(Self { numbers })
    }

    /// Whether this number was open.
    #[must_use]
    pub fn contains(&self, number: i32) -> bool {
        self.numbers.contains(&number)
    }

    /// Duplicates of `count` inherited descriptors from number `first` on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) with the text
    /// `unable to stat preserved-fd I (of N)` if one was not inherited.
    pub fn duplicate(&self, first: i32, count: u32) -> Result<Vec<OwnedFd>> {
        let mut taken = Vec::new();
        for index in 0..count {
            let missing = || {
                Error::config(format!(
                    "unable to stat preserved-fd {index} (of {count}): no such descriptor was passed"
                ))
            };
            let number = i32::try_from(index)
                .ok()
                .and_then(|index| first.checked_add(index))
                .ok_or_else(missing)?;
            if !self.contains(number) {
                return Err(missing());
            }
            let descriptor = sys::duplicate(number)
                .map_err(|error| Error::system("duplicate an inherited descriptor", error))?;
            taken.push(descriptor.ok_or_else(missing)?);
        }
        Ok(taken)
    }

    /// Takes an inherited descriptor over: nothing else of this process holds it then. `None` if
    /// it was not inherited. The standard streams stay where they are.
    #[cfg(feature = "cli")]
    pub(crate) fn take(&self, number: i32) -> Result<Option<OwnedFd>> {
        if !self.contains(number) {
            return Ok(None);
        }
        sys::take_inherited(number)
            .map_err(|error| Error::system("take an inherited descriptor over", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn what_is_opened_later_was_not_inherited() {
        let before = fs::File::open("/dev/null").unwrap();
        let snapshot = InheritedDescriptors::snapshot().unwrap();
        assert!(snapshot.contains(before.as_raw_fd()));
        let copies = snapshot.duplicate(before.as_raw_fd(), 1).unwrap();
        assert_eq!(copies.len(), 1);
        // A number far above what the test opens.
        let late = rustix::io::fcntl_dupfd_cloexec(&before, 700).unwrap();
        assert!(!snapshot.contains(late.as_raw_fd()));
        let error = snapshot.duplicate(late.as_raw_fd(), 2).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("unable to stat preserved-fd 0 (of 2)"),
            "{error}"
        );
    }

    #[test]
    fn what_was_inherited_goes_no_further_by_itself() {
        use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};
        let null = fs::File::open("/dev/null").unwrap();
        // As a parent without close-on-exec would leave it.
        let inherited = fcntl_dupfd_cloexec(&null, 600).unwrap();
        fcntl_setfd(&inherited, FdFlags::empty()).unwrap();
        let snapshot = InheritedDescriptors::snapshot().unwrap();
        assert!(snapshot.contains(inherited.as_raw_fd()));
        assert_eq!(fcntl_getfd(&inherited).unwrap(), FdFlags::CLOEXEC);
        for stream in 0..3 {
            assert!(snapshot.contains(stream));
        }
    }

    #[test]
    fn numbers_that_overflow_are_refused() {
        let none = InheritedDescriptors::default();
        assert!(none.duplicate(i32::MAX, 2).is_err());
        assert!(none.duplicate(3, 0).unwrap().is_empty());
    }
}
