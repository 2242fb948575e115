use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawMode, Stat};
use rustix::io::Errno;

use crate::{Access, Error, ErrorKind, Kind, Result, Rule};

/// A device node: what it is, where it belongs and who owns it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device {
    /// Where the node is, or shall be, inside the root file system (`/dev/null`).
    pub path: PathBuf,
    /// Block, character or FIFO.
    pub kind: Kind,
    /// Major number; 0 for a FIFO.
    pub major: u32,
    /// Minor number; 0 for a FIFO.
    pub minor: u32,
    /// Permission bits, without the file type.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Device {
    /// The rule that allows `access` to exactly this device.
    #[must_use]
    pub fn rule(&self, access: Access) -> Rule {
        Rule::allow(self.kind, Some(self.major), Some(self.minor), access)
    }

    /// The device number of makedev(3).
    #[must_use]
    pub fn rdev(&self) -> u64 {
        rustix::fs::makedev(self.major, self.minor)
    }

    /// What mknod(2) takes as mode: permission bits and file type.
    #[must_use]
    pub fn mknod_mode(&self) -> u32 {
        (self.mode & 0o7777) | self.kind.file_type().unwrap_or(0)
    }
}

/// Describes the device node at `path` of the calling process's file system.
///
/// The path is looked at with lstat(2): a symbolic link is not a device.
///
/// # Errors
/// [`ErrorKind::NotADevice`] (`not a device node`) for any other file type, [`ErrorKind::Io`]
/// when lstat fails.
pub fn from_path(path: &Path) -> Result<Device> {
    let stat = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| Error::io(format_args!("lstat {}", path.display()), errno))?;
    from_stat(path, &stat)
}

/// Describes the device node that `fd` refers to (`O_PATH` is enough) and calls it `path`.
///
/// # Errors
/// As [`from_path`].
pub fn from_fd(fd: impl AsFd, path: &Path) -> Result<Device> {
    let stat = rustix::fs::fstat(fd)
        .map_err(|errno| Error::io(format_args!("fstat {}", path.display()), errno))?;
    from_stat(path, &stat)
}

fn from_stat(path: &Path, stat: &Stat) -> Result<Device> {
    let kind = match FileType::from_raw_mode(stat.st_mode as RawMode) {
        FileType::BlockDevice => Kind::Block,
        FileType::CharacterDevice => Kind::Char,
        FileType::Fifo => Kind::Fifo,
        _ => return Err(Error::new(ErrorKind::NotADevice, "not a device node")),
    };
    let number = |number: u32| if kind == Kind::Fifo { 0 } else { number };
    Ok(Device {
        path: path.to_owned(),
        kind,
        major: number(rustix::fs::major(stat.st_rdev)),
        minor: number(rustix::fs::minor(stat.st_rdev)),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
    })
}

/// Directories below `/dev` that hold other things than the host's devices.
const SKIPPED_DIRECTORIES: [&str; 7] =
    ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"];

/// How deep [`walk`] follows directories; the deepest in use are `/dev/bus/usb/001` and the like.
const MAX_DEPTH: usize = 32;

/// Lists the block and character devices in the calling process's `/dev`.
///
/// # Errors
/// As [`walk`].
pub fn host() -> Result<Vec<Device>> {
    let dev = rustix::fs::open(
        "/dev",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|errno| Error::io("open /dev", errno))?;
    walk(dev, Path::new("/dev"))
}

/// Lists the block and character devices below the directory `dev`, which is called `prefix` in
/// the paths of the result.
///
/// Left out, at any depth: the directories `pts`, `shm`, `fd`, `mqueue`, `.lxc`, `.lxd-mounts` and
/// `.udev`, files called `console` (the container gets its own), FIFOs, everything that is not a
/// device, and what vanishes while it is being looked at. Symbolic links are not followed. The
/// order is that of the path names.
///
/// # Errors
/// [`ErrorKind::Io`] when a directory cannot be read for another reason than that it vanished.
pub fn walk(dev: impl AsFd, prefix: &Path) -> Result<Vec<Device>> {
    let mut found = Vec::new();
    walk_directory(dev, prefix, 0, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk_directory(
    directory: impl AsFd,
    prefix: &Path,
    depth: usize,
    found: &mut Vec<Device>,
) -> Result<()> {
    let directory = directory.as_fd();
    let failed = |errno| Error::io(format_args!("read directory {}", prefix.display()), errno);
    for entry in rustix::fs::Dir::read_from(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Ok(text) = name.to_str() else { continue };
        if text == "." || text == ".." || text == "console" {
            continue;
        }
        let path = prefix.join(text);
        let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(Error::io(format_args!("lstat {}", path.display()), errno)),
        };
        match FileType::from_raw_mode(stat.st_mode as RawMode) {
            FileType::Directory => {
                if SKIPPED_DIRECTORIES.contains(&text) || depth == MAX_DEPTH {
                    continue;
                }
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match rustix::fs::openat(directory, name, flags, Mode::empty()) {
                    Ok(child) => walk_directory(child, &path, depth + 1, found)?,
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    Err(errno) => {
                        return Err(Error::io(format_args!("open {}", path.display()), errno));
                    }
                }
            }
            FileType::BlockDevice | FileType::CharacterDevice => {
                found.push(from_stat(&path, &stat)?);
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn dev_null_is_described() {
        let null = from_path(Path::new("/dev/null")).unwrap();
        assert_eq!((null.kind, null.major, null.minor), (Kind::Char, 1, 3));
        assert_eq!(null.mode & !0o7777, 0);
        let file = fs::File::open("/dev/null").unwrap();
        assert_eq!(from_fd(&file, Path::new("/dev/null")).unwrap(), null);
        assert_eq!(null.rule(Access::READ).to_string(), "c 1:3 r");
        assert_eq!(null.mknod_mode() & 0o170_000, 0o020_000);
    }

    #[test]
    fn only_devices_are_devices() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("null");
        symlink("/dev/null", &link).unwrap();
        for path in [directory.path(), &link] {
            let error = from_path(path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotADevice);
            assert_eq!(error.to_string(), "not a device node");
        }
        let missing = from_path(&directory.path().join("none")).unwrap_err();
        assert_eq!(missing.raw_os_error(), Some(2));
    }

    fn mknod(path: &Path, kind: FileType, major: u32, minor: u32) -> rustix::io::Result<()> {
        rustix::fs::mknodat(
            CWD,
            path,
            kind,
            Mode::from_raw_mode(0o600),
            rustix::fs::makedev(major, minor),
        )
    }

    #[test]
    fn walk_skips_what_is_not_a_host_device() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for directory in ["pts", "shm", "bus", "bus/usb", "bus/.udev"] {
            fs::create_dir(at(directory)).unwrap();
        }
        fs::write(at("file"), "").unwrap();
        symlink("/dev/null", at("link")).unwrap();
        symlink("/dev", at("loop")).unwrap();
        mknod(&at("fifo"), FileType::Fifo, 0, 0).unwrap();
        let dev = fs::File::open(root.path()).unwrap();
        assert_eq!(walk(&dev, Path::new("/dev")).unwrap(), []);

        // Creating a device needs CAP_MKNOD; without it the test ends here.
        if mknod(&at("bus/usb/1"), FileType::CharacterDevice, 189, 1).is_err() {
            println!("skipped: mknod is not permitted");
            return;
        }
        for path in ["console", "bus/console", "pts/0", "bus/.udev/x"] {
            mknod(&at(path), FileType::CharacterDevice, 5, 1).unwrap();
        }
        mknod(&at("sda"), FileType::BlockDevice, 8, 0).unwrap();
        let found = walk(&dev, Path::new("/dev")).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|device| (device.path.to_str().unwrap(), device.kind, device.major))
            .collect();
        assert_eq!(
            names,
            [
                ("/dev/bus/usb/1", Kind::Char, 189),
                ("/dev/sda", Kind::Block, 8)
            ]
        );
    }

    #[test]
    fn a_fifo_is_a_node_without_numbers() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pipe");
        mknod(&path, FileType::Fifo, 0, 0).unwrap();
        let fifo = from_path(&path).unwrap();
        assert_eq!((fifo.kind, fifo.major, fifo.minor), (Kind::Fifo, 0, 0));
        assert_eq!(fifo.mknod_mode(), 0o010_600);
    }
}
