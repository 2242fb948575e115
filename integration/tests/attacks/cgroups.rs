//! Control groups: out of the container's own (GHSA-5g49-rx9x-qfc6), and writable where they must
//! not be (CVE-2023-25809, CVE-2022-0492).

use std::path::{Path, PathBuf};

use cofferdam_integration::{Case, cgroup, need};
use serde_json::json;

use crate::host::Host;
use crate::victim::{self, STRONG};

#[test]
fn a_read_only_cgroup_mount_cannot_be_written() {
    need!(Root, Busybox);
    let host = Host::new();
    for bound in [false, true] {
        let mut case = Case::new();
        victim::capabilities(
            &mut case,
            &["CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN", "CAP_CHOWN"],
        );
        if bound {
            victim::without_mount(&mut case, "/sys/fs/cgroup");
            victim::replace_mount(
                &mut case,
                json!({ "destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", "rro"] }),
            );
        }
        let script = r"
            for directory in /sys/fs/cgroup /sys/fs/cgroup/*/; do
                mkdir $directory/cofferdam-made && echo made $directory
                for file in release_agent devices.allow cgroup.clone_children cgroup.procs notify_on_release tasks; do
                    test -e $directory/$file && (echo $$ > $directory/$file) && echo wrote $directory/$file
                done
            done 2>&1
            grep ' /sys/fs/cgroup' /proc/self/mountinfo | cut -d' ' -f6 | grep -v ^ro && echo writable
            echo end";
        let output = case.inside(script);
        assert!(
            !["made", "wrote", "writable"]
                .iter()
                .any(|word| output.lines().iter().any(|line| line.starts_with(word))),
            "{output}"
        );
        assert!(
            output.stdout.contains("Read-only file system")
                && output.lines().last() == Some(&"end"),
            "{output}"
        );
        host.unchanged("a read-only cgroup mount");
        case.finish();
    }
}

#[test]
fn in_a_user_namespace_too() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.user_namespace(100_000, 65_536);
    victim::capabilities(&mut case, &STRONG);
    let script = r"
        grep ' - cgroup' /proc/self/mountinfo | cut -d' ' -f6 | grep -v ^ro && echo writable
        for attempt in 1 2; do
            for directory in $(grep ' - cgroup' /proc/self/mountinfo | cut -d' ' -f5); do
                mkdir $directory/cofferdam-made && echo made
                (echo 1 > $directory/cgroup.procs) && echo wrote
                # Its own root may take its own mounts' flags away; the files are still the host's.
                mount -o remount,bind,rw $directory
            done
        done 2>&1
        echo end";
    let output = case.inside(script);
    assert!(
        !output
            .lines()
            .iter()
            .any(|line| ["made", "wrote", "writable"].contains(line)),
        "{output}"
    );
    assert_eq!(output.lines().last(), Some(&"end"), "{output}");
    host.unchanged("a user namespace");
    case.finish();
}

#[test]
fn a_cgroup_path_stays_below_the_root_of_the_hierarchy() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.script("cat /proc/self/cgroup");
    let outside = |name: &str| {
        cgroup::mounts()
            .iter()
            .map(|mount| mount.parent().unwrap().join(name))
            .chain([Path::new("/sys").join(name)])
            .filter(|path| path.exists())
            .count()
    };
    let own = case.bundle.config["linux"]["cgroupsPath"].clone();
    let name = case.id.clone();
    for path in [
        format!("../../{name}"),
        format!("/../../{name}"),
        format!("/cofferdam/../../../{name}"),
        format!("/cofferdam/../../../../tmp/{name}"),
    ] {
        case.bundle.config["linux"]["cgroupsPath"] = json!(path);
        let output = case.run();
        victim::sane(&output);
        assert!(!output.stdout.contains(".."), "{path}: {output}");
        assert_eq!(outside(&name), 0, "{path}: {output}");
        assert!(!Path::new("/tmp").join(&name).exists(), "{path}");
        assert_eq!(cgroup::directories(&name), Vec::<PathBuf>::new(), "{path}");
    }
    // cgroup file systems take names of any length and with any byte but a line feed; a NUL would
    // cut one off.
    for path in [
        format!("/cofferdam/{}", "x".repeat(300)),
        format!("/cofferdam/{name}\0x"),
        format!("/cofferdam/{name}\nx"),
    ] {
        case.bundle.config["linux"]["cgroupsPath"] = json!(path);
        let output = case.run();
        victim::sane(&output);
        assert!(
            output.code != 0 || path.ends_with("xx"),
            "{path:?}: {output}"
        );
        let left = !path.contains('\0') && !cgroup::directories(&path).is_empty();
        assert!(!left, "{path:?} is left");
    }
    case.bundle.config["linux"]["cgroupsPath"] = own;
    host.unchanged("cgroup paths");
    case.finish();
}

#[test]
fn exec_joins_only_cgroups_of_the_container() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut first = Case::new();
    first.bundle.args(&["/bin/sleep", "1000"]);
    first.start();
    // Its path begins with the other one's.
    let mut second = Case::new();
    second.bundle.config["linux"]["cgroupsPath"] = json!(format!("{}-sibling", first.cgroup()));
    second.bundle.args(&["/bin/sleep", "1000"]);
    second.start();
    let sibling = second.cgroup();
    let members = || -> Vec<_> { cgroup::processes(&sibling) };
    let before = members();
    let name = sibling.rsplit('/').next().unwrap();
    for path in [
        "..".to_owned(),
        "../".to_owned(),
        format!("../{name}"),
        format!("/../{name}"),
        format!("x/../../{name}"),
        "/..".to_owned(),
        format!("memory:../{name}"),
    ] {
        let output = first.exec_before(&["--cgroup", &path, "/bin/cat", "/proc/self/cgroup"]);
        victim::refused(&output, &format!("--cgroup {path}"));
        assert_eq!(members(), before, "{path}");
    }
    host.unchanged("exec --cgroup");
    second.delete();
    first.delete();
}

#[test]
fn unified_keys_are_file_names() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    for key in [
        "../../cgroup.procs",
        "../cgroup.subtree_control",
        "a/b",
        "/etc/passwd",
        "",
        "..",
        ".",
    ] {
        case.bundle.config["linux"]["resources"]["unified"] = json!({ key: "1" });
        victim::refused(&case.run(), &format!("the key {key:?}"));
        case.nothing_left();
    }
    host.unchanged("unified keys");
    case.finish();
}
