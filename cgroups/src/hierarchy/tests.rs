use super::*;
use crate::fake::Fake;

#[test]
fn modes() {
    let fake = Fake::v2("cpu memory\n", "/");
    let v2 = fake.hierarchy();
    assert_eq!(v2.mode(), Mode::V2);
    assert_eq!(v2.controllers().unwrap(), ["cpu", "memory"]);
    let v1 = Fake::v1("2:memory:/\n1:cpu,cpuacct:/\n").hierarchy();
    assert_eq!(v1.mode(), Mode::V1);
    assert_eq!(v1.controllers().unwrap(), ["memory", "cpu", "cpuacct"]);
    let hybrid = Fake::v1("2:memory:/\n1:name=systemd:/\n0::/\n").hierarchy();
    assert_eq!(hybrid.mode(), Mode::Hybrid);
    assert_eq!(hybrid.controllers().unwrap(), ["memory", "name=systemd"]);
}

#[test]
fn order_of_hierarchies() {
    let fake = Fake::v1("5:freezer:/\n4:cpuset:/\n3:memory:/\n2:name=systemd:/\n1:devices:/\n");
    let hierarchy = fake.hierarchy();
    let names: Vec<_> = hierarchy
        .v1()
        .iter()
        .map(|v1| v1.directory.as_str())
        .collect();
    assert_eq!(names, ["cpuset", "devices", "memory", "freezer", "systemd"]);
}

#[test]
fn what_is_not_mounted_is_left_out() {
    let fake = Fake::v1("2:memory:/\n1:pids:/\n");
    std::fs::remove_dir(fake.root().join("pids")).unwrap();
    assert_eq!(fake.hierarchy().controllers().unwrap(), ["memory"]);
}

#[test]
fn merged_hierarchies_under_other_names() {
    for directory in ["cpuacct,cpu", "cpu", "cpuacct"] {
        let fake = Fake::v1("1:cpu,cpuacct:/\n");
        std::fs::rename(fake.root().join("cpu,cpuacct"), fake.root().join(directory)).unwrap();
        assert_eq!(fake.hierarchy().v1()[0].directory, directory);
    }
}

#[test]
fn hierarchies_by_their_mounts() {
    let mounts = v1_mounts(
        "1 0 0:1 / /cg/odd rw - cgroup cgroup rw,memory\n\
         2 0 0:2 / /cg/sd rw - cgroup cgroup rw,xattr,name=systemd\n\
         3 0 0:3 / /cg/unified rw - cgroup2 cgroup2 rw\n\
         4 0 0:4 / /other/pids rw - cgroup cgroup rw,pids\n",
    )
    .unwrap();
    assert_eq!(mounts.len(), 3);
    let own = Membership::parse("3:pids:/\n2:memory:/\n1:name=systemd:/\n0::/\n").unwrap();
    let found = v1_mounted(&mounts, &own, Path::new("/cg"), |_| Ok(true)).unwrap();
    let names: Vec<_> = found.iter().map(|v1| v1.directory.as_str()).collect();
    assert_eq!(names, ["odd", "sd"]);
}

#[test]
fn what_cannot_be_looked_at_is_not_taken_for_absent() {
    let own = Membership::parse("2:memory:/\n1:pids:/\n").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let root = open_directory(directory.path()).unwrap();
    let failing = |path: &Path| match path.ends_with("pids") {
        true => type_of(Err(Errno::MFILE), path).map(|_| true),
        false => Ok(true),
    };
    let error = v1_below(&root, &own, failing).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    let mounts = v1_mounts("1 0 0:1 / /cg/pids rw - cgroup cgroup rw,pids\n").unwrap();
    assert!(v1_mounted(&mounts, &own, Path::new("/cg"), failing).is_err());
    for errno in [Errno::NOENT, Errno::NOTDIR] {
        assert_eq!(type_of(Err(errno), Path::new("x")).unwrap(), None);
    }
    for errno in [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::ACCESS,
        Errno::IO,
    ] {
        assert!(type_of(Err(errno), Path::new("x")).is_err(), "{errno}");
    }
}

#[test]
fn this_machine() {
    let system = Hierarchy::system().unwrap();
    assert!(system.path().is_absolute());
    for v1 in system.v1() {
        assert!(system.path().join(&v1.directory).is_dir());
    }
    assert!(crate::Cgroup::of_process(&system, std::process::id()).is_ok());
    let error = crate::Cgroup::of_process(&system, u32::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
