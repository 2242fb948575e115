//! Mount destinations that change while they are made (CVE-2021-30465, CVE-2024-45310,
//! CVE-2015-1335), and mount points that must not be made.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cofferdam_integration::{Case, need};
use serde_json::json;

use crate::host::{self, Host};
use crate::races::Race;
use crate::swapper::Swapper;
use crate::{mount_table, victim};

/// How often to try when no try made a container: one that is refused at every exchange shows
/// nothing.
const MOST_TRIES: usize = 200;

/// Creates the container in each round, and until it was made once, while `pairs` are exchanged; no
/// mount may show anything but `allowed`.
fn run(
    host: &Host,
    case: &Case,
    mut race: Race,
    pairs: Vec<(PathBuf, PathBuf)>,
    allowed: &[&Path],
) {
    let swapper = Swapper::new(pairs);
    let (mut tried, mut made) = (0, 0);
    while tried < race.rounds() || (made == 0 && tried < MOST_TRIES) {
        tried += 1;
        if let Ok(pid) = victim::create(case) {
            made += 1;
            mount_table::nothing_foreign(
                host,
                &mount_table::of(&pid.to_string()),
                allowed,
                "an exchanged destination",
            );
            victim::delete(case);
            race.round(true);
        } else {
            race.round(false);
        }
        case.nothing_left();
    }
    swapper.stop();
    assert!(made > 0, "no container could be made: nothing was tested");
    host.unchanged("an exchanged destination");
}

#[test]
fn a_destination_that_becomes_a_link_leads_nowhere() {
    need!(Root, Busybox);
    let host = Host::new();
    for target in ["/", "/etc", "../../../../../..", host.canary_text()] {
        let mut case = Case::new();
        let volume = case.bundle.path().join("volume");
        std::fs::create_dir_all(volume.join("x/y/z")).unwrap();
        symlink(target, volume.join("other")).unwrap();
        case.bundle.mount(victim::bind(&volume, "/volume"));
        case.bundle
            .mount(json!({ "destination": "/volume/x", "type": "tmpfs", "source": "tmpfs" }));
        case.bundle.mount(victim::bind(&volume, "/volume/x/y"));
        case.bundle.mount(victim::bind(&volume, "/volume/x/y/z"));
        let rootfs = case.bundle.rootfs();
        run(
            &host,
            &case,
            Race::new("T6", 2_500, 7),
            vec![(volume.join("x"), volume.join("other"))],
            &[&rootfs, &volume],
        );
        case.finish();
    }
}

#[test]
fn a_mount_point_is_not_made_behind_a_link() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    victim::writable(&mut case);
    let rootfs = case.bundle.rootfs();
    std::fs::create_dir_all(rootfs.join("a/b")).unwrap();
    symlink(host.canary(), rootfs.join("a/other")).unwrap();
    symlink("../../../../../..", rootfs.join("a/up")).unwrap();
    let note = case.bundle.path().join("note");
    std::fs::write(&note, "x").unwrap();
    for name in ["b/directory/new", "b/new/deep/er"] {
        case.bundle.mount(
            json!({ "destination": format!("/a/{name}"), "type": "tmpfs", "source": "tmpfs" }),
        );
    }
    for name in ["b/new-file", "b/file", "b/directory/file"] {
        case.bundle
            .mount(victim::bind(&note, &format!("/a/{name}")));
    }
    run(
        &host,
        &case,
        Race::new("T12", 10_000, 30),
        vec![(rootfs.join("a/b"), rootfs.join("a/other"))],
        &[&rootfs, &note],
    );
    case.finish();
}

#[test]
fn the_working_directory_is_not_made_behind_a_link() {
    need!(Root, Busybox);
    let host = Host::new();
    for target in [
        host.canary_text().to_owned(),
        format!("../../../../../..{}", host.canary_text()),
        "/proc/self/root".to_owned() + host.canary_text(),
    ] {
        let mut case = Case::new();
        victim::writable(&mut case);
        symlink(&target, case.bundle.rootfs().join("link")).unwrap();
        case.bundle.config["process"]["cwd"] = json!("/link/new/directory");
        victim::sane(&case.run());
        host.unchanged(&target);
        case.finish();
    }
}

#[test]
fn a_link_in_the_image_leads_to_the_image() {
    need!(Root, Busybox);
    let host = Host::new();
    // For every file that is made in an image: its name, or that of its directory, is a link to a
    // decoy.
    let parents = ["dev/pts", "dev/shm", "mnt", "sys/fs/cgroup"];
    for parent in parents {
        let mut case = Case::new();
        victim::writable(&mut case);
        victim::without_mount(&mut case, "/dev");
        let link = case.bundle.rootfs().join(parent);
        if parent.starts_with("sys") {
            victim::without_mount(&mut case, "/sys");
        }
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(host.canary(), &link).unwrap();
        case.bundle
            .mount(json!({ "destination": "/mnt/new", "type": "tmpfs", "source": "tmpfs" }));
        case.bundle
            .script("grep -v -e ' /proc' /proc/self/mountinfo");
        let output = case.run();
        victim::sane(&output);
        mount_table::nothing_foreign(
            &host,
            &mount_table::parse(&output.stdout),
            &[&case.bundle.rootfs()],
            parent,
        );
        host.unchanged(parent);
        case.finish();
    }
}

#[test]
fn a_file_mount_point_that_is_a_link_or_a_hard_link_is_not_written() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    victim::writable(&mut case);
    let rootfs = case.bundle.rootfs();
    symlink(host.canary().join("file"), rootfs.join("link")).unwrap();
    symlink(host.canary().join("not-there"), rootfs.join("dangling")).unwrap();
    std::fs::hard_link(host.canary().join("file"), rootfs.join("hard")).unwrap();
    let note = case.bundle.path().join("note");
    std::fs::write(&note, "x").unwrap();
    let original = case.bundle.config["mounts"].clone();
    for name in ["/link", "/dangling", "/hard"] {
        case.bundle.config["mounts"] = original.clone();
        case.bundle.mount(victim::bind(&note, name));
        let output = case.run();
        victim::sane(&output);
        host.unchanged(&format!("{name}: {output}"));
        case.nothing_left();
    }
    std::fs::remove_file(rootfs.join("hard")).unwrap();
    case.finish();
}

#[test]
fn no_mount_point_is_made_in_a_read_only_source() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let source = case.bundle.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let before = host::tree(&source, true);
    case.bundle.mount(json!({ "destination": "/data", "type": "bind", "source": source, "options": ["rbind", "ro"] }));
    case.bundle
        .mount(json!({ "destination": "/data/nested", "type": "tmpfs", "source": "tmpfs" }));
    victim::sane(&case.run());
    assert_eq!(
        host::tree(&source, true),
        before,
        "the source of a read-only mount was changed"
    );
    host.unchanged("a read-only source");
    case.finish();
}

#[test]
fn devices_are_not_made_in_a_directory_of_the_host() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let devices = case.bundle.path().join("devices");
    for name in ["pts", "shm", "mqueue"] {
        std::fs::create_dir_all(devices.join(name)).unwrap();
    }
    std::fs::write(devices.join("ptmx"), "a decoy").unwrap();
    let before = host::tree(&devices, true);
    victim::replace_mount(&mut case, victim::bind(&devices, "/dev"));
    victim::sane(&case.run());
    assert_eq!(
        host::tree(&devices, true),
        before,
        "a directory of the host was filled"
    );
    host.unchanged("/dev of the host");
    case.finish();
}
