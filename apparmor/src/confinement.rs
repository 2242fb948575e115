use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;

use rustix::fs::{Mode as FileMode, OFlags, openat};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// The attribute files of a task, the one that AppArmor has to itself first (Linux 5.8).
const ATTRIBUTES: [&str; 2] = ["attr/apparmor/current", "attr/current"];

/// How the kernel treats what a profile does not allow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// It is refused.
    Enforce,
    /// It is logged and allowed.
    Complain,
    /// The task is killed.
    Kill,
    /// The profile exists but allows everything.
    Unconfined,
    /// A program in user space decides.
    User,
    /// The parts of a stack of profiles have different modes.
    Mixed,
    /// A mode this crate has no name for.
    Other(String),
}

impl From<&str> for Mode {
    fn from(text: &str) -> Self {
        match text {
            "enforce" => Self::Enforce,
            "complain" => Self::Complain,
            "kill" => Self::Kill,
            "unconfined" => Self::Unconfined,
            "user" => Self::User,
            "mixed" => Self::Mixed,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// The AppArmor context of a task: `profile (mode)`, or `unconfined`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confinement {
    /// The profile, or a stack of profiles with `//&` in between. Bytes that are not UTF-8 are
    /// replaced.
    pub profile: String,
    /// The mode; the kernel gives none for `unconfined`.
    pub mode: Option<Mode>,
}

impl Confinement {
    /// Reads the text of `/proc/PID/attr/current`. Every text is a context; only a final ` (word)`
    /// is the mode.
    ///
    /// ```
    /// use cofferdam_apparmor::{Confinement, Mode};
    ///
    /// let context = Confinement::parse(b"docker-default (enforce)\n");
    /// assert_eq!(context.profile, "docker-default");
    /// assert_eq!(context.mode, Some(Mode::Enforce));
    /// ```
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let end = text
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(text.len());
        let text = String::from_utf8_lossy(text.get(..end).unwrap_or_default());
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let (profile, mode) = text
            .strip_suffix(')')
            .and_then(|text| text.rsplit_once(" ("))
            .filter(|(profile, mode)| !profile.is_empty() && is_word(mode))
            .map_or((text, None), |(profile, mode)| (profile, Some(mode.into())));
        Self {
            profile: profile.to_owned(),
            mode,
        }
    }

    /// The context of a task, given its directory in procfs; `None` if the kernel has no AppArmor.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub fn open_at(task: impl AsFd) -> Result<Option<Self>> {
        let task = task.as_fd();
        for path in ATTRIBUTES {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let file = match openat(task, path, flags, FileMode::empty()) {
                Ok(file) => File::from(file),
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(Error::io("open", path, errno)),
            };
            let mut text = Vec::new();
            return match file.take(64 * 1024).read_to_end(&mut text) {
                Ok(_) => Ok(Some(Self::parse(&text))),
                // No security module answers for the shared file.
                Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(None),
                Err(error) => Err(Error::io("read", path, error)),
            };
        }
        Ok(None)
    }

    /// Whether nothing restricts the task.
    #[must_use]
    pub fn is_unconfined(&self) -> bool {
        (self.profile == "unconfined" && self.mode.is_none()) || self.mode == Some(Mode::Unconfined)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforce => "enforce",
            Self::Complain => "complain",
            Self::Kill => "kill",
            Self::Unconfined => "unconfined",
            Self::User => "user",
            Self::Mixed => "mixed",
            Self::Other(text) => text,
        })
    }
}

/// `profile (mode)`, the form of the kernel.
impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.profile)?;
        match &self.mode {
            Some(mode) => write!(f, " ({mode})"),
            None => Ok(()),
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn parse(text: &str) -> (String, Option<Mode>) {
        let context = Confinement::parse(text.as_bytes());
        (context.profile, context.mode)
    }

    #[test]
    fn contexts() {
        assert_eq!(parse("unconfined\n"), ("unconfined".into(), None));
        assert_eq!(parse("a (complain)"), ("a".into(), Some(Mode::Complain)));
        assert_eq!(
            parse("a//&b (mixed)\n"),
            ("a//&b".into(), Some(Mode::Mixed))
        );
        assert_eq!(parse("a (x) (kill)\n"), ("a (x)".into(), Some(Mode::Kill)));
        assert_eq!(
            parse("a (new)"),
            ("a".into(), Some(Mode::Other("new".into())))
        );
        assert_eq!(parse("a (b c)"), ("a (b c)".into(), None));
        assert_eq!(
            parse("a (enforce)\0junk"),
            ("a".into(), Some(Mode::Enforce))
        );
        assert_eq!(parse(""), (String::new(), None));
    }

    #[test]
    fn unconfined_has_two_forms() {
        assert!(Confinement::parse(b"unconfined").is_unconfined());
        assert!(Confinement::parse(b"snap (unconfined)").is_unconfined());
        assert!(!Confinement::parse(b"unconfined (enforce)").is_unconfined());
        assert!(!Confinement::parse(b"docker-default (enforce)").is_unconfined());
    }

    #[test]
    fn a_name_that_begins_as_unconfined_is_another_one() {
        for text in [
            "unconfined_x (enforce)",
            "unconfined_x",
            "unconfined (complain)",
            "u",
            "",
        ] {
            let context = Confinement::parse(text.as_bytes());
            assert!(!context.is_unconfined(), "{text:?}");
        }
    }

    /// A file that gives its text in several pieces is read to its end: its beginning could be
    /// another name.
    #[test]
    fn a_short_read_is_not_the_end() {
        use std::io::Write;
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("attr")).unwrap();
        let path = directory.path().join("attr/current");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let writer = std::thread::spawn(move || {
            let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
            for piece in ["u", "nconfined", "_x (enforce)\n"] {
                file.write_all(piece.as_bytes()).unwrap();
                std::thread::yield_now();
            }
        });
        let task = File::open(directory.path()).unwrap();
        let context = Confinement::open_at(task).unwrap().unwrap();
        writer.join().unwrap();
        assert_eq!(context.profile, "unconfined_x");
        assert_eq!(context.mode, Some(Mode::Enforce));
    }

    #[test]
    fn the_file_of_its_own_goes_first() {
        let directory = tempfile::tempdir().unwrap();
        let read = || Confinement::open_at(File::open(directory.path()).unwrap()).unwrap();
        assert_eq!(read(), None);
        fs::create_dir_all(directory.path().join("attr/apparmor")).unwrap();
        fs::write(directory.path().join("attr/current"), "shared (enforce)\n").unwrap();
        assert_eq!(read().unwrap().profile, "shared");
        fs::write(
            directory.path().join("attr/apparmor/current"),
            "own (enforce)\n",
        )
        .unwrap();
        assert_eq!(read().unwrap().profile, "own");
    }

    #[test]
    fn this_task_can_be_asked() {
        let own = Confinement::open_at(File::open("/proc/thread-self").unwrap()).unwrap();
        if !crate::AppArmor::system().unwrap().is_enabled()
            && !std::path::Path::new("/sys/fs/selinux/enforce").exists()
        {
            assert_eq!(own, None);
        }
    }

    proptest! {
        #[test]
        fn a_printed_context_reads_back(profile in "[a-zA-Z/(][a-zA-Z/ ()&.-]{0,20}", mode in "[a-z]{1,9}") {
            let context = Confinement { profile, mode: Some(mode.as_str().into()) };
            let again = Confinement::parse(context.to_string().as_bytes());
            prop_assert_eq!(again, context);
        }

        #[test]
        fn any_bytes_end(bytes in any::<Vec<u8>>()) {
            let _ = Confinement::parse(&bytes);
        }
    }
}
