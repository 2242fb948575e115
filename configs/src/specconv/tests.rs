mod kernel_attributes;
mod mounts;
mod namespaces;
mod process;

use std::time::Duration;

use super::*;
use crate::config::{CpuSet, HookPoint, MemoryPolicyMode, PersonalityDomain};
use crate::{ErrorKind, IdMapping, RootfsFact, validate};

fn spec(json: &str) -> oci::Spec {
    let mut spec = oci::Spec::from_slice(json.as_bytes()).unwrap();
    if spec.version.is_empty() {
        oci::VERSION.clone_into(&mut spec.version);
    }
    spec.root.get_or_insert_with(|| oci::Root {
        path: "rootfs".into(),
        readonly: false,
    });
    spec
}

fn options() -> Options {
    Options {
        id: "ctr".into(),
        bundle: "/srv/bundle".into(),
        ..Options::default()
    }
}

fn converted(json: &str) -> Config {
    convert(&spec(json), &HostInfo::default(), &options())
        .unwrap()
        .0
}

fn message(json: &str) -> String {
    convert(&spec(json), &HostInfo::default(), &options())
        .unwrap_err()
        .to_string()
}

fn linux(json: &str) -> String {
    format!("{{\"linux\": {json}}}")
}

fn map(container_id: u32, host_id: u32, size: u32) -> oci::IdMap {
    oci::IdMap::new(container_id, host_id, size)
}

#[test]
fn a_root_is_needed() {
    let error = convert(&oci::Spec::default(), &HostInfo::default(), &options()).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Conversion, "root must be specified")
    );
}

#[test]
fn a_relative_root_is_in_the_bundle() {
    for (path, rootfs) in [
        ("rootfs", "/srv/bundle/rootfs"),
        (".", "/srv/bundle"),
        ("/x/../r", "/x/../r"),
    ] {
        let spec = oci::Spec {
            root: Some(oci::Root {
                path: path.into(),
                readonly: true,
            }),
            ..oci::Spec::default()
        };
        let (config, _) = convert(&spec, &HostInfo::default(), &options()).unwrap();
        assert_eq!((config.rootfs.as_str(), config.readonlyfs), (rootfs, true));
        assert_eq!(rootfs_path(&spec, "/srv/bundle").as_deref(), Some(rootfs));
    }
}

#[test]
fn a_bundle_with_nothing_but_a_root_converts_and_validates() {
    let config = converted("{}");
    assert!(config.namespaces.is_empty());
    assert_eq!(config.capabilities, None);
    assert_eq!(config.cgroups.name, "ctr");
    assert_eq!(config.devices.len(), 6);
    assert_eq!(
        validate::validate(&config, &HostInfo::default()).unwrap(),
        []
    );
}

#[test]
fn the_template_converts_and_validates() {
    let host = HostInfo {
        cgroup_v2: true,
        rootfs: RootfsFact::Resolved("/b/rootfs".into()),
        ..HostInfo::default()
    };
    let options = Options {
        bundle: "/b".into(),
        ..options()
    };
    let spec = oci::Spec::example().with_cgroup_namespace();
    let (config, warnings) = convert(&spec, &host, &options).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(validate::validate(&config, &host).unwrap(), []);
    spec.checked_process(false).unwrap();
}

#[test]
fn the_rootless_template_converts_and_validates() {
    let spec = oci::Spec::example().into_rootless(1000, 100);
    let options = Options {
        rootless_euid: true,
        rootless_cgroups: true,
        ..options()
    };
    let (config, _) = convert(&spec, &HostInfo::default(), &options).unwrap();
    validate::validate(&config, &HostInfo::default()).unwrap();
    assert_eq!(
        (config.host_root_uid(), config.host_root_gid()),
        (Ok(1000), Ok(100))
    );
    assert!(config.rootless_euid && config.rootless_cgroups && config.cgroups.rootless);
}

#[test]
fn what_the_caller_asked_for_is_in_the_configuration() {
    let options = Options {
        no_pivot_root: true,
        no_new_keyring: true,
        ..options()
    };
    let spec = spec(r#"{"ociVersion": "1.0.1", "hostname": "h", "domainname": "d"}"#);
    let (config, _) = convert(&spec, &HostInfo::default(), &options).unwrap();
    assert!(config.no_pivot_root && config.no_new_keyring);
    assert_eq!(
        (config.hostname.as_str(), config.domainname.as_str()),
        ("h", "d")
    );
    // The runtime's version, whatever the bundle was written for.
    assert_eq!(config.version, "1.3.0");
}

#[test]
fn labels_are_the_annotations_and_the_bundle() {
    let config = converted(r#"{"annotations": {"b": "2=3", "a": "1"}}"#);
    assert_eq!(config.labels, ["a=1", "b=2=3", "bundle=/srv/bundle"]);
}

const USERNS: &str = r#""namespaces": [{"type": "user", "path": "/proc/7/ns/user"}]"#;

const PRIVATE_USERNS: &str = r#""namespaces": [{"type": "user"}],
    "uidMappings": [{"hostID": 1000, "size": 10}], "gidMappings": [{"hostID": 2000, "size": 10}]"#;
