//! What it takes to show the v1 hierarchies in a container.

use cofferdam_cgroups::Resources;

use crate::hierarchies::v1;
use crate::scratch::scratch;

#[test]
fn every_hierarchy_is_described() {
    let Some(hierarchy) = v1(&["devices"]) else {
        return;
    };
    let cgroup = scratch(&hierarchy, &Resources::default());
    let mounts = cgroup.mounts();
    let devices = mounts
        .iter()
        .find(|mount| mount.controllers.iter().any(|name| name == "devices"))
        .unwrap();
    assert_eq!(devices.source, "cgroup");
    assert_eq!(devices.path, cgroup.path("devices").unwrap());
    for mount in &mounts {
        assert!(hierarchy.path().join(&mount.directory).is_dir());
        assert_eq!(mount.data, mount.controllers.join(","));
        for link in &mount.links {
            assert!(mount.controllers.contains(link));
        }
    }
    assert!(mounts.iter().all(|mount| mount.directory != "unified"));
}
