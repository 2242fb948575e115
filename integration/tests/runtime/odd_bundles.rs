//! Bundles that are unusual, or wrong: the same exit code and the same output as with Debian's
//! runc.

use std::os::unix::fs::symlink;

use cofferdam_integration::{Case, need};
use serde_json::{Value, json};

use crate::reference::same;
use crate::refusals::set;

/// One value of the configuration, and a script that shows what came of it.
fn values(rows: &[(&str, Value, &str)]) {
    for (pointer, value, script) in rows {
        same(|case| {
            case.bundle.script(script);
            set(&mut case.bundle.config, pointer, value.clone());
        });
    }
}

/// One more mount, and a script that shows what came of it.
fn mounts(prepare: impl Fn(&Case), rows: &[(Value, &str)]) {
    for (mount, script) in rows {
        same(|case| {
            case.bundle.config["root"]["readonly"] = json!(false);
            prepare(case);
            case.bundle.mount(mount.clone()).script(script);
        });
    }
}

fn bind(source: &str, destination: &str, options: Value) -> Value {
    json!({ "destination": destination, "source": source, "type": "bind", "options": options })
}

#[test]
fn processes() {
    need!(Containers, Busybox, Runc);
    values(&[
        ("/process/cwd", json!("/no/such"), "pwd"),
        ("/process/cwd", json!("/etc/../root/./"), "pwd"),
        ("/process/cwd", json!("/../../.."), "pwd"),
        ("/process/cwd", json!("/proc/self"), "true"),
        ("/process/cwd", json!("/etc/passwd"), "true"),
        ("/process/user", Value::Null, "id"),
        (
            "/process/user",
            json!({ "uid": 4242, "gid": 7 }),
            "id; echo $HOME",
        ),
        ("/process/user/uid", json!(-1), "true"),
        ("/process/user/uid", json!("0"), "true"),
        ("/process/user/uid", json!(1.5), "true"),
        ("/process/user/uid", json!(99_999_999_999_u64), "true"),
        ("/process/user/gid", json!(4_294_967_295_u32), "true"),
        ("/process/user/umask", json!(0o77), "umask"),
        ("/process/user/umask", json!(0), "umask"),
        ("/process/env", json!(["A"]), "true"),
        ("/process/env", json!(["=x"]), "true"),
        (
            "/process/env",
            json!(["A=1", "PATH=/bin", "A=2", "Ä=ö"]),
            "env",
        ),
        (
            "/process/oomScoreAdj",
            json!(500),
            "cat /proc/self/oom_score_adj",
        ),
        ("/process/oomScoreAdj", json!(5000), "true"),
        (
            "/process/noNewPrivileges",
            json!(true),
            "grep NoNew /proc/self/status",
        ),
        (
            "/process/rlimits",
            json!([{ "type": "RLIMIT_NOFILE", "soft": 200, "hard": 100 }]),
            "true",
        ),
        (
            "/process/rlimits",
            json!([{ "type": "rlimit_nofile", "soft": 1, "hard": 1 }]),
            "true",
        ),
        (
            "/process/capabilities",
            json!({ "bounding": ["cap_kill", "CAP_KILL"] }),
            "grep Cap /proc/self/status",
        ),
        (
            "/process/capabilities",
            json!({ "effective": ["CAP_KILL"] }),
            "true",
        ),
        ("/hostname", json!("x".repeat(70)), "true"),
    ]);
}

#[test]
fn programs() {
    need!(Containers, Busybox, Runc);
    for (path, args) in [
        ("/bin", json!([""])),
        ("/bin", json!([".."])),
        ("/bin", json!(["/bin"])),
        ("/bin", json!(["./bin/echo", "x"])),
        ("/bin", json!(["bin/echo", "x"])),
        ("/bin", json!(["../bin/echo", "x"])),
        (":/bin", json!(["echo", "x"])),
        ("bin", json!(["echo", "x"])),
        ("", json!(["echo", "x"])),
        // A directory and a file that cannot be executed come first.
        ("/decoys:/bin", json!(["echo", "x"])),
        ("/decoys:/bin", json!(["cat", "/etc/group"])),
        ("/bin", json!(["script", "x"])),
        ("/bin", json!(["a\0b"])),
        ("/bin", json!(null)),
    ] {
        same(|case| {
            let rootfs = case.bundle.rootfs();
            std::fs::create_dir_all(rootfs.join("decoys/cat")).unwrap();
            std::fs::write(rootfs.join("decoys/echo"), "no program").unwrap();
            let script = rootfs.join("bin/script");
            std::fs::write(&script, "#!/bin/sh\necho $0 $1\n").unwrap();
            std::fs::set_permissions(script, std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
            case.bundle.config["process"]["args"] = args.clone();
            case.bundle.config["process"]["env"] = json!([format!("PATH={path}")]);
        });
    }
}

#[test]
fn root_file_systems() {
    need!(Containers, Busybox, Runc);
    for path in [
        "rootfs/",
        "rootfs/../rootfs",
        "link",
        "",
        "config.json",
        "no-such",
    ] {
        same(|case| {
            symlink("rootfs", case.bundle.path().join("link")).unwrap();
            case.bundle.config["root"]["path"] = json!(path);
            case.bundle.script("ls /etc");
        });
    }
    values(&[
        (
            "/root/readonly",
            json!(true),
            "touch /x 2>/dev/null; echo $?",
        ),
        ("/linux/rootfsPropagation", json!("no-such"), "true"),
        (
            "/linux/maskedPaths",
            json!(["/etc/passwd", "/etc", "/no-such"]),
            "ls -A /etc; cat /etc/passwd",
        ),
        (
            "/linux/maskedPaths",
            json!(["etc/passwd"]),
            "cat /etc/passwd",
        ),
        (
            "/linux/readonlyPaths",
            json!(["/etc", "/no-such"]),
            "touch /etc/x 2>/dev/null; echo $?",
        ),
    ]);
}

#[test]
fn mounted_directories() {
    need!(Containers, Busybox, Runc);
    let shown =
        |path: &str| format!("awk '$5 ~ \"^{path}\" {{ print $5, $6 }}' /proc/self/mountinfo");
    let at = shown("/m");
    let prepare = |case: &Case| {
        let (bundle, rootfs) = (case.bundle.path(), case.bundle.rootfs());
        std::fs::create_dir(bundle.join("source")).unwrap();
        std::fs::write(bundle.join("source/file"), "").unwrap();
        symlink("/tmp/target", rootfs.join("absolute")).unwrap();
        symlink("../../../../tmp/up", rootfs.join("upward")).unwrap();
        symlink("loop", rootfs.join("loop")).unwrap();
    };
    mounts(
        prepare,
        &[
            (bind("source", "/m", json!(["bind"])), "ls /m"),
            (bind("source", "/a/../../m", json!(["bind"])), "ls /m"),
            (
                bind("source", "/absolute", json!(["bind"])),
                "ls /tmp/target",
            ),
            (bind("source", "/upward", json!(["bind"])), "ls /tmp/up"),
            (bind("source", "/loop", json!(["bind"])), "true"),
            (bind("source", "", json!(["bind"])), "true"),
            (bind("source", "/etc/passwd", json!(["bind"])), "true"),
            (bind("source/file", "/tmp", json!(["bind"])), "true"),
            (
                bind("source/file", "/new/deep/file", json!(["bind"])),
                "ls -l /new/deep | cut -c1-10",
            ),
            (bind("no-such", "/m", json!(["bind"])), "true"),
            (bind("source", "/proc/no-such", json!(["bind"])), "true"),
            (bind("source", "/proc/self/attr", json!(["bind"])), "true"),
            (
                bind("/proc/uptime", "/proc/meminfo", json!(["bind"])),
                "wc -l < /proc/meminfo",
            ),
            (
                bind(
                    "source",
                    "/m",
                    json!(["rbind", "ro", "nosuid", "nodev", "noexec", "noatime"]),
                ),
                &at,
            ),
            (
                bind(
                    "source",
                    "/m",
                    json!(["rbind", "ro", "rw", "nosuid", "suid"]),
                ),
                &at,
            ),
            (bind("source", "/m", json!(["rbind", "rslave"])), &at),
            (
                json!({ "destination": "/m", "type": "tmpfs", "source": "t", "options": ["size=64k", "uid=5", "gid=6"] }),
                "ls -ldn /m | awk '{ print $1, $3, $4 }'",
            ),
            (
                json!({ "destination": "/proc", "type": "tmpfs", "source": "t" }),
                "true",
            ),
            (
                json!({ "destination": "/m", "type": "nosuchfs", "source": "t" }),
                "true",
            ),
            (
                json!({ "destination": "/m", "type": "ext4", "source": "/dev/no-such" }),
                "true",
            ),
            (json!({ "destination": "/m", "source": "/etc" }), "true"),
            (
                json!({ "destination": "/m", "type": "proc", "source": "proc" }),
                "cat /m/1/comm",
            ),
        ],
    );
    // The later one lies on top of the earlier one.
    same(|case| {
        case.bundle.config["root"]["readonly"] = json!(false);
        for (destination, source) in [("/m/below", "a"), ("/m", "b"), ("/m", "c")] {
            case.bundle
                .mount(json!({ "destination": destination, "type": "tmpfs", "source": source }));
        }
        case.bundle
            .script("awk '$2 ~ \"^/m\" { print $1, $2 }' /proc/mounts; ls -A /m");
    });
}

#[test]
fn namespaces_and_parameters() {
    need!(Containers, Busybox, Runc);
    let with = |namespace: Value| json!([{ "type": "mount" }, { "type": "pid" }, { "type": "uts" }, { "type": "ipc" }, namespace]);
    values(&[
        (
            "/linux/namespaces",
            with(json!({ "type": "no-such" })),
            "true",
        ),
        ("/linux/namespaces", with(json!({ "type": "pid" })), "true"),
        (
            "/linux/namespaces",
            with(json!({ "type": "network", "path": "/no/such" })),
            "true",
        ),
        (
            "/linux/namespaces",
            with(json!({ "type": "network", "path": "/proc/self/ns/uts" })),
            "true",
        ),
        (
            "/linux/namespaces",
            with(json!({ "type": "network", "path": "/etc/passwd" })),
            "true",
        ),
        ("/linux/namespaces", with(json!({ "type": "user" })), "true"),
        ("/linux/namespaces", json!([]), "true"),
        (
            "/linux/sysctl",
            json!({ "net.ipv4.ip_forward": "1", "net/ipv4/conf/lo/forwarding": "1" }),
            "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/lo/forwarding",
        ),
        ("/linux/sysctl", json!({ "vm.swappiness": "1" }), "true"),
        ("/linux/sysctl", json!({ "kernel.hostname": "x" }), "true"),
        ("/linux/sysctl", json!({ "net.no.such": "1" }), "true"),
        (
            "/linux/sysctl",
            json!({ "net.ipv4.ip_forward": "abc" }),
            "true",
        ),
        (
            "/linux/sysctl",
            json!({ "net/../kernel/panic": "1" }),
            "true",
        ),
        (
            "/linux/devices",
            json!([{ "path": "/dev/a/b", "type": "u", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 1, "gid": 2 }, { "path": "/dev/fifo", "type": "p" }]),
            "ls -ln /dev/a/b /dev/fifo | awk '{ print $1, $3, $4 }'",
        ),
        (
            "/linux/devices",
            json!([{ "path": "/dev/a", "type": "x", "major": 1, "minor": 3 }]),
            "true",
        ),
        (
            "/linux/devices",
            json!([{ "path": "/dev/a", "type": "c", "major": 1, "minor": 3 }, { "path": "/dev/a", "type": "c", "major": 1, "minor": 3 }]),
            "ls -l /dev/a | cut -c1",
        ),
    ]);
}

#[test]
fn limits() {
    need!(Containers, Busybox, Runc, CgroupV1);
    values(&[
        (
            "/linux/resources",
            json!({ "hugepageLimits": [{ "pageSize": "3MB", "limit": 1 }] }),
            "true",
        ),
        (
            "/linux/resources",
            json!({ "memory": { "limit": 4096 } }),
            "true",
        ),
        (
            "/linux/resources",
            json!({ "memory": { "limit": 100_000_000, "swap": 1000 } }),
            "true",
        ),
        (
            "/linux/resources",
            json!({ "memory": { "swappiness": 200 } }),
            "true",
        ),
        (
            "/linux/resources",
            json!({ "cpu": { "cpus": "99" } }),
            "true",
        ),
        (
            "/linux/resources",
            json!({ "cpu": { "shares": 1 } }),
            "cat /sys/fs/cgroup/cpu/cpu.shares",
        ),
        (
            "/linux/resources",
            json!({ "cpu": { "quota": -1, "period": 100_000 } }),
            "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us",
        ),
        (
            "/linux/resources",
            json!({ "cpu": { "quota": 1, "period": 1 } }),
            "true",
        ),
        (
            "/linux/resources",
            json!({ "pids": { "limit": -1 } }),
            "cat /sys/fs/cgroup/pids/pids.max",
        ),
        (
            "/linux/resources",
            json!({ "blockIO": { "weight": 5 } }),
            "true",
        ),
        (
            "/linux/resources",
            json!({ "unified": { "memory.max": "1" } }),
            "true",
        ),
        (
            "/linux/resources",
            json!({ "devices": [{ "allow": true, "type": "z", "access": "r" }] }),
            "true",
        ),
    ]);
}
