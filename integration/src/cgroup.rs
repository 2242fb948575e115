//! The cgroup hierarchies of this machine, as the kernel shows them.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::mount::{MountFlags, mount};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
const CGROUP2: i64 = 0x6367_7270;

/// Whether a directory is on a cgroup v2 file system.
fn is_v2(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|found| found.f_type == CGROUP2)
}

/// Whether cgroup v2 is all there is.
pub fn is_unified() -> bool {
    is_v2(Path::new("/sys/fs/cgroup"))
}

/// Whether v1 controllers are mounted where they are expected.
pub fn has_v1() -> bool {
    Path::new("/sys/fs/cgroup/memory/tasks").exists()
}

/// Where cgroup v2 is mounted.
pub fn v2_mount() -> Option<PathBuf> {
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| is_v2(path))
}

/// Mounts cgroup v2 in place of all hierarchies, in the mount namespace of the calling thread,
/// which has to be its own, with private mounts.
///
/// # Panics
/// It cannot be mounted.
pub fn mount_unified() {
    let none = MountFlags::empty();
    mount("cgroup2", "/sys/fs/cgroup", "cgroup2", none, None).expect("mount cgroup v2");
}

/// The path of this program's own cgroup v2, if it has one.
pub fn own() -> Option<String> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(line.to_owned())
}

/// The path of the cgroup v2 that holds this program's own, if this user may make others there and
/// no other hierarchy is needed.
pub fn delegated() -> Option<String> {
    let own = own().filter(|_| is_unified())?;
    let (parent, _) = own.rsplit_once('/')?;
    let directory = Path::new("/sys/fs/cgroup").join(parent.trim_start_matches('/'));
    rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).ok()?;
    Some(parent.to_owned())
}

/// The mount points of all hierarchies, in the mount namespace of the calling thread.
pub fn mounts() -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/thread-self/mounts").expect("read the mount table");
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (target, kind) = (fields.next()?, fields.next()?);
            (kind.starts_with("cgroup") && target.starts_with("/sys/fs/cgroup"))
                .then(|| PathBuf::from(target))
        })
        .collect()
}

/// The directories that a cgroup path has in all hierarchies, those that exist. The root
/// belongs to no container.
pub fn directories(path: &str) -> Vec<PathBuf> {
    let relative = path.trim_start_matches('/');
    if relative.is_empty() {
        return Vec::new();
    }
    mounts()
        .into_iter()
        .map(|mount| mount.join(relative))
        .filter(|directory| directory.is_dir())
        .collect()
}

/// The processes of a cgroup, in any hierarchy.
pub fn processes(path: &str) -> Vec<Pid> {
    directories(path)
        .iter()
        .flat_map(|directory| processes_in(directory))
        .collect()
}

/// The processes in a directory of a hierarchy; none if it is gone.
fn processes_in(directory: &Path) -> Vec<Pid> {
    fs::read_to_string(directory.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?))
        .collect()
}

/// Reads a file of a cgroup: of controller `controller` on v1, of the only hierarchy on v2.
///
/// # Panics
/// It cannot be read.
#[track_caller]
pub fn read(controller: &str, path: &str, file: &str) -> String {
    let mount = if is_unified() {
        PathBuf::from("/sys/fs/cgroup")
    } else {
        Path::new("/sys/fs/cgroup").join(controller)
    };
    let file = mount.join(path.trim_start_matches('/')).join(file);
    let text =
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.trim_end().to_owned()
}

/// The directories of all hierarchies that belong to cgroups whose name begins with `prefix`, those
/// inside of others first. A runtime puts a container at most three levels below the root.
pub fn marked(prefix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for hierarchy in mounts() {
        collect_marked(&hierarchy, prefix, 3, false, &mut found);
    }
    found
}

fn collect_marked(
    directory: &Path,
    prefix: &str,
    depth: usize,
    inside: bool,
    found: &mut Vec<PathBuf>,
) {
    // Cgroups come and go while they are looked at.
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let marked = inside || entry.file_name().to_string_lossy().starts_with(prefix);
        if depth > 1 {
            collect_marked(&entry.path(), prefix, depth - 1, marked, found);
        }
        if marked {
            found.push(entry.path());
        }
    }
}

/// Kills the processes in these directories and removes them.
///
/// # Errors
/// The first directory that could not be removed before `deadline`.
pub fn remove(directories: &[PathBuf], deadline: Instant) -> io::Result<()> {
    // All of them first: they end side by side.
    for directory in directories {
        drop(kill(directory));
    }
    for directory in directories {
        loop {
            match fs::remove_dir(directory) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) if Instant::now() > deadline => {
                    let message = format!("removing {}: {error}", directory.display());
                    return Err(io::Error::new(error.kind(), message));
                }
                Err(_) => {
                    for process in kill(directory) {
                        let left = deadline.saturating_duration_since(Instant::now());
                        let mut ended = [PollFd::new(&process, PollFlags::IN)];
                        let _events = poll(&mut ended, Some(&left.try_into().unwrap_or_default()))?;
                    }
                    // Of the moment between the end of a process and its leaving the cgroup the
                    // kernel does not tell.
                    std::thread::yield_now();
                }
            }
        }
    }
    Ok(())
}

/// Kills the processes in a directory and gives a pidfd of each, which is readable when it has
/// ended.
pub fn kill(directory: &Path) -> Vec<OwnedFd> {
    // On cgroup v1 what is frozen does not end. There are no files to be made in a cgroup.
    let _no_freezer = fs::write(directory.join("freezer.state"), "THAWED");
    processes_in(directory)
        .into_iter()
        .filter_map(|pid| {
            let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
            let _ended_before = pidfd_send_signal(&process, Signal::KILL);
            Some(process)
        })
        .collect()
}
