//! What the documents of 2014 and 2015 tell their readers to type.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use cofferdam_integration::{Limited, need, program};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::subject::Subject;
use crate::terminals::OnTerminal;

/// A root file system in which `/bin/bash` is a shell, and the program in `PATH` as `nsinit`.
fn prepared() -> (Subject, String) {
    let subject = Subject::new();
    let bash = subject.rootfs().join("bin/bash");
    fs::write(&bash, "#!/bin/sh\nexec /bin/sh \"$@\"\n").unwrap();
    fs::set_permissions(&bash, fs::Permissions::from_mode(0o755)).unwrap();
    let path = program::nsinit().canonicalize().unwrap();
    let directory = path.parent().unwrap().to_str().unwrap();
    (
        subject,
        format!("{directory}:/usr/sbin:/usr/bin:/sbin:/bin"),
    )
}

/// A line that is typed into a shell of the host, on a terminal.
fn type_in(subject: &Subject, path: &str, line: &str) -> OnTerminal {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", line])
        .env("PATH", path)
        .current_dir(subject.rootfs());
    OnTerminal::run(shell, Stdio::piped(), None)
}

/// A line that is typed at the shell of a container.
fn answer(terminal: &mut OnTerminal, line: &str) {
    let stdin = terminal.child.stdin.as_mut().unwrap();
    writeln!(stdin, "{line}").unwrap();
}

#[test]
fn the_document_of_april_2014() {
    need!(Root, Busybox, Cofferdam);
    let (subject, path) = prepared();
    // Its sample, with a bridge of the test's own and without an AppArmor profile, which not every
    // machine has.
    let name = subject.name();
    let volume = tempfile::tempdir().unwrap();
    let resolv = volume.path().join("resolv.conf");
    fs::write(&resolv, "nameserver 172.17.42.1\n").unwrap();
    fs::write(subject.rootfs().join("etc/resolv.conf"), "").unwrap();
    let sample = json!({
        "hostname": "koye",
        "networks": [{
            "gateway": "172.17.42.1",
            "context": { "bridge": "docker0", "prefix": "veth" },
            "address": "172.17.0.2/16",
            "type": "veth",
            "mtu": 1500
        }],
        "cgroups": { "parent": "nsinit", "name": name },
        "tty": true,
        "environment": [
            "HOME=/",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOSTNAME=11bb30683fb0",
            "TERM=xterm"
        ],
        "capabilities_mask": [
            "SETPCAP", "SYS_MODULE", "SYS_RAWIO", "SYS_PACCT", "SYS_ADMIN", "SYS_NICE",
            "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "AUDIT_WRITE", "AUDIT_CONTROL",
            "MAC_OVERRIDE", "MAC_ADMIN", "NET_ADMIN"
        ],
        "mounts": [{
            "source": resolv, "writable": false, "destination": "/etc/resolv.conf", "private": true
        }],
        "namespaces": ["NEWNS", "NEWUTS", "NEWIPC", "NEWPID", "NEWNET"]
    });
    fs::write(subject.rootfs().join("container.json"), sample.to_string()).unwrap();
    // The host's network is one of the test's own.
    let line = "unshare --net sh -c 'ip link add docker0 type bridge && \
                ip addr add 172.17.42.1/16 dev docker0 && ip link set docker0 up && \
                export NSINIT_COMPAT=2014 && nsinit exec /bin/bash'";
    let mut first = type_in(&subject, &path, line);
    answer(&mut first, "hostname; echo $$ $((1 + 1))");
    first.shows("koye");
    first.shows("1 2");
    answer(
        &mut first,
        "ip addr show eth0; ip route; cat /etc/resolv.conf",
    );
    first.shows("inet 172.17.0.2/16");
    first.shows("default via 172.17.42.1");
    first.shows("nameserver 172.17.42.1");
    answer(&mut first, "touch /etc/resolv.conf");
    first.shows("Read-only file system");
    assert!(subject.rootfs().join("pid").exists());
    // "If you wish to spawn another process inside the container … run the exact same command."
    let mut second = type_in(
        &subject,
        &path,
        "export NSINIT_COMPAT=2014; nsinit exec /bin/bash",
    );
    answer(&mut second, "hostname; cat /proc/1/comm; echo $((2 + 3))");
    second.shows("koye");
    second.shows("\n5");
    // "If the original process dies, all other processes … will also be killed."
    answer(&mut first, "exit 0");
    assert_eq!(first.finish().0, Some(0));
    assert_eq!(second.finish().0, Some(255));
    assert!(!subject.rootfs().join("pid").exists());
    subject.finish_2014();
}

#[test]
fn the_document_of_june_2015() {
    need!(Root, Busybox, Cofferdam);
    let (subject, path) = prepared();
    let root = subject.root().to_str().unwrap();
    let line = format!("nsinit --root {root} exec --tty /bin/bash");
    let mut first = type_in(&subject, &path, &line);
    answer(&mut first, "hostname; tty; echo $$ $((1 + 1))");
    first.shows("nsinit");
    first.shows("/dev/pts/0");
    first.shows("1 2");
    assert!(subject.root().join("nsinit/state.json").exists());
    let mut second = type_in(&subject, &path, &line);
    answer(&mut second, "tty; cat /proc/1/comm; echo $((2 + 3))");
    second.shows("/dev/pts/1");
    second.shows("\n5");
    answer(&mut first, "exit");
    assert_eq!(first.finish().0, Some(0));
    assert_eq!(second.finish().0, Some(128 + 9));
    subject.finish();
}

/// That of the program itself, which has a file: "run the same command again to get another bash
/// shell".
#[test]
fn the_document_of_nsinit() {
    need!(Root, Busybox, Cofferdam);
    let (subject, path) = prepared();
    let mut sample: Value = serde_json::from_str(include_str!(
        "../../../../configs/tests/legacy/fixtures/f-minimal.json"
    ))
    .unwrap();
    sample["rootfs"] = json!(subject.rootfs());
    // The samples of 2015 mount neither /dev nor /dev/pts.
    let mounts = sample["mounts"].as_array_mut().unwrap();
    let is_mounted =
        |mount: &Value| mount["destination"] != "/dev" && mount["destination"] != "/dev/pts";
    mounts.retain(is_mounted);
    sample["cgroups"]["name"] = json!(subject.name());
    fs::write(subject.rootfs().join("container.json"), sample.to_string()).unwrap();
    let root = subject.root().to_str().unwrap();
    let line = format!("nsinit --root {root} exec --tty --config container.json /bin/bash");
    let mut first = type_in(&subject, &path, &line);
    answer(&mut first, "hostname; tty; echo $$ $((1 + 1))");
    first.shows("minimal");
    first.shows("/dev/pts/0");
    first.shows("1 2");
    let mut second = type_in(&subject, &path, &line);
    answer(&mut second, "cat /proc/1/comm; echo $((2 + 3)); exit 4");
    second.shows("\n5");
    let (code, shown) = second.finish();
    assert_eq!(code, Some(4));
    assert!(!shown.contains("level="), "{shown}");
    answer(&mut first, "exit");
    assert_eq!(first.finish().0, Some(0));
    subject.finish();
}

#[test]
fn the_checkpoint_of_june_2015() {
    need!(Root, Busybox, Cofferdam, Checkpoints);
    let (subject, path) = prepared();
    std::os::unix::fs::symlink("busybox", subject.rootfs().join("bin/expr")).unwrap();
    let root = subject.root().to_str().unwrap();
    let images = tempfile::tempdir().unwrap();
    let images = images.path().to_str().unwrap();
    let count = "i=0; while true; do echo $i; i=$(expr $i + 1); sleep 1; done";
    let line = format!("nsinit --root {root} exec -- sh -c '{count}'");
    let mut first = type_in(&subject, &path, &line);
    first.shows("\n2");
    let checkpoint = format!("nsinit --root {root} checkpoint --image-path={images}");
    let shell = |line: &str| {
        Limited::new("/bin/sh")
            .args(["-c", line])
            .env("PATH", &path)
    };
    let _ = shell(&checkpoint).directory(subject.rootfs()).output().ok();
    let (code, shown) = first.finish();
    assert_eq!(code, Some(128 + 9));
    let last: u32 = shown.lines().last().unwrap().trim().parse().unwrap();
    let restore = format!("nsinit --root {root} restore --image-path={images}");
    let mut second = type_in(&subject, &path, &restore);
    second.shows(&format!("{}", last + 2));
    let pid = subject.state().unwrap()["init_process_pid"]
        .as_i64()
        .unwrap();
    kill_process(
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    assert_eq!(second.finish().0, Some(128 + 9));
    subject.finish();
}
