//! What conversion and validation must know of the machine: looked up only where it is asked for.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use configs::config::{FilterFlag, NamespaceType};
use configs::oci::Spec;
use configs::specconv;
use configs::{Config, HostInfo, IntelRdtSupport, NetworkNamespaceFact, RootfsFact};
use nsenter::NamespaceSet;
use rustix::fs::{AtFlags, statat};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::sys;
use crate::system::System;

/// `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
const CGROUP2: i64 = 0x6367_7270;

/// The facts about this machine that [`specconv::convert`] and
/// [`validate`](configs::validate::validate) need for `spec`, read from the bundle in the directory
/// `bundle`, which must be absolute.
///
/// [`Bundle`](crate::Bundle) and [`Runtime`](crate::Runtime) gather them themselves. This is for
/// programs that convert a bundle on their own.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] if the user namespace that the bundle joins cannot be read,
/// [`ErrorKind::System`] if the kernel cannot be asked for its namespaces.
pub fn host_info(spec: &Spec, bundle: &str) -> Result<HostInfo> {
    for_spec(&System::default(), spec, bundle)
}

/// The facts that the conversion of `spec`, read from `bundle`, depends on, and the validation of
/// what comes out.
pub(crate) fn for_spec(system: &System, spec: &Spec, bundle: &str) -> Result<HostInfo> {
    let linux = spec.linux.as_ref();
    let named = linux.iter().flat_map(|linux| &linux.namespaces);
    let named = named.filter_map(|namespace| NamespaceType::from_oci_name(&namespace.kind));
    let mut host = HostInfo {
        namespaces: namespaces(system, named)?,
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
        let maps = nsenter::namespaces::id_maps_of(Path::new(path))
            .map_err(|error| Error::with(ErrorKind::InvalidConfig, error.to_string(), error))?;
        host.user_namespaces.insert(path.to_owned(), maps);
    }
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

/// The facts that the validation of `config` depends on.
pub(crate) fn for_config(system: &System, config: &Config) -> Result<HostInfo> {
    let named = NamespaceType::ALL.into_iter();
    let named = named.filter(|kind| config.namespaces.contains(*kind));
    let mut host = HostInfo {
        namespaces: namespaces(system, named)?,
        cgroup_v2: unified_cgroup(),
        rootfs: rootfs(Path::new(&config.rootfs)),
        ..HostInfo::default()
    };
    if let Some(path) = config.namespaces.path_of(NamespaceType::Network) {
        host.network_namespace = network_namespace(Path::new(path));
    }
    let labelled = !config.mount_label.is_empty() || !config.process_label.is_empty();
    host.selinux = labelled && selinux_enabled();
    if config.intel_rdt.is_some() {
        host.intel_rdt = intel_rdt();
    }
    Ok(host)
}

/// The namespace types that validation asks the kernel about. A kernel without one of the others
/// refuses the clone.
const ASKED: [NamespaceType; 3] = [
    NamespaceType::User,
    NamespaceType::Cgroup,
    NamespaceType::Time,
];

/// The types of namespaces this kernel has. Those that are not `named` are not looked for.
fn namespaces(system: &System, named: impl Iterator<Item = NamespaceType>) -> Result<NamespaceSet> {
    let asked: Vec<NamespaceType> = named.filter(|kind| ASKED.contains(kind)).collect();
    if asked.is_empty() {
        return Ok(NamespaceType::ALL.into_iter().collect());
    }
    namespaces_at(system.procfs()?.as_fd(), &asked)
}

/// All types, without those of `asked` that the kernel behind this procfs does not have.
fn namespaces_at(procfs: BorrowedFd<'_>, asked: &[NamespaceType]) -> Result<NamespaceSet> {
    let mut known = NamespaceSet::from_iter(NamespaceType::ALL);
    for kind in asked {
        if !has_namespace(procfs, *kind)? {
            known = known - *kind;
        }
    }
    Ok(known)
}

/// Whether the kernel has a type of namespace: each has its file in `/proc/self/ns`
/// (`namespaces(7)`), and time namespaces, which can be entered only with their offsets set, have
/// `/proc/self/timens_offsets` (Linux 5.6), too.
fn has_namespace(procfs: BorrowedFd<'_>, kind: NamespaceType) -> Result<bool> {
    let offsets = (kind == NamespaceType::Time).then(|| "self/timens_offsets".to_owned());
    let files = [format!("self/ns/{}", kind.file_name())];
    for file in files.into_iter().chain(offsets) {
        match statat(procfs, &file, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => {}
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
            Err(errno) => return Err(Error::system(format!("look at /proc/{file}"), errno)),
        }
    }
    Ok(true)
}

/// Whether `/sys/fs/cgroup` is cgroup v2 and nothing else.
pub(crate) fn unified_cgroup() -> bool {
    rustix::fs::statfs("/sys/fs/cgroup").is_ok_and(|found| found.f_type == CGROUP2)
}

fn rootfs(path: &Path) -> RootfsFact {
    match sys::real_path(path) {
        Ok(resolved) => RootfsFact::Resolved(resolved.to_string_lossy().into_owned()),
        Err(error) => RootfsFact::Failed(format!("{}: {}", path.display(), error)),
    }
}

fn seccomp_flags() -> Vec<FilterFlag> {
    let all = FilterFlag::ALL.iter().copied();
    all.filter(|flag| flag.is_supported()).collect()
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
        (Err(error), _) | (_, Err(error)) => NetworkNamespaceFact::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that looks like procfs, with these files.
    fn procfs(files: &[&str]) -> (tempfile::TempDir, fs::File) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("self/ns")).unwrap();
        for file in files {
            fs::write(directory.path().join(file), "").unwrap();
        }
        let opened = fs::File::open(directory.path()).unwrap();
        (directory, opened)
    }

    fn known(files: &[&str]) -> NamespaceSet {
        let (_directory, opened) = procfs(files);
        namespaces_at(opened.as_fd(), &ASKED).unwrap()
    }

    #[test]
    fn a_namespace_type_without_its_file_is_not_there() {
        use NamespaceType::{Cgroup, Time, User};
        let has = |files: &[&str], kind| known(files).contains(kind);
        assert!(has(&["self/ns/user"], User));
        assert!(!has(&["self/ns/cgroup"], User));
        assert!(has(&["self/ns/cgroup"], Cgroup));
        assert!(!has(&["self/ns/user"], Cgroup));
        assert!(has(&["self/ns/time", "self/timens_offsets"], Time));
        assert!(!has(&["self/ns/time"], Time));
        assert!(!has(&["self/timens_offsets"], Time));
        // These are not asked for.
        assert!(has(&[], NamespaceType::Pid));
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_taken_for_absent() {
        let (directory, _) = procfs(&[]);
        fs::remove_dir(directory.path().join("self/ns")).unwrap();
        std::os::unix::fs::symlink("ns", directory.path().join("self/ns")).unwrap();
        let opened = fs::File::open(directory.path()).unwrap();
        let error = namespaces_at(opened.as_fd(), &ASKED).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
    }

    fn spec(namespaces: &str) -> Spec {
        let text = format!(
            r#"{{"ociVersion": "1.3.0", "root": {{"path": "r"}}, "linux": {{"namespaces": [{namespaces}]}}}}"#
        );
        Spec::from_slice(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_bundle_and_its_configuration_need_the_same_facts() {
        let spec = spec(
            r#"{"type": "user"}, {"type": "time"}, {"type": "cgroup"}, {"type": "network", "path": "/proc/self/ns/net"}"#,
        );
        let system = System::default();
        let of_bundle = for_spec(&system, &spec, "/").unwrap();
        assert_eq!(of_bundle.network_namespace, NetworkNamespaceFact::Own);
        let mut config = Config {
            rootfs: "/r".to_owned(),
            ..Config::default()
        };
        for namespace in &spec.linux.unwrap().namespaces {
            let kind = NamespaceType::from_oci_name(&namespace.kind).unwrap();
            config.namespaces.set(kind, namespace.path.as_str());
        }
        assert_eq!(for_config(&system, &config).unwrap(), of_bundle);
    }
}
