//! Files of 2014: one object describes the container and the process in it.

use nsenter::NamespaceType;

use super::cgroup::{self, RawCgroup};
use super::device::{self, Device, NodeList};
use super::mount::{self, Mount};
use super::names::{self, NameList};
use super::network::{self, Network, Route};
use super::reading::{Reading, below, keys, refused};
use super::rlimits::{self, RawRlimit};
use super::shapes::Names;
use super::{Loaded, Revision, restrictions};
use crate::config::MountFlags;
use crate::process::Environment;
use crate::{Result, lexical};

keys! {
    /// The whole file.
    struct File {
        id: String, "0";
        namespace_pid: i64, "0";
        network_namespace_fd: i64, "0";
        command: RawCommand, "0";
        rootfs: String, "0";
        root_fs: String, "E";
        hostname: String, "0ABCDE";
        readonly_fs: bool, "0ABCD";
        no_pivot_root: bool, "0ABCD";
        user: String, "0ABCDE";
        working_dir: String, "0ABCDE";
        environment: Vec<String>, "0ABCDE";
        tty: bool, "0ABCDE";
        namespaces: NameList, "0ABCDE";
        ipc: String, "E";
        capabilities_mask: NameList, "ABC";
        capabilities: Vec<String>, "0DE";
        network: Network, "0";
        networks: Vec<Network>, "0ABCDE";
        routes: Vec<Route>, "DE";
        cgroups: RawCgroup, "0ABCDE";
        cgroup_name: String, "0";
        cgroup_parent: String, "0";
        device_access: bool, "0";
        memory: i64, "0";
        memory_swap: i64, "0";
        cpu_shares: i64, "0";
        context: Names<Option<String>>, "0ABCD";
        mounts: Vec<Mount>, "0ABCD";
        device_nodes: NodeList, "D";
        required_nodes as "required_device_nodes": Vec<String>, "D";
        optional_nodes as "optional_device_nodes": Vec<String>, "D";
        mount_config: MountConfig, "E";
        apparmor_profile: String, "E";
        process_label: String, "E";
        restrict_sys: bool, "E";
        rlimits: Vec<RawRlimit>, "E";
    }
}

keys! {
    /// The command of the first files.
    struct RawCommand {
        args: Vec<String>;
        environment: Vec<String>;
    }
}

keys! {
    /// What is about the file system, from June 2014 on.
    struct MountConfig {
        no_pivot_root: bool;
        readonly_fs: bool;
        mounts: Vec<Mount>;
        device_nodes: Vec<Device>;
        mount_label: String;
    }
}

/// The signal at the end of the parent: SIGKILL.
const PARENT_DEATH_SIGNAL: i32 = 9;

/// Converts a file of any revision but the last.
pub(super) fn convert(
    mut file: File,
    loaded: &mut Loaded,
    reading: &mut Reading<'_>,
) -> Result<()> {
    file.only_known("", reading);
    first_files(&mut file, loaded, reading);
    process(&mut file, loaded)?;
    loaded.config.parent_death_signal = PARENT_DEATH_SIGNAL;
    loaded.config.hostname = file.hostname.take().unwrap_or_default();
    loaded.config.rootfs = rootfs(&mut file, reading);
    loaded.config.namespaces = names::namespaces(file.namespaces.take(), reading)?;
    if let Some(path) = file.ipc.take().filter(|path| !path.is_empty()) {
        loaded.config.namespaces.set(NamespaceType::Ipc, path);
    }
    loaded.config.capabilities = Some(if reading.revision >= Revision::D {
        names::listed(file.capabilities.take().unwrap_or_default(), reading)?
    } else if reading.revision == Revision::Zero {
        let dropped = file.capabilities.take().unwrap_or_default();
        let dropped = dropped.into_iter().map(super::shapes::Element::Name);
        let dropped = super::shapes::ListOrNames::List(dropped.collect());
        names::masked(Some(dropped), "capabilities", reading)?
    } else {
        names::masked(file.capabilities_mask.take(), "capabilities_mask", reading)?
    });
    if let Some(one) = file.network.take() {
        network::one(one, "network", &mut loaded.config, reading)?;
    }
    let list = file.networks.take().unwrap_or_default();
    network::networks(list, &mut loaded.config, reading)?;
    loaded.config.routes = network::routes(file.routes.take().unwrap_or_default(), reading)?;
    cgroup(&mut file, loaded, reading)?;
    let restricted = labels(&mut file, loaded, reading);
    loaded.config.rlimits = rlimits::convert(file.rlimits.take().unwrap_or_default())?;
    file_system(file, restricted, loaded, reading)
}

/// What only the files of February 2014 have.
fn first_files(file: &mut File, loaded: &mut Loaded, reading: &mut Reading<'_>) {
    for (key, is_there) in [
        ("id", file.id.is_some()),
        ("namespace_pid", file.namespace_pid.is_some()),
        ("network_namespace_fd", file.network_namespace_fd.is_some()),
    ] {
        if is_there {
            reading.no_effect(key);
        }
    }
    if let Some(command) = file.command.take() {
        loaded.process.args = command.args.unwrap_or_default();
        if file.environment.is_none() {
            file.environment = command.environment;
        }
    }
    let limits_of_cgroup = [
        file.cgroup_name.is_some(),
        file.cgroup_parent.is_some(),
        file.device_access.is_some(),
        file.memory.is_some(),
        file.memory_swap.is_some(),
        file.cpu_shares.is_some(),
    ];
    if file.cgroups.is_none() && limits_of_cgroup.contains(&true) {
        file.cgroups = Some(RawCgroup {
            name: file.cgroup_name.take(),
            parent: file.cgroup_parent.take(),
            device_access: file.device_access.take(),
            memory: file.memory.take(),
            memory_swap: file.memory_swap.take(),
            cpu_shares: file.cpu_shares.take(),
            ..RawCgroup::default()
        });
    }
}

fn process(file: &mut File, loaded: &mut Loaded) -> Result<()> {
    let process = &mut loaded.process;
    process.user = file.user.take().unwrap_or_default();
    process.terminal = file.tty.unwrap_or_default();
    process.cwd = match file.working_dir.take() {
        Some(directory) if directory.starts_with('/') => directory,
        Some(directory) if !directory.is_empty() => {
            let message = format!("{directory:?} is not an absolute path");
            return Err(refused("working_dir", message));
        }
        _ => "/".to_owned(),
    };
    process.env = file.environment.take().unwrap_or_default();
    for (index, entry) in process.env.iter().enumerate() {
        Environment::new(Some(std::slice::from_ref(entry)))
            .map_err(|error| error.at(format!("environment[{index}]")))?;
    }
    Ok(())
}

/// The rootfs was the current directory, until a file could name one.
fn rootfs(file: &mut File, reading: &Reading<'_>) -> String {
    let base = &reading.options.rootfs;
    let named = file.rootfs.take().or(file.root_fs.take());
    match named.filter(|path| !path.is_empty()) {
        Some(path) if path.starts_with('/') => path,
        Some(path) => lexical::join(base, &path),
        None => base.clone(),
    }
}

fn cgroup(file: &mut File, loaded: &mut Loaded, reading: &mut Reading<'_>) -> Result<()> {
    match file.cgroups.take() {
        Some(raw) => cgroup::convert(raw, loaded, reading),
        None => {
            cgroup::unrestricted(loaded);
            Ok(())
        }
    }
}

/// Labels and profiles, and whether `/sys` and parts of `/proc` are protected: in `context` until
/// June 2014.
fn labels(file: &mut File, loaded: &mut Loaded, reading: &mut Reading<'_>) -> bool {
    let mut context = file.context.take().unwrap_or_default();
    let mut of_context = |key: &str| context.take(key).flatten().unwrap_or_default();
    let config = &mut loaded.config;
    let restrictions = of_context("restrictions");
    config.apparmor_profile = of_context("apparmor_profile");
    config.process_label = of_context("process_label");
    config.mount_label = of_context("mount_label");
    for key in context.0.into_keys() {
        reading.unknown_key("context", &key);
    }
    if reading.revision == Revision::E {
        config.apparmor_profile = file.apparmor_profile.take().unwrap_or_default();
        config.process_label = file.process_label.take().unwrap_or_default();
    }
    file.restrict_sys == Some(true) || !restrictions.is_empty()
}

fn file_system(
    mut file: File,
    is_restricted: bool,
    loaded: &mut Loaded,
    reading: &mut Reading<'_>,
) -> Result<()> {
    let mut mount_config = file.mount_config.take().unwrap_or_default();
    let config = &mut loaded.config;
    config.readonlyfs = file.readonly_fs.or(mount_config.readonly_fs) == Some(true);
    config.no_pivot_root = file.no_pivot_root.or(mount_config.no_pivot_root) == Some(true);
    // Below the moved root the host's mounts are still to be seen: they must not be affected.
    config.root_propagation = MountFlags::REC
        | if config.no_pivot_root {
            MountFlags::SLAVE
        } else {
            MountFlags::PRIVATE
        };
    if is_restricted {
        restrictions::apply(config);
    }
    let (place, nodes_place) = if reading.revision == Revision::E {
        config.mount_label = mount_config.mount_label.take().unwrap_or_default();
        ("mount_config.mounts", "mount_config.device_nodes")
    } else {
        ("mounts", "device_nodes")
    };
    config.devices = match (file.device_nodes.take(), mount_config.device_nodes.take()) {
        (Some(list), _) => device::node_list(list, nodes_place, reading)?,
        (None, Some(list)) => device::nodes(list, nodes_place, reading)?,
        (None, None) => named_nodes(&mut file, reading)?,
    };
    let mounts = file.mounts.take().or(mount_config.mounts.take());
    mount::mounts(
        mounts.unwrap_or_default(),
        place,
        is_restricted,
        loaded,
        reading,
    )
}

/// Lists of names of a few days in May 2014; without any, the nodes every container had.
fn named_nodes(file: &mut File, reading: &mut Reading<'_>) -> Result<Vec<crate::config::Device>> {
    let required = file.required_nodes.take();
    let optional = file.optional_nodes.take();
    if required.is_none() && optional.is_none() {
        return Ok(device::default_nodes().collect());
    }
    let mut list = |list: Option<Vec<String>>, required, key| {
        device::named(list.unwrap_or_default(), required, &below("", key), reading)
    };
    let mut nodes = list(required, true, "required_device_nodes")?;
    nodes.extend(list(optional, false, "optional_device_nodes")?);
    Ok(nodes)
}
