//! Read-only roots, mounts and paths of images that try to redirect the remount (CVE-2026-115521).

use std::os::unix::fs::symlink;

use cofferdam_integration::{Case, need};
use serde_json::json;

use crate::host::Host;
use crate::victim;

#[test]
fn what_is_read_only_stays_so_without_procfs() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    // No procfs: an image with links in its place, to a volume that may be written.
    victim::without_mount(&mut case, "/proc");
    let rootfs = case.bundle.rootfs();
    for directory in [
        "proc/self/fd",
        "proc/thread-self/fd",
        "fixed",
        "data",
        "volume",
    ] {
        std::fs::create_dir_all(rootfs.join(directory)).unwrap();
    }
    for number in 0..64 {
        for directory in ["proc/self/fd", "proc/thread-self/fd"] {
            symlink("/volume", rootfs.join(directory).join(number.to_string())).unwrap();
        }
    }
    let data = case.bundle.path().join("data");
    std::fs::create_dir(&data).unwrap();
    case.bundle
        .mount(json!({ "destination": "/volume", "type": "tmpfs", "source": "tmpfs" }));
    case.bundle.mount(json!({ "destination": "/data", "type": "bind", "source": data, "options": ["rbind", "ro"] }));
    case.bundle.config["linux"]["readonlyPaths"] = json!(["/fixed"]);
    case.bundle.config["linux"]["maskedPaths"] = json!([]);
    victim::capabilities(&mut case, &["CAP_DAC_OVERRIDE"]);
    for root in [true, false] {
        case.bundle.config["root"]["readonly"] = json!(root);
        case.bundle.script("for place in / /fixed/ /data/ /volume/; do touch ${place}x && echo wrote $place; done 2>&1");
        let output = case.run();
        // Refusing is right, too.
        if output.code != 0 && output.stdout.is_empty() {
            victim::sane(&output);
            case.nothing_left();
            continue;
        }
        let written: Vec<&str> = output
            .lines()
            .into_iter()
            .filter_map(|line| line.strip_prefix("wrote "))
            .collect();
        let expected: &[&str] = if root {
            &["/volume/"]
        } else {
            &["/", "/volume/"]
        };
        assert_eq!(written, expected, "{output}");
        assert!(!data.join("x").exists());
    }
    host.unchanged("read-only places");
    case.finish();
}

#[test]
fn a_read_only_path_that_is_a_link_changes_nothing_of_the_host() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    victim::writable(&mut case);
    symlink(host.canary(), case.bundle.rootfs().join("link")).unwrap();
    case.bundle.config["linux"]["readonlyPaths"] =
        json!(["/link", "/link/directory", "/link/../../../.."]);
    victim::sane(&case.run());
    std::fs::write(host.canary().join("new"), "x").expect("the host's directory is writable still");
    std::fs::remove_file(host.canary().join("new")).unwrap();
    host.unchanged("a read-only link");
    case.finish();
}
