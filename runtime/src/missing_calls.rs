//! Which of the system calls that this program cannot do without are missing: from a kernel that
//! is older than Linux 5.10, or by a seccomp(2) filter around this program that is older than they
//! are.

use std::error::Error;
use std::{fmt, io};

use crate::error::{ErrorKind, Result};
use crate::sys;

/// The calls, as syscalls(2) names them, for which there is no other way. `docs/kernel-features.md`
/// says since when they are there.
const NEEDED: [(&str, libc::c_long); 10] = [
    ("openat2", libc::SYS_openat2),
    ("open_tree", libc::SYS_open_tree),
    ("move_mount", libc::SYS_move_mount),
    ("fsopen", libc::SYS_fsopen),
    ("fsconfig", libc::SYS_fsconfig),
    ("fsmount", libc::SYS_fsmount),
    ("fspick", libc::SYS_fspick),
    ("pidfd_open", libc::SYS_pidfd_open),
    ("pidfd_send_signal", libc::SYS_pidfd_send_signal),
    ("pidfd_getfd", libc::SYS_pidfd_getfd),
];

/// Refuses to make a container where the calls are missing that end one (`delete`, `kill`). Making
/// one takes none of them, and what is made has to go again.
pub(crate) fn require_what_ends_a_container() -> Result<()> {
    if [libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal].map(sys::is_missing) == [false; 2] {
        return Ok(());
    }
    let error = io::Error::from_raw_os_error(libc::ENOSYS);
    Err(crate::Error::with(
        ErrorKind::Unsupported,
        "a container could be made, but not ended",
        error,
    ))
}

/// An `ENOSYS`, with the names of the calls that it can have come from.
pub(crate) struct MissingCalls {
    names: Vec<&'static str>,
    source: Box<dyn Error + Send + Sync>,
}

impl MissingCalls {
    /// Says what is missing here, in front of an error that is an `ENOSYS`. If nothing of what is
    /// always needed is, the error itself says what can be said.
    pub(crate) fn explain(source: Box<dyn Error + Send + Sync>) -> Box<dyn Error + Send + Sync> {
        let missing = NEEDED.iter().filter(|(_, call)| sys::is_missing(*call));
        let names: Vec<_> = missing.map(|(name, _)| *name).collect();
        if names.is_empty() {
            return source;
        }
        Box::new(Self { names, source })
    }
}

impl fmt::Display for MissingCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names.join(", ");
        write!(
            f,
            "Linux 5.10 or newer is needed, and no filter may hide it: there is no {names}"
        )
    }
}

impl fmt::Debug for MissingCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MissingCalls")
            .field("names", &self.names)
            .field("source", &self.source)
            .finish()
    }
}

impl Error for MissingCalls {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_there_is_said_to_be_missing() {
        // The tests need all of it.
        for (name, call) in NEEDED {
            assert!(!sys::is_missing(call), "{name}");
        }
        assert!(sys::is_missing(i32::MAX.into()));
        let error = io::Error::from_raw_os_error(libc::ENOSYS);
        let text = error.to_string();
        assert_eq!(MissingCalls::explain(Box::new(error)).to_string(), text);
    }

    #[test]
    fn the_names_stand_in_front_of_the_error() {
        let error = MissingCalls {
            names: vec!["openat2", "fsopen"],
            source: io::Error::from_raw_os_error(libc::ENOSYS).into(),
        };
        let error = crate::Error::system("open a file", error);
        assert!(
            error
                .chain()
                .starts_with("open a file: Linux 5.10 or newer is needed"),
            "{error:#}"
        );
        assert!(error.chain().contains("no openat2, fsopen: "), "{error:#}");
        assert_eq!(error.raw_os_error(), Some(libc::ENOSYS));
    }
}
