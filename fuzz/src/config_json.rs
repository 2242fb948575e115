//! `config.json`: whatever it says is converted and validated, or refused; a configuration survives
//! being stored.

use std::collections::BTreeMap;

use configs::config::{Config, IdMap};
use configs::specconv::{self, Options};
use configs::{HostInfo, IdMapping, NetworkNamespaceFact, RootfsFact, oci, validate};

use crate::machine::host_info;

pub(crate) fn run(text: &[u8]) {
    let Ok(spec) = oci::Spec::from_slice(text) else {
        return;
    };
    for (host, options) in [of_root(&spec), of_user_with_systemd(&spec), of_poor_machine()] {
        let Ok((mut config, _)) = specconv::convert(&spec, &host, &options) else {
            continue;
        };
        let _valid_or_not = validate::validate(&config, &host);
        // They are for the creation of the unit alone, and not stored.
        config.cgroups.systemd_properties.clear();
        let stored = serde_json::to_vec(&config).expect("a configuration is JSON");
        let loaded: Config = serde_json::from_slice(&stored).expect("what was stored is loaded");
        assert_eq!(config, loaded);
    }
}

fn options() -> Options {
    Options {
        id: "fuzz".to_owned(),
        bundle: "/bundle".to_owned(),
        ..Options::default()
    }
}

/// Root, on a machine with cgroup v1 and all that can be asked for. A network namespace that is
/// joined is another one.
fn of_root(spec: &oci::Spec) -> (HostInfo, Options) {
    let mut host = host_info(false);
    host.user_namespaces = mappings(specconv::joined_user_namespace(spec));
    if specconv::joined_network_namespace(spec).is_some() {
        host.network_namespace = NetworkNamespaceFact::Other;
    }
    (host, options())
}

/// An ordinary user, for whom systemd makes the cgroup on version 2.
fn of_user_with_systemd(spec: &oci::Spec) -> (HostInfo, Options) {
    let mut host = host_info(true);
    host.user_namespaces = mappings(specconv::joined_user_namespace(spec));
    host.network_namespace = NetworkNamespaceFact::Own;
    if let Some(path) = specconv::rootfs_path(spec, "/bundle") {
        host.rootfs = RootfsFact::Resolved(path);
    }
    let options = Options {
        use_systemd_cgroup: true,
        no_pivot_root: true,
        rootless_euid: true,
        rootless_cgroups: true,
        ..options()
    };
    (host, options)
}

/// Root, on a machine that has nothing, and of whose paths nothing is known.
fn of_poor_machine() -> (HostInfo, Options) {
    let host = HostInfo {
        namespaces: [].into_iter().collect(),
        rootfs: RootfsFact::Failed("not there".to_owned()),
        network_namespace: NetworkNamespaceFact::Failed("not there".to_owned()),
        ..HostInfo::default()
    };
    (host, options())
}

/// The maps of the user namespace at this path.
fn mappings(path: Option<&str>) -> BTreeMap<String, IdMapping> {
    let ids = || vec![IdMap::new(0, 100_000, 65_536)].into();
    let mapping = IdMapping {
        uids: ids(),
        gids: ids(),
    };
    path.map(|path| (path.to_owned(), mapping)).into_iter().collect()
}
