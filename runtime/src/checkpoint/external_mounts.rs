//! The mounts of a container that come from the host: CRIU leaves out what is on them, and at the
//! restore mounts the host's own again.
//!
//! Each has a key that the images store instead of its source. At the dump CRIU is given `mount
//! point` and `key`, at the restore `key` and `source`, both of which are written into one text,
//! `mnt[LEFT]:RIGHT`. A key is never a text that the file system of the container decides: it comes
//! from the configuration, and so does the source that it names.

use std::path::PathBuf;

use configs::Config;
use configs::config::NamespaceType;

use crate::error::{Error, Result};
use crate::plan::{CgroupView, cleaned_path, inside_of_rootfs, is_remount, placed_paths};

/// What masked files show.
const NULL: &str = "/dev/null";

/// A mount that comes from outside of the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExternalMount {
    /// What the images call it.
    ///
    /// It is the destination where that can be, since other runtimes call it so as well. All masks
    /// of files have the same one.
    pub(crate) key: String,
    /// Where it is, cleaned, as seen from the root of the container. Symbolic links of the image
    /// may lead elsewhere from there.
    pub(crate) destination: String,
    /// What it shows, on the host.
    pub(crate) source: PathBuf,
    /// What it was made for.
    pub(crate) kind: ExternalKind,
}

/// What an [`ExternalMount`] was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExternalKind {
    /// A bind mount of the configuration.
    Bind,
    /// A hierarchy of cgroup v1 below a mount of type `cgroup`.
    Cgroup,
    /// A device node, by its index in `devices`: a mount only where the kernel lets the runtime
    /// make no nodes.
    Device(usize),
    /// A masked path: a mount of `/dev/null` if it is a file, else nothing from outside.
    Mask,
}

/// The external mounts of a container with this configuration, whose mounts of type `cgroup` show
/// `view`. Of several at one destination the last is there, which hides the others.
pub(crate) fn external_mounts(config: &Config, view: &CgroupView) -> Vec<ExternalMount> {
    let mut list = List::default();
    for (index, mount) in config.mounts.iter().enumerate() {
        let destination = inside_of_rootfs(&config.rootfs, &mount.destination);
        if is_remount(mount) {
            continue;
        }
        if mount.is_bind() {
            list.add(ExternalMount {
                key: key(&destination, &mount.source, "mount", index),
                destination,
                source: PathBuf::from(&mount.source),
                kind: ExternalKind::Bind,
            });
        } else if mount.device == "cgroup" && !config.namespaces.contains(NamespaceType::Cgroup) {
            list.add_hierarchies(&destination, view, index);
        }
    }
    for (index, device) in config.devices.iter().enumerate() {
        let destination = cleaned_path(&device.path);
        if device.path.is_empty() || list.has(&destination) {
            continue;
        }
        list.add(ExternalMount {
            key: key(&destination, &destination, "device", index),
            source: PathBuf::from(&destination),
            destination,
            kind: ExternalKind::Device(index),
        });
    }
    for destination in placed_paths(&config.mask_paths) {
        list.add(ExternalMount {
            key: NULL.to_owned(),
            destination,
            source: PathBuf::from(NULL),
            kind: ExternalKind::Mask,
        });
    }
    list.0
}

/// The key of a destination. It is another text where CRIU would take the destination apart, or
/// where it is the key of masks but shows something else.
fn key(destination: &str, source: &str, kind: &str, index: usize) -> String {
    let clashes = destination == NULL && cleaned_path(source) != NULL;
    if clashes || destination.contains(['[', ']']) {
        format!("{kind}-{index}")
    } else {
        destination.to_owned()
    }
}

#[derive(Default)]
struct List(Vec<ExternalMount>);

impl List {
    /// Adds a mount, which covers one at the same destination.
    fn add(&mut self, mount: ExternalMount) {
        self.0
            .retain(|other| other.destination != mount.destination);
        self.0.push(mount);
    }

    fn has(&self, destination: &str) -> bool {
        self.0.iter().any(|other| other.destination == destination)
    }

    /// The hierarchies of cgroup v1 that a mount of type `cgroup` without a cgroup namespace binds.
    /// Those of a cgroup namespace, and v2, are mounts that CRIU makes by itself.
    fn add_hierarchies(&mut self, point: &str, view: &CgroupView, index: usize) {
        let CgroupView::Legacy(hierarchies) = view else {
            return;
        };
        for hierarchy in hierarchies.iter().filter(|own| own.own.is_absolute()) {
            let destination = format!("{point}/{}", hierarchy.directory);
            let name = format!("cgroup-{}", hierarchy.directory);
            self.add(ExternalMount {
                key: key(&destination, "", &name, index),
                destination,
                source: hierarchy.own.clone(),
                kind: ExternalKind::Cgroup,
            });
        }
    }
}

/// Fails if CRIU would take a mount point, or a key, apart where it should not: its syntax for them
/// is `mnt[LEFT]:RIGHT`.
pub(crate) fn check_syntax(what: &str, left: &str) -> Result<()> {
    if left.contains(']') {
        return Err(Error::config(format!(
            "{what} {left:?}: CRIU cannot handle a mount point with ] in its path"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use configs::config::{Device, Mount, MountFlags};

    use super::*;
    use crate::plan::LegacyHierarchy;

    const UNIFIED: CgroupView = CgroupView::Unified {
        directory: PathBuf::new(),
    };

    fn bind(source: &str, destination: &str) -> Mount {
        Mount {
            source: source.to_owned(),
            destination: destination.to_owned(),
            device: "bind".to_owned(),
            flags: MountFlags::BIND,
            ..Mount::default()
        }
    }

    fn config(mounts: Vec<Mount>) -> Config {
        Config {
            rootfs: "/bundle/rootfs".to_owned(),
            mounts,
            ..Config::default()
        }
    }

    fn device(path: &str) -> Device {
        Device {
            path: path.to_owned(),
            kind: devices::Kind::Char,
            major: 1,
            minor: 3,
            access: devices::Access::ALL,
            allow: true,
            file_mode: 0o666,
            uid: 0,
            gid: 0,
        }
    }

    /// Key, destination and source of each.
    fn list(config: &Config, view: &CgroupView) -> Vec<[String; 3]> {
        let row = |mount: ExternalMount| {
            let source = mount.source.display().to_string();
            [mount.key, mount.destination, source]
        };
        external_mounts(config, view).into_iter().map(row).collect()
    }

    #[test]
    fn bind_mounts_have_their_destination_as_key() {
        let proc = Mount {
            destination: "/proc".to_owned(),
            device: "proc".to_owned(),
            ..Mount::default()
        };
        let remount = Mount {
            flags: MountFlags::BIND.union(MountFlags::REMOUNT),
            ..bind("none", "/remounted")
        };
        let mounts = vec![
            proc,
            bind("/host/a", "/a"),
            bind("/host/b", "b//./c/"),
            bind("/host/d", "/bundle/rootfs/d"),
            bind("/host/e", "/with:colon"),
            remount,
        ];
        assert_eq!(
            list(&config(mounts), &UNIFIED),
            [
                ["/a", "/a", "/host/a"],
                ["/b/c", "/b/c", "/host/b"],
                ["/d", "/d", "/host/d"],
                ["/with:colon", "/with:colon", "/host/e"],
            ]
        );
    }

    #[test]
    fn a_later_mount_at_the_same_place_counts() {
        let mut config = config(vec![
            bind("/host/a", "/a"),
            bind("/host/b", "/b"),
            bind("/host/c", "/a/"),
        ]);
        config.mask_paths = vec!["/b".to_owned()];
        config.devices = vec![device("/a")];
        assert_eq!(
            list(&config, &UNIFIED),
            [["/a", "/a", "/host/c"], ["/dev/null", "/b", "/dev/null"]]
        );
    }

    #[test]
    fn a_key_is_an_index_where_the_destination_would_be_taken_apart() {
        let mut config = config(vec![
            bind("/host/a", "/a"),
            bind("/host/b", "/b]:.."),
            bind("/host/c", "/c["),
        ]);
        config.devices = vec![device("/dev/d]")];
        assert_eq!(
            list(&config, &UNIFIED),
            [
                ["/a", "/a", "/host/a"],
                ["mount-1", "/b]:..", "/host/b"],
                ["mount-2", "/c[", "/host/c"],
                ["device-0", "/dev/d]", "/dev/d]"],
            ]
        );
    }

    #[test]
    fn masks_share_a_key_that_no_other_source_has() {
        let mut config = config(vec![bind("/dev/zero", "/dev/null")]);
        config.mask_paths = vec!["/proc/kcore".to_owned(), "/proc//keys".to_owned()];
        config.devices = vec![device("/dev/null"), device("/dev/full")];
        assert_eq!(
            list(&config, &UNIFIED),
            [
                ["mount-0", "/dev/null", "/dev/zero"],
                ["/dev/full", "/dev/full", "/dev/full"],
                ["/dev/null", "/proc/kcore", "/dev/null"],
                ["/dev/null", "/proc/keys", "/dev/null"],
            ]
        );
    }

    #[test]
    fn hierarchies_are_external_unless_they_are_mounts_of_their_own() {
        let hierarchy = |directory: &str, own: &str| LegacyHierarchy {
            directory: directory.to_owned(),
            source: "cgroup".to_owned(),
            data: directory.to_owned(),
            links: Vec::new(),
            own: PathBuf::from(own),
            of_caller: false,
        };
        let view = CgroupView::Legacy(vec![
            hierarchy("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/c"),
            hierarchy("misc", ""),
        ]);
        let mut config = config(vec![Mount {
            destination: "/sys/fs/cgroup".to_owned(),
            device: "cgroup".to_owned(),
            ..Mount::default()
        }]);
        assert_eq!(
            list(&config, &view),
            [[
                "/sys/fs/cgroup/cpu,cpuacct",
                "/sys/fs/cgroup/cpu,cpuacct",
                "/sys/fs/cgroup/cpu,cpuacct/c",
            ]]
        );
        assert!(list(&config, &UNIFIED).is_empty());
        config.namespaces.set(NamespaceType::Cgroup, "");
        assert!(list(&config, &view).is_empty());
    }

    #[test]
    fn a_mount_point_that_criu_would_take_apart_is_refused() {
        check_syntax("mount point", "/a[b:c").unwrap();
        let error = check_syntax("mount point", "/a]:/b").unwrap_err();
        assert_eq!(
            error.to_string(),
            "mount point \"/a]:/b\": CRIU cannot handle a mount point with ] in its path"
        );
    }
}
