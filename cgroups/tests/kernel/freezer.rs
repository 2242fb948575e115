//! Stopping and continuing processes.

use std::path::Path;

use cofferdam_cgroups::{Cgroup, CgroupSpec, ErrorKind, FreezerState, Hierarchy, Resources};

use crate::fixture::Sleeper;
use crate::hierarchies::{v1, v2};
use crate::scratch::scratch;

fn freezing(hierarchy: &Hierarchy) {
    let cgroup = scratch(hierarchy, &Resources::default());
    let sleeper = Sleeper::new();
    cgroup.add(sleeper.pid()).unwrap();
    assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Thawed));
    {
        let _guard = cgroup.freeze_guard().unwrap();
        assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Frozen));
    }
    assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Thawed));
    cgroup.freeze().unwrap();

    // An update does not thaw what is frozen, and a frozen cgroup is not taken for a new container.
    let found = Cgroup::load(hierarchy, &cgroup.paths()).unwrap();
    let frozen = Resources {
        freezer: Some(FreezerState::Frozen),
        ..Resources::default()
    };
    assert!(found.set(&frozen).unwrap().warnings.is_empty());
    assert_eq!(found.freezer_state().unwrap(), Some(FreezerState::Frozen));
    cgroup.thaw().unwrap();
    drop(sleeper);
    cgroup.freeze().unwrap();
    let error = found.check_unused().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Frozen);
    assert_eq!(error.to_string(), "container's cgroup unexpectedly frozen");
    cgroup.thaw().unwrap();
}

#[test]
fn freezing_on_v1() {
    if let Some(hierarchy) = v1(&["freezer", "devices"]) {
        freezing(&hierarchy);
    }
}

#[test]
fn freezing_on_v2() {
    if let Some(hierarchy) = v2() {
        freezing(&hierarchy);
    }
}

#[test]
fn frozen_by_an_ancestor_is_not_frozen_on_v1() {
    let Some(hierarchy) = v1(&["freezer"]) else {
        return;
    };
    let parent = scratch(&hierarchy, &Resources::default());
    let name = parent.path("freezer").unwrap().file_name().unwrap();
    let spec = CgroupSpec::at(Path::new("/").join(name).join("child"));
    let child = Cgroup::prepare(&hierarchy, &spec, &Resources::default()).unwrap();
    parent.freeze().unwrap();
    assert_eq!(child.freezer_state().unwrap(), Some(FreezerState::Thawed));
    parent.thaw().unwrap();
}
