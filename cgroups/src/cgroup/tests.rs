use super::*;
use crate::fake::Fake;
use crate::stats::Controllers;
use crate::{CgroupSpec, Paths};

#[test]
#[allow(clippy::print_stderr, reason = "a test that does nothing says so")]
fn systemd_is_refused_where_it_cannot_be() {
    // The directory of systemd, which other programs leave behind, does not make a manager answer.
    if std::os::unix::net::UnixStream::connect("/run/systemd/private").is_ok()
        || std::os::unix::net::UnixStream::connect("/run/dbus/system_bus_socket").is_ok()
    {
        eprintln!("skipped: systemd is there");
        return;
    }
    let fake = Fake::v2("", "/");
    let spec = CgroupSpec {
        systemd: true,
        ..CgroupSpec::named("ctr")
    };
    let error = Cgroup::prepare(&fake.hierarchy(), &spec, &Resources::default()).unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::Systemd | ErrorKind::Unsupported
    ));
}

#[test]
fn a_cgroup_that_is_not_there() {
    for fake in [Fake::v2("", "/"), Fake::v1("1:devices:/\n")] {
        let cgroup = fake.cgroup("none");
        assert!(!cgroup.exists().unwrap() && cgroup.dir().unwrap().is_none());
        assert_eq!(cgroup.all_processes().unwrap(), [0_u32; 0]);
        assert_eq!(cgroup.freezer_state().unwrap(), None);
        assert_eq!(cgroup.kill().unwrap_err().kind(), ErrorKind::NotFound);
        cgroup.delete(Duration::ZERO).unwrap();
        cgroup.check_unused().unwrap();
    }
}

#[test]
fn many_cgroups_are_read_without_looking_at_the_mounts_again() {
    for fake in [
        Fake::v2("pids", "/"),
        Fake::v1("3:pids:/\n2:devices:/\n"),
        Fake::v1("3:pids:/\n2:devices:/\n0::/\n"),
    ] {
        let hierarchy = fake.hierarchy();
        // With these gone, nothing can find out again what is mounted, or where this process is.
        fake.forget_process();
        let tops: Vec<_> = hierarchy
            .v1()
            .iter()
            .map(|v1| (v1.controllers.clone(), fake.root().join(&v1.directory)))
            .collect();
        for number in 0..20_u32 {
            let name = format!("c{number}");
            let mut paths = Paths::new();
            let mut add = |controller: &str, top: &Path| {
                let own = top.join(&name);
                std::fs::create_dir(&own).unwrap();
                std::fs::write(own.join("pids.current"), format!("{number}\n")).unwrap();
                std::fs::write(own.join("pids.max"), "max\n").unwrap();
                std::fs::write(own.join("cgroup.procs"), format!("{}\n", number + 1)).unwrap();
                paths.insert(controller.to_owned(), own);
            };
            for (controllers, top) in &tops {
                controllers.iter().for_each(|name| add(name, top));
            }
            if tops.is_empty() {
                add("", &fake.root());
            }
            let cgroup = Cgroup::load(&hierarchy, &paths).unwrap();
            assert_eq!(cgroup.processes().unwrap(), [number + 1]);
            let stats = cgroup.stats_of(Controllers::PIDS).unwrap();
            assert_eq!(stats.pids.current, u64::from(number));
            assert_eq!(cgroup.stats().unwrap().pids, stats.pids);
        }
    }
}

#[test]
fn a_place_is_known_before_it_is_made() {
    for (fake, expected) in [
        (Fake::v2("", "/user/shell"), "user/ctr"),
        (
            Fake::v1("2:devices:/user/shell\n"),
            "devices/user/shell/ctr",
        ),
    ] {
        let hierarchy = fake.hierarchy();
        let spec = CgroupSpec::named("ctr");
        let intended = Cgroup::intended(&hierarchy, &spec).unwrap();
        assert!(!intended.exists().unwrap());
        let path = fake.root().join(expected);
        assert!(intended.paths().values().all(|other| *other == path));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let made = Cgroup::prepare(&hierarchy, &spec, &Resources::default()).unwrap();
        assert_eq!(made.paths(), intended.paths());
    }
}

#[test]
fn what_was_made_beside_a_cgroup_in_use_is_taken_back() {
    let fake = Fake::v1("4:pids:/\n3:memory:/\n2:devices:/\n");
    fake.file("devices/box/ctr/cgroup.procs", "7\n");
    std::fs::create_dir_all(fake.root().join("memory/box")).unwrap();
    let spec = CgroupSpec {
        path: Some("/box/ctr".into()),
        ..CgroupSpec::default()
    };
    let cgroup = Cgroup::prepare(&fake.hierarchy(), &spec, &Resources::default()).unwrap();
    let exists = |path: &str| fake.root().join(path).exists();
    assert!(exists("pids/box/ctr") && exists("memory/box/ctr"));
    assert_eq!(
        cgroup.check_unused().unwrap_err().kind(),
        ErrorKind::NotEmpty
    );
    cgroup.undo_create();
    assert!(!exists("pids/box") && !exists("memory/box/ctr"));
    assert!(exists("devices/box/ctr") && exists("memory/box"));
}

#[test]
fn what_is_created_has_its_limits_or_is_not_there() {
    let limits = Resources {
        pids_limit: Some(7),
        ..Resources::default()
    };
    for (fake, place) in [
        (Fake::v2("", "/"), "pods/job"),
        (Fake::v1("2:pids:/\n1:devices:/\n"), "pids/pods/job"),
    ] {
        let hierarchy = fake.hierarchy();
        let spec = CgroupSpec::at("/pods/job");
        // Nothing is left where the controller's file is missing, not even the directory above.
        let error = Cgroup::create(&hierarchy, &spec, &limits).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::NoController | ErrorKind::NotFound),
            "{error}"
        );
        assert!(
            !fake.root().join(place).parent().unwrap().exists(),
            "{place}"
        );
        // Of one that was there, the directory stays.
        let opened = Cgroup::open(&hierarchy, "/pods/job").unwrap();
        assert!(!opened.exists().unwrap());
        for group in hierarchy
            .v1()
            .iter()
            .map(|v1| v1.directory.clone())
            .chain([String::new()])
        {
            fake.file(Path::new(&group).join("pods/job/pids.max"), "9\n");
        }
        let (cgroup, applied) = Cgroup::create(&hierarchy, &spec, &limits).unwrap();
        assert!(applied.warnings.is_empty());
        assert_eq!(
            fake.read(Path::new(place).join("pids.max")).lines().next(),
            Some("7")
        );
        assert_eq!(opened.paths(), cgroup.paths());
    }
    let hierarchy = Fake::v2("", "/").hierarchy();
    for wrong in ["job", "", "/", "/a/.."] {
        let error = Cgroup::open(&hierarchy, wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPath, "{wrong}");
    }
}

#[test]
fn a_recorded_path_that_no_hierarchy_covers_is_an_error() {
    let fake = Fake::v1("3:pids:/\n2:cpu,cpuacct:/\n1:devices:/\n0::/\n");
    let hierarchy = fake.hierarchy();
    let at = |name: &str, path: &str| (name.to_owned(), fake.root().join(path));
    let load = |paths: &[(String, PathBuf)]| {
        Cgroup::load(&hierarchy, &paths.iter().cloned().collect::<Paths>())
    };
    let all = [
        at("pids", "pids/c"),
        at("devices", "devices/c"),
        at("cpu", "cpu,cpuacct/c"),
        at("cpuacct", "cpu,cpuacct/c"),
        at("", "unified/c"),
    ];
    assert_eq!(load(&all).unwrap().paths().len(), 5);
    let unset = ("memory".to_owned(), PathBuf::new());
    let mut nowhere = load(&[unset]).unwrap();
    assert_eq!(nowhere.paths().len(), 0);
    let error = nowhere.add(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.to_string(), "no such directory for cgroup.procs");
    // An ordinary user may have none at all.
    nowhere.set_rootless(true);
    nowhere.add(1).unwrap();
    let memory = [at("pids", "pids/c"), at("memory", "memory/c")];
    let error = load(&memory).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotMounted);
    assert!(
        error
            .to_string()
            .contains("hierarchy of memory is not mounted"),
        "{error}"
    );
    // Two places in one hierarchy: nothing can be in both.
    let error = load(&[at("cpu", "cpu,cpuacct/c"), at("cpuacct", "cpu,cpuacct/d")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InconsistentPaths);
    // The record of cgroup v2, where there are hierarchies of version 1 only.
    let v1 = Fake::v1("1:devices:/\n");
    let paths = Paths::from([(String::new(), v1.root().join("c"))]);
    let error = Cgroup::load(&v1.hierarchy(), &paths).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotMounted);
    assert!(
        error.to_string().starts_with("cgroup v2 is not mounted"),
        "{error}"
    );
}
