//! `/proc/PID/cgroup` and the cgroup lines of `/proc/PID/mountinfo` (cgroups(7), proc(5)).

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
                mount_point: mount.mount_point,
                root: PathBuf::from(mount.root),
                options: options.collect(),
            })
        })
        .collect()
}
