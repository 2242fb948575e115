//! The older forms of the configuration file, from the fixtures of each and key by key.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails, and says why"
)]

mod cgroup;
mod detection;
mod devices;
mod fields;
mod fixtures;
mod mounts;
mod mutations;
mod names;
mod network;
mod since_2015;
mod to_oci;

use cofferdam_configs::legacy::{self, Loaded, Options};
use cofferdam_configs::{Error, Result};
use serde_json::{Value, json};

/// What the tests say of the host and of their rootfs.
fn options() -> Options {
    Options {
        rootfs: "/srv/rootfs".to_owned(),
        interface_suffix: 0xf012_3456,
        ..Options::default()
    }
}

fn load(file: &Value) -> Result<Loaded> {
    legacy::load(file.to_string().as_bytes(), &options())
}

fn loaded(file: &Value) -> Loaded {
    load(file).unwrap_or_else(|error| panic!("{error:#}: {file}"))
}

/// The place and the text of a refusal.
fn refusal(file: &Value) -> (String, String) {
    let error: Error = load(file).expect_err(&file.to_string());
    let place = error.json_path().unwrap_or_default().to_owned();
    let text = error.to_string();
    let text = text.strip_suffix(&format!(" (at {place})"));
    (place, text.unwrap_or_default().to_owned())
}

fn assert_refused(file: &Value, place: &str, text: &str) {
    assert_eq!(refusal(file), (place.to_owned(), text.to_owned()), "{file}");
}

/// The texts of the warnings.
fn warnings(loaded: &Loaded) -> Vec<String> {
    loaded.warnings.iter().map(ToString::to_string).collect()
}

/// The keys of `extra` added to a file of a revision that has nothing else to say.
fn of_revision(letter: char, extra: &Value) -> Value {
    let mut file = match letter {
        '0' => json!({"namespaces": ["NEWNS", "NEWUTS", "NEWNET"], "capabilities": []}),
        'A' => json!({"namespaces": ["NEWNS", "NEWUTS", "NEWNET"]}),
        'B' => json!({"namespaces": [
            {"key": "NEWNS", "enabled": true},
            {"key": "NEWUTS", "enabled": true},
            {"key": "NEWNET", "enabled": true},
        ]}),
        'C' => json!({
            "namespaces": {"NEWNS": true, "NEWUTS": true, "NEWNET": true},
            "capabilities_mask": {},
        }),
        'D' => json!({"namespaces": {"NEWNS": true, "NEWUTS": true, "NEWNET": true}}),
        'E' => json!({
            "namespaces": {"NEWNS": true, "NEWUTS": true, "NEWNET": true},
            "mount_config": {},
        }),
        _ => json!({
            "rootfs": "/srv/rootfs",
            "namespaces": [{"type": "NEWNS"}, {"type": "NEWUTS"}, {"type": "NEWNET"}],
            "mounts": [
                {"source": "proc", "destination": "/proc", "device": "proc"},
                {"source": "tmpfs", "destination": "/dev", "device": "tmpfs"},
            ],
        }),
    };
    for (key, value) in extra.as_object().expect("an object") {
        file[key] = value.clone();
    }
    file
}

/// Every letter of the revisions of 2014.
const OF_2014: [char; 6] = ['0', 'A', 'B', 'C', 'D', 'E'];
