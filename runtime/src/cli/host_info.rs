//! What the conversion of a bundle must know of the machine: looked up only where the bundle asks for it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use configs::config::{IdMap, NamespaceType, SeccompFlag};
use configs::oci::Spec;
use configs::specconv;
use configs::{HostInfo, IntelRdtSupport, NetworkNamespaceFact, RootfsFact, UserNamespaceMaps};

use super::failure::{Failure, describe};

/// `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
const CGROUP2: i64 = 0x6367_7270;

/// Gathers the facts that the conversion of `spec`, read from `bundle`, depends on.
pub(crate) fn for_bundle(spec: &Spec, bundle: &str) -> Result<HostInfo, Failure> {
    let mut host = HostInfo {
        namespaces: namespaces(spec),
        cgroup_v2: unified_cgroup(),
        ..HostInfo::default()
    };
    if let Some(path) = specconv::rootfs_path(spec, bundle) {
        host.rootfs = rootfs(Path::new(&path));
    }
    if let Some(path) = specconv::joined_network_namespace(spec) {
        host.network_namespace = network_namespace(Path::new(path));
    }
    if let Some(path) = specconv::joined_user_namespace(spec) {
        let maps = user_namespace(Path::new(path))?;
        host.user_namespaces.insert(path.to_owned(), maps);
    }
    let linux = spec.linux.as_ref();
    let labelled = linux.is_some_and(|linux| !linux.mount_label.is_empty())
        || spec
            .process
            .as_ref()
            .is_some_and(|process| !process.selinux_label.is_empty());
    host.selinux = labelled && selinux_enabled();
    if linux.is_some_and(|linux| linux.seccomp.is_some()) {
        host.seccomp_flags = seccomp_flags();
    }
    if linux.is_some_and(|linux| linux.intel_rdt.is_some()) {
        host.intel_rdt = intel_rdt();
    }
    Ok(host)
}

/// The id maps of the user namespace that a path leads to.
fn user_namespace(path: &Path) -> Result<UserNamespaceMaps, Failure> {
    let maps =
        nsenter::namespaces::id_maps_of(path).map_err(|error| Failure::new(describe(&error)))?;
    let convert = |maps: &user::IdMaps| {
        let one = |map: &user::IdMap| IdMap {
            container_id: map.container,
            host_id: map.host,
            size: map.size,
        };
        maps.ranges().iter().map(one).collect()
    };
    Ok(UserNamespaceMaps {
        uid_mappings: convert(&maps.uid),
        gid_mappings: convert(&maps.gid),
    })
}

/// The types of namespaces this kernel has. Whether it has one that the bundle does not name does not matter.
fn namespaces(spec: &Spec) -> Vec<NamespaceType> {
    let directory = Path::new("/proc/self/ns");
    let named = spec.linux.iter().flat_map(|linux| &linux.namespaces);
    let named: Vec<&str> = named.map(|namespace| namespace.kind.as_str()).collect();
    NamespaceType::ALL
        .into_iter()
        .filter(|kind| {
            !named.contains(&kind.name())
                || fs::symlink_metadata(directory.join(kind.proc_file())).is_ok()
        })
        .collect()
}

/// Whether `/sys/fs/cgroup` is cgroup v2 and nothing else.
pub(crate) fn unified_cgroup() -> bool {
    rustix::fs::statfs("/sys/fs/cgroup").is_ok_and(|found| found.f_type == CGROUP2)
}

fn rootfs(path: &Path) -> RootfsFact {
    match path.canonicalize() {
        Ok(resolved) => RootfsFact::Resolved(resolved.to_string_lossy().into_owned()),
        Err(error) => RootfsFact::Failed(format!("{}: {}", path.display(), describe(&error))),
    }
}

fn seccomp_flags() -> Vec<SeccompFlag> {
    // The names of the kernel's header are the names of the configuration.
    let known = |name: &&str| serde_json::from_value(serde_json::Value::from(*name)).ok();
    seccomp::features()
        .supported_flags
        .iter()
        .filter_map(known)
        .collect()
}

fn intel_rdt() -> IntelRdtSupport {
    // resctrl that is not mounted, or cannot be read, offers nothing.
    let features = intelrdt::Root::system().and_then(|root| root.features());
    features.map_or_else(
        |_| IntelRdtSupport::default(),
        |features| IntelRdtSupport {
            enabled: true,
            cat: features.cache_allocation,
            mba: features.bandwidth_allocation,
        },
    )
}

/// Whether SELinux is on.
pub(crate) fn selinux_enabled() -> bool {
    selinux::SeLinux::system().is_enabled()
}

fn network_namespace(path: &Path) -> NetworkNamespaceFact {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    match (identity(path), identity(Path::new("/proc/self/ns/net"))) {
        (Ok(theirs), Ok(own)) if theirs == own => NetworkNamespaceFact::Own,
        (Ok(_), Ok(_)) => NetworkNamespaceFact::Other,
        (Err(error), _) | (_, Err(error)) => NetworkNamespaceFact::Failed(describe(&error)),
    }
}
