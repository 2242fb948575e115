//! Capabilities that were not asked for (CVE-2022-29162, CVE-2022-27650, CVE-2025-27612,
//! CVE-2016-8867).

use cofferdam_integration::{Case, Limited, need};
use serde_json::json;

use crate::host::Host;
use crate::victim::{self, status_field};

/// Bit 13 is `CAP_NET_RAW`, bit 5 `CAP_KILL`, bit 10 `CAP_NET_BIND_SERVICE`, bit 29
/// `CAP_AUDIT_WRITE`.
const DEFAULT: &str = "0000000020000420";
const NONE: &str = "0000000000000000";

/// The five sets of what ran.
fn sets(status: &str) -> [String; 5] {
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|name| status_field(status, name))
}

#[test]
fn nothing_is_inheritable_unless_listed() {
    need!(Root, Busybox);
    let host = Host::new();
    for inheritable in [None, Some(json!([])), Some(json!(["CAP_KILL"]))] {
        let mut case = Case::new();
        if let Some(list) = &inheritable {
            case.bundle.config["process"]["capabilities"]["inheritable"] = list.clone();
        }
        let expected = if inheritable.as_ref().is_some_and(|list| *list != json!([])) {
            "0000000000000020"
        } else {
            NONE
        };
        let output = case.inside("cat /proc/self/status");
        assert_eq!(
            sets(&output.stdout),
            [expected, DEFAULT, DEFAULT, DEFAULT, NONE],
            "{inheritable:?}"
        );
        case.finish();
    }
    host.unchanged("capabilities");
}

#[test]
fn exec_with_a_capability_makes_nothing_inheritable_or_ambient() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let output = case
        .exec_before(&["--cap", "CAP_NET_RAW", "/bin/cat", "/proc/self/status"])
        .ok();
    let found = sets(&output.stdout);
    assert_eq!(
        (found[0].as_str(), found[4].as_str()),
        (NONE, NONE),
        "{output}"
    );
    assert_eq!(found[2], "0000000020002420", "{output}");
    // Not root: nothing is effective, and nothing can be had back.
    let output = case
        .exec_before(&["--user", "1000:1000", "/bin/cat", "/proc/self/status"])
        .ok();
    assert_eq!(
        sets(&output.stdout),
        [NONE, NONE, NONE, DEFAULT, NONE].map(String::from),
        "{output}"
    );
    host.unchanged("exec --cap");
    case.delete();
}

#[test]
fn a_file_with_inheritable_capabilities_gives_none() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let file = case.bundle.rootfs().join("bin/busybox-gifted");
    std::fs::copy(case.bundle.rootfs().join("bin/busybox"), &file).unwrap();
    let _ = Limited::new("setcap")
        .args(["cap_kill+i".into(), file.into_os_string()])
        .output()
        .ok();
    case.bundle.config["process"]["noNewPrivileges"] = json!(false);
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    case.bundle
        .args(&["/bin/busybox-gifted", "cat", "/proc/self/status"]);
    let output = case.run().ok();
    assert_eq!(
        sets(&output.stdout),
        [NONE, NONE, NONE, DEFAULT, NONE].map(String::from),
        "{output}"
    );
    // The file does give the capability to a process that has it inheritable: else the lines above
    // would prove nothing.
    case.bundle.config["process"]["capabilities"]["inheritable"] = json!(["CAP_KILL"]);
    let output = case.run().ok();
    assert_eq!(sets(&output.stdout)[1], "0000000000000020", "{output}");
    host.unchanged("a file with capabilities");
    case.finish();
}

#[test]
fn ambient_capabilities_are_those_listed_and_possible() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    let kill = json!(["CAP_KILL"]);
    for name in ["bounding", "permitted", "effective", "inheritable"] {
        case.bundle.config["process"]["capabilities"][name] = kill.clone();
    }
    // Not listed as ambient: execve(2) of an ordinary file takes it all away.
    let output = case.inside("cat /proc/self/status");
    assert_eq!(
        sets(&output.stdout),
        ["0000000000000020", NONE, NONE, "0000000000000020", NONE].map(String::from)
    );
    // Ambient but neither permitted nor inheritable: never silently had, whatever the command says.
    case.bundle.config["process"]["capabilities"]["ambient"] = json!(["CAP_KILL", "CAP_NET_RAW"]);
    case.bundle.script("cat /proc/self/status");
    let output = case.run();
    victim::sane(&output);
    assert!(
        output.stderr.contains("CAP_NET_RAW"),
        "no warning: {output}"
    );
    if output.code == 0 {
        assert!(
            sets(&output.stdout)
                .iter()
                .all(|set| *set == "0000000000000020"),
            "{output}"
        );
    }
    host.unchanged("ambient capabilities");
    case.finish();
}
