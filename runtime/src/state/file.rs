//! The state file of a container: read whole or not at all, replaced in one step.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::directory::{EARLIER, STATE, StateDirectory};
use super::encoded::to_json;
use crate::error::{Error, ErrorKind, Result};
use crate::state::record::{Record, State};

/// A larger file is not accepted as a state file. (A configuration of some hundred mounts takes 100
/// KiB.)
const MAX_STATE: u64 = 64 << 20;

/// Most state files are smaller.
const USUAL: usize = 16 << 10;

/// What there is to go by when a container is removed.
#[derive(Debug)]
pub(crate) enum Remains {
    /// The record. `damage` says why it is an earlier one that knows no init process, if it is.
    Record {
        /// What is on record.
        record: Box<Record>,
        /// What is the matter with the state file.
        damage: Option<Error>,
    },
    /// No container was recorded here yet, or everything of it was removed.
    Nothing,
    /// There was a record, and it cannot be read.
    Lost(Error),
}

/// How a new state file takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placing {
    /// An error if one exists.
    First,
    /// Over the old one.
    Over,
    /// The old one is kept under another name, where the file system can exchange files.
    KeepingEarlier,
}

impl StateDirectory {
    /// Writes the state file of a new container: an error if it exists.
    pub(super) fn write_first(&self, state: &impl Serialize) -> Result<()> {
        self.put(state, Placing::First)
    }

    /// Reads the state file: all of it ([`State`]) or the part that `T` names.
    pub(crate) fn read_state<T: DeserializeOwned>(&self) -> Result<T> {
        self.read(STATE)
    }

    /// Reads what short commands need of the state file.
    pub(crate) fn read_record(&self) -> Result<Record> {
        self.read_by(STATE, Record::from_json)
    }

    /// Reads the state file or, if that is damaged or missing, the earlier one.
    pub(crate) fn read_either<T: DeserializeOwned>(&self) -> Result<T> {
        match self.read(STATE) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::CorruptState) => {
                self.read(EARLIER).map_err(|_| error)
            }
            state => state,
        }
    }

    /// What is known of a container that is to be removed whatever is left of its files.
    pub(crate) fn remains(&self) -> Result<Remains> {
        let damage = match self.read_record() {
            Ok(record) => {
                return Ok(Remains::Record {
                    record: Box::new(record),
                    damage: None,
                });
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::CorruptState) => {
                error
            }
            Err(error) => return Err(error),
        };
        let missing = damage.kind() == ErrorKind::NotFound;
        let damage = if missing {
            Error::new(
                ErrorKind::CorruptState,
                format!("{} is missing", self.file(STATE).display()),
            )
        } else {
            damage
        };
        match self.read_by(EARLIER, Record::from_json) {
            Ok(record) => Ok(Remains::Record {
                record: Box::new(record),
                damage: Some(damage),
            }),
            Err(error)
                if missing && error.kind() == ErrorKind::NotFound && self.holds_nothing()? =>
            {
                Ok(Remains::Nothing)
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::CorruptState) => {
                Ok(Remains::Lost(damage))
            }
            Err(error) => Err(error),
        }
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        self.read_by(name, |text| serde_json::from_slice(text))
    }

    fn read_by<T>(&self, name: &str, parse: impl Fn(&[u8]) -> serde_json::Result<T>) -> Result<T> {
        parse(&self.text_of(name)?).map_err(|error| {
            Error::with(
                ErrorKind::CorruptState,
                format!("read {}", self.file(name).display()),
                error,
            )
        })
    }

    /// The content of a file.
    fn text_of(&self, name: &str) -> Result<Vec<u8>> {
        let no_file = || {
            Error::new(
                ErrorKind::CorruptState,
                format!("{} is not a regular file", self.file(name).display()),
            )
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.directory, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Err(Error::no_container()),
            // A symbolic link; a socket, or a device without a driver.
            Err(Errno::LOOP | Errno::NXIO | Errno::NODEV) => return Err(no_file()),
            Err(errno) => return Err(self.failed("open", name, errno)),
        };
        let stat = rustix::fs::fstat(&file).map_err(|errno| self.failed("look at", name, errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(no_file());
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0).min(MAX_STATE);
        let text = read_whole(file, usize::try_from(size).unwrap_or(0))
            .map_err(|error| self.failed("read", name, error))?;
        if u64::try_from(text.len()).is_ok_and(|length| length > MAX_STATE) {
            return Err(Error::new(
                ErrorKind::CorruptState,
                format!(
                    "{}: larger than {MAX_STATE} bytes",
                    self.file(name).display()
                ),
            ));
        }
        Ok(text)
    }

    /// Replaces the state file: a reader gets the old or the new one.
    pub(crate) fn write_state(&self, state: &State<impl Serialize>) -> Result<()> {
        self.put(state, Placing::Over)
    }

    /// The same for the state of a container that is created. The one before, which says what was
    /// made, stays beside it.
    pub(crate) fn write_created(&self, state: &State<impl Serialize>) -> Result<()> {
        self.put(state, Placing::KeepingEarlier)
    }

    /// Records that no process is creating this container any more, although it was not finished.
    pub(crate) fn write_abandoned(&self) -> Result<()> {
        let mut state: serde_json::Value = self.read_state()?;
        if let Some(creator) = state.get_mut("creator") {
            *creator = serde_json::json!({ "pid": 0, "start": 0 });
            self.put(&state, Placing::Over)?;
        }
        Ok(())
    }

    fn put(&self, state: &impl Serialize, placing: Placing) -> Result<()> {
        let text = to_json(state, USUAL).map_err(|error| self.failed("encode", STATE, error))?;
        let name = if placing == Placing::KeepingEarlier {
            EARLIER.to_owned()
        } else {
            String::new()
        };
        let write = |name: &str, file: OwnedFd| -> io::Result<()> {
            File::from(file).write_all(&text)?;
            Ok(self.place(name, placing)?)
        };
        let (name, file) = self
            .new_file(name)
            .map_err(|errno| self.write_failed(errno.into()))?;
        write(&name, file).map_err(|error| {
            let _ = rustix::fs::unlinkat(&self.directory, &name, AtFlags::empty());
            if placing == Placing::First && error.kind() == io::ErrorKind::AlreadyExists {
                Error::container_exists()
            } else {
                self.write_failed(error)
            }
        })
    }

    fn write_failed(&self, error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::NotFound {
            Error::no_container()
        } else {
            self.failed("write", STATE, error)
        }
    }

    /// A file that was not there, of this name or, if that is empty, of any.
    fn new_file(&self, mut name: String) -> Result<(String, OwnedFd), Errno> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        const ATTEMPTS: u32 = 100;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fixed = !name.is_empty();
        for _ in 0..ATTEMPTS {
            if !fixed {
                // Unique among all threads; a process of the same pid, long gone or in another pid
                // namespace, may have left a file.
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                name = format!("state-{}-{number}", std::process::id());
            }
            match rustix::fs::openat(&self.directory, &name, flags, Mode::RUSR | Mode::WUSR) {
                Err(Errno::EXIST) if fixed => {
                    rustix::fs::unlinkat(&self.directory, &name, AtFlags::empty())?;
                }
                Err(Errno::EXIST) => {}
                file => return Ok((name, file?)),
            }
        }
        Err(Errno::EXIST)
    }

    /// Gives a complete file the name of the state file.
    fn place(&self, name: &str, placing: Placing) -> Result<(), Errno> {
        let own = &self.directory;
        let flags = match placing {
            Placing::First => RenameFlags::NOREPLACE,
            Placing::Over => RenameFlags::empty(),
            Placing::KeepingEarlier => RenameFlags::EXCHANGE,
        };
        match rustix::fs::renameat_with(own, name, own, STATE, flags) {
            // A file system without such renames.
            Err(Errno::INVAL | Errno::NOSYS) if placing == Placing::First => {
                rustix::fs::linkat(own, name, own, STATE, AtFlags::empty())?;
                rustix::fs::unlinkat(own, name, AtFlags::empty())
            }
            Err(Errno::INVAL | Errno::NOSYS) if placing == Placing::KeepingEarlier => {
                rustix::fs::renameat(own, name, own, STATE)
            }
            done => done,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn failed(
        &self,
        what: &str,
        name: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::system(format!("{what} {}", self.file(name).display()), source)
    }
}

/// Reads a regular file that is `size` bytes long: mostly with one call, since a read that does not
/// fill the buffer has reached the end. At most one byte more than is accepted.
fn read_whole(file: OwnedFd, size: usize) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(size.saturating_add(1));
    let count = rustix::io::retry_on_intr(|| {
        rustix::io::read(&file, rustix::buffer::spare_capacity(&mut text))
    })?;
    if count != size {
        let rest = (MAX_STATE + 1).saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        File::from(file).take(rest).read_to_end(&mut text)?;
    }
    Ok(text)
}
