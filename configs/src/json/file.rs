//! Reading a document from a file whose name comes from outside.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::{Errno, read};

use super::MAX_SIZE;
use crate::{Error, ErrorKind, Result};

/// Reads the file at `path`, up to [`MAX_SIZE`] bytes.
///
/// Anything but a regular file is refused: reading a FIFO, a terminal or a device could wait for
/// ever, or take something that others wait for. Nothing is waited for on opening either.
///
/// # Errors
/// [`ErrorKind::NotFound`] with the message `open PATH` if it is not there, [`ErrorKind::Io`] if it
/// cannot be read or is not a regular file, [`ErrorKind::TooLarge`].
pub fn read_file(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    read_at(CWD, path.as_ref(), MAX_SIZE)
}

/// The same below a directory, with another limit.
pub(crate) fn read_at(directory: impl AsFd, path: &Path, max_size: u64) -> Result<Vec<u8>> {
    let name = path.display();
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = openat(directory, path, flags, Mode::empty()).map_err(|errno| {
        let kind = match errno {
            Errno::NOENT | Errno::NOTDIR => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        Error::new(kind, format!("open {name}")).because_io(errno.into())
    })?;
    let failed = |errno: Errno| {
        Error::new(ErrorKind::Io, format!("cannot read {name}")).because_io(errno.into())
    };
    let stat = fstat(&file).map_err(failed)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if !kind.is_file() {
        let message = format!("{name} is {}, not a regular file", kind_name(kind));
        return Err(Error::new(ErrorKind::Io, message));
    }
    let too_large = || {
        Error::new(
            ErrorKind::TooLarge,
            format!("{name} is larger than {max_size} bytes"),
        )
    };
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    if size > max_size {
        return Err(too_large());
    }
    // One byte more than there should be: a shorter answer then says that it was the end.
    let mut text = Vec::with_capacity(usize::try_from(size).unwrap_or_default().max(4095) + 1);
    loop {
        if text.len() == text.capacity() {
            text.reserve(text.len());
        }
        let count = read(&file, spare_capacity(&mut text)).map_err(failed)?;
        if text.len() as u64 > max_size {
            return Err(too_large());
        }
        // Files of kernel file systems have no size.
        if count == 0 || (size > 0 && text.len() as u64 == size) {
            return Ok(text);
        }
    }
}

fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a directory",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice => "a character device",
        FileType::BlockDevice => "a block device",
        _ => "of another type",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_regular_file_is_read_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("document");
        for size in [0, 1, 4095, 4096, 4097, 300_000] {
            let text = vec![b'x'; size];
            std::fs::write(&path, &text).unwrap();
            assert_eq!(read_file(&path).unwrap(), text);
        }
        // Without a size.
        let own = read_file("/proc/self/status").unwrap();
        assert!(own.starts_with(b"Name:"));
    }

    #[test]
    fn what_is_no_regular_file_is_named_and_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mkfifoat(CWD, &fifo, Mode::RUSR).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("fifo", &link).unwrap();
        for (path, kind) in [
            (fifo.as_path(), "a FIFO"),
            (link.as_path(), "a FIFO"),
            (directory.path(), "a directory"),
            (Path::new("/dev/zero"), "a character device"),
        ] {
            let error = read_file(path).unwrap_err();
            let expected = format!("{} is {kind}, not a regular file", path.display());
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.kind(), ErrorKind::Io);
        }
        let socket = directory.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(read_file(&socket).unwrap_err().raw_os_error(), Some(6));
    }

    #[test]
    fn the_limit_is_about_what_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("document");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_at(CWD, &path, 5).unwrap(), b"12345");
        let error = read_at(CWD, &path, 4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let error = read_at(CWD, Path::new("/proc/self/status"), 4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn a_missing_file_is_named_with_what_was_tried() {
        for path in ["/nonexistent/document", "/dev/null/document"] {
            let error = read_file(path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert_eq!(error.to_string(), format!("open {path}"));
        }
    }
}
