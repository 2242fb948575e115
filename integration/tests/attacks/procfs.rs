//! Containers whose image or configuration puts something else in place of procfs and sysfs
//! (CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2025-54867).

use std::os::unix::fs::symlink;
use std::path::Path;

use cofferdam_integration::{Case, Output, need};
use serde_json::json;

use crate::host::Host;
use crate::races::Race;
use crate::swapper::Swapper;
use crate::{mount_table, victim};

#[test]
fn nothing_may_be_mounted_over_proc() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    victim::writable(&mut case);
    symlink("/proc", case.bundle.rootfs().join("link")).unwrap();
    std::fs::create_dir(case.bundle.rootfs().join("a")).unwrap();
    let sources = [
        json!({ "type": "bind", "source": host.canary(), "options": ["rbind"] }),
        json!({ "type": "tmpfs", "source": "tmpfs" }),
        json!({ "type": "bind", "source": "/proc/self", "options": ["bind"] }),
        json!({ "type": "bind", "source": "/proc/sys", "options": ["bind"] }),
        json!({ "type": "overlay", "source": "overlay", "options": [format!("lowerdir={0}:{0}/directory", host.canary_text())] }),
    ];
    let destinations = [
        "/proc",
        "/proc/",
        "//proc",
        "/proc/.",
        "/a/../proc",
        "/link",
        "/link/self",
        "/proc/self",
        "/proc/self/attr",
        "/proc/1/fd",
        "/proc/sys",
        "/proc/thread-self",
    ];
    let original = case.bundle.config["mounts"].clone();
    for source in &sources {
        for destination in destinations {
            let mut mount = source.clone();
            mount["destination"] = json!(destination);
            case.bundle.config["mounts"] = original.clone();
            case.bundle.mount(mount);
            let what = format!("{} over {destination}", source["source"]);
            victim::refused(&case.attempt(&what), &what);
            case.nothing_left();
        }
    }
    host.unchanged("mounts over /proc");
    case.finish();
}

trait Attempt {
    /// Runs a program that says so if it runs, which it must not.
    fn attempt(&mut self, what: &str) -> Output;
}

impl Attempt for Case {
    #[track_caller]
    fn attempt(&mut self, what: &str) -> Output {
        self.bundle
            .script("echo the program ran; grep -v cgroup /proc/self/mountinfo");
        let output = self.run();
        assert!(
            !output.stdout.contains("the program ran"),
            "{what}: {output}"
        );
        output
    }
}

#[test]
fn files_that_describe_the_machine_may_be_replaced() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let mut files = vec![
        "cpuinfo",
        "diskstats",
        "meminfo",
        "stat",
        "swaps",
        "uptime",
        "loadavg",
    ];
    files.extend(
        ["slabinfo", "sys/kernel/ns_last_pid"]
            .iter()
            .filter(|name| Path::new("/proc").join(name).exists()),
    );
    for file in &files {
        case.bundle.mount(victim::bind(
            &host.canary().join("file"),
            &format!("/proc/{file}"),
        ));
    }
    let read: Vec<String> = files.iter().map(|file| format!("/proc/{file}")).collect();
    let output = case.inside(&format!("cat {}", read.join(" ")));
    assert_eq!(output.stdout, "decoy file\n".repeat(files.len()));
    host.unchanged("files of /proc");
    case.finish();
}

#[test]
fn proc_and_sys_must_be_directories_of_the_image() {
    need!(Root, Busybox);
    let host = Host::new();
    for name in ["proc", "sys"] {
        for target in [
            "/tmp",
            "/volume/p",
            "../../..",
            "/no/such",
            "/etc/passwd",
            host.canary_text(),
            "tmp",
        ] {
            let mut case = Case::new();
            victim::writable(&mut case);
            let link = case.bundle.rootfs().join(name);
            std::fs::remove_dir(&link).unwrap();
            symlink(target, &link).unwrap();
            std::fs::create_dir_all(case.bundle.rootfs().join("volume/p")).unwrap();
            let what = format!("/{name} -> {target}");
            victim::refused(&case.attempt(&what), &what);
            host.unchanged(&what);
            case.finish();
        }
    }
}

#[test]
fn proc_is_never_mounted_elsewhere_while_names_are_exchanged() {
    need!(Root, Busybox);
    let host = Host::new();
    let case = Case::new();
    let rootfs = case.bundle.rootfs();
    symlink(host.canary(), rootfs.join("other")).unwrap();
    let swapper = Swapper::new(vec![(rootfs.join("proc"), rootfs.join("other"))]);
    let mut made = 0;
    let mut race = Race::new("T5", 5_000, 30);
    for _ in 0..race.rounds() {
        let Ok(pid) = victim::create(&case) else {
            case.nothing_left();
            race.round(false);
            continue;
        };
        made += 1;
        let mounts = mount_table::of(&pid.to_string());
        // The directory may be called either way by now.
        let procs: Vec<_> = mounts
            .iter()
            .filter(|mount| mount.kind == "proc" && mount.root == Path::new("/"))
            .collect();
        assert_eq!(procs.len(), 1, "{mounts:#?}");
        assert!(
            ["/proc", "/other"]
                .map(Path::new)
                .contains(&procs[0].target.as_path()),
            "{mounts:#?}"
        );
        // What is to be masked is masked there, not elsewhere.
        for name in victim::MASKED
            .iter()
            .filter(|name| Path::new("/proc").join(name).exists())
        {
            assert!(
                mount_table::on(&mounts, procs[0], name).is_some(),
                "{name} is not masked: {mounts:#?}"
            );
        }
        mount_table::nothing_foreign(&host, &mounts, &[&rootfs], "exchanged /proc");
        victim::delete(&case);
        race.round(true);
    }
    swapper.stop();
    assert!(made > 0, "no container could be made: nothing was tested");
    host.unchanged("exchanged /proc");
    case.finish();
}
