//! Device nodes in each form.

use cofferdam_configs::config::Device;
use cofferdam_configs::legacy::Warning;
use serde_json::{Value, json};

use crate::{OF_2014, assert_refused, loaded, of_revision, refusal};

fn nodes(file: &Value) -> Vec<Device> {
    loaded(file).config.devices
}

fn paths(file: &Value) -> Vec<String> {
    nodes(file).into_iter().map(|node| node.path).collect()
}

const DEFAULT: [&str; 6] = [
    "/dev/null",
    "/dev/random",
    "/dev/full",
    "/dev/tty",
    "/dev/zero",
    "/dev/urandom",
];

#[test]
fn without_a_list_a_container_has_the_six_nodes() {
    for letter in OF_2014 {
        let nodes = nodes(&of_revision(letter, &json!({})));
        assert!(nodes.iter().all(|node| node.file_mode == 0o666));
        let paths: Vec<_> = nodes.iter().map(|node| node.path.as_str()).collect();
        assert_eq!(paths, DEFAULT);
    }
    assert!(nodes(&of_revision('F', &json!({}))).is_empty());
}

#[test]
fn a_node_of_2014_and_one_of_2015_differ_in_their_keys() {
    let early = json!({
        "type": 98, "path": "/dev/sdx", "major_number": 8, "minor_number": 112,
        "cgroup_permissions": "rw", "file_mode": 432, "uid": 3, "gid": 6,
    });
    let later = json!({
        "type": 98, "path": "/dev/sdx", "major": 8, "minor": 112, "permissions": "rw",
        "file_mode": 432, "uid": 3, "gid": 6,
    });
    let of_d = nodes(&of_revision('D', &json!({"device_nodes": [early]})));
    let of_e = nodes(&of_revision(
        'E',
        &json!({"mount_config": {"device_nodes": [early]}}),
    ));
    let of_f = nodes(&of_revision('F', &json!({"devices": [later]})));
    assert_eq!(of_d, of_e);
    assert_eq!(of_d, of_f);
    let node = &of_d[0];
    assert_eq!((node.kind.letter(), node.major, node.minor), ('b', 8, 112));
    assert_eq!((node.file_mode, node.uid, node.gid), (0o660, 3, 6));
    assert_eq!(node.access.to_string(), "rw");
}

#[test]
fn types_are_letters_as_numbers() {
    for (number, letter) in [(99, 'c'), (98, 'b'), (112, 'p'), (117, 'c')] {
        let device = json!({"type": number, "path": "/dev/x"});
        let nodes = nodes(&of_revision('F', &json!({"devices": [device]})));
        assert_eq!(nodes[0].kind.letter(), letter);
    }
    for number in [97, 120, 0] {
        let device = json!({"type": number, "path": "/dev/x"});
        let file = of_revision('F', &json!({"devices": [device]}));
        assert_eq!(refusal(&file).0, "devices[0].type");
    }
}

#[test]
fn of_a_mode_the_permissions_count() {
    // Go's bits for a character device.
    let mode = 438 | 1 << 26 | 1 << 21;
    let device = json!({"type": 99, "path": "/dev/x", "file_mode": mode});
    let nodes = nodes(&of_revision('F', &json!({"devices": [device]})));
    assert_eq!(nodes[0].file_mode, 0o666);
}

#[test]
fn the_empty_list_is_no_node() {
    assert!(nodes(&of_revision('D', &json!({"device_nodes": []}))).is_empty());
    let file = of_revision('E', &json!({"mount_config": {"device_nodes": []}}));
    assert!(nodes(&file).is_empty());
}

#[test]
fn names_of_nodes_that_must_or_may_be_there() {
    let lists = json!({
        "required_device_nodes": ["null", "fuse"],
        "optional_device_nodes": ["zero", "kvm"],
    });
    let map =
        json!({"device_nodes": {"required": ["null", "fuse"], "additional": ["zero", "kvm"]}});
    for (keys, place) in [
        (lists, "optional_device_nodes[1]"),
        (map, "device_nodes.additional[1]"),
    ] {
        let file = of_revision('D', &keys);
        assert_eq!(paths(&file), ["/dev/null", "/dev/fuse", "/dev/zero"]);
        assert!(loaded(&file).warnings.contains(&Warning::UnknownDevice {
            place: place.to_owned(),
            name: "kvm".to_owned(),
        }));
    }
    let text = "the numbers of device \"kvm\" are not known";
    let list = json!({"required_device_nodes": ["kvm"]});
    assert_refused(&of_revision('D', &list), "required_device_nodes[0]", text);
    let map = json!({"device_nodes": {"required": ["kvm"], "wanted": []}});
    assert_refused(&of_revision('D', &map), "device_nodes.required[0]", text);
}

#[test]
fn unknown_lists_of_nodes_are_warned_of() {
    let map = json!({"device_nodes": {"Required": ["null"], "wanted": ["x"]}});
    let loaded = loaded(&of_revision('D', &map));
    assert_eq!(loaded.config.devices.len(), 1);
    assert!(loaded.warnings.contains(&Warning::UnknownKey {
        place: "device_nodes.wanted".to_owned(),
    }));
}

#[test]
fn a_node_needs_an_absolute_path() {
    let text = "\"null\" is not an absolute path";
    let device = json!({"type": 99, "path": "null"});
    assert_refused(
        &of_revision('F', &json!({"devices": [device]})),
        "devices[0].path",
        text,
    );
}
