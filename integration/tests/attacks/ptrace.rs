//! A container that watches for processes which join it (CVE-2016-9962, CVE-2016-8649): until the
//! program runs, nothing of a joining process may be reachable: no descriptor, no directory, no
//! executable.

use cofferdam_integration::library::quiet;
use cofferdam_integration::{Case, eventually, need};
use runtime::Runtime;
use serde_json::json;

use crate::host::Host;
use crate::races::Race;
use crate::victim::{self, STRONG};

/// Follows every link of every process, for ever. `ls` shows those that it is allowed to read.
const WATCH: &str = "while :; do ls -l /proc/[0-9]*/exe /proc/[0-9]*/cwd /proc/[0-9]*/root /proc/[0-9]*/fd/* /proc/[0-9]*/map_files/* 2>/dev/null; echo round; done > /watch/log";

/// Fails if the log names anything but programs and files of the container itself.
#[track_caller]
fn only_own(log: &str) {
    for line in log.lines() {
        let Some((link, target)) = line.split_once(" -> ") else {
            continue;
        };
        // The watching shell itself has the streams that it was started with.
        if link.contains(" /proc/1/") {
            continue;
        }
        let own = [
            "/",
            "/bin/busybox",
            "/bin/tiny-true",
            "/dev/null",
            "/watch/log",
        ]
        .contains(&target)
            || target.starts_with("pipe:[")
            || target.starts_with("/proc/");
        assert!(own, "a joining process showed {line}");
    }
    assert!(
        log.matches("round").count() > 10,
        "the container did not watch"
    );
}

fn watch(case: &mut Case, rounds: usize, join: impl Fn(&Case)) {
    let host = Host::new();
    let log = case.bundle.path().join("watch");
    std::fs::create_dir(&log).unwrap();
    std::os::unix::fs::chown(&log, Some(100_000), Some(100_000)).unwrap();
    std::fs::set_permissions(&log, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    case.bundle.mount(victim::bind(&log, "/watch"));
    case.bundle.script(WATCH);
    case.start();
    eventually("the container watches", || {
        std::fs::read_to_string(log.join("log")).is_ok_and(|text| text.contains("round"))
    });
    let mut race = Race::new("T2", rounds, 60);
    for _ in 0..race.rounds() {
        join(case);
        race.round(true);
    }
    eventually("ten rounds", || {
        std::fs::read_to_string(log.join("log"))
            .unwrap()
            .matches("round")
            .count()
            > 10
    });
    host.unchanged("exec");
    only_own(&std::fs::read_to_string(log.join("log")).unwrap());
}

#[test]
fn exec_shows_nothing_to_a_container_of_the_hosts_users() {
    need!(Root, Busybox);
    let mut case = Case::new();
    watch(&mut case, 2_000, |case| {
        assert_eq!(case.exec(&["/bin/tiny-true"]).code, 0)
    });
    case.delete();
}

#[test]
fn exec_shows_nothing_to_the_root_of_a_user_namespace() {
    need!(Root, Busybox);
    let mut case = Case::new();
    // Here the container's root has every right over processes of its namespace: only that the
    // joining process is not dumpable keeps it out.
    case.bundle.user_namespace(100_000, 65_536);
    victim::capabilities(&mut case, &STRONG);
    watch(&mut case, 2_000, |case| {
        assert_eq!(case.exec(&["/bin/tiny-true"]).code, 0)
    });
    case.delete();
}

/// The host program is this test: it has threads, descriptors of the host, and is dumpable.
#[test]
fn exec_by_a_library_shows_nothing() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.user_namespace(100_000, 65_536);
    victim::capabilities(&mut case, &STRONG);
    watch(&mut case, 2_000, |case| {
        let runtime = Runtime::new(case.root()).unwrap();
        let container = runtime.load(&case.id.parse().unwrap()).unwrap();
        let joined = container.exec(quiet("/bin/tiny-true"));
        let joined = joined.unwrap_or_else(|error| panic!("{error:#}"));
        assert!(joined.wait().unwrap().success());
    });
    case.delete();
}

#[test]
fn a_container_that_joins_the_pid_namespace_shows_nothing() {
    need!(Root, Busybox);
    let mut case = Case::new();
    let pid = |case: &Case| case.pid();
    watch(&mut case, 500, |case| {
        let mut second = Case::new();
        second.bundle.without_namespace("pid");
        second
            .bundle
            .namespace(json!({ "type": "pid", "path": format!("/proc/{}/ns/pid", pid(case)) }));
        second.bundle.args(&["/bin/tiny-true"]);
        let _ = second.run().ok();
        second.finish();
    });
    case.delete();
}
