//! The few files of `/proc/PID` that this crate reads and writes.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::error::{Error, ErrorKind, Result};

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A procfs, or a directory that looks like one.
#[derive(Debug)]
pub struct Procfs {
    root: OwnedFd,
}

impl Procfs {
    /// `/proc` of this process.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if it cannot be opened.
    pub fn system() -> Result<Self> {
        openat(CWD, "/proc", DIRECTORY, Mode::empty())
            .map(|root| Self { root })
            .map_err(|e| Error::system("open /proc", e))
    }

    /// Another directory in its place: a procfs mounted elsewhere, or a tree made for a test.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if the descriptor cannot be duplicated.
    pub fn open_at(directory: impl AsFd) -> Result<Self> {
        let root = directory.as_fd().try_clone_to_owned();
        root.map(|root| Self { root })
            .map_err(|e| Error::system("duplicate the directory of a procfs", e))
    }

    /// `/proc/PID/stat`.
    ///
    /// # Errors
    /// [`ErrorKind::Process`] if the process does not exist, or if the file is not understood.
    pub fn stat(&self, pid: u32) -> Result<Stat> {
        let text = self.read_first(&format!("{pid}/stat"), 1024)?;
        Stat::parse(&text)
    }

    /// A file, read whole.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.read_to(path, None)
    }

    /// The first `count` bytes of a file whose text the kernel makes for the first read: with one
    /// call.
    fn read_first(&self, path: &str, count: usize) -> Result<Vec<u8>> {
        self.read_to(path, Some(count))
    }

    fn read_to(&self, path: &str, first: Option<usize>) -> Result<Vec<u8>> {
        let failed = |e: std::io::Error| {
            // ESRCH: the process ended between open and read.
            if e.raw_os_error() == Some(libc::ENOENT) || e.raw_os_error() == Some(libc::ESRCH) {
                Error::with_source(
                    ErrorKind::Process,
                    format!("read /proc/{path}"),
                    Box::new(e),
                )
            } else {
                Error::system(format!("read /proc/{path}"), e)
            }
        };
        let file = openat(
            &self.root,
            path,
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW,
            Mode::empty(),
        )
        .map_err(|e| failed(e.into()))?;
        if let Some(count) = first {
            let mut text = vec![0; count];
            let read = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut text));
            text.truncate(read.map_err(|e| failed(e.into()))?);
            return Ok(text);
        }
        let mut text = Vec::with_capacity(1024);
        std::fs::File::from(file)
            .take(1 << 20)
            .read_to_end(&mut text)
            .map_err(failed)?;
        Ok(text)
    }

    /// One write of the whole text, which is what the kernel wants for id maps.
    pub(crate) fn write(&self, path: &str, text: &str) -> std::io::Result<()> {
        let file = openat(
            &self.root,
            path,
            OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW,
            Mode::empty(),
        )?;
        let written = std::fs::File::from(file).write(text.as_bytes())?;
        if written == text.len() {
            Ok(())
        } else {
            Err(std::io::Error::from_raw_os_error(libc::EIO))
        }
    }

    /// Whether a path exists.
    pub(crate) fn exists(&self, path: &str) -> bool {
        rustix::fs::statat(&self.root, path, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Opens a path, following its last symlink: that is how namespace files are reached.
    pub(crate) fn open(&self, path: &str) -> Result<OwnedFd> {
        openat(
            &self.root,
            path,
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|e| Error::system(format!("open /proc/{path}"), e))
    }
}

impl AsFd for Procfs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

/// The parts of `/proc/PID/stat` (`proc_pid_stat(5)`) that tell one process from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    pid: u32,
    name: Vec<u8>,
    state: char,
    parent: u32,
    start_time: u64,
}

impl Stat {
    /// Reads the text of the file. The name is in parentheses and may itself contain
    /// parentheses and blanks: the last `)` ends it.
    ///
    /// # Errors
    /// [`ErrorKind::Process`] if the text has another form.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let bad = || {
            Error::new(
                ErrorKind::Process,
                format!("malformed process status \"{}\"", text.escape_ascii()),
            )
        };
        let number = |field: Option<&[u8]>| -> Result<u64> {
            field
                .and_then(|f| std::str::from_utf8(f).ok())
                .and_then(|f| f.parse().ok())
                .ok_or_else(bad)
        };
        let open = text.iter().position(|b| *b == b'(').ok_or_else(bad)?;
        let close = text.iter().rposition(|b| *b == b')').ok_or_else(bad)?;
        let name = text.get(open + 1..close).ok_or_else(bad)?;
        let pid = number(text.get(..open).map(<[u8]>::trim_ascii))?;
        let rest = text.get(close + 1..).ok_or_else(bad)?;
        // Fields from the third on; the start time is the 22nd.
        let mut fields = rest.trim_ascii().split(u8::is_ascii_whitespace);
        let state = match fields.next() {
            Some([state]) if state.is_ascii_alphabetic() => char::from(*state),
            _ => return Err(bad()),
        };
        let parent = number(fields.next())?;
        let start_time = number(fields.nth(17))?;
        Ok(Self {
            pid: u32::try_from(pid).map_err(|_| bad())?,
            name: name.to_vec(),
            state,
            parent: u32::try_from(parent).map_err(|_| bad())?,
            start_time,
        })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The name (`PR_SET_NAME`), any bytes.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The state letter: `R`, `S`, `D`, `Z`, `T`, …
    #[must_use]
    pub fn state(&self) -> char {
        self.state
    }

    /// The parent's process id.
    #[must_use]
    pub fn parent(&self) -> u32 {
        self.parent
    }

    /// When it started, in clock ticks since boot. With the process id it names one process, also
    /// after the id was given to another.
    #[must_use]
    pub fn start_time(&self) -> u64 {
        self.start_time
    }

    /// Whether it still runs: neither a zombie (`Z`) nor dead (`X`, `x`).
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(pid: &str, name: &str, rest: &str) -> Vec<u8> {
        format!("{pid} ({name}) {rest} 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 12 13\n")
            .into_bytes()
    }

    #[test]
    fn names_may_look_like_the_rest() {
        for name in ["sh", "a) R 1 (b", ")", "(", "", "two words"] {
            let stat = Stat::parse(&line("42", name, "S 7")).unwrap();
            assert_eq!(
                (stat.pid(), stat.name(), stat.state()),
                (42, name.as_bytes(), 'S')
            );
            assert_eq!((stat.parent(), stat.start_time()), (7, 4711));
            assert!(stat.is_alive());
        }
        assert!(!Stat::parse(&line("1", "z", "Z 0")).unwrap().is_alive());
        assert!(!Stat::parse(&line("1", "x", "X 0")).unwrap().is_alive());
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            b"".to_vec(),
            b"42 sh S 1".to_vec(),
            b"42 (sh) S 1 2 3".to_vec(),
            b"42 )sh( S 1".to_vec(),
            line("x", "sh", "S 1"),
            line("42", "sh", "SS 1"),
            line("42", "sh", "S -1"),
            line("99999999999", "sh", "S 1"),
        ] {
            let error = Stat::parse(&text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Process);
            assert!(!error.to_string().contains('\n'));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn noise_does_not_panic(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Stat::parse(&text);
        }
    }

    #[test]
    fn a_tree_can_stand_for_procfs() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("42")).unwrap();
        std::fs::write(directory.path().join("42/stat"), line("42", "name", "S 7")).unwrap();
        let procfs = Procfs::open_at(std::fs::File::open(directory.path()).unwrap()).unwrap();
        assert_eq!(procfs.stat(42).unwrap().start_time(), 4711);
        let gone = procfs.stat(43).unwrap_err();
        assert_eq!(
            (gone.kind(), gone.to_string().as_str()),
            (ErrorKind::Process, "read /proc/43/stat")
        );
    }
}
