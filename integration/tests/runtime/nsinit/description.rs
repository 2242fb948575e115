//! `config`, and what the flags that describe a container make of it.

use std::fs;

use cofferdam_integration::limited::Limited;
use cofferdam_integration::{cgroup, need, program};

use super::subject::{Subject, WAIT, end};

#[test]
fn the_configuration_that_is_written_is_the_one_that_exec_reads() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let flags = ["--hostname=written", "--tmpfs=/extra", "--groups=adm"];
    let shown = subject.call(&[&["config"][..], &flags].concat()).ok();
    assert!(
        shown.stdout.starts_with("{\n\t\"") && shown.stdout.ends_with("\n}"),
        "{shown}"
    );
    let config = shown.json();
    assert_eq!(config["rootfs"].as_str(), subject.rootfs().to_str());
    assert_eq!(config["additional_groups"][0], "adm");
    let destinations: Vec<&str> = config["mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| mount["destination"].as_str().unwrap())
        .collect();
    let system = [
        "/proc",
        "/dev",
        "/dev/pts",
        "/dev/shm",
        "/dev/mqueue",
        "/sys",
        "/extra",
    ];
    assert_eq!(destinations, system);
    let file = subject.root().with_extension("json");
    let path = file.to_str().unwrap();
    fs::write(&file, "longer than what is written ".repeat(1000)).unwrap();
    let written = subject
        .call(&[&["config", "-f", path][..], &flags].concat())
        .ok();
    assert_eq!(written.stdout, "");
    assert_eq!(fs::read_to_string(&file).unwrap(), shown.stdout);
    // Flags that describe a container do not count then.
    let script = "hostname; id -G; grep -c ' /extra tmpfs' /proc/mounts";
    let run = subject
        .exec(&["--config", path, "--hostname=x"], script)
        .ok();
    assert_eq!(run.lines(), ["written", "0 4", "1"]);
    fs::remove_file(&file).unwrap();
    let gone = subject.exec(&["--config", path], "true");
    let _ = gone.failed(1, "no such file or directory");
    subject.finish();
}

#[test]
fn the_template_is_a_container_of_2015() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let script = "cat /proc/mounts; grep Cap /proc/self/status; ls -l /dev/fuse; \
                  head -c1 /proc/kcore | wc -c; echo x >/proc/sys/kernel/domainname";
    let output = subject.exec(&[], script);
    for line in [
        "proc /proc proc rw,nosuid,nodev,noexec",
        "tmpfs /dev tmpfs rw,nosuid",
        "devpts /dev/pts devpts rw,nosuid,noexec",
        "shm /dev/shm tmpfs rw,nosuid,nodev,noexec",
        "mqueue /dev/mqueue mqueue rw,nosuid,nodev,noexec",
        "sysfs /sys sysfs ro,nosuid,nodev,noexec",
        "proc /proc/sys proc ro",
        // Fourteen, and none that a program could inherit.
        "CapInh:\t0000000000000000",
        "CapBnd:\t00000000a80425fb",
        "c---------",
        "\n0\n",
    ] {
        assert!(output.stdout.contains(line), "{line}: {output}");
    }
    let _ = output.failed(1, "Read-only file system");
    let strict = subject.bare(&[
        "--root",
        subject.root().to_str().unwrap(),
        "--strict-legacy",
        "exec",
        "grep",
        "CapInh",
        "/proc/self/status",
    ]);
    assert_eq!(strict.output().ok().stdout, "CapInh:\t00000000a80425fb\n");
    subject.finish();
}

#[test]
fn mounts_and_limits_are_those_of_the_flags() {
    need!(Root, Busybox, Cofferdam, Controllers);
    let subject = Subject::new();
    let volume = tempfile::tempdir().unwrap();
    let volume = volume.path().to_str().unwrap();
    let (writable, read_only) = (
        format!("--bind={volume}:/w"),
        format!("--bind={volume}:/r:ro"),
    );
    for name in ["w", "r", "t"] {
        fs::create_dir(subject.rootfs().join(name)).unwrap();
    }
    let flags = [
        &*writable,
        &*read_only,
        "--tmpfs=/t",
        "--read-only",
        "--memory-limit=67108864",
        "--cpushares=512",
        "--cpuset-cpus=0",
        "--cpuset-mems=0",
        "--sysctl=net.ipv4.ip_forward=1",
        "--cgroup",
    ];
    let script = "touch /w/made /t/made; touch /r/x; touch /x; cat /proc/sys/net/ipv4/ip_forward; \
                  grep -E ' (/t|/sys/fs/cgroup[^ ]*) ' /proc/mounts; echo ready; exec sh -c \"$0\"";
    let mut first = subject.command(&[&["exec"], &flags[..], &["sh", "-c", script, WAIT]].concat());
    let out = subject.root().with_extension("out");
    let file = fs::File::create(&out).unwrap();
    first.stdout(file.try_clone().unwrap()).stderr(file);
    let first = first.spawn().unwrap();
    let said = || fs::read_to_string(&out).unwrap();
    cofferdam_integration::eventually("it is ready", || said().contains("ready"));
    let said = said();
    fs::remove_file(&out).unwrap();
    assert!(
        said.contains("/r/x: Read-only") && said.contains("/x: Read-only"),
        "{said}"
    );
    assert!(said.lines().any(|line| line == "1"), "{said}");
    assert!(
        said.contains("tmpfs /t tmpfs rw,nosuid,nodev,noexec"),
        "{said}"
    );
    let groups = said.lines().filter(|line| line.contains("/sys/fs/cgroup"));
    let groups: Vec<&str> = groups.collect();
    assert!(
        !groups.is_empty() && groups.iter().all(|line| line.contains(" ro,")),
        "{said}"
    );
    assert!(fs::exists(format!("{volume}/made")).unwrap());
    let state = subject.state().unwrap();
    assert_eq!(state["config"]["cgroups"]["memory_swap"], 134_217_728);
    if !cgroup::is_unified() {
        let file = |controller: &str, file: &str| {
            let path = state["cgroup_paths"][controller].as_str().unwrap();
            fs::read_to_string(format!("{path}/{file}")).unwrap()
        };
        assert_eq!(file("memory", "memory.limit_in_bytes"), "67108864\n");
        assert_eq!(file("cpu", "cpu.shares"), "512\n");
        assert_eq!(file("cpuset", "cpuset.cpus"), "0\n");
    }
    assert_eq!(end(first), Some(3));
    subject.finish();
}

#[test]
fn namespaces_of_the_host_are_shared_and_others_joined() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let script = "for n in net ipc uts; do readlink /proc/self/ns/$n; done";
    let flags = ["--net=host", "--ipc=host", "--uts=host"];
    let output = subject.exec(&flags, script).ok();
    for (kind, seen) in ["net", "ipc", "uts"].iter().zip(output.lines()) {
        let own = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_eq!(own.to_str(), Some(seen));
    }
    let first = subject.start(&[], WAIT);
    let pid = subject.state().unwrap()["init_process_pid"]
        .as_i64()
        .unwrap();
    let of_first = |kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
    let (net, uts) = (
        format!("--net=/proc/{pid}/ns/net"),
        format!("--uts=/proc/{pid}/ns/uts"),
    );
    let output = subject.exec(&["--id=second", &net, &uts], script).ok();
    let lines = output.lines();
    assert_eq!(
        (Some(lines[0]), Some(lines[2])),
        (of_first("net").to_str(), of_first("uts").to_str())
    );
    assert_ne!(Some(lines[1]), of_first("ipc").to_str());
    assert_eq!(end(first), Some(3));
    subject.finish();
}

#[test]
fn the_root_of_a_user_namespace_is_a_user_of_the_host() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let script = "cat /proc/self/uid_map | tr -s ' '; id -u; stat -c %u /dev/fuse";
    let output = subject.exec(&["--userns-root-uid=1000"], script).ok();
    let expected = [" 0 1000 1", " 1 1 999", " 1001 1001 2147482647", "0", "0"];
    assert_eq!(output.lines(), expected);
    subject.finish();
}

#[test]
fn security_profiles_deny_what_they_name() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let script = "ulimit -n; grep CapBnd /proc/self/status; touch /tmp/a; rm -f /tmp/a; \
                  echo rm $?; mount -t tmpfs t /tmp; echo mount $?; hostname x; echo name $?";
    for (profile, sets, removed) in [
        ("low", "00000000a00405fb", 0),
        ("medium", "00000000a00005fb", 0),
        ("high", "0000000020000420", 1),
    ] {
        let output = subject.exec(&["--security", profile], script).ok();
        let lines = output.lines();
        assert_eq!(
            lines[..2],
            ["1024", &*format!("CapBnd:\t{sets}")],
            "{profile}"
        );
        assert!(
            lines.contains(&&*format!("rm {removed}")),
            "{profile}: {output}"
        );
        assert!(
            output.stderr.contains("mount: ") && !lines.contains(&"mount 0"),
            "{output}"
        );
        assert!(!lines.contains(&"name 0"), "{profile}: {output}");
    }
    let unknown = subject.exec(&["--security=top"], "true");
    let _ = unknown.failed(1, "invalid profile name");
    subject.finish();
}

#[test]
fn a_veth_pair_is_a_port_of_the_bridge_that_is_named() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    // A network namespace of the test's own is the host's for it.
    let script = "set -e; ip link add br0 type bridge; ip addr add 10.9.8.1/24 dev br0; \
                  ip link set br0 up; exec \"$@\"";
    let inside = "ip addr show eth0; ip route; ping -c1 -W5 10.9.8.1 >/dev/null 2>&1; echo $?; \
                  ip link show eth0";
    let nsinit = program::nsinit();
    let root = subject.root().to_str().unwrap();
    let line = [
        "--net",
        "sh",
        "-c",
        script,
        "sh",
        nsinit.to_str().unwrap(),
        "--root",
        root,
        "exec",
        "--veth-bridge=br0",
        "--veth-address=10.9.8.2/24",
        "--veth-gateway=10.9.8.1",
        "--veth-mtu=1400",
        "sh",
        "-c",
        inside,
    ];
    let output = Limited::new("unshare")
        .args(line)
        .directory(subject.rootfs())
        .output()
        .ok();
    for text in ["inet 10.9.8.2/24", "default via 10.9.8.1", "mtu 1400"] {
        assert!(output.stdout.contains(text), "{text}: {output}");
    }
    subject.finish();
}

#[test]
fn what_cannot_be_meant_is_an_error() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    for (flag, said) in [
        ("--bind=/a", "invalid bind mount /a"),
        ("--bind=/a:/b:rx", "invalid bind mount mode rx"),
        ("--sysctl=x", "invalid system property x"),
        ("--memory-limit=much", "for flag -memory-limit: parse error"),
        (
            "--no-such-flag",
            "flag provided but not defined: -no-such-flag",
        ),
        ("--rootfs=/no/such/directory", "no such file or directory"),
        ("--net=/no/such/namespace", "no such file or directory"),
    ] {
        let _ = subject.exec(&[flag], "true").failed(1, said);
    }
    subject.finish();
}
