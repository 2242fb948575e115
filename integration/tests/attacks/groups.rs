//! Supplementary groups of the caller that survive (CVE-2022-36109, CVE-2014-8989).

use cofferdam_integration::{Case, Limited, need};
use serde_json::json;

use crate::host::Host;
use crate::victim::status_field;

/// The case's command line, started by a user in thirty groups.
fn grouped(case: &Case, arguments: &[&str]) -> Limited {
    case.bundle.write();
    let groups: Vec<String> = (3000..3030).map(|group: u32| group.to_string()).collect();
    let program = case.program.to_string_lossy().into_owned();
    let root = case.root().to_string_lossy().into_owned();
    let line = [
        "--groups".to_owned(),
        groups.join(","),
        program,
        "--root".to_owned(),
        root,
    ];
    Limited::new("setpriv")
        .args(
            line.into_iter()
                .chain(arguments.iter().map(|&argument| argument.to_owned())),
        )
        .directory(case.bundle.path())
}

#[test]
fn no_group_of_the_caller_gets_in() {
    need!(Root, Busybox);
    let host = Host::new();
    for (groups, expected) in [
        (None, ""),
        (Some(json!([])), ""),
        (Some(json!([8, 9])), "8 9"),
    ] {
        for mapped in [false, true] {
            let mut case = Case::new();
            case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
            if let Some(groups) = &groups {
                case.bundle.config["process"]["user"]["additionalGids"] = groups.clone();
            }
            if mapped {
                case.bundle.user_namespace(100_000, 65_536);
            }
            case.bundle.args(&["/bin/cat", "/proc/self/status"]);
            let output = grouped(&case, &["run", &case.id]).output().ok();
            assert_eq!(status_field(&output.stdout, "Groups"), expected, "{output}");
            assert_eq!(status_field(&output.stdout, "Uid"), "1000 1000 1000 1000");
            assert_eq!(status_field(&output.stdout, "Gid"), "1000 1000 1000 1000");
            case.finish();
        }
    }
    host.unchanged("groups");
}

#[test]
fn nor_by_exec_nor_into_a_created_container() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    let said = case.bundle.path().join("said");
    let created = {
        case.bundle.write();
        let line = format!(
            "exec setpriv --groups 3000,3001 '{}' --root '{}' create {} </dev/null >'{2}' 2>&1",
            case.program.display(),
            case.root().display(),
            said.display()
        );
        let line = line.replacen(
            &format!("create {}", said.display()),
            &format!("create {}", case.id),
            1,
        );
        Limited::new("/bin/sh")
            .args(["-c", &line])
            .directory(case.bundle.path())
            .output()
    };
    assert_eq!(created.code, 0, "{created}");
    let _ = case.call(&["start", &case.id]).ok();
    cofferdam_integration::eventually("the program runs", || {
        std::fs::read_to_string(format!("/proc/{}/comm", case.pid())).unwrap() == "sleep\n"
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", case.pid())).unwrap();
    assert_eq!(status_field(&status, "Groups"), "");
    let output = grouped(&case, &["exec", &case.id, "/bin/cat", "/proc/self/status"])
        .output()
        .ok();
    assert_eq!(status_field(&output.stdout, "Groups"), "");
    host.unchanged("groups");
    case.delete();
}

/// A filter that answers `EPERM` to `setgroups(2)` looks as a namespace that has it switched off.
#[test]
fn nor_into_a_joined_user_namespace_whatever_the_filter_says() {
    need!(Root, Busybox, Cofferdam);
    let host = Host::new();
    let mut first = Case::new();
    first
        .bundle
        .user_namespace(100_000, 65_536)
        .args(&["/bin/sleep", "1000"]);
    first.start();
    let path = format!("/proc/{}/ns/user", first.pid());
    for no_new_privileges in [false, true] {
        let mut case = Case::new();
        case.bundle.user_namespace(100_000, 65_536);
        case.bundle.without_namespace("user");
        case.bundle.config["linux"]["uidMappings"] = json!([]);
        case.bundle.config["linux"]["gidMappings"] = json!([]);
        case.bundle
            .namespace(json!({ "type": "user", "path": path }));
        case.bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        case.bundle.config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["setgroups"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }],
        });
        case.bundle.args(&["/bin/cat", "/proc/self/status"]);
        let output = grouped(&case, &["run", &case.id]).output().ok();
        assert_eq!(status_field(&output.stdout, "Groups"), "", "{output}");
        case.finish();
    }
    first.delete();
    host.unchanged("groups");
}
