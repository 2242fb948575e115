//! Every kind of device.

use std::process::Command;

use super::*;
use crate::MacvlanMode;

/// What `ip` of iproute2 shows of a device.
fn shown(namespace: &Namespace, name: &str) -> String {
    let show = || {
        let arguments = ["-details", "link", "show", name];
        Ok(Command::new("ip").args(arguments).output().unwrap())
    };
    let output = namespace.inside(show).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_bridge_with_a_hairpin_port() {
    let Some(mut socket) = private() else { return };
    let bridge_name = name("br0");
    let mac = MacAddress::random_local().unwrap();
    let new = NewLink {
        mac: Some(mac),
        ..NewLink::new(&bridge_name, LinkKind::Bridge)
    };
    let Some(bridge) = try_create(&mut socket, &new) else {
        return;
    };
    assert_eq!(
        (bridge.mac, bridge.kind.as_deref()),
        (Some(mac), Some("bridge"))
    );
    let port = veth(&mut socket, "p0", &name("p1"));
    let error = socket.set_hairpin(port, true).unwrap_err();
    assert_ne!(error.raw_os_error(), None);
    socket.set_master(port, Some(bridge.index)).unwrap();
    assert_eq!(
        socket.link_by_name(&name("p0")).unwrap().master,
        Some(bridge.index)
    );
    for on in [true, false] {
        socket.set_hairpin(port, on).unwrap();
        assert_eq!(socket.link_by_name(&name("p0")).unwrap().hairpin, on);
    }
    socket.set_master(port, None).unwrap();
    assert_eq!(socket.link_by_name(&name("p0")).unwrap().master, None);
    // It has kept its address although a port had another.
    assert_eq!(socket.link_by_name(&bridge_name).unwrap().mac, Some(mac));
    socket.delete_link(bridge.index).unwrap();
    let gone = socket.link_by_name(&bridge_name).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[test]
fn kinds_without_settings() {
    let Some(mut socket) = private() else { return };
    let kinds = [
        ("bridge1", LinkKind::Bridge, "bridge"),
        // Any kind, by the name that the kernel has for it.
        ("bridge2", LinkKind::Other("bridge"), "bridge"),
        ("dummy9", LinkKind::Dummy, "dummy"),
        ("ifb9", LinkKind::Other("ifb"), "ifb"),
    ];
    for (text, kind, word) in kinds {
        let name = name(text);
        if let Some(link) = try_create(&mut socket, &NewLink::new(&name, kind)) {
            assert_eq!(link.kind.as_deref(), Some(word));
            assert!(!link.is_up);
            socket.delete_link(link.index).unwrap();
            assert!(socket.link_by_name(&name).is_err());
        }
    }
}

#[test]
fn a_vlan_has_its_id() {
    let Some(namespace) = private_namespace() else {
        return;
    };
    let mut socket = namespace.connect().unwrap();
    let parent = veth(&mut socket, "parent", &name("other"));
    let bad = name("vlan8");
    let kind = LinkKind::Vlan { parent, id: 4095 };
    let error = socket.create_link(&NewLink::new(&bad, kind)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    for id in [1, 4094] {
        let kind = LinkKind::Vlan { parent, id };
        let name = name(&format!("v{id}"));
        if let Some(link) = try_create(&mut socket, &NewLink::new(&name, kind)) {
            assert_eq!(link.kind.as_deref(), Some("vlan"));
            let text = shown(&namespace, &link.name);
            assert!(text.contains(&format!("{}@parent", link.name)), "{text}");
            assert!(text.contains(&format!("id {id} ")), "{text}");
        }
    }
}

#[test]
fn macvlan_and_macvtap_have_their_modes() {
    let Some(namespace) = private_namespace() else {
        return;
    };
    let mut socket = namespace.connect().unwrap();
    for (mode, word) in [
        (MacvlanMode::Private, "private"),
        (MacvlanMode::Vepa, "vepa"),
        (MacvlanMode::Bridge, "bridge"),
        (MacvlanMode::Passthru, "passthru"),
    ] {
        // The device that is passed through has no other.
        let parent_name = format!("p{word}");
        let parent = veth(&mut socket, &parent_name, &name(&format!("o{word}")));
        for (text, kind, kind_word) in [
            ("mv", LinkKind::Macvlan { parent, mode }, "macvlan"),
            ("mt", LinkKind::Macvtap { parent, mode }, "macvtap"),
        ] {
            let name = name(&format!("{text}{word}"));
            let Some(link) = try_create(&mut socket, &NewLink::new(&name, kind)) else {
                continue;
            };
            assert_eq!(link.kind.as_deref(), Some(kind_word));
            let text = shown(&namespace, &link.name);
            assert!(text.contains(&format!("@{parent_name}")), "{text}");
            let mode = format!("{kind_word} mode {word}");
            assert!(text.contains(&mode), "{mode:?}: {text}");
            socket.delete_link(link.index).unwrap();
        }
    }
}
