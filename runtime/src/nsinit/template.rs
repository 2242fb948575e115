//! The container that is made without a configuration file.

use std::path::Path;

use configs::Config;
use configs::config::{
    Capabilities, Device, IdMap, Mount, MountFlags, Namespace, NamespaceType, Namespaces,
};
use devices::{Access, Kind, Rule, defaults};

/// What a container keeps of root's capabilities.
const CAPABILITIES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

const MASKED: &[&str] = &["/proc/kcore"];
const READ_ONLY: &[&str] = &["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"];

/// Flags of most system mounts.
pub(crate) const NOTHING_SPECIAL: MountFlags =
    MountFlags::from_bits(MountFlags::NOSUID.bits() | MountFlags::NODEV.bits())
        .union(MountFlags::NOEXEC);

/// The cgroup in which those of all containers are.
pub(crate) const CGROUP_PARENT: &str = "nsinit";

/// A container with this root file system: namespaces of its own but no user namespace, the six
/// system mounts, the usual devices, fourteen capabilities.
pub(crate) fn template(rootfs: &Path) -> Config {
    let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    let mut config = Config {
        rootfs: rootfs.to_string_lossy().into_owned(),
        capabilities: Some(capabilities(CAPABILITIES)),
        namespaces: namespaces(),
        mounts: mounts(),
        devices: nodes(),
        mask_paths: texts(MASKED),
        readonly_paths: texts(READ_ONLY),
        ..Config::default()
    };
    let name = rootfs.file_name().unwrap_or("root".as_ref());
    config.cgroups.name = name.to_string_lossy().into_owned();
    CGROUP_PARENT.clone_into(&mut config.cgroups.parent);
    config.cgroups.resources.devices = std::iter::once(Rule::everything(false))
        .chain(defaults::rules())
        .collect();
    config
}

/// These capabilities, without their prefix, in the sets that a process can use at once. The
/// inheritable set stays empty: see `--strict-legacy`.
pub(crate) fn capabilities(names: &[&str]) -> Capabilities {
    let set: Vec<String> = names.iter().map(|name| format!("CAP_{name}")).collect();
    Capabilities {
        bounding: set.clone(),
        effective: set.clone(),
        permitted: set,
        ..Capabilities::none()
    }
}

fn namespaces() -> Namespaces {
    use NamespaceType::{Ipc, Mount, Network, Pid, Uts};
    [Mount, Uts, Ipc, Pid, Network]
        .into_iter()
        .map(|kind| Namespace {
            kind,
            path: String::new(),
        })
        .collect()
}

/// The mount in which terminals are. They belong to the group that has the number 5 everywhere, if
/// these mappings have it.
pub(crate) fn terminals(gid_mappings: &[IdMap]) -> Mount {
    const TTY: u32 = 5;
    let has_tty = |map: &IdMap| {
        let number = TTY.checked_sub(map.container_id);
        number.is_some_and(|number| number < map.size)
    };
    let mut data = "newinstance,ptmxmode=0666,mode=0620".to_owned();
    if gid_mappings.is_empty() || gid_mappings.iter().any(has_tty) {
        data.push_str(",gid=5");
    }
    Mount {
        source: "devpts".to_owned(),
        destination: "/dev/pts".to_owned(),
        device: "devpts".to_owned(),
        flags: MountFlags::NOSUID | MountFlags::NOEXEC,
        data,
        ..Mount::default()
    }
}

fn mounts() -> Vec<Mount> {
    let mount = |source: &str, destination: &str, device: &str, flags, data: &str| Mount {
        source: source.to_owned(),
        destination: destination.to_owned(),
        device: device.to_owned(),
        flags,
        data: data.to_owned(),
        ..Mount::default()
    };
    let dev = MountFlags::NOSUID | MountFlags::STRICTATIME;
    vec![
        mount("proc", "/proc", "proc", NOTHING_SPECIAL, ""),
        mount("tmpfs", "/dev", "tmpfs", dev, "mode=755"),
        terminals(&[]),
        mount(
            "shm",
            "/dev/shm",
            "tmpfs",
            NOTHING_SPECIAL,
            "mode=1777,size=65536k",
        ),
        mount("mqueue", "/dev/mqueue", "mqueue", NOTHING_SPECIAL, ""),
        mount(
            "sysfs",
            "/sys",
            "sysfs",
            NOTHING_SPECIAL | MountFlags::RDONLY,
            "",
        ),
    ]
}

/// The usual nodes, and `/dev/fuse`, which programs look for but no rule allows to open.
fn nodes() -> Vec<Device> {
    let fuse = Device {
        kind: Kind::Char,
        major: 10,
        minor: 229,
        access: Access::ALL,
        allow: false,
        path: "/dev/fuse".to_owned(),
        file_mode: 0,
        uid: 0,
        gid: 0,
    };
    std::iter::once(fuse).chain(Device::defaults()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::System;
    use crate::validation::Validated;

    #[test]
    fn terminals_have_the_group_that_the_container_knows() {
        let map = |container_id, size| IdMap {
            container_id,
            host_id: 100_000,
            size,
        };
        let has_group = |maps: &[IdMap]| terminals(maps).data.ends_with(",gid=5");
        assert!(has_group(&[]) && has_group(&[map(0, 1), map(1, 5)]));
        assert!(!has_group(&[map(0, 5)]) && !has_group(&[map(6, 10)]));
    }

    #[test]
    fn the_template_has_all_six_system_mounts_and_is_valid() {
        let directory = tempfile::tempdir().unwrap();
        let config = template(directory.path());
        let mounts: Vec<&str> = config
            .mounts
            .iter()
            .map(|mount| mount.destination.as_str())
            .collect();
        assert_eq!(
            mounts,
            [
                "/proc",
                "/dev",
                "/dev/pts",
                "/dev/shm",
                "/dev/mqueue",
                "/sys"
            ]
        );
        let sets = config.capabilities.as_ref().unwrap();
        assert_eq!((sets.bounding.len(), sets.inheritable.len()), (14, 0));
        assert!(config.devices.iter().any(|node| node.path == "/dev/fuse"));
        let name = directory.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(config.cgroups.name, name);
        Validated::new(&System::default(), config).unwrap();
    }
}
