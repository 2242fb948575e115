//! Units of the systemd that runs on this machine. Without one, or without root, the tests say so
//! and pass.
#![cfg(feature = "systemd")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot do its work shall say where"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{PoisonError, RwLock};

use cofferdam_cgroups::{Cgroup, CgroupSpec, ErrorKind, Hierarchy, Mode, Resources};
use devices::{Access, Kind, Rule};

mod fixture;

use fixture::{BUDGET, Sleeper, is_root, read, succeeds_inside};

/// Held by who has systemd load its units anew, and by who needs its answers meanwhile.
static RELOAD: RwLock<()> = RwLock::new(());

/// Whether there is a manager, not just a directory that something has left behind.
fn answers() -> bool {
    Path::new("/run/systemd/system").is_dir()
        && Command::new("systemctl")
            .args(["show", "--property=Version", "--value"])
            .output()
            .is_ok_and(|output| output.status.success() && !output.stdout.trim_ascii().is_empty())
}

fn hierarchy() -> Option<Hierarchy> {
    if !answers() || !is_root() {
        println!("skipped: needs root and a systemd that answers");
        return None;
    }
    Some(Hierarchy::system().unwrap())
}

fn spec(name: &str) -> CgroupSpec {
    CgroupSpec {
        systemd: true,
        scope_prefix: "cofferdam".into(),
        ..CgroupSpec::named(format!("test-{}-{name}", std::process::id()))
    }
}

fn show(unit: &str, property: &str) -> String {
    let mut command = Command::new("systemctl");
    command.args(["show", "--value", "-p", property, unit]);
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn can_read(cgroup: &Cgroup, device: &str) -> bool {
    succeeds_inside(cgroup, &format!(": < {device}"))
}

#[test]
fn life_of_a_scope() {
    let Some(hierarchy) = hierarchy() else {
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
        // cgroup v2 counts swap alone: none is left.
        memory_swap: (hierarchy.mode() == Mode::V2).then_some(64 << 20),
        pids_limit: Some(50),
        cpu_quota: Some(33_333),
        devices: vec![Rule::everything(false), null],
        ..Resources::default()
    };
    let cgroup = Cgroup::prepare(&hierarchy, &spec, &limits).unwrap();
    assert!(
        cgroup.needs_first_process()
            && !cgroup.exists().unwrap()
            && cgroup.dir().unwrap().is_none()
    );
    cgroup.check_unused().unwrap();
    assert_eq!(cgroup.set(&limits).unwrap_err().kind(), ErrorKind::Systemd);

    let first = Sleeper::new();
    cgroup.add(first.pid()).unwrap();
    assert!(!cgroup.needs_first_process() && cgroup.exists().unwrap());
    assert_eq!(cgroup.processes().unwrap(), [first.pid()]);
    assert_eq!(show(&unit, "ActiveState"), "active");
    assert_eq!(show(&unit, "Documentation"), "man:cofferdam");
    assert!(cgroup.set(&limits).unwrap().warnings.is_empty());
    assert_eq!(show(&unit, "TasksMax"), "50");
    if hierarchy.mode() == Mode::V2 {
        assert_eq!(show(&unit, "MemoryMax"), "67108864");
        assert!(
            cgroup
                .path("")
                .unwrap()
                .ends_with(Path::new("system.slice").join(&unit))
        );
        assert_eq!(read(&cgroup, "", "memory.max"), "67108864");
        assert_eq!(show(&unit, "MemorySwapMax"), "0");
        assert_eq!(read(&cgroup, "", "cpu.max"), "34000 100000");
    } else {
        assert_eq!(show(&unit, "MemoryLimit"), "67108864");
        for (controller, file, limit) in [
            ("memory", "memory.limit_in_bytes", "67108864"),
            ("pids", "pids.max", "50"),
            ("cpu", "cpu.cfs_quota_us", "34000"),
        ] {
            let path = cgroup.path(controller).unwrap();
            assert!(path.ends_with(Path::new("system.slice").join(&unit)));
            assert_eq!(read(&cgroup, controller, file), limit, "{file}");
        }
    }
    assert!(can_read(&cgroup, "/dev/null") && !can_read(&cgroup, "/dev/zero"));
    {
        // While it loads its units anew, systemd answers no other test.
        let _alone = RELOAD.write().unwrap_or_else(PoisonError::into_inner);
        let reload = Command::new("systemctl").arg("daemon-reload").status();
        assert!(reload.unwrap().success());
    }
    assert_eq!(show(&unit, "NeedDaemonReload"), "no");
    assert!(can_read(&cgroup, "/dev/null") && !can_read(&cgroup, "/dev/zero"));

    // Found again by what was stored; a second process, and one in a sub-cgroup.
    let found = Cgroup::load_as(&hierarchy, &cgroup.paths(), &spec).unwrap();
    let second = Sleeper::new();
    found.add(second.pid()).unwrap();
    assert_eq!(found.processes().unwrap().len(), 2);
    if hierarchy.mode() == Mode::V2 {
        fs::create_dir(found.path("").unwrap().join("sub")).unwrap();
        let sub = BTreeMap::from([(String::new(), PathBuf::from("sub"))]);
        let sub = found.sub_cgroup(&sub).unwrap();
        sub.add(second.pid()).unwrap();
        assert_eq!(sub.processes().unwrap(), [second.pid()]);
    }
    found.freeze().unwrap();
    found.kill().unwrap();
    drop((first, second));
    found.delete(BUDGET).unwrap();
    assert!(!found.exists().unwrap());
    assert_eq!(show(&unit, "LoadState"), "not-found");
    found.delete(BUDGET).unwrap();
}

#[test]
fn the_same_name_again() {
    let Some(hierarchy) = hierarchy() else {
        return;
    };
    let _no_reload = RELOAD.read().unwrap_or_else(PoisonError::into_inner);
    let spec = spec("again");
    for _ in 0..2 {
        let cgroup = Cgroup::prepare(&hierarchy, &spec, &Resources::default()).unwrap();
        let sleeper = Sleeper::new();
        cgroup.add(sleeper.pid()).unwrap();
        let other = Cgroup::prepare(&hierarchy, &spec, &Resources::default()).unwrap();
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
    let Some(hierarchy) = hierarchy() else {
        return;
    };
    let _no_reload = RELOAD.read().unwrap_or_else(PoisonError::into_inner);
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
    let cgroup = Cgroup::prepare(&hierarchy, &spec, &limits).unwrap();
    assert!(!cgroup.needs_first_process() && cgroup.exists().unwrap());
    assert!(cgroup.set(&limits).unwrap().warnings.is_empty());
    assert_eq!(show(&name, "TasksMax"), "7");
    // It may exist.
    Cgroup::prepare(&hierarchy, &spec, &limits).unwrap();
    cgroup.delete(BUDGET).unwrap();
    assert!(!cgroup.exists().unwrap());
    let mut stop = Command::new("systemctl");
    stop.args(["stop", "cofferdam.slice"]).status().unwrap();
}

#[test]
fn delegation_to_a_user() {
    let Some(hierarchy) = hierarchy() else {
        return;
    };
    let _no_reload = RELOAD.read().unwrap_or_else(PoisonError::into_inner);
    if hierarchy.mode() != Mode::V2 {
        println!("skipped: needs cgroup v2");
        return;
    }
    let spec = CgroupSpec {
        owner_uid: Some(4321),
        ..spec("owner")
    };
    let cgroup = Cgroup::prepare(&hierarchy, &spec, &Resources::default()).unwrap();
    let sleeper = Sleeper::new();
    cgroup.add(sleeper.pid()).unwrap();
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
