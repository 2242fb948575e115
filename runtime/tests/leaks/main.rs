//! What a program that makes many containers has open. A program of its own: the descriptors of
//! other tests would count.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    dead_code,
    reason = "tests, and helpers of tests of which this one uses a part"
)]

#[path = "../containers/bundle.rs"]
mod bundle;

use std::fs;

use bundle::{Bundle, shell};

/// Fails if containers leave something open in this process.
fn leave_no_descriptor(bundle: &Bundle) {
    let open = || -> Vec<_> {
        let all = fs::read_dir("/proc/self/fd")
            .unwrap()
            .map(|entry| entry.unwrap().path());
        all.filter_map(|path| fs::read_link(path).ok()).collect()
    };
    let life = || {
        let container = bundle.run(shell("true")).unwrap();
        container.wait().unwrap();
        container.destroy().unwrap();
    };
    // What is opened once and kept.
    life();
    let before = open();
    for _ in 0..5 {
        life();
    }
    let after = open();
    assert_eq!(before.len(), after.len(), "{before:?} became {after:?}");
}

/// One after the other: what one has open for a moment would count for the other.
#[test]
fn no_descriptor_is_leaked() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    leave_no_descriptor(&bundle);
    if !fs::exists("/run/systemd/system").unwrap() {
        return;
    }
    bundle.config.cgroups.systemd = true;
    bundle.config.cgroups.parent = "system.slice".to_owned();
    bundle.config.cgroups.scope_prefix = "cofferdam".to_owned();
    bundle.config.cgroups.path.clear();
    bundle.config.cgroups.name = bundle.id.to_string();
    leave_no_descriptor(&bundle);
}
