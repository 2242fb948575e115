//! The root file system (FS), links in `/dev` (LNK, PTMX, NULL), the change of the root (ROOT) and
//! bind mounts (BIND).

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use cofferdam_integration::need;
use serde_json::json;

use super::probe;

#[test]
fn fs_1_programs_come_from_the_root_file_system_only() {
    need!(Root, Busybox);
    let mut case = probe::case();
    // Every host has it, the root file system does not.
    case.bundle.args(&["/usr/bin/env"]);
    let _ = case.run().failed(1, "/usr/bin/env");
    case.bundle.config.as_object_mut().unwrap().remove("root");
    assert_eq!(case.run().code, 1);
    case.finish();
}

#[test]
fn fs_2_a_missing_root_file_system_is_an_error_that_leaves_nothing() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.config["root"]["path"] = json!("missing");
    let _ = case.run().failed(1, "missing");
    case.finish();
}

#[test]
fn fs_3_proc() {
    need!(Root, Busybox);
    let mount = probe::report().mount("/proc");
    mount.is("proc", &["nosuid", "nodev", "noexec"]);
}

#[test]
fn fs_4_dev_is_a_tmpfs() {
    need!(Root, Busybox);
    let mount = probe::report().mount("/dev");
    mount.is("tmpfs", &["nosuid", "mode=755"]);
    // "strictatime" is the absence of these.
    assert!(!mount.options.contains(&"relatime"), "{:?}", mount.options);
    assert!(!mount.options.contains(&"noatime"), "{:?}", mount.options);
}

#[test]
fn fs_5_dev_shm() {
    need!(Root, Busybox);
    let mount = probe::report().mount("/dev/shm");
    mount.is("tmpfs", &["nosuid", "nodev", "noexec", "size=65536k"]);
}

#[test]
fn fs_6_dev_mqueue() {
    need!(Root, Busybox);
    let mount = probe::report().mount("/dev/mqueue");
    mount.is("mqueue", &["nosuid", "nodev", "noexec"]);
}

#[test]
fn fs_7_dev_pts() {
    need!(Root, Busybox);
    let mount = probe::report().mount("/dev/pts");
    mount.is(
        "devpts",
        &["nosuid", "noexec", "gid=5", "mode=620", "ptmxmode=666"],
    );
}

#[test]
fn fs_8_sys() {
    need!(Root, Busybox);
    let mount = probe::report().mount("/sys");
    mount.is("sysfs", &["nosuid", "nodev", "noexec", "ro"]);
}

#[test]
fn fs_9_the_root_file_system_needs_no_device_nodes() {
    need!(Root, Busybox);
    let case = probe::case();
    let nodes = fs::read_dir(case.bundle.rootfs().join("dev")).unwrap();
    assert_eq!(nodes.count(), 0);
    case.finish();
    assert!(probe::report().has("devices", "/dev/null character special file 1:3 666"));
}

#[test]
fn ptmx_1_is_the_multiplexer_of_the_containers_own_terminals() {
    need!(Root, Busybox);
    assert!(probe::report().has("links", "ptmx pts/ptmx"));
}

#[test]
fn null_1_the_hosts_null_device_as_a_stream_is_replaced() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.args(&["/bin/sleep", "1000"]);
    // Its standard input is the host's /dev/null.
    case.start();
    let device = |path: &str| {
        let found = fs::metadata(format!("/proc/{}/{path}", case.pid())).unwrap();
        (found.dev(), found.ino())
    };
    assert_eq!(device("fd/0"), device("root/dev/null"));
    case.delete();
}

#[test]
fn lnk_1_fd() {
    need!(Root, Busybox);
    assert!(probe::report().has("links", "fd /proc/self/fd"));
}

#[test]
fn lnk_2_stdin() {
    need!(Root, Busybox);
    assert!(probe::report().has("links", "stdin /proc/self/fd/0"));
}

#[test]
fn lnk_3_stdout() {
    need!(Root, Busybox);
    assert!(probe::report().has("links", "stdout /proc/self/fd/1"));
}

#[test]
fn lnk_4_stderr() {
    need!(Root, Busybox);
    assert!(probe::report().has("links", "stderr /proc/self/fd/2"));
}

#[test]
fn lnk_5_core_where_the_kernel_has_kcore() {
    need!(Root, Busybox);
    let wanted = if fs::exists("/proc/kcore").unwrap() {
        "core /proc/kcore"
    } else {
        "core"
    };
    let links = probe::report().section("links");
    assert!(
        links.lines().any(|link| link.trim_end() == wanted),
        "{links}"
    );
}

#[test]
fn root_1_no_path_of_the_host_is_in_the_mount_table() {
    need!(Root, Busybox);
    let mounts = probe::report().section("mountinfo");
    // The old root is detached: its mounts are gone, and no directory is left for it.
    let places = mounts.lines().map(|line| line.split(' ').nth(4).unwrap());
    for place in places {
        let known = place == "/"
            || ["/proc", "/dev", "/sys"]
                .iter()
                .any(|p| place.starts_with(p));
        assert!(known, "{place}");
    }
    let mut case = probe::case();
    let names = case.inside("ls -a / | grep pivot || true").stdout;
    assert_eq!(names, "");
    case.finish();
}

#[test]
fn root_2_without_pivot_root_the_root_is_moved() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.script("ls /bin/busybox; ls /etc/passwd");
    let output = case.call(&["run", "--no-pivot", &case.id]).ok();
    assert_eq!(output.lines(), ["/bin/busybox", "/etc/passwd"]);
    case.finish();
}

#[test]
fn root_3_the_umask_is_022() {
    need!(Root, Busybox);
    assert_eq!(probe::report().section("umask").trim(), "0022");
}

#[test]
fn root_4_mounts_inside_do_not_reach_the_host() {
    need!(Root, Busybox);
    let table = |output: &str| output.lines().any(|line| line.contains(" shared:"));
    assert!(!table(probe::report().section("mountinfo")));
}

#[test]
fn bind_1_a_destination_is_resolved_inside_the_root() {
    need!(Root, Busybox);
    let mut case = probe::case();
    let source = case.bundle.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "here").unwrap();
    // Outside it would be the bundle's own directory.
    symlink(case.bundle.path(), case.bundle.rootfs().join("link")).unwrap();
    case.bundle.mount(json!({
        "destination": "/link/target", "type": "bind", "source": source, "options": ["bind"]
    }));
    assert_eq!(case.inside("cat /link/target/file").stdout, "here");
    assert!(!fs::exists(case.bundle.path().join("target")).unwrap());
    case.finish();
}

#[test]
fn bind_2_nothing_goes_over_proc_but_into_sys() {
    need!(Root, Busybox);
    let source = |case: &cofferdam_integration::Case| {
        let source = case.bundle.path().join("source");
        fs::create_dir_all(&source).unwrap();
        source
    };
    for (destination, allowed) in [
        ("/proc/sys", false),
        ("/proc", false),
        ("/sys/kernel", true),
    ] {
        let mut case = probe::case();
        let bind = json!({
            "destination": destination, "type": "bind", "source": source(&case),
            "options": ["bind"]
        });
        case.bundle.mount(bind);
        let output = case.run();
        assert_eq!(output.code == 0, allowed, "{destination}: {output}");
        case.finish();
    }
}

#[test]
fn bind_3_nothing_is_mounted_on_the_root() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.mount(json!({
        "destination": "/", "type": "bind", "source": case.bundle.rootfs(), "options": ["bind"]
    }));
    assert_eq!(case.run().code, 1);
    case.finish();
}

#[test]
fn bind_4_a_missing_source_is_an_error() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.mount(json!({
        "destination": "/mnt", "type": "bind", "source": "/no/such/source", "options": ["bind"]
    }));
    let _ = case.run().failed(1, "/no/such/source");
    case.finish();
}

#[test]
fn bind_5_a_missing_target_is_made_as_what_the_source_is() {
    need!(Root, Busybox);
    let mut case = probe::case();
    let source = case.bundle.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "").unwrap();
    for (destination, source) in [
        ("/a/directory", source.clone()),
        ("/a/file", source.join("file")),
    ] {
        case.bundle.mount(json!({
            "destination": destination, "type": "bind", "source": source, "options": ["bind"]
        }));
    }
    let output = case.inside("test -d /a/directory && test -f /a/file && echo both");
    assert_eq!(output.stdout, "both\n");
    case.finish();
}
