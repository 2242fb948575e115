//! A configuration without a bundle, field by field as libcontainer's documentation had it in 2016:
//! namespaces, the user namespace with its ids among them, mounts, devices and limits.
//!
//! ```text
//! cargo run --example user_namespace -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

use std::error::Error;
use std::path::Path;

use cofferdam::configs::Config;
use cofferdam::configs::config::{
    Capabilities, Cgroup, Device, IdMap, Mount, MountFlags, Namespace, NamespaceType, Network,
    Resources, Rlimit, RlimitType,
};
use cofferdam::devices::{Rule, defaults};
use cofferdam::{ContainerId, Process, Runtime, Stdio};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let id: ContainerId = "user-namespace".parse()?;
    let rootfs = std::env::args_os().nth(1);
    let rootfs = rootfs.ok_or("give the path of a root file system")?;
    let rootfs = Path::new(&rootfs).canonicalize()?;
    // Root inside is an ordinary user outside.
    let ids = IdMap {
        container_id: 0,
        host_id: 100_000,
        size: 65_536,
    };
    let none = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let config = Config {
        rootfs: rootfs.to_string_lossy().into_owned(),
        readonlyfs: true,
        hostname: "testing".to_owned(),
        namespaces: NamespaceType::ALL
            .into_iter()
            .filter(|kind| !matches!(kind, NamespaceType::Time | NamespaceType::Cgroup))
            .map(|kind| Namespace {
                kind,
                path: String::new(),
            })
            .collect(),
        uid_mappings: vec![ids],
        gid_mappings: vec![ids],
        mounts: vec![
            mount("proc", "/proc", none, ""),
            mount("tmpfs", "/dev", MountFlags::NOSUID, "mode=755"),
            mount(
                "devpts",
                "/dev/pts",
                MountFlags::NOSUID | MountFlags::NOEXEC,
                "newinstance,ptmxmode=0666,mode=0620,gid=5",
            ),
            mount("tmpfs", "/dev/shm", none, "mode=1777,size=65536k"),
            mount("mqueue", "/dev/mqueue", none, ""),
            mount("sysfs", "/sys", none | MountFlags::RDONLY, ""),
        ],
        devices: Device::defaults().collect(),
        mask_paths: vec!["/proc/kcore".to_owned(), "/sys/firmware".to_owned()],
        readonly_paths: vec!["/proc/sys".to_owned(), "/proc/sysrq-trigger".to_owned()],
        networks: vec![Network::loopback()],
        cgroups: Cgroup {
            path: format!("/cofferdam-example-{id}"),
            resources: Resources {
                devices: [Rule::everything(false)]
                    .into_iter()
                    .chain(defaults::rules())
                    .collect(),
                ..Resources::default()
            },
            ..Cgroup::default()
        },
        rlimits: vec![Rlimit {
            kind: RlimitType::Nofile,
            hard: 1025,
            soft: 1025,
        }],
        ..Config::default()
    };

    let script = "echo user $(id -u) on $(hostname), $(cat /proc/self/uid_map)";
    let mut shell = Process::new(["sh", "-c", script]);
    shell
        .env(["PATH=/usr/bin:/bin"])
        .capabilities(Capabilities::docker_default())
        .stdin(Stdio::Null);

    let runtime = Runtime::new("/run/cofferdam-examples")?;
    let container = runtime.run(&id, config, shell)?;
    println!("{}", container.wait()?);
    container.destroy()?;
    Ok(())
}

fn mount(kind: &str, destination: &str, flags: MountFlags, data: &str) -> Mount {
    Mount {
        source: kind.to_owned(),
        device: kind.to_owned(),
        destination: destination.to_owned(),
        flags,
        data: data.to_owned(),
        ..Mount::default()
    }
}
