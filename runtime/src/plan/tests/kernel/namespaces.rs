//! Where it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use configs::config::{MountFlags, NamespaceType, Network};

use super::{Bundle, chain_of, need_root};
use crate::plan::HostFacts;
use crate::plan::tests::{allowing, volume};

#[test]
fn a_user_namespace_gets_bound_devices_and_sources_that_it_cannot_reach() {
    need_root!();
    let mut bundle = Bundle::standard(
        "cat /proc/self/uid_map; cat /data/secret; stat -c '%t:%T %u' /dev/null; echo x > /dev/null && echo null; \
         touch /data/y; id -u; grep CapEff /proc/self/status; echo $$",
    );
    bundle.map_ids();
    let hidden = bundle.dir.path().join("hidden");
    fs::create_dir_all(hidden.join("inner")).unwrap();
    fs::write(hidden.join("inner/secret"), "found\n").unwrap();
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o700)).unwrap();
    let source = hidden.join("inner");
    bundle.case.config.mounts.push(volume(
        source.to_str().unwrap(),
        "/data",
        MountFlags::RDONLY | MountFlags::REC,
        MountFlags::PRIVATE | MountFlags::REC,
    ));
    let running = bundle
        .create()
        .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
    assert_eq!(
        running.supervisor.asked,
        ["id maps", "second stage", "source", "ready"]
    );
    let output = running.finish();
    for line in [
        "found",
        "1:3 65534",
        "null",
        "touch: /data/y: Read-only file system",
        "CapEff:\t0000000020000420",
        "1",
    ] {
        assert!(
            output.lines().any(|found| found == line),
            "no {line:?} in\n{output}"
        );
    }
    assert!(
        output.contains("         0     100000      65536"),
        "{output}"
    );
}

#[test]
fn a_second_container_joins_the_namespaces_of_the_first() {
    need_root!();
    let first = Bundle::standard("sleep 100");
    let mut first = first.create().unwrap();
    first.start();
    let mut bundle = Bundle::standard(
        "echo pid $$; readlink /proc/self/ns/net; readlink /proc/1/ns/pid; ls /proc/1/exe; \
         grep -E '^(CapPrm|Seccomp):' /proc/self/status",
    );
    // Without no_new_privs the filter takes a capability to load, which must not stay.
    bundle.case.config.no_new_privileges = false;
    bundle.case.filter = Some(allowing());
    for kind in [NamespaceType::Pid, NamespaceType::Network] {
        let path = format!("/proc/{}/ns/{}", first.init.pid(), kind.file_name());
        bundle.case.config.namespaces.set(kind, path);
    }
    let net = fs::read_link(format!("/proc/{}/ns/net", first.init.pid())).unwrap();
    for pidns in [false, true] {
        if pidns && !HostFacts::read().unwrap().procfs_pidns {
            continue;
        }
        bundle.case.host.procfs_pidns = pidns;
        let running = bundle
            .create()
            .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
        assert_eq!(running.supervisor.asked, ["second stage", "ready"]);
        assert_eq!(running.supervisor.pids[0], running.supervisor.pids[1]);
        let output = running.finish();
        assert!(!output.starts_with("pid 1\n"), "{output}");
        assert!(output.contains(net.to_str().unwrap()), "{output}");
        assert!(output.contains("/proc/1/exe"), "{output}");
        assert!(
            output.ends_with("CapPrm:\t0000000020000420\nSeccomp:\t2\n"),
            "{output}"
        );
    }
    rustix::process::pidfd_send_signal(first.init.pidfd(), rustix::process::Signal::KILL).unwrap();
    first.output();
}

#[test]
fn an_added_process_has_the_keyring_of_the_init() {
    need_root!();
    for user in [false, true] {
        // Of several keyrings with one name any may be found, and other tests make some.
        let id = format!("keys-{}-{user}", std::process::id());
        let serial = format!("grep -F '_ses.{id}:' /proc/keys | cut -c1-8");
        let mut bundle = Bundle::new("");
        bundle.case.id = id;
        bundle.case.config.no_new_keyring = false;
        if user {
            bundle.map_ids();
        }
        bundle.script(&format!("{serial} > /tmp/init; exec sleep 100"));
        let mut first = bundle
            .create()
            .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
        first.start();
        bundle.script(&format!(
            "{serial}; while ! test -s /tmp/init; do true; done; cat /tmp/init"
        ));
        let added = bundle
            .spawn(bundle.case.exec().unwrap(), Some(&first.init))
            .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
        let output = added.output();
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!((lines.len(), lines[0].len()), (2, 8), "{output}");
        assert_eq!(lines[0], lines[1], "in a user namespace: {user}");
        rustix::process::pidfd_send_signal(first.init.pidfd(), rustix::process::Signal::KILL)
            .unwrap();
        first.output();
    }
}

#[test]
fn clocks_of_a_time_namespace_are_set() {
    need_root!();
    let mut bundle = Bundle::new("cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime");
    bundle.case.config.namespaces.set(NamespaceType::Time, "");
    bundle.case.config.time_offsets = [
        (
            "boottime".to_owned(),
            configs::config::TimeOffset {
                secs: 1_000_000,
                nanosecs: 0,
            },
        ),
        (
            "monotonic".to_owned(),
            configs::config::TimeOffset {
                secs: 7,
                nanosecs: 5,
            },
        ),
    ]
    .into();
    for user in [false, true] {
        if user {
            bundle.map_ids();
        }
        let output = bundle.run();
        assert!(
            output.contains("monotonic           7         5"),
            "{output}"
        );
        let uptime: u64 = output.lines().last().unwrap().parse().unwrap();
        assert!(uptime >= 1_000_000, "{output}");
    }
}

#[test]
fn networks_of_the_container_are_its_own() {
    need_root!();
    let mut bundle = Bundle::new("ip link; cat /proc/sys/net/ipv4/ip_unprivileged_port_start");
    bundle
        .case
        .config
        .namespaces
        .set(NamespaceType::Network, "");
    bundle.case.config.networks = vec![Network::loopback()];
    bundle.case.config.sysctl = [(
        "net.ipv4.ip_unprivileged_port_start".to_owned(),
        "42".to_owned(),
    )]
    .into();
    let output = bundle.run();
    assert!(
        output.contains("LOOPBACK,UP") && output.ends_with("42\n"),
        "{output}"
    );
    // Without a mount of its own to write through, the plan makes a private one.
    bundle.case.config.mounts[0].flags = MountFlags::RDONLY;
    let output = bundle.run();
    assert!(output.ends_with("42\n"), "{output}");
    let own = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    assert_ne!(own, "42\n");
}
