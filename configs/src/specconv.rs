//! From a bundle's `config.json` to the configuration of a container.
//!
//! The conversion is a pure function of the bundle, the caller's [`Options`] and what the caller
//! knows about the host ([`HostInfo`]). It decides everything that can be decided from these; what
//! it makes is checked by [`validate`](crate::validate).
//!
//! ```
//! use cofferdam_configs::{HostInfo, config::NamespaceType, oci::Spec, specconv};
//!
//! let spec = Spec::from_slice(br#"{
//!     "ociVersion": "1.3.0", "root": {"path": "rootfs"},
//!     "linux": {"namespaces": [{"type": "pid"}]}
//! }"#)?;
//! let options = specconv::Options {
//!     id: "web".into(),
//!     bundle: "/srv/web".into(),
//!     ..Default::default()
//! };
//! let (config, warnings) = specconv::convert(&spec, &HostInfo::default(), &options)?;
//! assert_eq!(config.rootfs, "/srv/web/rootfs");
//! assert!(config.namespaces.is_private(NamespaceType::Pid));
//! assert!(warnings.is_empty());
//! # Ok::<(), cofferdam_configs::Error>(())
//! ```

mod cgroup;
mod devices;
mod hooks;
mod id_map_option;
mod kernel_attributes;
mod mount_options;
mod mounts;
mod namespaces;
mod required;
mod seccomp;
mod systemd;

pub use cgroup::{cpu_weight, resources};
pub use mount_options::known_mount_options;
#[cfg(feature = "legacy")]
pub(crate) use mount_options::{options_of, propagation_name};
pub use seccomp::seccomp;

use crate::config::{Capabilities, CpuAffinity, MountFlags, NamespaceType, Network};
use crate::{Config, Error, HostInfo, Result, Warning, lexical, oci};

/// How the runtime was asked to make the container: what is not in the bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Container id; names the cgroup when the bundle does not.
    pub id: String,
    /// Absolute path of the bundle directory; relative paths in the bundle are relative to it.
    pub bundle: String,
    /// Let systemd make the cgroup.
    pub use_systemd_cgroup: bool,
    /// Do not `pivot_root(2)`.
    pub no_pivot_root: bool,
    /// Do not make a session keyring.
    pub no_new_keyring: bool,
    /// The runtime's effective uid is not 0.
    pub rootless_euid: bool,
    /// Failing to write cgroups is tolerated.
    pub rootless_cgroups: bool,
}

/// The path that the configuration's rootfs will have: what [`HostInfo::rootfs`] is about. `None`
/// without a root.
#[must_use]
pub fn rootfs_path(spec: &oci::Spec, bundle: &str) -> Option<String> {
    let path = spec.root.as_ref()?.path.as_str();
    // An absolute path stays as written, for validation to see.
    Some(if path.starts_with('/') {
        path.to_owned()
    } else {
        lexical::join(bundle, path)
    })
}

/// The user namespace that the bundle joins, if it does: [`HostInfo::user_namespaces`] then needs
/// its mappings.
#[must_use]
pub fn joined_user_namespace(spec: &oci::Spec) -> Option<&str> {
    joined_namespace(spec, NamespaceType::User)
}

/// The network namespace that the bundle joins, if it does: what [`HostInfo::network_namespace`] is
/// about.
#[must_use]
pub fn joined_network_namespace(spec: &oci::Spec) -> Option<&str> {
    joined_namespace(spec, NamespaceType::Network)
}

fn joined_namespace(spec: &oci::Spec, kind: NamespaceType) -> Option<&str> {
    let namespaces = &spec.linux.as_ref()?.namespaces;
    namespaces
        .iter()
        .find(|ns| ns.kind == kind.oci_name() && !ns.path.is_empty())
        .map(|ns| ns.path.as_str())
}

/// Converts a bundle into a configuration, which is then to be
/// [validated](crate::validate::validate).
///
/// # Errors
/// The bundle lacks something that the specification requires, is for another version of it than
/// 1.x, or asks for something that does not exist or contradicts itself.
pub fn convert(
    spec: &oci::Spec,
    host: &HostInfo,
    options: &Options,
) -> Result<(Config, Vec<Warning>)> {
    required::check(spec)?;
    let mut warnings: Vec<Warning> = spec
        .unknown_keys
        .iter()
        .map(|place| Warning::UnknownKey {
            place: place.clone(),
        })
        .collect();
    let mut config = Config {
        rootfs: rootfs_path(spec, &options.bundle).unwrap_or_default(),
        no_pivot_root: options.no_pivot_root,
        readonlyfs: spec.root.as_ref().is_some_and(|root| root.readonly),
        hostname: spec.hostname.clone(),
        domainname: spec.domainname.clone(),
        labels: Config::make_labels(&spec.annotations, &options.bundle),
        no_new_keyring: options.no_new_keyring,
        rootless_euid: options.rootless_euid,
        rootless_cgroups: options.rootless_cgroups,
        version: oci::VERSION.to_owned(),
        ..Config::default()
    };
    for mount in &spec.mounts {
        config.mounts.push(mounts::convert(
            mount,
            spec.linux.as_ref(),
            &options.bundle,
            &mut warnings,
        )?);
    }
    let spec_devices = spec.linux.as_ref().map_or(&[][..], |linux| &linux.devices);
    let (nodes, default_rules) = devices::nodes_and_default_rules(spec_devices)?;
    config.devices = nodes;
    config.cgroups = cgroup::convert(spec, options, default_rules, &mut warnings)?;
    if let Some(linux) = &spec.linux {
        set_linux(linux, host, options, &mut config, &mut warnings)?;
    }
    config.cgroups.owner_uid = cgroup::owner_uid(spec, &config);
    if let Some(process) = &spec.process {
        set_process(process, &mut config)?;
    }
    if let Some(hooks) = &spec.hooks {
        config.hooks = hooks::convert(hooks);
    }
    Ok((config, warnings))
}

fn set_linux(
    linux: &oci::Linux,
    host: &HostInfo,
    options: &Options,
    config: &mut Config,
    warnings: &mut Vec<Warning>,
) -> Result<()> {
    config.root_propagation = root_propagation(&linux.rootfs_propagation, options.no_pivot_root)?;
    config.namespaces = namespaces::convert(&linux.namespaces)?;
    if config.namespaces.is_private(NamespaceType::Network) {
        config.networks.push(Network::loopback());
    }
    if config.namespaces.contains(NamespaceType::User) {
        config.uid_mappings.clone_from(&linux.uid_mappings);
        config.gid_mappings.clone_from(&linux.gid_mappings);
        namespaces::set_up_user_namespace(host, config, warnings)?;
    } else if !linux.uid_mappings.is_empty() || !linux.gid_mappings.is_empty() {
        warnings.push(Warning::IdMapsWithoutUserNamespace);
    }
    mounts::inherit_id_mappings(config);
    config.mask_paths.clone_from(&linux.masked_paths);
    config.readonly_paths.clone_from(&linux.readonly_paths);
    config.mount_label.clone_from(&linux.mount_label);
    config.sysctl.clone_from(&linux.sysctl);
    config.time_offsets.clone_from(&linux.time_offsets);
    config.net_devices.clone_from(&linux.net_devices);
    if let Some(filter) = &linux.seccomp {
        config.seccomp = seccomp(filter, host)?;
    }
    config.intel_rdt = linux.intel_rdt.as_ref().map(kernel_attributes::intel_rdt);
    if let Some(policy) = &linux.memory_policy {
        config.memory_policy = Some(kernel_attributes::memory_policy(policy)?);
    }
    if let Some(personality) = &linux.personality {
        config.personality = Some(kernel_attributes::personality(personality, warnings)?);
    }
    Ok(())
}

fn root_propagation(word: &str, no_pivot_root: bool) -> Result<MountFlags> {
    if word.is_empty() {
        return Ok(MountFlags::NONE);
    }
    let flags = mount_options::propagation(word)
        .ok_or_else(|| Error::conversion(format!("rootfsPropagation={word} is not supported")))?;
    // Without pivot_root the old root stays reachable below a private one.
    if no_pivot_root && flags.contains(MountFlags::PRIVATE) {
        return Err(Error::conversion(
            "rootfsPropagation of [r]private is not safe without pivot_root",
        ));
    }
    Ok(flags)
}

/// What a stored configuration keeps of the process, for `exec` to start from.
fn set_process(process: &oci::Process, config: &mut Config) -> Result<()> {
    config.oom_score_adj = process.oom_score_adj;
    config.no_new_privileges = process.no_new_privileges;
    config.umask = process.user.umask;
    config.process_label.clone_from(&process.selinux_label);
    config.capabilities = process.capabilities.as_ref().map(Capabilities::from);
    config.scheduler.clone_from(&process.scheduler);
    config.io_priority.clone_from(&process.io_priority);
    if let Some(affinity) = &process.exec_cpu_affinity {
        config.exec_cpu_affinity = CpuAffinity::from_oci(affinity)
            .map_err(|error| Error::conversion(error.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
