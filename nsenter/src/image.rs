//! The stub's executable.
//!
//! It is executed from a sealed memory file: `/proc/PID/exe` leads to a file that no process can
//! open for writing, and to nothing of the host.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::fs::{
    CWD, MemfdFlags, Mode, OFlags, SealFlags, StatVfsMountFlags, fchmod, fcntl_add_seals, fstat,
    fstatvfs, memfd_create, openat,
};
use rustix::io::Errno;

use crate::error::{Error, Result};

const STUB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/cofferdam-init"));
/// Read and execute for everybody, so that the stub can be executed whatever identity it is started
/// with; not writable.
const MODE: Mode = Mode::from_raw_mode(0o511);

/// A memory file and what identifies it.
#[derive(Debug)]
struct Sealed {
    file: OwnedFd,
    device: u64,
    inode: u64,
}

static SEALED: OnceLock<Sealed> = OnceLock::new();

/// An executable with the stub.
#[derive(Debug)]
pub(crate) enum Image {
    /// The sealed memory file of this process.
    Shared(&'static OwnedFd),
    /// A file made for one start.
    Own(OwnedFd),
}

impl AsFd for Image {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Shared(file) => file.as_fd(),
            Self::Own(file) => file.as_fd(),
        }
    }
}

/// The sealed memory file that all starts of this process share, and whether it was made just now.
fn shared() -> Result<(&'static OwnedFd, bool)> {
    if let Some(sealed) = SEALED.get() {
        return Ok((&sealed.file, false));
    }
    let file =
        sealed_copy().map_err(|e| Error::system("make the memory file of the init stub", e))?;
    let stat =
        fstat(&file).map_err(|e| Error::system("look at the memory file of the init stub", e))?;
    // Another thread may have been faster; its file is as good.
    let sealed = SEALED.get_or_init(|| Sealed {
        file,
        device: stat.st_dev,
        inode: stat.st_ino,
    });
    Ok((&sealed.file, true))
}

/// The image for one start: the shared one, or one of its own where memory files cannot be
/// executed.
pub(crate) fn image() -> Result<Image> {
    match shared() {
        Ok((file, true)) => Ok(Image::Shared(file)),
        Ok((file, false)) => {
            // A host may have closed all its descriptors, ours too, and opened others under the
            // same number.
            let same = SEALED.get().is_some_and(|sealed| {
                fstat(file)
                    .is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (sealed.device, sealed.inode))
            });
            if same {
                return Ok(Image::Shared(file));
            }
            sealed_copy()
                .map(Image::Own)
                .map_err(|e| Error::system("make the memory file of the init stub", e))
        }
        Err(error) => match unlinked_copy() {
            Some(file) => Ok(Image::Own(file)),
            None => Err(error),
        },
    }
}

fn sealed_copy() -> std::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match memfd_create(c"cofferdam-init", flags | MemfdFlags::EXEC) {
        // Before Linux 6.3 the flag does not exist, and every memory file is executable.
        Err(Errno::INVAL) => memfd_create(c"cofferdam-init", flags)?,
        result => result?,
    };
    let mut file = std::fs::File::from(file);
    file.write_all(STUB)?;
    fchmod(&file, MODE)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    // F_SEAL_EXEC: Linux 6.3.
    if fcntl_add_seals(&file, seals | SealFlags::from_bits_retain(0x20)).is_err() {
        fcntl_add_seals(&file, seals)?;
    }
    Ok(file.into())
}

/// Where memory files may not be executed: a file without a name, which only this start uses.
fn unlinked_copy() -> Option<OwnedFd> {
    ["/run", "/dev/shm", "/tmp", "/var/tmp"]
        .into_iter()
        .find_map(|directory| unlinked_copy_in(directory).ok())
}

fn unlinked_copy_in(directory: &str) -> std::io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut writer = std::fs::File::from(openat(CWD, directory, flags, Mode::RWXU)?);
    writer.write_all(STUB)?;
    fchmod(&writer, MODE)?;
    let path = format!("/proc/thread-self/fd/{}", writer.as_raw_fd());
    // A file that is open for writing cannot be executed.
    let reader = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    drop(writer);
    if fstatvfs(&reader)?
        .f_flag
        .contains(StatVfsMountFlags::NOEXEC)
    {
        return Err(Errno::ACCESS.into());
    }
    Ok(reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stub_is_small_and_static() {
        assert!(STUB.len() <= 100 << 10, "the stub has {} bytes", STUB.len());
        assert_eq!(STUB.get(..4), Some(b"\x7fELF".as_slice()));
        // ET_EXEC: no interpreter, no relocation.
        assert_eq!(crate::wire::u16_at(STUB, 16), Some(2));
        assert_eq!(crate::wire::u16_at(STUB, 18), Some(crate::wire::MACHINE));
    }

    /// Each program header: offset, and what a loader does with it.
    #[test]
    fn no_segment_is_both_writable_and_executable() {
        let table = usize::try_from(crate::wire::u64_at(STUB, 32).unwrap()).unwrap();
        let count = usize::from(crate::wire::u16_at(STUB, 56).unwrap());
        let mut loaded = 0;
        for index in 0..count {
            let at = table + 56 * index;
            let (kind, flags) = (
                crate::wire::u32_at(STUB, at).unwrap(),
                crate::wire::u32_at(STUB, at + 4).unwrap(),
            );
            assert_ne!(kind, 3, "an interpreter is asked for");
            assert_ne!(flags & 3, 3, "segment {index} is writable and executable");
            loaded += u32::from(kind == 1);
        }
        assert!(loaded >= 2, "nothing is loaded");
    }

    #[test]
    fn the_image_is_sealed_and_shared() {
        let (one, _) = shared().unwrap();
        let seals = rustix::fs::fcntl_get_seals(one).unwrap();
        assert!(
            seals
                .contains(SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)
        );
        assert!(rustix::io::write(one, b"x").is_err());
        let (again, new) = shared().unwrap();
        assert!(std::ptr::eq(one, again) && !new);
        assert!(matches!(image().unwrap(), Image::Shared(file) if std::ptr::eq(file, one)));
    }

    /// The stub alone, with a plan in a memory file and a file in place of its channel.
    #[test]
    fn a_plan_that_is_not_sealed_is_not_begun() {
        use crate::wire::{Message, Packet};
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let (stub, said) = (directory.path().join("stub"), directory.path().join("said"));
        std::fs::write(&stub, STUB).unwrap();
        std::fs::set_permissions(&stub, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut builder = crate::plan::PlanBuilder::new();
        builder.push("end", crate::plan::Op::Exit);
        let plan = builder.build().unwrap();
        let all = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        for (seals, begun) in [
            (all, true),
            (SealFlags::empty(), false),
            (all.difference(SealFlags::WRITE), false),
            (all.difference(SealFlags::SHRINK), false),
        ] {
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
            let mut file = std::fs::File::from(memfd_create(c"plan", flags).unwrap());
            file.write_all(plan.as_bytes()).unwrap();
            fcntl_add_seals(&file, seals).unwrap();
            let status = std::process::Command::new("sh")
                .args(["-c", r#"exec "$0" 3 3<"$1" 4>"$2""#])
                .arg(&stub)
                .arg(format!(
                    "/proc/{}/fd/{}",
                    std::process::id(),
                    file.as_raw_fd()
                ))
                .arg(&said)
                .status()
                .unwrap();
            let said = std::fs::read(&said).unwrap();
            let (packet, _) = Packet::decode(&said).unwrap();
            if begun {
                assert_eq!(packet.message, Message::Done);
                assert_eq!(status.code(), Some(0));
            } else {
                assert_eq!(packet.message, Message::NotBegun);
                assert_eq!(packet.value, libc::EBADMSG.unsigned_abs());
                assert_eq!(status.code(), Some(255));
            }
        }
    }

    #[test]
    fn without_memory_files_a_nameless_file_serves() {
        let file = unlinked_copy().expect("one of the directories takes it");
        assert_eq!(fstat(&file).unwrap().st_nlink, 0);
        assert_eq!(
            fstat(&file).unwrap().st_size,
            i64::try_from(STUB.len()).unwrap()
        );
        assert!(rustix::io::write(&file, b"x").is_err());
    }
}
