//! Devices of `linux.netDevices` at checkpoint and restore.

use cofferdam_integration::need;
use cofferdam_integration::networks::{self, device, ip};
use serde_json::json;

use crate::outside::NetworkNamespace;
use crate::subject::{Runtime, Subject};

use Runtime::Ours;

/// One end of a pair of devices, with an address, which gets another name in the container.
const DEVICE: &str = "cfd-outside";
const NAME: &str = "inside0";

fn make_device() {
    let _ = ip(&format!("link add name {DEVICE} type veth peer name other"));
    let _ = ip(&format!("address add 10.211.4.2/24 dev {DEVICE}"));
}

/// A counter that has the device, in a network of this test's own.
fn subject() -> Subject {
    networks::enter();
    make_device();
    let mut subject = Subject::counter();
    subject.case.bundle.config["linux"]["netDevices"] = json!({ DEVICE: { "name": NAME } });
    subject
}

#[track_caller]
fn has_device(subject: &Subject) {
    let shown = subject.case.exec(&["ip", "address", "show", NAME]).ok();
    assert!(shown.stdout.contains("10.211.4.2/24"), "{shown}");
    assert_eq!(device(DEVICE), None);
}

/// Its network namespace ends with the container, and the pair with that.
#[test]
fn a_device_is_moved_again_at_a_restore() {
    need!(Root, Busybox, VirtualNetworks, Checkpoints);
    let mut subject = subject();
    subject.start(Ours);
    subject.counts_beyond(0);
    has_device(&subject);
    subject.dump(Ours, &[]);
    let count = subject.count();
    // It has to be on the host.
    let refused = subject.try_restore(Ours, &[]);
    let _ = refused.failed(1, DEVICE);
    subject.case.nothing_left();
    make_device();
    subject.restore(Ours, &[]);
    subject.counts_beyond(count);
    has_device(&subject);
    subject.case.delete();
}

/// A namespace that the container has joined keeps it.
#[test]
fn a_device_in_a_joined_namespace_has_stayed() {
    need!(Root, Busybox, VirtualNetworks, Checkpoints);
    let mut subject = subject();
    let network = NetworkNamespace::new(&subject.case.id);
    let bundle = &mut subject.case.bundle;
    bundle.without_namespace("network");
    bundle.namespace(json!({ "type": "network", "path": network.path() }));
    subject.start(Ours);
    subject.counts_beyond(0);
    has_device(&subject);
    subject.dump(Ours, &[]);
    let inside = || network.inside(|| device(NAME));
    let number = inside().expect("the device")["ifindex"].clone();
    let count = subject.count();
    subject.restore(Ours, &[]);
    subject.counts_beyond(count);
    has_device(&subject);
    assert_eq!(inside().expect("the device")["ifindex"], number);
    subject.case.delete();
}
