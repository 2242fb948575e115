//! Capabilities (CAP) and other protection (SEC). That of security modules (LSM) is tested where
//! such a module is at work, in `integration/tests/labels`.

use cofferdam_integration::need;
use runtime::configs::config::Capabilities;
use serde_json::json;

use super::probe::{self, CAPABILITIES, value};

/// The bits of `linux/capability.h` of the default set.
const DEFAULT_BITS: u64 = 1
    | 1 << 1
    | 1 << 3
    | 1 << 4
    | 1 << 5
    | 1 << 6
    | 1 << 7
    | 1 << 8
    | 1 << 10
    | 1 << 13
    | 1 << 18
    | 1 << 27
    | 1 << 29
    | 1 << 31;

#[track_caller]
fn bits(set: &str) -> u64 {
    u64::from_str_radix(set, 16).unwrap()
}

#[test]
fn cap_1_fourteen_are_on_by_default() {
    need!(Root, Busybox);
    assert_eq!(bits(probe::report().status("CapEff")), DEFAULT_BITS);
    // The library has the set by a name.
    let mut names = Capabilities::docker_default().bounding;
    let mut wanted = CAPABILITIES.to_vec();
    names.sort();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
}

#[test]
fn cap_2_all_others_are_off() {
    need!(Root, Busybox);
    let report = probe::report();
    for set in ["CapBnd", "CapPrm"] {
        assert_eq!(bits(report.status(set)), DEFAULT_BITS, "{set}");
    }
    for set in ["CapInh", "CapAmb"] {
        assert_eq!(bits(report.status(set)), 0, "{set}");
    }
}

#[test]
fn cap_3_the_bounding_set_is_dropped_for_users_as_well() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    let output = case.inside("cat /proc/1/status");
    assert_eq!(bits(value(&output.stdout, "CapBnd")), DEFAULT_BITS);
    assert_eq!(bits(value(&output.stdout, "CapEff")), 0);
    case.finish();
}

#[test]
fn cap_4_a_user_keeps_what_is_configured_and_no_more() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    let kept = json!(["CAP_NET_BIND_SERVICE"]);
    for set in ["effective", "permitted", "inheritable", "ambient"] {
        case.bundle.config["process"]["capabilities"][set] = kept.clone();
    }
    let output = case.inside("cat /proc/1/status");
    for set in ["CapEff", "CapPrm"] {
        assert_eq!(bits(value(&output.stdout, set)), 1 << 10, "{set}");
    }
    case.finish();
}

#[test]
fn cap_5_an_unknown_name_is_reported_and_left_out() {
    need!(Root, Busybox);
    let mut case = probe::case();
    for set in ["bounding", "effective", "permitted"] {
        case.bundle.config["process"]["capabilities"][set] = json!(["CAP_KILL", "CAP_NONE"]);
    }
    let output = case.inside("cat /proc/1/status");
    assert!(output.stderr.contains("CAP_NONE"), "{output}");
    assert_eq!(bits(value(&output.stdout, "CapEff")), 1 << 5);
    case.finish();
}

/// Refuses `mkdir(2)` and `mkdirat(2)`.
fn filter() -> serde_json::Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }]
    })
}

#[test]
fn sec_1_no_filter_without_being_asked_for() {
    need!(Root, Busybox);
    assert_eq!(probe::report().status("Seccomp"), "0");
    let mut case = probe::case();
    case.bundle.config["linux"]["seccomp"] = filter();
    let output = case.inside("cat /proc/1/status; mkdir /tmp/x 2>&1 || true");
    assert_eq!(value(&output.stdout, "Seccomp"), "2");
    assert!(
        output.stdout.contains("Operation not permitted"),
        "{output}"
    );
    case.finish();
}

#[test]
fn sec_2_the_filter_comes_last_where_no_new_privileges_allow_it() {
    need!(Root, Busybox, Cofferdam);
    for (no_new_privileges, last) in [(true, true), (false, false)] {
        let mut case = probe::case();
        case.bundle.config["linux"]["seccomp"] = filter();
        case.bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let plan = case.call(&["plan", "--format", "raw", &case.id]).ok();
        let place = |words: &str| {
            let mut lines = plan.stdout.lines();
            let found = lines.position(|line| line.contains(words));
            found.unwrap_or_else(|| panic!("{words}: {plan}"))
        };
        assert_eq!(
            place("seccomp") > place("apply capabilities"),
            last,
            "{plan}"
        );
        case.finish();
    }
}

#[test]
fn sec_3_paths_of_the_kernel_are_masked_or_read_only() {
    need!(Root, Busybox);
    let report = probe::report();
    assert_eq!(report.section("masked"), "0\n");
    let refused = report.section("readonly");
    assert!(refused.lines().count() >= 4, "{refused}");
    for line in refused.lines() {
        let absent = line.contains("nonexistent") || line.contains("No such file");
        assert!(absent || line.contains("Read-only file system"), "{line}");
    }
    // What every kernel has.
    let hostname = refused.lines().next().unwrap();
    assert!(hostname.contains("Read-only file system"), "{hostname}");
}

#[test]
fn sec_4_the_session_keyring_is_new() {
    need!(Root, Busybox);
    let keys = probe::report().section("keys");
    let mut case = probe::case();
    assert!(keys.contains("_ses."), "{keys}");
    let of = |case: &cofferdam_integration::Case| format!("_ses.{}", case.id);
    let name = of(&case);
    let output = case.inside("cat /proc/keys");
    assert!(output.stdout.contains(&name), "{name}: {output}");
    case.finish();
}
