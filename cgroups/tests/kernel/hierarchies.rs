//! What this machine has for a test; `None`, after saying why, if that is not enough.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use cofferdam_cgroups::{Hierarchy, Mode};

use crate::fixture::is_root;

/// Whatever hierarchies there are.
pub(crate) fn any() -> Option<Hierarchy> {
    if !is_root() {
        println!("skipped: needs root");
        return None;
    }
    Some(Hierarchy::system().unwrap())
}

/// The v1 hierarchies, with these controllers among them.
pub(crate) fn v1(controllers: &[&str]) -> Option<Hierarchy> {
    let hierarchy = any()?;
    if hierarchy.mode() == Mode::V2 || !has_all(&hierarchy, controllers) {
        println!("skipped: needs cgroup v1 with {controllers:?}");
        return None;
    }
    Some(hierarchy)
}

/// The v2 hierarchy, wherever it is mounted.
pub(crate) fn v2() -> Option<Hierarchy> {
    let system = any()?;
    let path = match system.mode() {
        Mode::V2 => system.path().to_owned(),
        Mode::Hybrid => system.path().join("unified"),
        Mode::V1 => {
            println!("skipped: needs cgroup v2");
            return None;
        }
    };
    let hierarchy = Hierarchy::open_at(open(&path), path, open(Path::new("/proc/self"))).unwrap();
    assert_eq!(hierarchy.mode(), Mode::V2);
    Some(hierarchy)
}

/// As [`v2`], with these controllers.
pub(crate) fn v2_with(controllers: &[&str]) -> Option<Hierarchy> {
    let hierarchy = v2()?;
    if !has_all(&hierarchy, controllers) {
        println!("skipped: needs cgroup v2 with {controllers:?}");
        return None;
    }
    Some(hierarchy)
}

fn has_all(hierarchy: &Hierarchy, controllers: &[&str]) -> bool {
    let have = hierarchy.controllers().unwrap();
    controllers
        .iter()
        .all(|name| have.iter().any(|other| other == name))
}

fn open(path: &Path) -> OwnedFd {
    File::open(path).unwrap().into()
}
