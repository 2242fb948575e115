mod cgroup;
mod intel_rdt;
mod mounts;
mod namespaces;
mod network;
mod process;
mod rootfs;
mod rootless;
mod sysctl;

use super::*;
use crate::config::{
    CpuSet, IdMap, IntelRdt, MemoryPolicy, MemoryPolicyMode, Mount, MountAttr, MountFlags,
    MountIdMapping, NamespaceType, Namespaces, Network, Route,
};
use crate::oci::{IoPriority, NetDevice, Scheduler, TimeOffset};
use crate::{IntelRdtSupport, NetworkNamespaceFact, RootfsFact};

fn config(namespaces: &[NamespaceType]) -> Config {
    let mut config = Config {
        rootfs: "/r".into(),
        ..Config::default()
    };
    for kind in namespaces {
        config.namespaces.set(*kind, "");
    }
    config
}

fn with(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = config(&[]);
    change(&mut config);
    config
}

fn host() -> HostInfo {
    HostInfo {
        rootfs: RootfsFact::Resolved("/r".into()),
        ..HostInfo::default()
    }
}

#[track_caller]
fn accepts(config: &Config) {
    assert_eq!(validate(config, &host()).unwrap(), []);
}

#[track_caller]
fn refuses(config: &Config, text: &str) {
    refuses_on(config, &host(), text);
}

#[track_caller]
fn refuses_on(config: &Config, host: &HostInfo, text: &str) {
    assert_eq!(validate(config, host).unwrap_err().to_string(), text);
}

fn root_map() -> Vec<IdMap> {
    vec![IdMap {
        container_id: 0,
        host_id: 1000,
        size: 10,
    }]
}

fn user_namespace(config: &mut Config) {
    config.namespaces.set(NamespaceType::User, "");
    config.uid_mappings = root_map();
    config.gid_mappings = root_map();
}

#[test]
fn a_configuration_with_nothing_but_a_rootfs() {
    accepts(&config(&[]));
}

fn mount(change: impl FnOnce(&mut Mount)) -> Config {
    let mut mount = Mount {
        source: "/s".into(),
        destination: "/d".into(),
        device: "bind".into(),
        flags: MountFlags::BIND,
        ..Mount::default()
    };
    change(&mut mount);
    with(|c| c.mounts.push(mount))
}

#[test]
fn the_first_broken_rule_in_order_is_reported() {
    let mut config = mount(|m| m.data = "x".into());
    config.rootfs = "relative".into();
    config.hostname = "h".into();
    config.sysctl.insert("kernel.panic".into(), "1".into());
    config.scheduler = Some(Scheduler::default());
    config.cgroups.path = "/p".into();
    config.cgroups.name = "n".into();
    let mut order = Vec::new();
    let mut next = |config: &Config| order.push(validate(config, &host()).unwrap_err().to_string());
    next(&config);
    config.cgroups.name.clear();
    next(&config);
    config.rootfs = "/r".into();
    next(&config);
    config.hostname.clear();
    next(&config);
    config.sysctl.clear();
    next(&config);
    config.mounts.clear();
    next(&config);
    let starts = [
        "cgroup:",
        "invalid rootfs",
        "unable to set hostname",
        "sysctl",
        "invalid mount",
        "scheduler",
    ];
    assert_eq!(order.len(), starts.len());
    for (text, start) in order.iter().zip(starts) {
        assert!(text.starts_with(start), "{text}");
    }
}
