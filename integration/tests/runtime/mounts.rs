//! Mounts, masked and read-only paths, devices.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cofferdam_integration::{Case, Limited, need};
use serde_json::json;

#[test]
fn the_root_is_the_bundles_and_may_be_read_only() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    let output = case.inside("ls /; touch /file 2>&1 || true");
    assert!(
        output.stdout.contains("bin") && output.stdout.contains("Read-only file system"),
        "{output}"
    );
    case.bundle.config["root"]["readonly"] = json!(false);
    let _ = case.inside("touch /file").stdout;
    assert!(case.bundle.rootfs().join("file").exists());
    case.finish();
}

#[test]
fn a_bind_mount_shows_a_directory_of_the_host() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    let shared = tempfile::tempdir().unwrap();
    std::fs::write(shared.path().join("file"), "shared\n").unwrap();
    let source = shared.path().to_str().unwrap();
    case.bundle.mount(json!({ "destination": "/mnt/deep", "type": "bind", "source": source, "options": ["bind", "ro"] }));
    let output = case.inside("cat /mnt/deep/file; touch /mnt/deep/new 2>&1; grep ' /mnt/deep ' /proc/self/mountinfo | cut -d' ' -f6");
    assert_eq!(output.lines()[0], "shared");
    assert!(
        output.lines()[1].contains("Read-only file system"),
        "{output}"
    );
    assert!(output.lines()[2].starts_with("ro"), "{output}");
    assert!(!shared.path().join("new").exists());
    case.finish();
}

#[test]
fn a_relative_source_is_in_the_bundle_and_a_file_can_be_mounted() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    std::fs::write(case.bundle.path().join("note"), "from the bundle\n").unwrap();
    case.bundle
        .mount(json!({ "destination": "/etc/note", "source": "note", "options": ["bind"] }));
    assert_eq!(case.inside("cat /etc/note").stdout, "from the bundle\n");
    case.finish();
}

#[test]
fn file_system_options_reach_the_kernel() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.mount(json!({
        "destination": "/scratch", "type": "tmpfs", "source": "tmpfs",
        "options": ["nosuid", "noexec", "nodev", "size=1m", "mode=0711"],
    }));
    let output = case.inside("stat -c %a /scratch; grep ' /scratch ' /proc/self/mountinfo; dd if=/dev/zero of=/scratch/big bs=1k count=2000 2>/dev/null || echo full");
    assert_eq!(output.lines()[0], "711");
    assert!(
        ["nosuid", "noexec", "nodev", "size=1024k"]
            .iter()
            .all(|option| output.lines()[1].contains(option)),
        "{output}"
    );
    assert_eq!(output.lines()[2], "full");
    case.finish();
}

#[test]
fn masked_paths_cannot_be_read_and_read_only_ones_not_written() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    std::fs::create_dir_all(case.bundle.rootfs().join("secret/dir")).unwrap();
    std::fs::write(case.bundle.rootfs().join("secret/dir/file"), "x").unwrap();
    std::fs::write(case.bundle.rootfs().join("secret/file"), "x").unwrap();
    std::fs::create_dir_all(case.bundle.rootfs().join("fixed")).unwrap();
    case.bundle.config["root"]["readonly"] = json!(false);
    case.bundle.config["linux"]["maskedPaths"] =
        json!(["/secret/dir", "/secret/file", "/proc/stat", "/no/such/path"]);
    case.bundle.config["linux"]["readonlyPaths"] = json!(["/fixed", "/proc/sys", "/no/such/path"]);
    let script = "ls /secret/dir; cat /secret/file; cat /proc/stat; touch /fixed/x 2>&1; echo 1 2>&1 > /proc/sys/kernel/panic; touch /secret/dir/y 2>&1; echo end";
    let output = case.inside(&format!("exec 2>&1; {script}"));
    let lines = output.lines();
    assert_eq!(lines.last(), Some(&"end"));
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.contains("Read-only file system"))
            .count(),
        3,
        "{output}"
    );
    assert_eq!(lines.len(), 4, "{output}");
    case.finish();
}

/// What is mounted on the root of a process is not in its way.
#[test]
fn a_mask_on_the_root_is_refused_and_a_read_only_root_is_read_only() {
    need!(Containers, Busybox, Cofferdam);
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = json!(false);
    symlink("/", case.bundle.rootfs().join("link")).unwrap();
    let before = case.bundle.config["linux"]["maskedPaths"].clone();
    for (path, said) in [
        ("/", "linux.maskedPaths: the root of the container"),
        ("/proc/..", "linux.maskedPaths: the root of the container"),
        ("/link", "(/link): it leads to the root of the container"),
    ] {
        case.bundle.config["linux"]["maskedPaths"] = json!([path]);
        let _ = case.run().failed(1, said);
    }
    case.bundle.config["linux"]["maskedPaths"] = before;
    for path in ["/", "/proc/..", "/link"] {
        case.bundle.config["linux"]["readonlyPaths"] = json!([path]);
        let output = case.inside("touch /x /../y 2>&1; echo end");
        assert_eq!(output.stdout.matches("Read-only").count(), 2, "{output}");
    }
    case.finish();
}

/// The links of `/dev` lead out of it.
#[test]
fn what_a_link_of_dev_leads_to_is_hidden() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/ls", "/proc/1/fd"]);
    assert!(case.run().ok().stdout.starts_with("0\n1\n2\n"));
    case.bundle.config["linux"]["maskedPaths"] = json!(["/dev/fd"]);
    assert_eq!(case.run().ok().stdout, "");
    case.finish();
}

#[test]
fn the_usual_devices_are_there_and_no_others() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    let script = "cd /dev; for d in null zero full random urandom tty; do stat -c '%n %F %t:%T %a' $d; done; for l in fd stdin stdout stderr ptmx; do readlink $l; done; ls";
    let output = case.inside(script);
    let text = &output.stdout;
    for line in [
        "null character special file 1:3 666",
        "zero character special file 1:5 666",
        "full character special file 1:7 666",
        "random character special file 1:8 666",
        "urandom character special file 1:9 666",
        "tty character special file 5:0 666",
        "/proc/self/fd",
        "/proc/self/fd/0",
        "/proc/self/fd/1",
        "/proc/self/fd/2",
        "pts/ptmx",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {output}");
    }
    let names: Vec<&str> = text.lines().skip(11).collect();
    let known = [
        "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
        "stdout", "tty", "urandom", "zero",
    ];
    assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
    case.finish();
}

#[test]
fn a_device_of_the_configuration_is_made_and_others_may_not_be_opened() {
    need!(Root, Busybox, Controllers);
    let mut case = Case::new();
    case.bundle.config["linux"]["devices"] = json!([{ "path": "/dev/extra", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 7, "gid": 8 }]);
    case.bundle.config["root"]["readonly"] = json!(false);
    case.bundle.config["process"]["capabilities"] = json!({ "bounding": ["CAP_MKNOD"], "effective": ["CAP_MKNOD"], "permitted": ["CAP_MKNOD"] });
    let script = "exec 2>&1; stat -c '%F %t:%T %a %u %g' /dev/extra; mknod /tmp/mem c 1 1 && echo made; head -c 1 /tmp/mem; head -c 1 /dev/null && echo null";
    let output = case.inside(script);
    let lines = output.lines();
    assert_eq!(lines[0], "character special file 1:5 640 7 8");
    // Creating any node is allowed by default, opening it is not.
    assert!(output.stdout.contains("not permitted"), "{output}");
    assert!(output.stdout.contains("null"), "{output}");
    case.finish();
}

#[test]
fn mount_points_are_never_made_outside_the_root() {
    need!(Containers, Busybox);
    for target in ["/", "/tmp", "../../../../..", "/proc/self/cwd"] {
        let mut case = Case::new();
        let canary = format!("cofferdam-canary-{}", case.id);
        symlink(target, case.bundle.rootfs().join("link")).unwrap();
        case.bundle.mount(
            json!({ "destination": format!("/link/{canary}"), "type": "tmpfs", "source": "tmpfs" }),
        );
        let output = case.run();
        for host in ["/", "/tmp"] {
            assert!(
                !Path::new(host).join(&canary).exists(),
                "{target}: {output}"
            );
        }
        case.finish();
    }
}

#[test]
fn proc_is_not_mounted_over_a_link() {
    need!(Containers, Busybox);
    for target in ["/tmp", "../..", "/no/such"] {
        let case = Case::new();
        let proc = case.bundle.rootfs().join("proc");
        std::fs::remove_dir(&proc).unwrap();
        symlink(target, &proc).unwrap();
        assert_ne!(case.run().code, 0, "{target}");
        case.finish();
    }
}

#[test]
fn the_hosts_mounts_are_not_changed() {
    need!(Containers, Busybox);
    let table = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut case = Case::new();
    let before = table();
    let _ = case.inside("mount");
    let here = case.bundle.path().to_str().unwrap();
    assert!(!table().contains(here) && !before.contains(here));
    case.finish();
}

#[test]
fn without_a_mount_namespace_of_its_own_hosts_paths_stay_out_of_reach() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    // The old root is gone: nothing of the host is left in the mount table inside.
    let output = case.inside("cat /proc/self/mountinfo");
    let rootfs = case.bundle.rootfs();
    assert_eq!(
        output
            .lines()
            .iter()
            .filter(|line| line.split(' ').nth(4) == Some("/"))
            .count(),
        1,
        "{output}"
    );
    assert!(
        !output.stdout.contains("/proc/sys/fs/binfmt_misc"),
        "{output}"
    );
    assert!(rootfs.exists());
    case.finish();
}

/// A container without a mount namespace: what it mounts, it mounts on the host.
fn on_the_host(mounts: &serde_json::Value) -> Case {
    let mut case = Case::new();
    case.bundle
        .without_namespace("mount")
        .args(&["/bin/sleep", "1000"]);
    case.bundle.config["mounts"] = mounts.clone();
    case.bundle.config["linux"]["maskedPaths"] = json!([]);
    case.bundle.config["linux"]["readonlyPaths"] = json!([]);
    case
}

fn mount(arguments: &[&str]) {
    let _ = Limited::new("mount").args(arguments.to_vec()).output().ok();
}

fn unmount(point: &Path) {
    let _ = Limited::new("umount").args([point]).output().ok();
}

/// The mount points on and below a directory, in the order in which they were mounted.
fn mounted_below(directory: &Path) -> Vec<PathBuf> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    points
        .map(PathBuf::from)
        .filter(|point| point.starts_with(directory))
        .collect()
}

#[test]
fn mounts_on_the_host_are_removed_where_the_image_led_them() {
    need!(Root, Busybox);
    let tmpfs = |destination: &str| json!({ "destination": destination, "type": "tmpfs", "source": "tmpfs" });
    let twice = tmpfs("/twice");
    let mut case = on_the_host(&json!([tmpfs("/data/vol"), twice, twice]));
    case.bundle.config["root"]["readonly"] = json!(false);
    // The same path means one place on the host, and another one inside.
    let host = case.bundle.path().join("host");
    std::fs::create_dir_all(host.join("vol")).unwrap();
    symlink(&host, case.bundle.rootfs().join("data")).unwrap();
    let volume = host.join("vol");
    mount(&["-t", "tmpfs", "tmpfs", volume.to_str().unwrap()]);
    case.start();
    let inside = case.bundle.rootfs();
    let inside_host = inside.join(host.strip_prefix("/").unwrap());
    assert_eq!(
        mounted_below(case.bundle.path()),
        [
            volume.clone(),
            inside_host.join("vol"),
            inside.join("twice"),
            inside.join("twice")
        ]
    );
    let _ = case.call(&["delete", "--force", &case.id]).ok();
    assert_eq!(
        mounted_below(case.bundle.path()),
        std::slice::from_ref(&volume)
    );
    unmount(&volume);
    case.finish();
}

#[test]
fn mounts_of_the_host_are_left_alone() {
    need!(Root, Busybox);
    let mut case = on_the_host(&json!([
        { "destination": "/data", "type": "tmpfs", "source": "tmpfs" },
        { "destination": "/late", "type": "tmpfs", "source": "tmpfs" },
    ]));
    // What an engine mounts before.
    let rootfs = case.bundle.rootfs();
    let [data, late] = ["data", "late"].map(|name| rootfs.join(name));
    std::fs::create_dir(&data).unwrap();
    let name = rootfs.to_str().unwrap();
    mount(&["--bind", "--make-private", name, name]);
    mount(&["-t", "tmpfs", "tmpfs", data.to_str().unwrap()]);
    let before = [rootfs.clone(), data.clone()];
    // A failure before anything is mounted.
    case.bundle
        .without_namespace("network")
        .namespace(json!({ "type": "network", "path": "/etc/passwd" }));
    assert_eq!(case.run().code, 1);
    assert_eq!(mounted_below(&rootfs), before);
    // A failure after everything is mounted.
    case.bundle.without_namespace("network");
    case.bundle.config["hooks"]["createRuntime"] = json!([{ "path": "/bin/false" }]);
    let _ = case.run().failed(1, "createRuntime");
    assert_eq!(mounted_below(&rootfs), before);
    // And nothing goes wrong, but another process mounts something on the container's mount.
    case.bundle.config["hooks"] = json!({});
    case.bundle.config["root"]["readonly"] = json!(false);
    case.start();
    mount(&["-t", "tmpfs", "tmpfs", late.to_str().unwrap()]);
    let _ = case.call(&["delete", "--force", &case.id]).ok();
    let after = mounted_below(&rootfs);
    for point in [&late, &late, &data, &rootfs] {
        unmount(point);
    }
    assert_eq!(after, [rootfs, data, late.clone(), late]);
    case.finish();
}
