//! `/proc/PID/cgroup` and the cgroup lines of `/proc/PID/mountinfo` (cgroups(7), proc(5)).

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use procfs::process::MountInfo;

use crate::{Error, ErrorKind, Result};

/// In which cgroup of each hierarchy a process is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Membership {
    /// The hierarchies as the file lists them: their controllers, and the path. The list of cgroup
    /// v2 is one empty name, that of a named v1 hierarchy is `name=NAME`.
    pub(crate) hierarchies: Vec<(Vec<String>, PathBuf)>,
}

impl Membership {
    /// Reads the lines `ID:CONTROLLER,…:PATH`; the path may contain colons.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut hierarchies = Vec::new();
        for line in text.lines() {
            let mut fields = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) =
                (fields.next(), fields.next(), fields.next())
            else {
                return Err(Error::new(
                    ErrorKind::Parse,
                    format_args!("invalid line {line:?} in /proc/self/cgroup"),
                ));
            };
            let controllers = controllers.split(',').map(str::to_owned).collect();
            hierarchies.push((controllers, PathBuf::from(path)));
        }
        Ok(Self { hierarchies })
    }

    /// The path for one controller; the empty name is cgroup v2.
    pub(crate) fn path_of(&self, controller: &str) -> Option<&PathBuf> {
        self.hierarchies
            .iter()
            .find(|(controllers, _)| controllers.iter().any(|name| name == controller))
            .map(|(_, path)| path)
    }
}

/// One mount of a cgroup v1 hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct V1Mount {
    /// Where it is mounted.
    pub(crate) mount_point: PathBuf,
    /// Which directory of the hierarchy is mounted there.
    pub(crate) root: PathBuf,
    /// The options of the superblock: controllers and `name=NAME` among others.
    pub(crate) options: Vec<String>,
}

/// The cgroup v1 mounts of a mountinfo file. Lines about other file systems are not looked at.
pub(crate) fn v1_mounts(mountinfo: &str) -> Result<Vec<V1Mount>> {
    mountinfo
        .lines()
        .filter(|line| line.contains(" - cgroup "))
        .map(|line| {
            let mount = MountInfo::from_line(line).map_err(|error| {
                Error::because(
                    ErrorKind::Parse,
                    format_args!("invalid line {line:?} in mountinfo"),
                    error,
                )
            })?;
            let options = mount
                .super_options
                .into_iter()
                .map(|(key, value)| match value {
                    Some(value) => format!("{key}={value}"),
                    None => key,
                });
            Ok(V1Mount {
                mount_point: unescape(mount.mount_point.as_os_str().as_bytes()),
                root: unescape(mount.root.as_bytes()),
                options: options.collect(),
            })
        })
        .collect()
}

/// Undoes the octal escapes of mountinfo: the kernel writes blank, tab, newline and backslash as a
/// backslash and three octal digits (`proc_pid_mountinfo(5)`).
fn unescape(field: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [byte, after @ ..] = rest {
        if *byte == b'\\'
            && let [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] = after
        {
            plain.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
            rest = tail;
        } else {
            plain.push(*byte);
            rest = after;
        }
    }
    PathBuf::from(OsString::from_vec(plain))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn membership() {
        let text = "12:cpu,cpuacct:/a:b\n1:name=systemd:/user.slice\n0::/user.slice\n";
        let own = Membership::parse(text).unwrap();
        assert_eq!(own.path_of("cpuacct").unwrap(), Path::new("/a:b"));
        assert_eq!(
            own.path_of("name=systemd").unwrap(),
            Path::new("/user.slice")
        );
        assert_eq!(own.path_of("").unwrap(), Path::new("/user.slice"));
        assert_eq!(own.path_of("memory"), None);
        assert!(Membership::parse("1:cpu\n").is_err());
    }

    #[test]
    fn mounts() {
        let text = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
34 31 0:31 /docker/x /sys/fs/cgroup/with\\040blank rw shared:9 - cgroup cgroup rw,cpuset
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";
        let mounts = v1_mounts(text).unwrap();
        assert_eq!(mounts.len(), 2);
        assert_eq!(
            mounts[0].mount_point,
            Path::new("/sys/fs/cgroup/with blank")
        );
        assert_eq!(mounts[0].root, Path::new("/docker/x"));
        assert!(mounts[1].options.contains(&"name=systemd".to_owned()));
        assert!(v1_mounts("1 2 x - cgroup cgroup\n").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-z:,=/ \n-]{0,60}") {
            let _ = Membership::parse(&text);
            let _ = v1_mounts(&text);
        }
    }
}
