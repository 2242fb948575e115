//! Configurations of great size (CVE-2021-43784): what does not fit is refused, and never cut off
//! or taken for something else.

use std::fmt::Write as _;

use cofferdam_integration::{Case, need};
use serde_json::{Value, json};

use crate::host::Host;
use crate::victim;

#[test]
fn many_mappings_are_all_there_or_refused() {
    need!(Root, Busybox);
    let host = Host::new();
    for count in [10_u32, 300, 340, 341, 5000] {
        let mut case = Case::new();
        case.bundle.user_namespace(1000, 1);
        // Short numbers: the kernel also wants the whole text to be shorter than a page.
        let maps: Vec<Value> = (0..count)
            .map(|id| json!({ "containerID": id, "hostID": 1000 + id * 2, "size": 1 }))
            .collect();
        case.bundle.config["linux"]["uidMappings"] = json!(maps);
        case.bundle.config["linux"]["gidMappings"] = json!(maps);
        case.bundle
            .script("wc -l < /proc/self/uid_map; wc -l < /proc/self/gid_map; id -u");
        let output = case.run();
        victim::sane(&output);
        // The kernel takes 340 lines: user_namespaces(7).
        assert_eq!(output.code == 0, count <= 340, "{count}: {output}");
        if count <= 340 {
            assert_eq!(
                output.lines(),
                [&count.to_string(), &count.to_string(), "0"]
            );
        }
        case.finish();
    }
    host.unchanged("many mappings");
}

#[test]
fn many_mounts_are_all_there_and_the_last_settings_too() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let source = case.bundle.rootfs().join("etc");
    case.bundle
        .mount(json!({ "destination": "/mnt", "type": "tmpfs", "source": "tmpfs" }));
    for number in 0..800 {
        case.bundle
            .mount(victim::bind(&source, &format!("/mnt/{number}")));
    }
    let output = case.inside("grep -c ' /mnt/' /proc/self/mountinfo; grep NoNewPrivs /proc/self/status; grep CapEff /proc/self/status");
    assert_eq!(output.lines()[0], "800");
    assert!(
        output.lines()[1].ends_with('1') && output.lines()[2].ends_with("0000000020000420"),
        "{output}"
    );
    host.unchanged("many mounts");
    case.finish();
}

#[test]
fn more_mounts_than_a_container_may_have_are_refused() {
    need!(Root, Busybox, Cofferdam);
    let host = Host::new();
    let mut case = Case::new();
    let source = case.bundle.rootfs().join("etc");
    for number in 0..40_000 {
        case.bundle
            .mount(victim::bind(&source, &format!("/mnt/{number}")));
    }
    let _ = case.run().failed(1, "mounts has more than 10000 entries");
    host.unchanged("too many mounts");
    case.finish();
}

#[test]
fn a_great_environment_arrives_whole() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let value = "v".repeat(100_000);
    let variables: Vec<String> = (0..10)
        .map(|number| format!("V{number}={value}"))
        .chain(["PATH=/bin".to_owned()])
        .collect();
    case.bundle.config["process"]["env"] = json!(variables);
    let output = case.inside("env | wc -c; id -u; grep NoNewPrivs /proc/self/status");
    assert!(
        output.lines()[0].trim().parse::<usize>().unwrap() > 1_000_000,
        "{output}"
    );
    assert_eq!(output.lines()[1], "0");
    host.unchanged("a great environment");
    // More than the kernel takes in one string: execve(2) fails, and so does the command.
    case.bundle.config["process"]["env"] = json!([format!("V={}", "v".repeat(200_000))]);
    victim::refused(&case.run(), "a variable of 200000 bytes");
    case.finish();
}

#[test]
fn long_paths_and_labels_are_refused() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let original = case.bundle.config.clone();
    let long = "x".repeat(70_000);
    let mut path = String::from("/tmp");
    while path.len() < 4090 {
        let _ = write!(path, "/{}", "y".repeat(200.min(4094 - path.len())));
    }
    type Change = fn(&mut Value, &str);
    let changes: [(&str, Change); 5] = [
        ("a namespace", |config, text| {
            config["linux"]["namespaces"]
                .as_array_mut()
                .unwrap()
                .push(json!({ "type": "user", "path": text }))
        }),
        ("a label", |config, text| {
            config["process"]["selinuxLabel"] = json!(text)
        }),
        ("a profile", |config, text| {
            config["process"]["apparmorProfile"] = json!(text)
        }),
        ("a program", |config, text| {
            config["process"]["args"] = json!([text])
        }),
        ("a host name", |config, text| {
            config["hostname"] = json!(text)
        }),
    ];
    for (what, change) in changes {
        for text in [&path, &long] {
            case.bundle.config = original.clone();
            change(&mut case.bundle.config, text);
            victim::refused(&case.run(), what);
            case.nothing_left();
        }
    }
    host.unchanged("long names");
    case.finish();
}

#[test]
fn ten_thousand_parameters_are_written_or_refused() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let mut parameters: serde_json::Map<String, Value> = (0..10_000)
        .map(|number| (format!("net.ipv4.no_such_{number:05}"), json!("1")))
        .collect();
    parameters.insert("kernel.shmmax".to_owned(), json!("4096"));
    case.bundle.config["linux"]["sysctl"] = Value::Object(parameters);
    victim::refused(&case.run(), "parameters that do not exist");
    host.unchanged("many parameters");
    case.finish();
}
