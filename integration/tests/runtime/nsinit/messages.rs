//! What cannot be done is said in terms of what was typed or of the file.

use std::fs;

use cofferdam_integration::need;
use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::json;

use super::subject::{Subject, WAIT, end};

#[test]
fn what_a_flag_asks_for_and_cannot_be_is_said_of_the_flag() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    for (flags, said) in [
        (
            &["--veth-bridge=no-such"][..],
            r#"--veth-bridge \"no-such\": "#,
        ),
        (
            &["--mnt=host"],
            "--mnt host: a container needs a mount namespace",
        ),
        (
            &["--groups=absent"],
            "the user: Unable to find group absent",
        ),
        (
            &["--sysctl=kernel.hostname=x"],
            "conflicts with the host name",
        ),
        (&["--tmpfs="], "--tmpfs: the destination is missing"),
        (&["--rootfs=/no/such"], "--rootfs /no/such: no such file"),
        (&["--bind=:/x"], "invalid bind mount :/x"),
        (
            &["--parent-death-signal=99"],
            "parent_death_signal 99 is no signal",
        ),
        (&["--mount-label=x"], "selinux"),
    ] {
        let refused = subject.exec(flags, "true").failed(1, said);
        let message = &refused.stderr;
        for theirs in ["linux.", "process.", "networks[", "mounts["] {
            assert!(!message.contains(theirs), "{message}");
        }
    }
    subject.finish();
}

#[test]
fn a_mistake_on_the_command_line_is_one_line_with_a_hint() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let name = "nsinit";
    for (line, said) in [
        (
            &["exec"][..],
            "requires a minimum of 1 argument(s); see nsinit exec --help",
        ),
        (
            &["exec", "--frob", "x"],
            "not defined: -frob; see nsinit exec --help",
        ),
        (
            &["state", "x"],
            "requires exactly 0 argument(s); see nsinit state --help",
        ),
        (&["--frob"], "not defined: -frob; see nsinit --help"),
        (&["frob"], "No help topic for 'frob'; see nsinit --help"),
        (&["--compat=2014"], "no command is given; see nsinit --help"),
        (
            &["--compat=2014", "--log-file=x", "config"],
            "--log-file needs --compat 2015",
        ),
        (&["--log=x", "state"], "--log needs --compat 2014"),
    ] {
        let refused = subject.bare(line).output().failed(1, said);
        assert_eq!(refused.stdout, "", "{name} {line:?}");
        assert_eq!(refused.stderr.lines().count(), 1, "{refused}");
    }
    subject.finish();
}

#[test]
fn what_a_file_asks_for_and_cannot_be_is_said_in_its_terms() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let file = subject.root().with_extension("json");
    let path = file.to_str().unwrap();
    let with = |text: &str, said: &str| {
        fs::write(&file, text).unwrap();
        let refused = subject.exec(&["--config", path], "true");
        let _ = refused.failed(1, said);
    };
    let rootfs = subject.rootfs().to_str().unwrap();
    let of_2015 = |key: &str, value: serde_json::Value| {
        json!({
            "rootfs": rootfs,
            "namespaces": [{"type": "NEWNS"}],
            key: value,
        })
        .to_string()
    };
    with("null", "invalid type: null, expected an object");
    with("", "the file is empty");
    with("{}", "a container needs NEWNS among its namespaces");
    let propagation = json!({"rootfs": rootfs, "rootPropagation": 0x4_4000});
    with(
        &propagation.to_string(),
        "rootPropagation and privatefs need NEWNS",
    );
    let mounts = json!({
        "rootfs": rootfs,
        "mounts": [{"source": "proc", "destination": "/proc", "device": "proc"}],
    });
    with(
        &mounts.to_string(),
        "mounts need NEWNS among the namespaces",
    );
    with(&of_2015("cgroups", json!(3)), "expected an object");
    with(
        &of_2015("cgroups", json!({"name": ".."})),
        "leads out of its cgroup (at cgroups.name)",
    );
    let options = json!([{"source": "a", "destination": "/b", "device": "bind", "data": "x"}]);
    with(&of_2015("mounts", options), "invalid mount");
    let extension =
        json!([{"source": "a", "destination": "/x", "device": "devpts", "extensions": 1}]);
    with(
        &of_2015("mounts", extension),
        r#"mount \"/x\": tmpcopyup is for tmpfs only"#,
    );
    with(
        &of_2015("oom_score_adj", json!(5000)),
        "oom_score_adj 5000 is not within",
    );
    fs::remove_file(&file).unwrap();
    mkfifoat(CWD, &file, Mode::RUSR).unwrap();
    let fifo = subject.exec(&["--config", path], "true");
    let _ = fifo.failed(1, "is a FIFO, not a regular file");
    fs::remove_file(&file).unwrap();
    subject.finish();
}

/// As that tool did, whose container was prepared from within it.
#[test]
fn a_relative_source_is_below_the_root_file_system() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    fs::write(subject.rootfs().join("etc/here"), "found").unwrap();
    let seen = subject.exec(&["--bind=etc:/mnt:ro"], "cat /mnt/here").ok();
    assert_eq!(seen.stdout, "found");
    // An empty host name leaves that of the host, and 0 makes no user namespace.
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let first = subject.start(&["--hostname=", "--userns-root-uid=0"], WAIT);
    let joined = subject
        .exec(&[], "hostname; readlink /proc/self/ns/user")
        .ok();
    let own = fs::read_link("/proc/self/ns/user").unwrap();
    assert_eq!(joined.lines(), [host.trim(), own.to_str().unwrap()]);
    assert_eq!(end(first), Some(3));
    subject.finish();
}
