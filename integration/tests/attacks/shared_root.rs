//! Two containers with one root file system, of which one changes it while the other is made
//! (CVE-2019-19921, CVE-2025-52881).

use std::os::unix::fs::symlink;
use std::path::Path;

use cofferdam_integration::{Case, need};
use serde_json::json;

use crate::host::Host;
use crate::races::Race;
use crate::swapper::Swapper;
use crate::{mount_table, victim};

#[test]
fn masks_and_identity_hold_while_another_container_rearranges_the_root() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let rootfs = case.bundle.rootfs();
    // A farm of links where procfs would have real files: labels, groups, parameters written
    // through it reach decoys.
    for directory in [
        "false-proc/self/attr",
        "false-proc/thread-self/attr",
        "false-proc/sys/net/ipv4",
        "false-proc/self/fd",
    ] {
        std::fs::create_dir_all(rootfs.join(directory)).unwrap();
    }
    let decoy = "/proc/sys/kernel/printk_ratelimit_burst";
    for link in [
        "self/attr/exec",
        "thread-self/attr/exec",
        "sys/net/ipv4/ip_unprivileged_port_start",
        "self/oom_score_adj",
        "kcore",
        "self/uid_map",
    ] {
        symlink(decoy, rootfs.join("false-proc").join(link)).unwrap();
    }
    symlink(host.canary(), rootfs.join("false-dev")).unwrap();
    std::fs::create_dir(rootfs.join("secret")).unwrap();
    std::fs::create_dir(rootfs.join("false-secret")).unwrap();
    case.bundle.config["linux"]["sysctl"] = json!({ "net.ipv4.ip_unprivileged_port_start": "1" });
    case.bundle.config["process"]["oomScoreAdj"] = json!(123);
    case.bundle.config["process"]["user"] =
        json!({ "uid": 1000, "gid": 1000, "additionalGids": [7] });
    let swapper = Swapper::new(vec![
        (rootfs.join("proc"), rootfs.join("false-proc")),
        (rootfs.join("dev"), rootfs.join("false-dev")),
        (rootfs.join("secret"), rootfs.join("false-secret")),
    ]);
    let mut made = 0;
    let mut race = Race::new("T33", 5_000, 60);
    for _ in 0..race.rounds() {
        let Ok(pid) = victim::create(&case) else {
            case.nothing_left();
            race.round(false);
            continue;
        };
        made += 1;
        let own = Path::new("/proc").join(pid.to_string());
        let mounts = mount_table::of(&pid.to_string());
        mount_table::nothing_foreign(&host, &mounts, &[&rootfs], "a shared root");
        let procs: Vec<_> = mounts
            .iter()
            .filter(|mount| mount.kind == "proc" && mount.root == Path::new("/"))
            .collect();
        assert_eq!(procs.len(), 1, "{mounts:#?}");
        for masked in victim::MASKED
            .iter()
            .filter(|name| Path::new("/proc").join(name).exists())
        {
            assert!(
                mount_table::on(&mounts, procs[0], masked).is_some(),
                "{masked} is not masked: {mounts:#?}"
            );
        }
        assert!(
            mount_table::on(&mounts, procs[0], "sys")
                .is_some_and(|mount| mount.options.starts_with("ro")),
            "{mounts:#?}"
        );
        assert_eq!(
            std::fs::read_to_string(own.join("oom_score_adj"))
                .unwrap()
                .trim(),
            "123"
        );
        let started = case.call(&["start", &case.id]);
        victim::sane(&started);
        victim::delete(&case);
        race.round(true);
    }
    swapper.stop();
    assert!(made > 0, "no container could be made: nothing was tested");
    host.unchanged("a shared root");
    case.finish();
}
