//! Mount tables, as `/proc/PID/mountinfo` shows them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::host::Host;

/// One mount. See proc_pid_mountinfo(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// The number of the mount.
    pub(crate) id: u32,
    /// The number of the mount that it is on: unlike names, which may be exchanged, that stays.
    pub(crate) parent: u32,
    /// `major:minor` of the file system.
    pub(crate) device: String,
    /// The directory of the file system that is shown.
    pub(crate) root: PathBuf,
    /// Where.
    pub(crate) target: PathBuf,
    /// Options of the mount.
    pub(crate) options: String,
    /// Propagation.
    pub(crate) propagation: String,
    /// Type of the file system.
    pub(crate) kind: String,
}

/// The mounts that a process sees; `pid` may be `thread-self`.
pub(crate) fn of(pid: &str) -> Vec<Mount> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("read mountinfo"))
}

/// Reads a mount table.
pub(crate) fn parse(text: &str) -> Vec<Mount> {
    text.lines()
        .map(|line| {
            let (before, after) = line
                .split_once(" - ")
                .unwrap_or_else(|| panic!("a line of mountinfo: {line:?}"));
            let fields: Vec<&str> = before.split(' ').collect();
            Mount {
                id: fields[0].parse().expect("a number of a mount"),
                parent: fields[1].parse().expect("a number of a mount"),
                device: fields[2].to_owned(),
                root: fields[3].into(),
                target: fields[4].into(),
                options: fields[5].to_owned(),
                propagation: fields[6..].join(" "),
                kind: after.split(' ').next().unwrap_or_default().to_owned(),
            }
        })
        .collect()
}

/// The mount on the entry `name` of another mount's top directory, whatever that one is called by
/// now.
pub(crate) fn on<'a>(mounts: &'a [Mount], below: &Mount, name: &str) -> Option<&'a Mount> {
    mounts
        .iter()
        .find(|mount| mount.parent == below.id && mount.target.file_name() == Some(name.as_ref()))
}

/// Fails if a mount of a container shows something of the host that is in none of the `allowed`
/// directories.
///
/// Such a mount is known by its device: that of a file system of the host. What is new in the
/// container (its procfs, its tmpfs) has a device of its own. Control groups are the host's, and
/// sysfs may be.
#[track_caller]
pub(crate) fn nothing_foreign(host: &Host, mounts: &[Mount], allowed: &[&Path], what: &str) {
    let devices: BTreeSet<&str> = host
        .mounts()
        .iter()
        .map(|mount| mount.device.as_str())
        .collect();
    let allowed: Vec<(String, PathBuf)> = allowed.iter().map(|path| place(host, path)).collect();
    for mount in mounts {
        if mount.kind.starts_with("cgroup")
            || mount.kind == "sysfs"
            || !devices.contains(mount.device.as_str())
        {
            continue;
        }
        let fits = allowed
            .iter()
            .any(|(device, root)| *device == mount.device && mount.root.starts_with(root));
        assert!(fits, "{what}: a mount shows the host: {mount:?}");
    }
}

/// The file system and the place in it of a path of the host.
fn place(host: &Host, path: &Path) -> (String, PathBuf) {
    let path = path.canonicalize().expect("a path of this test");
    let mount = host
        .mounts()
        .iter()
        .rev()
        .filter(|mount| path.starts_with(&mount.target))
        .max_by_key(|mount| mount.target.components().count())
        .expect("every path is in a mount");
    let inside = path.strip_prefix(&mount.target).expect("checked");
    (mount.device.clone(), mount.root.join(inside))
}
