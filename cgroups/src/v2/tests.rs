use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;
use crate::Cgroup;
use crate::fake::Fake;

const CONTROLLERS: &str = "cpuset cpu io memory hugetlb pids rdma misc\n";

pub(super) fn fake() -> Fake {
    let fake = Fake::v2(CONTROLLERS, "/own/session");
    fake.file("ctr/cgroup.controllers", CONTROLLERS);
    fake
}

#[test]
fn freezer() {
    let fake = fake();
    let cgroup = fake.cgroup("ctr");
    // A kernel before 5.2.
    assert_eq!(cgroup.freezer_state().unwrap(), None);
    cgroup.thaw().unwrap();
    let error = cgroup.freeze().unwrap_err();
    assert_eq!(error.to_string(), "freezer not supported");

    fake.file("ctr/cgroup.freeze", "");
    fake.file("ctr/cgroup.events", "populated 1\nfrozen 1\n");
    cgroup.freeze().unwrap();
    assert_eq!(fake.read("ctr/cgroup.freeze"), "1");
    assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Frozen));
    cgroup.thaw().unwrap();
    assert_eq!(fake.read("ctr/cgroup.freeze"), "0");
    assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Thawed));
}

#[test]
fn place_of_a_new_cgroup() {
    let fake = fake();
    let hierarchy = fake.hierarchy();
    for (inner, place) in [("/a/b", "a/b"), ("ctr", "own/ctr"), ("a/b", "own/a/b")] {
        let path = path_for(&hierarchy, Path::new(inner)).unwrap();
        assert_eq!(path, Path::new(place));
    }
    let top = Fake::v2(CONTROLLERS, "/").hierarchy();
    assert_eq!(path_for(&top, Path::new("ctr")).unwrap(), Path::new("ctr"));
}

#[test]
fn controllers_are_handed_down_to_the_parent_only() {
    let fake = fake();
    fake.file("cgroup.subtree_control", "");
    fake.file("pod/cgroup.subtree_control", "");
    fake.file("pod/ctr/cgroup.subtree_control", "");
    fake.file("pod/ctr/cgroup.controllers", "cpu\n");
    let spec = CgroupSpec::at("/pod/ctr");
    let cgroup = Cgroup::prepare(&fake.hierarchy(), &spec, &Resources::default()).unwrap();
    let all = "+cpuset +cpu +io +memory +hugetlb +pids +rdma +misc";
    assert_eq!(fake.read("cgroup.subtree_control"), all);
    assert_eq!(fake.read("pod/cgroup.subtree_control"), all);
    assert_eq!(fake.read("pod/ctr/cgroup.subtree_control"), "");
    assert_eq!(
        cgroup.paths(),
        BTreeMap::from([(String::new(), fake.root().join("pod/ctr"))])
    );
}

#[test]
fn controllers_are_enabled_one_by_one_where_not_all_can_be() {
    let wanted = ["cpu", "memory", "pids"].map(str::to_owned);
    let written = |refused: &str| {
        let written = std::cell::RefCell::new(Vec::new());
        hand_down(&wanted, |change| {
            written.borrow_mut().push(change.to_owned());
            if change.contains(refused) {
                Err(Error::new(ErrorKind::Io, "operation not supported"))
            } else {
                Ok(())
            }
        });
        written.into_inner()
    };
    assert_eq!(written("none"), ["+cpu +memory +pids"]);
    let one_by_one = ["+cpu +memory +pids", "+cpu", "+memory", "+pids"];
    assert_eq!(written("memory"), one_by_one);
    // Not even one: that is an error when a limit needs it.
    assert_eq!(written("+"), one_by_one);
}

#[test]
fn a_failed_creation_leaves_nothing() {
    // A plain directory has no cgroup.controllers: creation fails after the mkdir.
    let fake = fake();
    fake.file("pod/x", "");
    let spec = CgroupSpec::at("/pod/a/b");
    let error = Cgroup::prepare(&fake.hierarchy(), &spec, &Resources::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(fake.root().join("pod").exists());
    assert!(!fake.root().join("pod/a").exists());
}

#[test]
fn threaded_cgroups() {
    let create = |mode: &str, resources: &Resources| {
        let fake = fake();
        fake.file("ctr/cgroup.type", mode);
        let spec = CgroupSpec::at("/ctr");
        let made = Cgroup::prepare(&fake.hierarchy(), &spec, resources);
        (made.map(drop), fake.read("ctr/cgroup.type"))
    };
    let limits = Resources {
        memory: Some(1),
        ..Resources::default()
    };
    let none = Resources::default();
    let (made, mode) = create("domain invalid\n", &none);
    made.unwrap();
    assert!(mode.starts_with("threaded"));
    create("domain\n", &limits).0.unwrap();
    create("threaded\n", &none).0.unwrap();
    for (mode, text) in [
        ("domain invalid\n", "it is in an invalid state"),
        ("threaded\n", "it is in threaded mode"),
        ("domain threaded\n", "it is in domain threaded mode"),
    ] {
        let error = create(mode, &limits).0.unwrap_err().to_string();
        assert!(error.starts_with("cannot enter cgroupv2 \""), "{error}");
        assert!(
            error.ends_with(&format!("with domain controllers -- {text}")),
            "{error}"
        );
    }
}

#[test]
fn load_takes_one_clean_path() {
    let fake = fake();
    let hierarchy = fake.hierarchy();
    let load = |paths: &[(&str, &str)]| {
        let paths = paths.iter().map(|(key, path)| {
            let path = path.replace('@', fake.root().to_str().unwrap());
            ((*key).to_owned(), PathBuf::from(path))
        });
        Cgroup::load(&hierarchy, &paths.collect()).map_err(|error| error.kind())
    };
    let loaded = load(&[("", "@/ctr")]).unwrap();
    assert_eq!(loaded.path("").unwrap(), fake.root().join("ctr"));
    for wrong in [
        vec![],
        vec![("", "@/a"), ("cpu", "@/a")],
        vec![("", "ctr")],
        vec![("", "@/a/../b")],
    ] {
        assert_eq!(load(&wrong).unwrap_err(), ErrorKind::InconsistentPaths);
    }
    assert_eq!(
        load(&[("", "/elsewhere/ctr")]).unwrap_err(),
        ErrorKind::InvalidPath
    );
}

#[test]
fn sub_cgroups_stay_below() {
    let fake = fake();
    let cgroup = fake.cgroup("ctr");
    let sub = |controller: &str, path: &str| {
        let paths = BTreeMap::from([(controller.to_owned(), PathBuf::from(path))]);
        cgroup
            .sub_cgroup(&paths)
            .map(|sub| sub.path("").unwrap().to_owned())
    };
    let base = fake.root().join("ctr");
    for (path, place) in [("a/b", "a/b"), ("/a", "a"), ("/", ""), ("a/../b", "b")] {
        assert_eq!(sub("", path).unwrap(), base.join(place), "{path}");
    }
    assert_eq!(
        cgroup.sub_cgroup(&BTreeMap::new()).unwrap().paths(),
        cgroup.paths()
    );
    for path in ["..", "../ctrX", "a/../../ctrX", "a\0b"] {
        let error = sub("", path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPath);
        assert_eq!(error.to_string(), format!("bad sub cgroup path: {path}"));
    }
    let error = sub("cpu", "a").unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown controller cpu in SubCgroupPaths"
    );
}

#[test]
fn symbolic_links_are_not_followed() {
    let fake = fake();
    fake.file("target/cgroup.procs", "1\n");
    fake.file("target/pids.max", "");
    std::os::unix::fs::symlink(fake.root().join("target"), fake.root().join("link")).unwrap();
    assert!(fake.cgroup("link").processes().is_err());
    fs::remove_file(fake.root().join("target/pids.max")).unwrap();
    fake.file("other", "");
    std::os::unix::fs::symlink(
        fake.root().join("other"),
        fake.root().join("target/pids.max"),
    )
    .unwrap();
    let resources = Resources {
        pids_limit: Some(1),
        ..Resources::default()
    };
    assert!(fake.cgroup("target").set(&resources).is_err());
    assert_eq!(fake.read("other"), "");
}

#[test]
fn killing_at_once() {
    let fake = fake();
    fake.file("ctr/cgroup.procs", "");
    fake.file("ctr/cgroup.kill", "");
    fake.cgroup("ctr").kill().unwrap();
    assert_eq!(fake.read("ctr/cgroup.kill"), "1");
}

#[test]
fn processes_of_a_tree() {
    let fake = fake();
    fake.file("ctr/cgroup.procs", "1\n2\n");
    fake.file("ctr/a/b/cgroup.procs", "3\n");
    let cgroup = fake.cgroup("ctr");
    assert_eq!(cgroup.processes().unwrap(), [1, 2]);
    assert_eq!(cgroup.all_processes().unwrap(), [1, 2, 3]);
    fake.file("ctr/cgroup.procs", "x\n");
    assert_eq!(cgroup.processes().unwrap_err().kind(), ErrorKind::Parse);
}

#[cfg(feature = "systemd")]
#[test]
fn the_list_of_files_to_delegate_is_replaced_only_where_there_is_none() {
    let errno = |errno| Err(std::io::Error::from_raw_os_error(errno));
    assert_eq!(delegated(Ok("a\n".to_owned())).unwrap(), "a\n");
    let old = delegated(errno(libc::ENOENT)).unwrap();
    assert_eq!(old.lines().count(), 3);
    for other in [libc::EMFILE, libc::EACCES, libc::EIO] {
        assert!(delegated(errno(other)).is_err());
    }
}
