//! The flags that describe a new container, shared by `exec`, `config` and `restore`.

use std::path::Path;

use configs::Config;
use configs::config::{IdMap, Mount, MountFlags, NamespaceType, Network};

use super::interface_names;
use super::security;
use super::template::{NOTHING_SPECIAL, template};
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Parsed};

/// A table of flags: some, and then those that describe a new container.
macro_rules! with_create_flags {
    ($($own:expr),* $(,)?) => {{
        use $crate::nsinit::create_flags as create;
        &[
            $($own,)*
            create::CGROUP,
            create::READ_ONLY,
            create::CPUSHARES,
            create::MEMORY_LIMIT,
            create::MEMORY_SWAP,
            create::MEMORY_SWAPPINESS,
            create::PARENT_DEATH_SIGNAL,
            create::USERNS_ROOT_UID,
            create::VETH_MTU,
            create::APPARMOR_PROFILE,
            create::CPUSET_CPUS,
            create::CPUSET_MEMS,
            create::HOSTNAME,
            create::IPC,
            create::MNT,
            create::MOUNT_LABEL,
            create::NET,
            create::PID,
            create::PROCESS_LABEL,
            create::ROOTFS,
            create::SECURITY,
            create::UTS,
            create::VETH_ADDRESS,
            create::VETH_BRIDGE,
            create::VETH_GATEWAY,
            create::BIND,
            create::SYSCTL,
            create::TMPFS,
            create::GROUPS,
        ]
    }};
}
pub(crate) use with_create_flags;

pub(crate) const CGROUP: Flag = Flag::switch(
    "cgroup",
    "mount the cgroups of the container at /sys/fs/cgroup, read-only",
);
pub(crate) const READ_ONLY: Flag = Flag::switch("read-only", "make the root file system read-only");
pub(crate) const CPUSHARES: Flag = Flag::integer("cpushares", "CPU shares, relative to others");
pub(crate) const MEMORY_LIMIT: Flag = Flag::integer("memory-limit", "limit of memory in bytes");
pub(crate) const MEMORY_SWAP: Flag = Flag::integer(
    "memory-swap",
    "limit of memory and swap in bytes, -1 for none; default is twice the limit of memory",
);
pub(crate) const MEMORY_SWAPPINESS: Flag = Flag::integer(
    "memory-swappiness",
    "how readily memory is swapped out: 0 to 100; -1 leaves it alone",
)
.default("-1");
pub(crate) const PARENT_DEATH_SIGNAL: Flag = Flag::integer(
    "parent-death-signal",
    "signal for the process when nsinit ends before it, 0 for none",
)
.default("0");
pub(crate) const USERNS_ROOT_UID: Flag = Flag::integer(
    "userns-root-uid",
    "make a user namespace whose root is this user and group of the host; 0 for none",
)
.default("0");
pub(crate) const VETH_MTU: Flag = Flag::integer("veth-mtu", "MTU of the veth pair");
pub(crate) const APPARMOR_PROFILE: Flag =
    Flag::text("apparmor-profile", "AppArmor profile of the process");
pub(crate) const CPUSET_CPUS: Flag = Flag::text("cpuset-cpus", "CPUs to run on: 0-2,4");
pub(crate) const CPUSET_MEMS: Flag = Flag::text("cpuset-mems", "memory nodes to use: 0,1");
pub(crate) const HOSTNAME: Flag =
    Flag::text("hostname", "host name in a private UTS namespace").default("nsinit");
pub(crate) const IPC: Flag = namespace("ipc", "IPC namespace: private, host, or a path");
pub(crate) const MNT: Flag = namespace("mnt", "mount namespace: private or a path");
pub(crate) const NET: Flag = namespace("net", "network namespace: private, host, or a path");
pub(crate) const PID: Flag = namespace("pid", "pid namespace: private, host, or a path");
pub(crate) const UTS: Flag = namespace("uts", "UTS namespace: private, host, or a path");
pub(crate) const MOUNT_LABEL: Flag = Flag::text("mount-label", "SELinux label of the mounts");
pub(crate) const PROCESS_LABEL: Flag = Flag::text("process-label", "SELinux label of the process");
pub(crate) const ROOTFS: Flag = Flag::text(
    "rootfs",
    "root file system, default is the current directory",
)
.directory();
pub(crate) const SECURITY: Flag = Flag::text(
    "security",
    "capabilities, filter and limits of a profile: high, medium or low",
)
.one_of(&["high", "medium", "low"]);
pub(crate) const VETH_ADDRESS: Flag = Flag::text(
    "veth-address",
    "address of eth0, with its prefix: 10.0.0.2/24",
);
pub(crate) const VETH_BRIDGE: Flag = Flag::text(
    "veth-bridge",
    "make a veth pair: eth0 in the container, its peer a port of this bridge",
);
pub(crate) const VETH_GATEWAY: Flag = Flag::text("veth-gateway", "default gateway by eth0");
pub(crate) const BIND: Flag = Flag::texts(
    "bind",
    "bind SOURCE:DESTINATION[:ro|rw] with all mounts below; may be repeated",
);
pub(crate) const SYSCTL: Flag = Flag::texts(
    "sysctl",
    "set a kernel parameter, NAME=VALUE; may be repeated",
);
pub(crate) const TMPFS: Flag = Flag::texts("tmpfs", "mount a tmpfs; may be repeated");
pub(crate) const GROUPS: Flag = Flag::texts(
    "groups",
    "supplementary group of the process, by name or number; may be repeated",
);

/// The flags alone.
pub(crate) static TABLE: &[Flag] = with_create_flags![];

const fn namespace(name: &'static str, help: &'static str) -> Flag {
    Flag::text(name, help).default("private")
}

/// The template, changed as the flags say, and the names of supplementary groups.
pub(crate) fn described(parsed: &Parsed) -> Result<(Config, Vec<String>), Failure> {
    let rootfs = match parsed.text(ROOTFS.name) {
        Some(path) => std::fs::canonicalize(path)
            .map_err(|error| Failure::io(format!("--rootfs {}", path.display()), error))?,
        None => std::env::current_dir().map_err(|error| Failure::io("getcwd", error))?,
    };
    let mut config = template(&rootfs);
    let text = |flag: &Flag| parsed.string(flag.name).unwrap_or_default();
    config.readonlyfs = parsed.switch(READ_ONLY.name);
    config.apparmor_profile = text(&APPARMOR_PROFILE);
    config.process_label = text(&PROCESS_LABEL);
    config.mount_label = text(&MOUNT_LABEL);
    config.parent_death_signal = parent_death_signal(parsed)?;
    limit(&mut config, parsed)?;
    map_ids(&mut config, parsed)?;
    mount(&mut config, parsed)?;
    choose_namespaces(&mut config, parsed)?;
    connect(&mut config, parsed)?;
    for parameter in parsed.texts(SYSCTL.name).map(|text| text.to_string_lossy()) {
        let (name, value) = parameter
            .split_once('=')
            .ok_or_else(|| Failure::new(format!("invalid system property {parameter}")))?;
        config.sysctl.insert(name.to_owned(), value.to_owned());
    }
    if let Some(profile) = parsed.string(SECURITY.name) {
        security::apply(&profile, &mut config)?;
    }
    Ok((config, groups(parsed)))
}

/// The signal of the process for which the flags are given, 0 for none.
pub(crate) fn parent_death_signal(parsed: &Parsed) -> Result<i32, Failure> {
    let signal = parsed.integer(PARENT_DEATH_SIGNAL.name);
    number(&PARENT_DEATH_SIGNAL, signal.unwrap_or_default())
}

/// The names of supplementary groups.
pub(crate) fn groups(parsed: &Parsed) -> Vec<String> {
    let groups = parsed.texts(GROUPS.name);
    groups
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

/// A number that the flag can have.
fn number<T: TryFrom<i64>>(flag: &Flag, value: i64) -> Result<T, Failure> {
    T::try_from(value)
        .map_err(|_| Failure::new(format!("invalid value {value} for flag -{}", flag.name)))
}

fn limit(config: &mut Config, parsed: &Parsed) -> Result<(), Failure> {
    let integer = |flag: &Flag| parsed.integer(flag.name).unwrap_or_default();
    let resources = &mut config.cgroups.resources;
    resources.cpuset_cpus = parsed.string(CPUSET_CPUS.name).unwrap_or_default();
    resources.cpuset_mems = parsed.string(CPUSET_MEMS.name).unwrap_or_default();
    resources.cpu_shares = number(&CPUSHARES, integer(&CPUSHARES))?;
    resources.memory = integer(&MEMORY_LIMIT);
    resources.memory_swap = match (integer(&MEMORY_SWAP), resources.memory) {
        (0, memory @ 1..) => memory.saturating_mul(2),
        (swap, _) => swap,
    };
    resources.memory_swappiness = match parsed.integer(MEMORY_SWAPPINESS.name) {
        None | Some(-1) => None,
        Some(value) => Some(number(&MEMORY_SWAPPINESS, value)?),
    };
    Ok(())
}

/// Root of the container is the named user, every other user is itself.
fn map_ids(config: &mut Config, parsed: &Parsed) -> Result<(), Failure> {
    let root = match parsed.integer(USERNS_ROOT_UID.name) {
        None | Some(0) => return Ok(()),
        Some(root) => number::<i32>(&USERNS_ROOT_UID, root)?,
    };
    let root = u32::try_from(root)
        .map_err(|_| Failure::new(format!("invalid value {root} for flag -userns-root-uid")))?;
    config.namespaces.set(NamespaceType::User, "");
    let same = |id, size| IdMap {
        container_id: id,
        host_id: id,
        size,
    };
    let first = IdMap {
        container_id: 0,
        host_id: root,
        size: 1,
    };
    let below = same(1, root.saturating_sub(1));
    let above = same(root.saturating_add(1), i32::MAX.unsigned_abs() - root);
    let maps: Vec<IdMap> = [first, below, above]
        .into_iter()
        .filter(|map| map.size > 0)
        .collect();
    config.uid_mappings.clone_from(&maps);
    config.gid_mappings = maps;
    for node in &mut config.devices {
        (node.uid, node.gid) = (root, root);
    }
    Ok(())
}

fn mount(config: &mut Config, parsed: &Parsed) -> Result<(), Failure> {
    for text in parsed.texts(BIND.name).map(|text| text.to_string_lossy()) {
        let mount = bind(&text, &config.rootfs)?;
        config.mounts.push(mount);
    }
    for path in parsed.texts(TMPFS.name) {
        if path.is_empty() {
            return Err(Failure::new("--tmpfs: the destination is missing"));
        }
        config.mounts.push(Mount {
            source: "tmpfs".to_owned(),
            destination: path.to_string_lossy().into_owned(),
            device: "tmpfs".to_owned(),
            flags: NOTHING_SPECIAL,
            ..Mount::default()
        });
    }
    if parsed.switch(CGROUP.name) {
        config.mounts.push(Mount {
            source: "cgroup".to_owned(),
            destination: "/sys/fs/cgroup".to_owned(),
            device: "cgroup".to_owned(),
            flags: NOTHING_SPECIAL | MountFlags::RDONLY,
            ..Mount::default()
        });
    }
    Ok(())
}

/// `SOURCE:DESTINATION[:ro|rw]`. A relative source is below the root file system, which is where
/// the mounts were made from.
fn bind(text: &str, rootfs: &str) -> Result<Mount, Failure> {
    let mut parts = text.splitn(3, ':');
    let (Some(source), Some(destination)) = (parts.next(), parts.next()) else {
        return Err(Failure::new(format!("invalid bind mount {text}")));
    };
    let mode = match parts.next() {
        None | Some("rw") => MountFlags::NONE,
        Some("ro") => MountFlags::RDONLY,
        Some(mode) => return Err(Failure::new(format!("invalid bind mount mode {mode}"))),
    };
    if source.is_empty() || destination.is_empty() {
        return Err(Failure::new(format!("invalid bind mount {text}")));
    }
    Ok(Mount {
        source: Path::new(rootfs)
            .join(source)
            .to_string_lossy()
            .into_owned(),
        destination: destination.to_owned(),
        device: "bind".to_owned(),
        flags: MountFlags::BIND | MountFlags::REC | mode,
        ..Mount::default()
    })
}

fn choose_namespaces(config: &mut Config, parsed: &Parsed) -> Result<(), Failure> {
    for (flag, kind) in [
        (&NET, NamespaceType::Network),
        (&MNT, NamespaceType::Mount),
        (&PID, NamespaceType::Pid),
        (&IPC, NamespaceType::Ipc),
        (&UTS, NamespaceType::Uts),
    ] {
        match parsed.string(flag.name).as_deref() {
            // What is mounted and protected would be the host's.
            Some("host") if kind == NamespaceType::Mount => {
                return Err(Failure::new(
                    "--mnt host: a container needs a mount namespace that is not the host's",
                ));
            }
            Some("host") => {
                config.namespaces.remove(kind);
            }
            None | Some("private") => config.namespaces.set(kind, ""),
            Some(path) => config.namespaces.set(kind, path),
        }
    }
    if config.namespaces.is_private(NamespaceType::Network) {
        config.networks.push(Network::loopback());
    }
    if config.namespaces.is_private(NamespaceType::Uts) {
        // An empty one leaves the name that the host has.
        config.hostname = match parsed.given(HOSTNAME.name) {
            true => parsed.string(HOSTNAME.name).unwrap_or_default(),
            false => "nsinit".to_owned(),
        };
    } else if parsed.given(HOSTNAME.name) {
        return Err(Failure::new("--hostname needs --uts private"));
    }
    Ok(())
}

fn connect(config: &mut Config, parsed: &Parsed) -> Result<(), Failure> {
    let Some(bridge) = parsed.string(VETH_BRIDGE.name) else {
        let alone = [VETH_ADDRESS, VETH_GATEWAY, VETH_MTU];
        return match alone.iter().find(|flag| parsed.given(flag.name)) {
            None => Ok(()),
            Some(flag) => Err(Failure::new(format!("--{} needs --veth-bridge", flag.name))),
        };
    };
    let text = |flag: &Flag| parsed.string(flag.name).unwrap_or_default();
    let outside = interface_names::draw("veth")?;
    config.networks.push(Network {
        kind: "veth".to_owned(),
        name: "eth0".to_owned(),
        bridge,
        address: text(&VETH_ADDRESS),
        gateway: text(&VETH_GATEWAY),
        mtu: number(&VETH_MTU, parsed.integer(VETH_MTU.name).unwrap_or_default())?,
        host_interface_name: outside.to_string(),
        ..Network::default()
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flag::Order;

    fn typed(line: &[&str]) -> Result<(Config, Vec<String>), Failure> {
        let arguments = line.iter().map(Into::into);
        described(&Parsed::read(TABLE, Order::FlagsFirst, arguments).map_err(Failure::new)?)
    }

    fn config(line: &[&str]) -> Config {
        typed(line).unwrap().0
    }

    #[test]
    fn without_flags_everything_is_private() {
        let config = config(&[]);
        assert_eq!(config.hostname, "nsinit");
        assert_eq!(config.parent_death_signal, 0);
        assert_eq!(config.networks, [Network::loopback()]);
        assert_eq!(config.namespaces.created().iter().count(), 5);
        let here = std::env::current_dir().unwrap();
        assert_eq!(config.rootfs, here.to_str().unwrap());
    }

    #[test]
    fn namespaces_are_private_those_of_the_host_or_joined() {
        use NamespaceType::{Ipc, Mount, Network, Pid, Uts};
        let config = config(&[
            "--net=host",
            "--pid",
            "/proc/1/ns/pid",
            "--ipc=private",
            "--uts=host",
        ]);
        assert!(!config.namespaces.contains(Network) && config.networks.is_empty());
        assert_eq!(config.namespaces.path_of(Pid), Some("/proc/1/ns/pid"));
        assert!(config.namespaces.is_private(Ipc) && config.namespaces.is_private(Mount));
        assert!(!config.namespaces.contains(Uts));
        assert_eq!(config.hostname, "");
        // It would be the name of the host.
        let refused = typed(&["--uts=host", "--hostname=x"]).unwrap_err();
        assert_eq!(refused.message, "--hostname needs --uts private");
    }

    #[test]
    fn limits_are_those_of_the_flags() {
        let config = config(&[
            "--memory-limit=1000",
            "--cpushares=20",
            "--cpuset-cpus=0",
            "--cpuset-mems=0",
            "--memory-swappiness=7",
        ]);
        let resources = config.cgroups.resources;
        assert_eq!((resources.memory, resources.memory_swap), (1000, 2000));
        assert_eq!(
            (resources.cpu_shares, resources.memory_swappiness),
            (20, Some(7))
        );
        assert_eq!(
            (&*resources.cpuset_cpus, &*resources.cpuset_mems),
            ("0", "0")
        );
        let swap = |line: &[&str]| self::config(line).cgroups.resources.memory_swap;
        assert_eq!(swap(&["--memory-limit=9", "--memory-swap=-1"]), -1);
        assert_eq!(swap(&["--memory-swap=5"]), 5);
        assert!(typed(&["--cpushares=-1"]).is_err());
        assert!(typed(&["--memory-swappiness=-2"]).is_err());
    }

    #[test]
    fn the_root_of_a_user_namespace_is_the_named_user() {
        let map = |container_id, host_id, size| IdMap {
            container_id,
            host_id,
            size,
        };
        let config = config(&["--userns-root-uid=1000"]);
        let expected = [
            map(0, 1000, 1),
            map(1, 1, 999),
            map(1001, 1001, 2_147_482_647),
        ];
        assert_eq!(config.uid_mappings, expected);
        assert_eq!(config.gid_mappings, expected);
        assert!(
            config
                .devices
                .iter()
                .all(|node| node.uid == 1000 && node.gid == 1000)
        );
        assert!(config.namespaces.is_private(NamespaceType::User));
        assert_eq!(self::config(&["--userns-root-uid=1"]).uid_mappings.len(), 2);
        for wrong in ["-1", "2147483648"] {
            assert!(typed(&["--userns-root-uid", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn mounts_are_added_after_those_of_the_system() {
        let config = config(&[
            "--bind=/a:/b",
            "--bind=/c:/d:ro",
            "--tmpfs=/t",
            "--cgroup",
            "--read-only",
        ]);
        assert!(config.readonlyfs);
        let added = &config.mounts[6..];
        let all: Vec<(&str, &str, u32)> = added
            .iter()
            .map(|mount| (&*mount.destination, &*mount.device, mount.flags.bits()))
            .collect();
        assert_eq!(
            all,
            [
                ("/b", "bind", 0x5000),
                ("/d", "bind", 0x5001),
                ("/t", "tmpfs", 14),
                ("/sys/fs/cgroup", "cgroup", 15),
            ]
        );
        for (wrong, message) in [
            ("/a", "invalid bind mount /a"),
            ("/a:/b:rx", "invalid bind mount mode rx"),
            (":/b", "invalid bind mount :/b"),
            ("/a:", "invalid bind mount /a:"),
        ] {
            assert_eq!(typed(&["--bind", wrong]).unwrap_err().message, message);
        }
    }

    #[test]
    fn a_veth_pair_has_a_name_of_its_own_outside() {
        let config = config(&[
            "--veth-bridge=br0",
            "--veth-address=10.0.0.2/24",
            "--veth-gateway=10.0.0.1",
            "--veth-mtu=1400",
        ]);
        let [loopback, veth] = config.networks.as_slice() else {
            panic!("{:?}", config.networks);
        };
        assert_eq!(*loopback, Network::loopback());
        assert_eq!(
            (&*veth.name, &*veth.bridge, veth.mtu),
            ("eth0", "br0", 1400)
        );
        assert!(veth.host_interface_name.starts_with("veth"));
        assert_eq!(
            (&*veth.address, &*veth.gateway),
            ("10.0.0.2/24", "10.0.0.1")
        );
    }

    #[test]
    fn the_rest_is_taken_as_typed() {
        let (config, groups) = typed(&[
            "--sysctl=net.ipv4.ip_forward=1",
            "--groups=adm",
            "--groups=7",
            "--apparmor-profile=p",
            "--process-label=l",
            "--mount-label=m",
            "--parent-death-signal=9",
            "--security=high",
        ])
        .unwrap();
        assert_eq!(config.sysctl["net.ipv4.ip_forward"], "1");
        assert_eq!(groups, ["adm", "7"]);
        // A profile does not take the labels away.
        assert_eq!(
            (
                &*config.apparmor_profile,
                &*config.process_label,
                &*config.mount_label
            ),
            ("p", "l", "m")
        );
        assert_eq!(config.parent_death_signal, libc::SIGKILL);
        assert_eq!(config.capabilities.unwrap().bounding.len(), 3);
        let message = typed(&["--sysctl=x"]).unwrap_err().message;
        assert_eq!(message, "invalid system property x");
    }
}
