//! Filters of system calls, with and without new privileges: always loaded, and never in the way of
//! what starts the program.

use cofferdam_integration::{Case, need};
use serde_json::{Value, json};

use crate::host::Host;
use crate::victim::{self, status_field};

/// Configurations of `noNewPrivileges` and of capabilities.
fn variants() -> Vec<(Value, bool)> {
    [Value::Null, json!(false), json!(true)]
        .into_iter()
        .flat_map(|value| [(value.clone(), false), (value, true)])
        .collect()
}

fn configure(case: &mut Case, new_privileges: &Value, admin: bool) {
    if new_privileges.is_null() {
        case.bundle.config["process"]
            .as_object_mut()
            .unwrap()
            .remove("noNewPrivileges");
    } else {
        case.bundle.config["process"]["noNewPrivileges"] = new_privileges.clone();
    }
    victim::capabilities(case, if admin { &["CAP_SYS_ADMIN"] } else { &[] });
}

/// How many filters a process has, from its `/proc/PID/status` (Linux 5.9).
fn number_of_filters(status: &str) -> u32 {
    status_field(status, "Seccomp_filters").parse().unwrap()
}

#[test]
fn the_filter_and_no_new_privileges_are_what_was_asked_for() {
    need!(Root, Busybox);
    let host = Host::new();
    let inherited = number_of_filters(&std::fs::read_to_string("/proc/self/status").unwrap());
    for (new_privileges, admin) in variants() {
        let mut case = Case::new();
        configure(&mut case, &new_privileges, admin);
        case.bundle.config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95 }],
        });
        let output = case.inside("cat /proc/self/status; mkdir /dev/shm/x 2>&1 || true");
        let what = format!("noNewPrivileges {new_privileges}, CAP_SYS_ADMIN {admin}: {output}");
        assert_eq!(status_field(&output.stdout, "Seccomp"), "2", "{what}");
        let filters = number_of_filters(&output.stdout);
        assert_eq!(filters, inherited + 1, "{what}");
        let asked = if new_privileges == json!(true) {
            "1"
        } else {
            "0"
        };
        assert_eq!(status_field(&output.stdout, "NoNewPrivs"), asked, "{what}");
        let effective = if admin {
            "0000000000200000"
        } else {
            "0000000000000000"
        };
        assert_eq!(status_field(&output.stdout, "CapEff"), effective, "{what}");
        assert!(output.stdout.ends_with("supported\n"), "{what}");
        case.finish();
    }
    host.unchanged("seccomp");
}

#[test]
fn a_filter_that_allows_next_to_nothing_still_lets_the_program_start() {
    need!(Root, Busybox, Cofferdam);
    let host = Host::new();
    // With no_new_privs the filter comes last: what is needed to tell, to wait for the start and to
    // close, execve(2), and what the program does.
    let allowed = [
        "write",
        "mmap",
        "close",
        "rt_sigaction",
        "read",
        "close_range",
        "execve",
        "exit",
    ];
    let mut case = Case::new();
    case.bundle.args(&["/bin/tiny-true"]);
    case.bundle.config["process"]["noNewPrivileges"] = json!(true);
    case.bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_KILL_PROCESS",
        "syscalls": [{ "names": allowed, "action": "SCMP_ACT_ALLOW" }],
    });
    let output = case.run();
    assert_eq!(output.code, 0, "{allowed:?} do not suffice: {output}");
    // The filter is there: a program that does more dies of it.
    case.bundle.args(&["/bin/true"]);
    assert_eq!(case.run().code, 128 + 31, "SIGSYS");
    case.finish();
    host.unchanged("a narrow filter");
}

#[test]
fn a_listener_without_its_agent_is_refused() {
    need!(Root, Busybox);
    let host = Host::new();
    for (new_privileges, admin) in variants() {
        let mut case = Case::new();
        configure(&mut case, &new_privileges, admin);
        let rules = json!([{ "names": ["mkdir"], "action": "SCMP_ACT_NOTIFY" }]);
        for path in [None, Some("/no/such/socket")] {
            case.bundle.config["linux"]["seccomp"] =
                json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules });
            if let Some(path) = path {
                case.bundle.config["linux"]["seccomp"]["listenerPath"] = json!(path);
            }
            victim::refused(&case.run(), &format!("a listener at {path:?}"));
            case.nothing_left();
        }
        case.finish();
    }
    host.unchanged("a listener");
}
