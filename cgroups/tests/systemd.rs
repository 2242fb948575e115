//! Units of the systemd that runs on this machine. Without one, or without root, the tests say so
//! and pass.
#![cfg(feature = "systemd")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot do its work shall say where"
)]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use cofferdam_cgroups::{Cgroup, CgroupSpec, ErrorKind, Hierarchy, Mode, Resources};
use devices::{Access, Kind, Rule};

const BUDGET: Duration = Duration::from_secs(10);

fn hierarchy(test: &str) -> Option<Hierarchy> {
    let usable =
        Path::new("/run/systemd/system").is_dir() && fs::metadata("/proc/self").unwrap().uid() == 0;
    if !usable {
        println!("skipped {test}: needs root and systemd");
    }
    usable.then(|| Hierarchy::system().unwrap())
}

fn spec(name: &str) -> CgroupSpec {
    CgroupSpec {
        systemd: true,
        scope_prefix: "cofferdam".into(),
        ..CgroupSpec::named(format!("test-{}-{name}", std::process::id()))
    }
}

struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn show(unit: &str, property: &str) -> String {
    let mut command = Command::new("systemctl");
    command.args(["show", "--value", "-p", property, unit]);
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn read(cgroup: &Cgroup, file: &str) -> String {
    let path = cgroup.path("").unwrap().join(file);
    fs::read_to_string(path).unwrap().trim().to_owned()
}

fn can_read(cgroup: &Cgroup, device: &str) -> bool {
    let mut child = Command::new("sh");
    child.args(["-c", &format!("read go; : < {device}")]);
    let mut child = child
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    cgroup.add(child.id()).unwrap();
    drop(child.stdin.take());
    child.wait().unwrap().success()
}

#[test]
fn life_of_a_scope() {
    let Some(hierarchy) = hierarchy("life_of_a_scope") else {
        return;
    };
    let spec = CgroupSpec {
        systemd_properties: vec![("Documentation".into(), "['man:cofferdam']".into())],
        ..spec("scope")
    };
    let unit = format!("cofferdam-{}.scope", spec.name.as_deref().unwrap());
    let null = Rule::allow(Kind::Char, Some(1), Some(3), Access::ALL);
    let limits = Resources {
        memory: Some(64 << 20),
        pids_limit: Some(50),
        cpu_quota: Some(33_333),
        devices: vec![Rule::everything(false), null],
        ..Resources::default()
    };
    let cgroup = Cgroup::create(&hierarchy, &spec, &limits).unwrap();
    assert!(cgroup.needs_first_process() && !cgroup.exists() && cgroup.dir().is_none());
    cgroup.check_unused().unwrap();
    assert_eq!(cgroup.set(&limits).unwrap_err().kind(), ErrorKind::Systemd);

    let first = Sleeper::new();
    cgroup.add(first.0.id()).unwrap();
    assert!(!cgroup.needs_first_process() && cgroup.exists());
    assert_eq!(cgroup.processes().unwrap(), [first.0.id()]);
    assert_eq!(show(&unit, "ActiveState"), "active");
    assert_eq!(show(&unit, "Documentation"), "man:cofferdam");
    assert!(cgroup.set(&limits).unwrap().warnings.is_empty());
    assert_eq!(show(&unit, "MemoryMax"), "67108864");
    assert_eq!(show(&unit, "TasksMax"), "50");
    if hierarchy.mode() == Mode::V2 {
        assert!(
            cgroup
                .path("")
                .unwrap()
                .ends_with(Path::new("system.slice").join(&unit))
        );
        assert_eq!(read(&cgroup, "memory.max"), "67108864");
        assert_eq!(read(&cgroup, "cpu.max"), "34000 100000");
    }
    assert!(can_read(&cgroup, "/dev/null") && !can_read(&cgroup, "/dev/zero"));
    let reload = Command::new("systemctl").arg("daemon-reload").status();
    assert!(reload.unwrap().success());
    assert_eq!(show(&unit, "NeedDaemonReload"), "no");
    assert!(can_read(&cgroup, "/dev/null") && !can_read(&cgroup, "/dev/zero"));

    // Found again by what was stored; a second process, and one in a sub-cgroup.
    let found = Cgroup::load_as(&hierarchy, &cgroup.paths(), &spec).unwrap();
    let second = Sleeper::new();
    found.add(second.0.id()).unwrap();
    assert_eq!(found.processes().unwrap().len(), 2);
    if hierarchy.mode() == Mode::V2 {
        fs::create_dir(found.path("").unwrap().join("sub")).unwrap();
        let sub = BTreeMap::from([(String::new(), PathBuf::from("sub"))]);
        let sub = found.sub_cgroup(&sub).unwrap();
        sub.add(second.0.id()).unwrap();
        assert_eq!(sub.processes().unwrap(), [second.0.id()]);
    }
    found.freeze().unwrap();
    found.kill().unwrap();
    drop((first, second));
    found.delete(BUDGET).unwrap();
    assert!(!found.exists());
    assert_eq!(show(&unit, "LoadState"), "not-found");
    found.delete(BUDGET).unwrap();
}

#[test]
fn the_same_name_again() {
    let Some(hierarchy) = hierarchy("the_same_name_again") else {
        return;
    };
    let spec = spec("again");
    for _ in 0..2 {
        let cgroup = Cgroup::create(&hierarchy, &spec, &Resources::default()).unwrap();
        let sleeper = Sleeper::new();
        cgroup.add(sleeper.0.id()).unwrap();
        let other = Cgroup::create(&hierarchy, &spec, &Resources::default()).unwrap();
        let error = other.check_unused().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotEmpty);
        let error = other.add(std::process::id()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Systemd);
        drop(sleeper);
        cgroup.delete(BUDGET).unwrap();
    }
}

#[test]
fn slices() {
    let Some(hierarchy) = hierarchy("slices") else {
        return;
    };
    let name = format!("cofferdam-test{}.slice", std::process::id());
    let spec = CgroupSpec {
        name: Some(name.clone()),
        parent: Some("cofferdam.slice".into()),
        systemd: true,
        ..CgroupSpec::default()
    };
    let limits = Resources {
        pids_limit: Some(7),
        ..Resources::default()
    };
    let cgroup = Cgroup::create(&hierarchy, &spec, &limits).unwrap();
    assert!(!cgroup.needs_first_process() && cgroup.exists());
    assert!(cgroup.set(&limits).unwrap().warnings.is_empty());
    assert_eq!(show(&name, "TasksMax"), "7");
    // It may exist.
    Cgroup::create(&hierarchy, &spec, &limits).unwrap();
    cgroup.delete(BUDGET).unwrap();
    assert!(!cgroup.exists());
    let mut stop = Command::new("systemctl");
    stop.args(["stop", "cofferdam.slice"]).status().unwrap();
}

#[test]
fn delegation_to_a_user() {
    let Some(hierarchy) = hierarchy("delegation_to_a_user") else {
        return;
    };
    if hierarchy.mode() != Mode::V2 {
        println!("skipped delegation_to_a_user: needs cgroup v2");
        return;
    }
    let spec = CgroupSpec {
        owner_uid: Some(4321),
        ..spec("owner")
    };
    let cgroup = Cgroup::create(&hierarchy, &spec, &Resources::default()).unwrap();
    let sleeper = Sleeper::new();
    cgroup.add(sleeper.0.id()).unwrap();
    let path = cgroup.path("").unwrap();
    for (name, owner) in [
        (".", 4321),
        ("cgroup.procs", 4321),
        ("cgroup.subtree_control", 4321),
        ("cgroup.kill", 0),
        ("memory.max", 0),
    ] {
        assert_eq!(
            fs::metadata(path.join(name)).unwrap().uid(),
            owner,
            "{name}"
        );
    }
    drop(sleeper);
    cgroup.delete(BUDGET).unwrap();
}
