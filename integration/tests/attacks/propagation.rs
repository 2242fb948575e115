//! Mounts of a container on a host that shares all of its own, as systemd does: none shows up
//! there, and none of the host's in the container's root.

use std::path::Path;

use cofferdam_integration::{Case, need};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount};
use serde_json::json;

use crate::host::Host;
use crate::{mount_table, victim};

/// Makes a container with each propagation of its root and looks at both sides.
#[track_caller]
fn every_propagation(host: &Host, case: &mut Case) {
    // The mount that the test itself has made, if any.
    let before = case.leftovers();
    for (propagation, shown) in [
        (None, ""),
        (Some("slave"), ""),
        (Some("rslave"), ""),
        (Some("private"), ""),
        (Some("rprivate"), ""),
        (Some("shared"), "shared:"),
        (Some("rshared"), "shared:"),
        // Not `runbindable`: read-only paths are binds.
        (Some("unbindable"), "unbindable"),
    ] {
        case.bundle.config["linux"]["rootfsPropagation"] = json!(propagation);
        let pid = victim::create(case).unwrap_or_else(|output| panic!("{propagation:?}: {output}"));
        host.unchanged(&format!("a root with propagation {propagation:?}"));
        let mounts = mount_table::of(&pid.to_string());
        let root = mounts
            .iter()
            .find(|mount| mount.target == Path::new("/"))
            .expect("a root");
        // No `master:`, whatever the configuration says.
        assert!(
            root.propagation.starts_with(shown)
                && root.propagation.is_empty() == shown.is_empty()
                && !root.propagation.contains(' '),
            "{propagation:?}: {root:?}"
        );
        victim::delete(case);
        assert_eq!(case.leftovers(), before);
    }
}

#[test]
fn nothing_is_mounted_outside_of_a_root_that_is_a_directory() {
    need!(Root, Busybox);
    let host = Host::new();
    every_propagation(&host, &mut Case::new());
}

#[test]
fn nothing_is_mounted_outside_of_a_root_that_is_a_shared_mount() {
    need!(Root, Busybox);
    let mut host = Host::new();
    let mut case = Case::new();
    let rootfs = case.bundle.rootfs();
    mount_bind(&rootfs, &rootfs).unwrap();
    mount_change(&rootfs, MountPropagationFlags::SHARED).unwrap();
    host.mounts_as_now();
    every_propagation(&host, &mut case);
    unmount(&rootfs, UnmountFlags::DETACH).unwrap();
}
