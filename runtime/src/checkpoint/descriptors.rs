//! `descriptors.json`: where the standard streams of the init process lead, kept with the images.
//!
//! CRIU cannot make a pipe to a process outside again. At the restore the stream of the
//! new caller takes its place, by the name that the pipe has in `/proc/PID/fd`: `pipe:[INODE]`.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};

/// The file, next to the images.
pub(crate) const FILE: &str = "descriptors.json";

/// Standard input, output and error.
const STREAMS: usize = 3;

/// Three paths as JSON, with room to spare.
const LONGEST: u64 = 64 << 10;

/// A standard stream that was a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pipe {
    /// Its descriptor: 0, 1 or 2.
    pub(crate) stream: usize,
    /// What the images call it.
    pub(crate) key: String,
}

/// What the file is called until it is complete.
const NEW_FILE: &str = "descriptors.json.new";

/// Writes the file into this directory, in place of one that is there. If that fails that one
/// stays.
pub(crate) fn write(images: impl AsFd, descriptors: &[String]) -> Result<()> {
    let failed = |error| Error::system(format!("write {FILE}"), error);
    let bytes =
        serde_json::to_vec(descriptors).map_err(|error| Error::system("write JSON", error))?;
    let written = write_new(&images, &bytes);
    if written.is_err() {
        let _ = unlinkat(&images, NEW_FILE, AtFlags::empty());
    }
    written.map_err(failed)
}

fn write_new(images: impl AsFd, bytes: &[u8]) -> std::io::Result<()> {
    match unlinkat(&images, NEW_FILE, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&images, NEW_FILE, flags, Mode::RUSR | Mode::WUSR)?;
    File::from(file).write_all(bytes)?;
    renameat(&images, NEW_FILE, &images, FILE)?;
    Ok(())
}

/// Reads it. Only pipes need something in their place; the list has no others.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] if it is not such a file.
pub(crate) fn read(images: impl AsFd) -> Result<Vec<Pipe>> {
    let failed = |error| Error::system(format!("read {FILE}"), error);
    // A fifo in its place would block.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(&images, FILE, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    let stat = rustix::fs::fstat(&file).map_err(|errno| failed(errno.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(invalid("it is no regular file"));
    }
    let mut bytes = Vec::new();
    let mut reader = File::from(file).take(LONGEST + 1);
    reader.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST {
        return Err(invalid("it is too long"));
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Vec<Pipe>> {
    // Go writes an empty list as null.
    let descriptors: Option<Vec<String>> = serde_json::from_slice(bytes)
        .map_err(|error| Error::with(ErrorKind::InvalidConfig, FILE, error))?;
    let descriptors = descriptors.unwrap_or_default();
    if descriptors.len() > STREAMS {
        return Err(invalid("it has more than three descriptors"));
    }
    let streams = descriptors.into_iter().enumerate();
    Ok(streams
        .filter(|(_, key)| is_pipe(key))
        .map(|(stream, key)| Pipe { stream, key })
        .collect())
}

fn is_pipe(key: &str) -> bool {
    let inode = key
        .strip_prefix("pipe:[")
        .and_then(|rest| rest.strip_suffix(']'));
    inode.is_some_and(|inode| {
        (1..=20).contains(&inode.len()) && inode.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn invalid(why: &str) -> Error {
    Error::config(format!("{FILE}: {why}"))
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    fn directory() -> (tempfile::TempDir, OwnedFd) {
        let directory = tempfile::tempdir().unwrap();
        let open = File::open(directory.path()).unwrap().into();
        (directory, open)
    }

    #[test]
    fn pipes_are_found_again_and_nothing_else() {
        let (_directory, images) = directory();
        let streams = ["pipe:[4711]", "/dev/null", "pipe:[12]"].map(str::to_owned);
        write(&images, &streams).unwrap();
        let pipe = |stream, key: &str| Pipe {
            stream,
            key: key.to_owned(),
        };
        assert_eq!(
            read(&images).unwrap(),
            [pipe(0, "pipe:[4711]"), pipe(2, "pipe:[12]")]
        );
        write(&images, &[]).unwrap();
        assert_eq!(read(&images).unwrap(), []);
    }

    #[test]
    fn a_link_in_its_place_is_replaced_and_not_followed() {
        let (directory, images) = directory();
        let target = directory.path().join("target");
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, directory.path().join(FILE)).unwrap();
        let error = read(&images).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        write(&images, &["/dev/null".to_owned()]).unwrap();
        assert_eq!(std::fs::read_to_string(target).unwrap(), "precious");
        let written = std::fs::read_to_string(directory.path().join(FILE)).unwrap();
        assert_eq!(written, "[\"/dev/null\"]");
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_one_before() {
        let (directory, images) = directory();
        write(&images, &["/dev/null".to_owned()]).unwrap();
        // What is in its way is no file that can be replaced.
        std::fs::create_dir(directory.path().join(NEW_FILE)).unwrap();
        let error = write(&images, &[]).unwrap_err().chain();
        assert!(error.starts_with("write descriptors.json: "), "{error}");
        let written = std::fs::read_to_string(directory.path().join(FILE)).unwrap();
        assert_eq!(written, "[\"/dev/null\"]");
    }

    #[test]
    fn what_is_no_list_of_streams_is_refused() {
        for (text, why) in [
            ("{}", "descriptors.json: invalid type: map"),
            ("[1]", "descriptors.json: invalid type: integer"),
            ("[\"pipe:[1]\"", "descriptors.json: EOF"),
            (
                r#"["", "", "", "pipe:[1]"]"#,
                "descriptors.json: it has more than three descriptors",
            ),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.chain().starts_with(why), "{}", error.chain());
        }
        assert_eq!(parse(b"null").unwrap(), []);
    }

    #[test]
    fn a_path_of_the_host_is_no_pipe() {
        for key in [
            "pipe:[]",
            "pipe:[1]/..",
            "/tmp/pipe:[1]",
            "pipe:[1x]",
            "pipe:[-1]",
            "pipe:1",
            "pipe:[111111111111111111111]",
        ] {
            assert!(!is_pipe(key), "{key}");
        }
        assert!(is_pipe("pipe:[18446744073709551615]"));
    }

    #[test]
    fn what_would_block_or_never_end_is_refused() {
        let (directory, images) = directory();
        let path = directory.path().join(FILE);
        rustix::fs::mknodat(&images, FILE, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(read(&images).unwrap_err().chain().contains("no regular"));
        std::fs::remove_file(&path).unwrap();
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(read(&images).unwrap_err().chain().contains("too long"));
    }
}
