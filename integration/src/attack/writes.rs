//! What a command writes to, makes and removes in file systems, as system calls show it.
//!
//! A file that is opened for writing is taken from the descriptor that the kernel has given, so it
//! is the one that is written to, whatever name led there; a name that is made or removed is taken
//! with the directory in which it is. Standard streams and what else a process has inherited are
//! not opened, and mounts are no files.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use libc::{c_int, c_long, user_regs_struct};
use nix::unistd::Pid;
use rustix::fs::statfs;

/// What is done with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// Opened for writing.
    Write,
    /// Opened for writing, and made where it is not there.
    Create,
    /// A directory, device node or FIFO, a link or another name of a file is made.
    Make,
    /// Removed, or given another name.
    Remove,
    /// Its mode, owner, length or times are set.
    Change,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write => "write",
            Self::Create => "create",
            Self::Make => "make",
            Self::Remove => "remove",
            Self::Change => "change",
        })
    }
}

/// One deed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Written {
    /// Where: a path on the host. On a mount that the host has not it is the path that the kernel
    /// has for it, and before it a colon and `proc`, `sysfs`, `cgroup`, `cgroup2` or, for all that
    /// hold ordinary files, `private`. Files without a name are `pipe`, `socket` and the like.
    pub place: String,
    /// What.
    pub deed: Deed,
}

/// The mounts of the machine; every other mount is a container's.
#[derive(Debug)]
pub(super) struct HostMounts(BTreeSet<u64>);

impl HostMounts {
    /// Those of the calling thread.
    pub(super) fn read() -> io::Result<Self> {
        let table = fs::read_to_string("/proc/thread-self/mountinfo")?;
        let numbers = table.lines().filter_map(|line| line.split(' ').next());
        Ok(Self(numbers.filter_map(|id| id.parse().ok()).collect()))
    }
}

/// A system call that writes if it succeeds.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The answer is a descriptor.
    Opens(Deed),
    /// These are known at the entry.
    Does(Vec<Written>),
}

/// Where in the arguments of a system call a path is.
#[derive(Clone, Copy)]
enum At {
    /// A path.
    Path(usize),
    /// A descriptor of a directory, and a path.
    In(usize, usize),
    /// A descriptor of the file itself.
    File(usize),
}

/// The system calls that make, remove or change, with the place of each.
const CALLS: &[(c_long, Deed, At)] = &[
    (libc::SYS_mkdir, Deed::Make, At::Path(0)),
    (libc::SYS_mkdirat, Deed::Make, At::In(0, 1)),
    (libc::SYS_mknod, Deed::Make, At::Path(0)),
    (libc::SYS_mknodat, Deed::Make, At::In(0, 1)),
    (libc::SYS_symlink, Deed::Make, At::Path(1)),
    (libc::SYS_symlinkat, Deed::Make, At::In(1, 2)),
    (libc::SYS_link, Deed::Make, At::Path(1)),
    (libc::SYS_linkat, Deed::Make, At::In(2, 3)),
    (libc::SYS_rename, Deed::Remove, At::Path(0)),
    (libc::SYS_rename, Deed::Make, At::Path(1)),
    (libc::SYS_renameat, Deed::Remove, At::In(0, 1)),
    (libc::SYS_renameat, Deed::Make, At::In(2, 3)),
    (libc::SYS_renameat2, Deed::Remove, At::In(0, 1)),
    (libc::SYS_renameat2, Deed::Make, At::In(2, 3)),
    (libc::SYS_rmdir, Deed::Remove, At::Path(0)),
    (libc::SYS_unlink, Deed::Remove, At::Path(0)),
    (libc::SYS_unlinkat, Deed::Remove, At::In(0, 1)),
    (libc::SYS_truncate, Deed::Change, At::Path(0)),
    (libc::SYS_ftruncate, Deed::Change, At::File(0)),
    (libc::SYS_chmod, Deed::Change, At::Path(0)),
    (libc::SYS_fchmod, Deed::Change, At::File(0)),
    (libc::SYS_fchmodat, Deed::Change, At::In(0, 1)),
    (SYS_FCHMODAT2, Deed::Change, At::In(0, 1)),
    (libc::SYS_chown, Deed::Change, At::Path(0)),
    (libc::SYS_lchown, Deed::Change, At::Path(0)),
    (libc::SYS_fchown, Deed::Change, At::File(0)),
    (libc::SYS_fchownat, Deed::Change, At::In(0, 1)),
    (libc::SYS_utimensat, Deed::Change, At::In(0, 1)),
    (libc::SYS_setxattr, Deed::Change, At::Path(0)),
    (libc::SYS_lsetxattr, Deed::Change, At::Path(0)),
    (libc::SYS_fsetxattr, Deed::Change, At::File(0)),
    (libc::SYS_removexattr, Deed::Change, At::Path(0)),
    (libc::SYS_lremovexattr, Deed::Change, At::Path(0)),
    (libc::SYS_fremovexattr, Deed::Change, At::File(0)),
];

/// Linux 6.6.
const SYS_FCHMODAT2: c_long = 452;

/// A process that is stopped at the entry of a system call.
struct Stopped<'a> {
    pid: Pid,
    arguments: [u64; 6],
    host: &'a HostMounts,
}

/// What the process is about to do; `None`: nothing of this kind.
pub(super) fn attempt(
    pid: Pid,
    registers: &user_regs_struct,
    host: &HostMounts,
) -> io::Result<Option<Attempt>> {
    let stopped = Stopped {
        pid,
        arguments: [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r10,
            registers.r8,
            registers.r9,
        ],
        host,
    };
    let number = c_long::try_from(registers.orig_rax).unwrap_or(-1);
    let flags = match number {
        libc::SYS_open => Some(stopped.arguments[1]),
        libc::SYS_openat => Some(stopped.arguments[2]),
        libc::SYS_creat => Some(u64::from((libc::O_CREAT | libc::O_WRONLY).cast_unsigned())),
        // The first member of `struct open_how`.
        libc::SYS_openat2 => Some(stopped.word(stopped.arguments[2])?),
        _ => None,
    };
    if let Some(flags) = flags {
        return Ok(opens(flags).map(Attempt::Opens));
    }
    let calls = CALLS.iter().filter(|(call, _, _)| *call == number);
    let mut found = Vec::new();
    for (_, deed, at) in calls {
        let place = stopped.place(*at)?;
        found.push(Written { place, deed: *deed });
    }
    Ok((!found.is_empty()).then_some(Attempt::Does(found)))
}

impl Attempt {
    /// What is done when the call has answered.
    pub(super) fn done(self, pid: Pid, answer: u64, host: &HostMounts) -> Vec<Written> {
        let answer = i64::from_ne_bytes(answer.to_ne_bytes());
        match self {
            _ if answer < 0 => Vec::new(),
            Self::Does(found) => found,
            Self::Opens(deed) => {
                let place = of_descriptor(pid, answer, host);
                vec![Written { place, deed }]
            }
        }
    }
}

/// Whether a file is opened for writing by these flags.
fn opens(flags: u64) -> Option<Deed> {
    let has = |flag: c_int| flags & u64::from(flag.cast_unsigned()) != 0;
    if has(libc::O_PATH) {
        None
    } else if has(libc::O_CREAT) {
        Some(Deed::Create)
    } else if has(libc::O_WRONLY) || has(libc::O_RDWR) || has(libc::O_TRUNC) {
        Some(Deed::Write)
    } else {
        None
    }
}

impl Stopped<'_> {
    fn place(&self, at: At) -> io::Result<String> {
        Ok(match at {
            At::File(of) => of_descriptor(self.pid, self.descriptor(of), self.host),
            At::Path(of) => self.below(i64::from(libc::AT_FDCWD), &self.text(of)?),
            At::In(directory, of) => self.below(self.descriptor(directory), &self.text(of)?),
        })
    }

    /// A descriptor is an `int`: what is above it in the register is anything.
    fn descriptor(&self, argument: usize) -> i64 {
        let [a, b, c, d, ..] = self.arguments[argument].to_ne_bytes();
        i64::from(c_int::from_ne_bytes([a, b, c, d]))
    }

    /// A path, as it is given: absolute, or below a directory.
    fn below(&self, directory: i64, path: &Path) -> String {
        let process = PathBuf::from(format!("/proc/{}", self.pid));
        if path.as_os_str().is_empty() {
            return of_descriptor(self.pid, directory, self.host);
        }
        let start = if path.is_absolute() {
            // The root of a process is "/" for itself and where it is for others.
            of_link(&process.join("root"), None, self.host)
        } else if directory == i64::from(libc::AT_FDCWD) {
            of_link(&process.join("cwd"), None, self.host)
        } else {
            of_descriptor(self.pid, directory, self.host)
        };
        let mut place = start;
        for component in path.components() {
            match component {
                Component::ParentDir => place.push_str("/.."),
                Component::Normal(name) => {
                    if !place.ends_with('/') {
                        place.push('/');
                    }
                    place.push_str(&name.to_string_lossy());
                }
                _ => {}
            }
        }
        place
    }

    fn memory(&self) -> io::Result<File> {
        File::open(format!("/proc/{}/mem", self.pid))
    }

    fn word(&self, address: u64) -> io::Result<u64> {
        let mut word = [0; 8];
        self.memory()?.read_exact_at(&mut word, address)?;
        Ok(u64::from_ne_bytes(word))
    }

    fn text(&self, argument: usize) -> io::Result<PathBuf> {
        use std::os::unix::ffi::OsStringExt;
        let memory = self.memory()?;
        let mut address = self.arguments[argument];
        let mut text = Vec::new();
        let mut byte = [0];
        while text.len() < libc::PATH_MAX as usize {
            memory.read_exact_at(&mut byte, address)?;
            if byte == [0] {
                break;
            }
            text.extend(byte);
            address += 1;
        }
        Ok(std::ffi::OsString::from_vec(text).into())
    }
}

fn of_descriptor(pid: Pid, number: i64, host: &HostMounts) -> String {
    let information = format!("/proc/{pid}/fdinfo/{number}");
    let mount = fs::read_to_string(information).ok().and_then(|text| {
        let number = text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
        number.trim().parse().ok()
    });
    let link = PathBuf::from(format!("/proc/{pid}/fd/{number}"));
    of_link(&link, mount, host)
}

/// What a link of procfs leads to.
fn of_link(link: &Path, mount: Option<u64>, host: &HostMounts) -> String {
    let Ok(target) = fs::read_link(link) else {
        return format!("unknown:{}", link.display());
    };
    let target = target.to_string_lossy().into_owned();
    let target = target.strip_suffix(" (deleted)").unwrap_or(&target);
    if let Some((kind, _)) = target.split_once(":[") {
        return kind.to_owned();
    }
    if target.starts_with("/memfd:") {
        return target.trim_start_matches('/').to_owned();
    }
    let mount = mount.or_else(|| mount_of(link));
    if mount.is_some_and(|mount| host.0.contains(&mount)) {
        return target.to_owned();
    }
    let kind = statfs(link).map_or("private", |found| file_system(found.f_type));
    format!("{kind}:{target}")
}

/// The number of the mount that a link leads to (statx(2), Linux 5.8).
fn mount_of(link: &Path) -> Option<u64> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
    let found = statx(CWD, link, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
    Some(found.stx_mnt_id)
}

/// A file system of the kernel by its number (statfs(2)). Others hold files, which the machine may
/// have on a disk or in memory.
fn file_system(number: i64) -> &'static str {
    match number {
        0x9fa0 => "proc",
        0x6265_6572 => "sysfs",
        0x27_e0eb => "cgroup",
        0x6367_7270 => "cgroup2",
        _ => "private",
    }
}
