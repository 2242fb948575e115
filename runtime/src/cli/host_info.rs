//! What the conversion of a bundle must know of the machine: looked up only where the bundle asks for it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use configs::config::{NamespaceType, SeccompFlag};
use configs::oci::Spec;
use configs::{HostInfo, IntelRdtSupport, NetworkNamespaceFact, RootfsFact};

use super::failure::describe;

/// `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
const CGROUP2: i64 = 0x6367_7270;

/// Gathers the facts that the conversion of `spec`, read from `bundle`, depends on.
pub(crate) fn for_bundle(spec: &Spec, bundle: &Path) -> HostInfo {
    let mut host = HostInfo {
        namespaces: namespaces(),
        cgroup_v2: unified_cgroup(),
        rootfs: spec.root.as_ref().map_or(RootfsFact::NotExamined, |root| {
            rootfs(&bundle.join(&root.path))
        }),
        ..HostInfo::default()
    };
    let process_label = spec
        .process
        .as_ref()
        .is_some_and(|process| !process.selinux_label.is_empty());
    let Some(linux) = &spec.linux else {
        host.selinux = process_label && selinux_enabled();
        return host;
    };
    if process_label || !linux.mount_label.is_empty() {
        host.selinux = selinux_enabled();
    }
    if linux.seccomp.is_some() {
        host.seccomp_flags = seccomp_flags();
    }
    if linux.intel_rdt.is_some() {
        host.intel_rdt = intel_rdt();
    }
    for namespace in linux
        .namespaces
        .iter()
        .filter(|namespace| !namespace.path.is_empty())
    {
        match NamespaceType::from_oci_name(&namespace.kind) {
            Some(NamespaceType::Network) => {
                host.network_namespace = network_namespace(Path::new(&namespace.path))
            }
            Some(NamespaceType::User) => {
                if let Some(maps) = user_namespace(Path::new(&namespace.path)) {
                    host.user_namespaces.insert(namespace.path.clone(), maps);
                }
            }
            _ => {}
        }
    }
    host
}

/// The types of namespaces this kernel has.
fn namespaces() -> Vec<NamespaceType> {
    let directory = Path::new("/proc/self/ns");
    NamespaceType::ALL
        .into_iter()
        .filter(|kind| fs::symlink_metadata(directory.join(kind.proc_file())).is_ok())
        .collect()
}

/// Whether `/sys/fs/cgroup` is cgroup v2 and nothing else.
pub(crate) fn unified_cgroup() -> bool {
    rustix::fs::statfs("/sys/fs/cgroup").is_ok_and(|found| found.f_type == CGROUP2)
}

fn rootfs(path: &Path) -> RootfsFact {
    match path.canonicalize() {
        Ok(resolved) => RootfsFact::Resolved(resolved.to_string_lossy().into_owned()),
        Err(error) => RootfsFact::Failed(describe(&error)),
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
    IntelRdtSupport::default()
}

fn selinux_enabled() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}

fn user_namespace(_path: &Path) -> Option<configs::UserNamespaceMaps> {
    None
}

fn network_namespace(path: &Path) -> NetworkNamespaceFact {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    match (identity(path), identity(Path::new("/proc/self/ns/net"))) {
        (Ok(theirs), Ok(own)) if theirs == own => NetworkNamespaceFact::Own,
        (Ok(_), Ok(_)) => NetworkNamespaceFact::Other,
        (Err(error), _) | (_, Err(error)) => NetworkNamespaceFact::Failed(describe(&error)),
    }
}
