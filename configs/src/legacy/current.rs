//! Files from 2015 on: the form of the configuration that is stored today, with older keys.

use std::collections::BTreeMap;

use super::cgroup::{self, RawCgroup};
use super::device::{self, Device};
use super::mount::{self, Mount};
use super::network::{self, Network, Route};
use super::reading::{Reading, keys, refused};
use super::rlimits::{self, RawRlimit};
use super::seccomp::{self, RawSeccomp};
use super::shapes::{Element, ListOrNames, Names};
use super::{Loaded, names};
use crate::config::{
    Capabilities, CpuAffinity, Hooks, IntelRdt, MemoryPolicy, MountFlags, Personality,
};
use crate::stored::Stored;
use crate::{Result, oci};

/// An id mapping in the stored form.
#[derive(Debug)]
pub(super) struct RawIdMap(user::IdMap);

impl<'de> serde::Deserialize<'de> for RawIdMap {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        user::IdMap::read(deserializer).map(Self)
    }
}

keys! {
    /// The whole file.
    struct File {
        no_pivot_root: bool;
        parent_death_signal: i32;
        pivot_dir: String;
        rootfs: String;
        umask: u32;
        readonlyfs: bool;
        privatefs: bool;
        root_propagation as "rootPropagation": u32;
        mounts: Vec<Mount>;
        devices: Vec<Device>;
        net_devices as "netDevices": Names<oci::NetDevice>;
        mount_label: String;
        hostname: String;
        domainname: String;
        namespaces: Vec<Element>;
        capabilities: ListOrNames<String, Option<Vec<String>>>;
        networks: Vec<Network>;
        routes: Vec<Route>;
        cgroups: RawCgroup;
        apparmor_profile: String;
        process_label: String;
        rlimits: Vec<RawRlimit>;
        oom_score_adj: i32;
        additional_groups: Vec<String>;
        uid_mappings: Vec<RawIdMap>;
        gid_mappings: Vec<RawIdMap>;
        mask_paths: Vec<String>;
        readonly_paths: Vec<String>;
        system_properties: Names<String>;
        sysctl: Names<String>;
        seccomp: RawSeccomp;
        no_new_privileges: bool;
        hooks as "Hooks": Hooks;
        version: String;
        labels: Vec<String>;
        no_new_keyring: bool;
        rootless: bool;
        intel_rdt: IntelRdt;
        memory_policy: MemoryPolicy;
        rootless_euid: bool;
        rootless_cgroups: bool;
        time_offsets: Names<oci::TimeOffset>;
        scheduler: oci::Scheduler;
        personality: Personality;
        io_priority: oci::IoPriority;
        exec_cpu_affinity: CpuAffinity;
    }
}

/// Converts a file of the last revision.
pub(super) fn convert(
    mut file: File,
    loaded: &mut Loaded,
    reading: &mut Reading<'_>,
) -> Result<()> {
    reading.is_of_2015 =
        file.version.is_none() && !matches!(file.capabilities, Some(ListOrNames::Names(_)));
    root(&mut file, loaded, reading)?;
    loaded.process.additional_groups = file.additional_groups.take().unwrap_or_default();
    loaded.config.namespaces =
        names::typed_namespaces(file.namespaces.take().unwrap_or_default(), reading)?;
    loaded.config.capabilities = Some(match file.capabilities.take() {
        None => Capabilities::none(),
        Some(ListOrNames::List(list)) => names::listed(list, reading)?,
        Some(ListOrNames::Names(sets)) => names::sets(sets, reading),
    });
    let networks = file.networks.take().unwrap_or_default();
    network::networks(networks, &mut loaded.config, reading)?;
    loaded.config.routes = network::routes(file.routes.take().unwrap_or_default(), reading)?;
    match file.cgroups.take() {
        Some(raw) => cgroup::convert(raw, loaded, reading)?,
        None => cgroup::unrestricted(loaded),
    }
    loaded.config.rlimits = rlimits::convert(file.rlimits.take().unwrap_or_default())?;
    let nodes = file.devices.take().unwrap_or_default();
    loaded.config.devices = device::nodes(nodes, "devices", reading)?;
    if let Some(filter) = file.seccomp.take() {
        loaded.config.seccomp = Some(seccomp::convert(filter, reading)?);
    }
    loaded.config.mount_label = file.mount_label.take().unwrap_or_default();
    mount::typed_mounts(file.mounts.take().unwrap_or_default(), loaded, reading)?;
    same(file, loaded)
}

/// What is about the root, and has changed its keys.
fn root(file: &mut File, loaded: &mut Loaded, reading: &mut Reading<'_>) -> Result<()> {
    if file.pivot_dir.take().is_some_and(|path| !path.is_empty()) {
        reading.no_effect("pivot_dir");
    }
    if file.rootless == Some(true) {
        // Said of the user and of the cgroups apart since 2018.
        file.rootless_euid = Some(true);
        file.rootless_cgroups = Some(true);
    }
    let config = &mut loaded.config;
    config.rootfs = file.rootfs.take().unwrap_or_default();
    if config.rootfs.is_empty() {
        return Err(refused("rootfs", "the root file system is missing"));
    }
    config.readonlyfs = file.readonlyfs.unwrap_or_default();
    config.no_pivot_root = file.no_pivot_root.unwrap_or_default();
    config.root_propagation = match file.root_propagation {
        Some(flags) => MountFlags::from_bits(flags),
        None if file.privatefs == Some(true) => MountFlags::PRIVATE | MountFlags::REC,
        None => MountFlags::NONE,
    };
    let sysctl = file.sysctl.take().map_or_else(BTreeMap::new, |it| it.0);
    config.sysctl = sysctl;
    for (name, value) in file.system_properties.take().unwrap_or_default().0 {
        if config.sysctl.insert(name.clone(), value).is_some() {
            let place = format!("system_properties[{name:?}]");
            return Err(refused(place, "the parameter is in sysctl as well"));
        }
    }
    Ok(())
}

/// What is the same today.
fn same(file: File, loaded: &mut Loaded) -> Result<()> {
    let maps = |list: Option<Vec<RawIdMap>>| {
        let list = list.unwrap_or_default().into_iter();
        list.map(|RawIdMap(map)| map).collect()
    };
    let config = &mut loaded.config;
    config.parent_death_signal = file.parent_death_signal.unwrap_or_default();
    config.umask = file.umask;
    config.net_devices = file.net_devices.unwrap_or_default().0;
    config.hostname = file.hostname.unwrap_or_default();
    config.domainname = file.domainname.unwrap_or_default();
    config.apparmor_profile = file.apparmor_profile.unwrap_or_default();
    config.process_label = file.process_label.unwrap_or_default();
    config.oom_score_adj = file.oom_score_adj;
    config.uid_mappings = maps(file.uid_mappings);
    config.gid_mappings = maps(file.gid_mappings);
    config.mask_paths = file.mask_paths.unwrap_or_default();
    config.readonly_paths = file.readonly_paths.unwrap_or_default();
    config.no_new_privileges = file.no_new_privileges.unwrap_or_default();
    config.hooks = file.hooks.unwrap_or_default();
    config.version = file.version.unwrap_or_else(|| oci::VERSION.to_owned());
    config.labels = file.labels.unwrap_or_default();
    config.no_new_keyring = file.no_new_keyring.unwrap_or_default();
    config.intel_rdt = file.intel_rdt;
    config.memory_policy = file.memory_policy;
    config.rootless_euid = file.rootless_euid.unwrap_or_default();
    config.rootless_cgroups = file.rootless_cgroups.unwrap_or_default();
    config.time_offsets = file.time_offsets.unwrap_or_default().0;
    config.scheduler = file.scheduler;
    config.personality = file.personality;
    config.io_priority = file.io_priority;
    config.exec_cpu_affinity = file.exec_cpu_affinity;
    Ok(())
}
