//! What the kernel says of the session, the namespaces, the root and the mounts of a process that
//! is about to become the program, compared with the configuration.
//!
//! A seccomp filter around this program can answer some calls with success without the kernel doing
//! anything: chosen by an argument, so that the calls that are made in vain
//! (`pretending_filter.rs`) do not meet it. It cannot make up what `/proc/PID` shows.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use configs::Config;
use configs::config::{MountFlags, NamespaceType};
use nsenter::Procfs;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;

use super::mount_table::{MountTable, Mounted};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{cleaned_path, inside_of_rootfs, is_remount, placed_paths};
use crate::system::System;

/// The flags of a mount that protect, as `proc_pid_mountinfo(5)` shows them.
const PROTECTING: [(MountFlags, &str); 4] = [
    (MountFlags::RDONLY, "ro"),
    (MountFlags::NOSUID, "nosuid"),
    (MountFlags::NODEV, "nodev"),
    (MountFlags::NOEXEC, "noexec"),
];

/// How often a path is resolved again because something was renamed meanwhile.
const ATTEMPTS: u32 = 100;

/// Fails if the process `pid` has no session of its own, lacks a namespace of the configuration or,
/// where it is the init process (`container` is `None`) and has a mount namespace, its root or a
/// mount. One that joins a container is in the namespaces of the process `container`.
///
/// The kernel shows all but the session of a process that is not dumpable to those alone who have
/// `CAP_SYS_PTRACE` (proc(5)): for an ordinary user nothing is compared.
pub(crate) fn verify(
    system: &System,
    config: &Config,
    pid: u32,
    container: Option<u32>,
) -> Result<()> {
    let procfs = system.procfs()?;
    match missing(procfs, config, pid, container)? {
        None => Ok(()),
        Some(what) => Err(Error::new(
            ErrorKind::Init,
            format!(
                "a seccomp filter answers for the kernel: {what}, which is not what was asked for"
            ),
        )),
    }
}

/// What is wrong, in words.
fn missing(
    procfs: &Procfs,
    config: &Config,
    pid: u32,
    container: Option<u32>,
) -> Result<Option<String>> {
    // A terminal of the caller takes input from its session.
    let session = |process: &str| Ok(session_of(&read(procfs, &format!("{process}/stat"))?));
    if session(&pid.to_string())? == session("thread-self")? {
        return Ok(Some("the process has no session of its own".to_owned()));
    }
    let Some(root) = root_of(procfs, pid)? else {
        return Ok(None);
    };
    if let Some(missing) = missing_namespace(procfs, config, pid, container)? {
        return Ok(Some(missing));
    }
    if container.is_some() || !config.namespaces.contains(NamespaceType::Mount) {
        return Ok(None);
    }
    let text = read(procfs, &format!("{pid}/mountinfo"))?;
    let view = View {
        procfs,
        config,
        root,
        mounts: MountTable::parse(&text),
    };
    view.missing()
}

/// The number of the session (`proc_pid_stat(5)`): the sixth field, the second of which is in
/// parentheses and may hold anything.
fn session_of(stat: &[u8]) -> Option<Vec<u8>> {
    let after = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat.get(after..)?.split(|byte| *byte == b' ');
    fields.nth(4).map(<[u8]>::to_vec)
}

fn failed(what: impl Into<String>) -> impl FnOnce(Errno) -> Error {
    move |errno| Error::system(what, errno)
}

/// The root directory of a process; `None` where the kernel does not show it.
fn root_of(procfs: &Procfs, pid: u32) -> Result<Option<OwnedFd>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat(procfs.as_fd(), format!("{pid}/root"), flags, Mode::empty()) {
        Ok(root) => Ok(Some(root)),
        Err(Errno::ACCESS | Errno::PERM) => Ok(None),
        Err(errno) => Err(failed(format!("open /proc/{pid}/root"))(errno)),
    }
}

fn read(procfs: &Procfs, path: &str) -> Result<Vec<u8>> {
    let file = openat(
        procfs.as_fd(),
        path,
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(failed(format!("open /proc/{path}")))?;
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut std::fs::File::from(file), &mut text)
        .map_err(|error| Error::system(format!("read /proc/{path}"), error))?;
    Ok(text)
}

/// What is wrong with the namespaces, in words.
fn missing_namespace(
    procfs: &Procfs,
    config: &Config,
    pid: u32,
    container: Option<u32>,
) -> Result<Option<String>> {
    let of = |process: &dyn std::fmt::Display, kind: NamespaceType| {
        let path = format!("{process}/ns/{}", kind.file_name());
        let found = rustix::fs::statat(procfs.as_fd(), &path, AtFlags::empty());
        let found = found.map_err(failed(format!("stat /proc/{path}")))?;
        Ok((found.st_dev, found.st_ino))
    };
    for namespace in &config.namespaces {
        let kind = namespace.kind;
        let found = of(&pid, kind)?;
        let is_right = if let Some(init) = container {
            found == of(&init, kind)?
        } else if namespace.path.is_empty() {
            found != of(&"thread-self", kind)?
        } else {
            let path = &namespace.path;
            let wanted = rustix::fs::stat(path.as_str())
                .map_err(failed(format!("stat the namespace {path}")))?;
            found == (wanted.st_dev, wanted.st_ino)
        };
        if !is_right {
            let name = kind.oci_name();
            return Ok(Some(format!("the process is in another {name} namespace")));
        }
    }
    Ok(None)
}

/// What the init process sees.
struct View<'a> {
    procfs: &'a Procfs,
    config: &'a Config,
    root: OwnedFd,
    mounts: MountTable,
}

/// What a path leads to.
enum Found<'a> {
    /// Nothing is there, or it cannot be said: a symbolic link of the image leads elsewhere, or a
    /// file system on the way is served by a program, which would be waited for.
    Nothing,
    /// A file, and the mount that it is on.
    Place(OwnedFd, &'a Mounted),
}

impl View<'_> {
    /// What is wrong, in words.
    fn missing(&self) -> Result<Option<String>> {
        for missing in [Self::root, Self::masks, Self::read_only_paths, Self::points] {
            if let Some(what) = missing(self)? {
                return Ok(Some(what));
            }
        }
        Ok(None)
    }

    fn root(&self) -> Result<Option<String>> {
        let path = &self.config.rootfs;
        let wanted = rustix::fs::stat(path.as_str()).map_err(failed(format!("stat {path}")))?;
        let found = fstat(&self.root).map_err(failed("stat the root of the process"))?;
        if (found.st_dev, found.st_ino) != (wanted.st_dev, wanted.st_ino) {
            return Ok(Some(format!("the root of the process is not {path}")));
        }
        let at_root: Vec<&Mounted> = self.mounts.at("/").collect();
        let [mount] = at_root[..] else {
            let count = at_root.len();
            return Ok(Some(format!(
                "{count} mounts are at the root of the process"
            )));
        };
        let is_writable = self.config.readonlyfs && !mount.is_read_only();
        Ok(is_writable.then(|| "the root is writable".to_owned()))
    }

    /// Nothing covers a mask: they are made last.
    fn masks(&self) -> Result<Option<String>> {
        for path in placed_paths(&self.config.mask_paths) {
            let Found::Place(place, mount) = self.find(&path)? else {
                continue;
            };
            let is_empty =
                mount.kind == "tmpfs" && mount.is_read_only() && mount.point == Path::new(&path);
            if !is_empty && (mount.is_served() || !is_null(&place)?) {
                return Ok(Some(format!("{path} is not hidden")));
            }
        }
        Ok(None)
    }

    fn read_only_paths(&self) -> Result<Option<String>> {
        for path in placed_paths(&self.config.readonly_paths) {
            if self.is_masked(&path) {
                continue;
            }
            if let Found::Place(_, mount) = self.find(&path)?
                && !mount.is_read_only()
            {
                return Ok(Some(format!("{path} is writable")));
            }
        }
        Ok(None)
    }

    /// The mounts of the configuration, but for those that a later one covers.
    fn points(&self) -> Result<Option<String>> {
        let mounts = &self.config.mounts;
        let point = |index: usize| {
            let mount = mounts.get(index)?;
            Some(inside_of_rootfs(&self.config.rootfs, &mount.destination))
        };
        for (index, mount) in mounts.iter().enumerate() {
            let Some(path) = point(index) else { continue };
            let mut later = (index + 1..mounts.len()).filter_map(point);
            if later.any(|later| is_at_or_above(&later, &path)) || self.is_masked(&path) {
                continue;
            }
            let Found::Place(_, found) = self.find(&path)? else {
                continue;
            };
            if found.point != Path::new(&path) {
                return Ok(Some(format!("nothing is mounted at {path}")));
            }
            // What the kernel does not let a remount clear is kept, and more is set then.
            let of_tree = mount.rec_attr.unwrap_or_default().attr_set;
            let is_asked = |flag: MountFlags| {
                // These have the number of `MOUNT_ATTR_*`.
                mount.flags.contains(flag) || of_tree & u64::from(flag.bits()) != 0
            };
            let asked = PROTECTING.iter().filter(|(flag, _)| is_asked(*flag));
            let lacks = asked.map(|(_, name)| *name).find(|name| !found.has(name));
            if let Some(name) = lacks {
                let verb = if is_remount(mount) {
                    "remounted"
                } else {
                    "mounted"
                };
                return Ok(Some(format!("{path} is not {verb} {name}")));
            }
        }
        Ok(None)
    }

    fn is_masked(&self, path: &str) -> bool {
        let masks = &self.config.mask_paths;
        masks
            .iter()
            .any(|mask| is_at_or_above(&cleaned_path(mask), path))
    }

    fn find(&self, path: &str) -> Result<Found<'_>> {
        if self.mounts.is_below_a_served_one(path) {
            return Ok(Found::Nothing);
        }
        let what = || format!("look at {path} in the container");
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
        let mut attempts = 0;
        let place = loop {
            match openat2(&self.root, path, flags, Mode::empty(), inside) {
                Err(Errno::AGAIN | Errno::INTR) if attempts < ATTEMPTS => attempts += 1,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Found::Nothing),
                place => break place.map_err(failed(what()))?,
            }
        };
        let number = place.as_raw_fd();
        let information = read(self.procfs, &format!("thread-self/fdinfo/{number}"))?;
        let mount = self.mounts.of_descriptor(&information);
        mount
            .map(|mount| Found::Place(place, mount))
            .ok_or_else(|| Error::new(ErrorKind::Init, format!("{}: its mount is unknown", what())))
    }
}

fn is_null(place: &OwnedFd) -> Result<bool> {
    let stat = fstat(place).map_err(failed("stat a path of the container"))?;
    let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    Ok(is_device && stat.st_rdev == rustix::fs::makedev(1, 3))
}

/// Both are clean and absolute.
fn is_at_or_above(upper: &str, lower: &str) -> bool {
    Path::new(lower).starts_with(upper)
}

#[cfg(test)]
mod tests {
    use configs::config::Mount;

    use super::*;

    /// What is said of a process in the place of an init process, or of one that has joined: it is
    /// in the namespaces of this process.
    fn said(config: &Config, container: Option<u32>) -> String {
        let mut command = std::process::Command::new("setsid");
        command.args(["sh", "-c", "echo; exec sleep 1000"]);
        let mut child = command
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // It is in its session when it speaks.
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let found = verify(&System::default(), config, child.id(), container);
        child.kill().unwrap();
        child.wait().unwrap();
        match found {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_session_of_the_caller_is_told() {
        let found = verify(
            &System::default(),
            &Config::default(),
            std::process::id(),
            None,
        );
        let text = found.unwrap_err().to_string();
        assert!(text.contains("has no session of its own"), "{text}");
        assert_eq!(session_of(b"7 (a) b) S 1 7 9 0"), Some(b"9".to_vec()));
    }

    #[test]
    fn a_namespace_is_new_or_the_one_that_is_joined() {
        let mut config = Config::default();
        assert_eq!(said(&config, None), "");
        config.namespaces.set(NamespaceType::Uts, "");
        assert!(said(&config, None).contains("is in another uts namespace"));
        assert_eq!(said(&config, Some(std::process::id())), "");
        config
            .namespaces
            .set(NamespaceType::Uts, "/proc/thread-self/ns/uts");
        assert_eq!(said(&config, None), "");
        config
            .namespaces
            .set(NamespaceType::Uts, "/proc/thread-self/ns/net");
        assert!(said(&config, None).contains("is in another uts namespace"));
    }

    /// The process is not in a container, so that nothing is as one has it.
    #[test]
    fn the_root_and_each_mount_have_to_be_there() {
        let mut config = Config {
            rootfs: "/".to_owned(),
            mask_paths: vec!["/dev/null".to_owned(), "/no/such/file".to_owned()],
            ..Config::default()
        };
        let path = "/proc/thread-self/ns/mnt";
        config.namespaces.set(NamespaceType::Mount, path);
        let mount = |destination: &str| Mount {
            destination: destination.to_owned(),
            ..Mount::default()
        };
        config.mounts = vec![mount("/proc/tty"), mount("/proc")];
        assert_eq!(said(&config, None), "");
        config.mounts.push(mount("/proc/tty"));
        assert!(said(&config, None).contains("nothing is mounted at /proc/tty"));
        config.mask_paths.push("/proc/tty".to_owned());
        assert!(said(&config, None).contains("/proc/tty is not hidden"));
        config.rootfs = "/proc".to_owned();
        assert!(said(&config, None).contains("the root of the process is not /proc"));
    }
}
