//! Mounts that come and go on the host while containers are made and removed: the host's mount
//! table is afterwards what it was, each mount with its propagation.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use cofferdam_integration::{Case, need};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount};

use crate::host::Host;
use crate::races::Race;
use crate::victim;

/// How many mounts of the storm there are at once.
const AT_ONCE: usize = 50;

#[test]
fn the_hosts_mounts_are_as_they_were_after_a_storm() {
    need!(Root, Busybox);
    let mut host = Host::new();
    let case = Case::new();
    let sea = tempfile::tempdir().unwrap();
    let places: Vec<PathBuf> = (0..AT_ONCE)
        .map(|number| sea.path().join(number.to_string()))
        .collect();
    for place in &places {
        std::fs::create_dir(place).unwrap();
    }
    // The root itself is a shared mount: what is mounted below it could show on the host.
    let rootfs = case.bundle.rootfs();
    mount_bind(&rootfs, &rootfs).unwrap();
    mount_change(&rootfs, MountPropagationFlags::SHARED).unwrap();
    host.mounts_as_now();
    let before = case.leftovers();
    let (stop, mounted) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut race = Race::new("T34", 1_000, 20);
    let mut made = 0;
    thread::scope(|scope| {
        // A thread is in the mount namespace of the one that has made it.
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for place in &places {
                    mount_bind(host.canary().join("directory"), place).unwrap();
                    mounted.fetch_add(1, Ordering::Relaxed);
                }
                for place in &places {
                    unmount(place, UnmountFlags::DETACH).unwrap();
                }
            }
        });
        for _ in 0..race.rounds() {
            let container = victim::create(&case);
            if container.is_ok() {
                made += 1;
                victim::delete(&case);
            }
            race.round(container.is_ok());
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(mounted.into_inner() > AT_ONCE, "there was no storm");
    assert!(made > 0, "no container could be made: nothing was tested");
    host.unchanged("a storm of mounts");
    assert_eq!(case.leftovers(), before);
    unmount(&rootfs, UnmountFlags::DETACH).unwrap();
    case.finish();
}
