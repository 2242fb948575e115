//! The mounts that a process sees (`proc_pid_mountinfo(5)`).

use std::path::{Path, PathBuf};

use crate::plan::unescape;

/// The lines of `mountinfo`.
#[derive(Debug)]
pub(super) struct MountTable(Vec<Mounted>);

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mounted {
    id: u64,
    /// Where it is, seen from the root of the process.
    pub(super) point: PathBuf,
    /// Type of the file system.
    pub(super) kind: String,
    /// Options of the mount, and of its file system.
    options: [String; 2],
}

impl Mounted {
    /// Whether the mount, or its file system, has this option.
    pub(super) fn has(&self, option: &str) -> bool {
        self.options
            .iter()
            .any(|options| options.split(',').any(|one| one == option))
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.has("ro")
    }

    /// Whether a program answers what is asked of the file system, or does not (`fuse(4)`).
    pub(super) fn is_served(&self) -> bool {
        self.kind.starts_with("fuse")
    }
}

impl MountTable {
    /// Reads the file. A line that is not as documented is left out.
    pub(super) fn parse(text: &[u8]) -> Self {
        let lines = text.split(|byte| *byte == b'\n');
        Self(lines.filter_map(mounted).collect())
    }

    /// The mounts at a path, which cover each other.
    pub(super) fn at(&self, path: &str) -> impl Iterator<Item = &Mounted> {
        self.0
            .iter()
            .filter(move |one| one.point == Path::new(path))
    }

    /// Whether the way to a path leads through a file system that a program serves.
    pub(super) fn is_below_a_served_one(&self, path: &str) -> bool {
        let path = Path::new(path);
        let above = |one: &Mounted| path != one.point && path.starts_with(&one.point);
        self.0.iter().any(|one| one.is_served() && above(one))
    }

    /// The mount of a descriptor by what `/proc/PID/fdinfo` says of that.
    pub(super) fn of_descriptor(&self, information: &[u8]) -> Option<&Mounted> {
        let text = std::str::from_utf8(information).ok()?;
        let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
        let id: u64 = id.trim().parse().ok()?;
        self.0.iter().find(|one| one.id == id)
    }
}

fn mounted(line: &[u8]) -> Option<Mounted> {
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let mut fields = line.split(|byte| *byte == b' ');
    let id = text(fields.next()?).parse().ok()?;
    let point = unescape(fields.nth(3)?);
    let of_mount = text(fields.next()?);
    let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = text(rest.next()?);
    let of_file_system = text(rest.nth(1).unwrap_or_default());
    Some(Mounted {
        id,
        point,
        kind,
        options: [of_mount, of_file_system],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"100 99 254:0 /r / rw,nodev shared:7 - ext4 /dev/vda ro,errors=x\n\
        101 100 0:5 / /a\\040b rw,nosuid - fuse.sshfs x rw\n\
        102 100 0:6 / / rw - tmpfs tmpfs rw\n\
        not a mount\n";

    #[test]
    fn mounts_are_found_by_path_and_by_descriptor() {
        let table = MountTable::parse(TEXT);
        assert_eq!(table.at("/").count(), 2);
        let [mount] = table.at("/a b").collect::<Vec<_>>()[..] else {
            panic!("{table:?}");
        };
        assert_eq!(table.of_descriptor(b"pos:\t0\nmnt_id:\t101\n"), Some(mount));
        assert_eq!(table.of_descriptor(b"pos:\t0\nmnt_id:\t10\n"), None);
        assert_eq!(table.of_descriptor(b""), None);
    }

    #[test]
    fn options_are_those_of_the_mount_and_of_the_file_system() {
        let table = MountTable::parse(TEXT);
        let root = table.at("/").next().unwrap();
        assert!(root.is_read_only() && root.has("nodev") && !root.has("node"));
        assert!(!table.at("/a b").next().unwrap().is_read_only());
    }

    #[test]
    fn a_file_system_of_a_program_is_not_walked_through() {
        let table = MountTable::parse(TEXT);
        assert!(table.is_below_a_served_one("/a b/c"));
        assert!(!table.is_below_a_served_one("/a b"));
        assert!(!table.is_below_a_served_one("/a bc"));
    }
}
