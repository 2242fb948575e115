//! `/dev` made of links (CVE-2026-41579, CVE-2026-47766), and what is taken for `/dev/null`
//! (CVE-2025-31133, CVE-2025-62161, CVE-2026-88265).

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use cofferdam_integration::{Case, need};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::json;

use crate::host::{self, Host};
use crate::races::Race;
use crate::swapper::Swapper;
use crate::victim;

/// Takes every mount below `/dev` away: the image has its own.
fn image_devices(case: &mut Case) {
    for name in ["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"] {
        victim::without_mount(case, name);
    }
}

#[test]
fn a_link_in_place_of_dev_is_not_followed() {
    need!(Root, Busybox);
    let host = Host::new();
    let canary = host.canary_text().to_owned();
    let up = format!("../../../../../../..{canary}");
    let fifo = "fifo".to_owned();
    for (target, length) in [
        (canary.clone(), 1),
        (up, 1),
        (canary.clone(), 2),
        (canary, 39),
        ("/proc/self/fd".to_owned(), 1),
        ("/tmp".to_owned(), 1),
        (fifo, 1),
    ] {
        for own_mount in [false, true] {
            let mut case = Case::new();
            victim::writable(&mut case);
            if !own_mount {
                image_devices(&mut case);
            }
            let rootfs = case.bundle.rootfs();
            std::fs::remove_dir(rootfs.join("dev")).unwrap();
            mknodat(CWD, rootfs.join("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
            let mut last = target.clone();
            for number in 1..length {
                symlink(&last, rootfs.join(format!("chain{number}"))).unwrap();
                last = format!("chain{number}");
            }
            symlink(last, rootfs.join("dev")).unwrap();
            let output = case.run();
            victim::sane(&output);
            host.unchanged(&format!("/dev -> {target}: {output}"));
            case.finish();
        }
    }
}

#[test]
fn links_in_dev_are_not_followed() {
    need!(Root, Busybox);
    let host = Host::new();
    for name in [
        "pts", "shm", "mqueue", "null", "zero", "ptmx", "fd", "core", "tty", "stdin",
    ] {
        for target in ["directory", "file", "not-there"] {
            let mut case = Case::new();
            victim::writable(&mut case);
            victim::without_mount(&mut case, "/dev");
            symlink(
                host.canary().join(target),
                case.bundle.rootfs().join("dev").join(name),
            )
            .unwrap();
            let output = case.run();
            victim::sane(&output);
            host.unchanged(&format!("/dev/{name} -> {target}: {output}"));
            case.finish();
        }
    }
}

/// Ways to spoil `null` in a directory that will be `/dev`.
fn spoil(kind: &str, null: &Path, host: &Host) {
    match kind {
        "absent" => {}
        "file" => std::fs::write(null, "in place of null").unwrap(),
        "parameter" => symlink("/proc/sys/kernel/printk_ratelimit_burst", null).unwrap(),
        "link to a volume" => symlink("/volume/null", null).unwrap(),
        "link to the host" => symlink(host.canary().join("null"), null).unwrap(),
        "fifo" => mknodat(CWD, null, FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap(),
        "zero" => mknodat(
            CWD,
            null,
            FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            makedev(1, 5),
        )
        .unwrap(),
        "directory" => std::fs::create_dir(null).unwrap(),
        _ => unreachable!("{kind}"),
    }
}

const SPOILS: [&str; 8] = [
    "absent",
    "file",
    "parameter",
    "link to a volume",
    "link to the host",
    "fifo",
    "zero",
    "directory",
];

/// A container with a masked file and a masked directory, for a user who is not root, with a
/// directory of ours as `/dev`.
fn masked(host: &Host) -> Case {
    let mut case = Case::new();
    victim::writable(&mut case);
    let rootfs = case.bundle.rootfs();
    std::fs::create_dir(rootfs.join("secret")).unwrap();
    std::fs::write(rootfs.join("secret/file"), "the secret\n").unwrap();
    std::fs::create_dir(rootfs.join("hidden")).unwrap();
    std::fs::write(rootfs.join("hidden/file"), "the secret\n").unwrap();
    case.bundle.config["linux"]["maskedPaths"] = json!(["/secret/file", "/hidden"]);
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    case.bundle.mount(victim::bind(host.canary(), "/volume"));
    case.bundle
        .script("cat /secret/file /hidden/file; echo x > /secret/file; echo the end");
    case
}

#[test]
fn a_mask_is_there_whatever_dev_null_is() {
    need!(Root, Busybox);
    let host = Host::new();
    for kind in SPOILS {
        for bound in [true, false] {
            let mut case = masked(&host);
            let devices = if bound {
                case.bundle.path().join("devices")
            } else {
                case.bundle.rootfs().join("dev")
            };
            std::fs::create_dir_all(&devices).unwrap();
            for name in ["pts", "shm", "mqueue"] {
                std::fs::create_dir(devices.join(name)).unwrap();
            }
            spoil(kind, &devices.join("null"), &host);
            if bound {
                victim::replace_mount(&mut case, victim::bind(&devices, "/dev"));
            } else {
                victim::without_mount(&mut case, "/dev");
            }
            let output = case.run();
            victim::sane(&output);
            assert!(!output.stdout.contains("the secret"), "{kind}: {output}");
            assert!(
                output.code != 0 || output.stdout == "the end\n",
                "{kind}: the streams are not the caller's: {output}"
            );
            assert_eq!(
                std::fs::read_to_string(case.bundle.rootfs().join("secret/file")).unwrap(),
                "the secret\n",
                "{kind}"
            );
            host.unchanged(&format!("{kind}: {output}"));
            case.finish();
        }
    }
}

#[test]
fn a_mask_is_there_while_dev_null_changes() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = masked(&host);
    let devices = case.bundle.path().join("devices");
    for name in ["pts", "shm", "mqueue"] {
        std::fs::create_dir_all(devices.join(name)).unwrap();
    }
    mknodat(
        CWD,
        devices.join("null"),
        FileType::CharacterDevice,
        Mode::from_raw_mode(0o666),
        makedev(1, 3),
    )
    .unwrap();
    symlink(
        "/proc/sys/kernel/printk_ratelimit_burst",
        devices.join("other"),
    )
    .unwrap();
    victim::replace_mount(&mut case, victim::bind(&devices, "/dev"));
    let swapper = Swapper::new(vec![(devices.join("null"), devices.join("other"))]);
    let mut race = Race::new("T13", 2_000, 60);
    for _ in 0..race.rounds() {
        let output = case.run();
        victim::sane(&output);
        assert!(!output.stdout.contains("the secret"), "{output}");
        race.round(output.code == 0);
    }
    swapper.stop();
    host.unchanged("a changing /dev/null");
    case.finish();
}

#[test]
fn a_mask_is_there_when_what_is_masked_is_a_link() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = masked(&host);
    symlink("/secret/file", case.bundle.rootfs().join("alias")).unwrap();
    case.bundle.config["linux"]["maskedPaths"] = json!(["/alias", "/hidden"]);
    let output = case.run();
    victim::sane(&output);
    // Either the link is refused, or what it leads to is masked; to the host it never leads.
    assert!(!output.stdout.contains("the secret"), "{output}");
    host.unchanged("a masked link");
    case.finish();
}

#[test]
fn the_hosts_null_device_keeps_its_owner() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    let null = Path::new("/dev/null");
    let before = host::facts(null);
    let mut race = Race::new("T37", 200, 20);
    for _ in 0..race.rounds() {
        let mut child = case.spawn(&["run", &case.id]);
        assert!(child.wait().unwrap().success());
        assert_eq!(host::facts(null), before);
        race.round(true);
    }
    case.bundle.args(&["/bin/sleep", "1000"]);
    // Also when the container goes on with it.
    case.start();
    assert_eq!(host::facts(null), before);
    let mut child = case
        .command(&["exec", "--user", "1000:1000", &case.id, "/bin/true"])
        .spawn(Stdio::null());
    assert!(child.wait().unwrap().success());
    assert_eq!(host::facts(null), before);
    assert_eq!(null.metadata().unwrap().permissions().mode() & 0o777, 0o666);
    host.unchanged("the null device");
    case.delete();
}
