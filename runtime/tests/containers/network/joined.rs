//! Containers that join a network namespace: nothing there ends with them by itself.

use cofferdam::configs::config::NamespaceType;

use super::*;

/// A bundle that joins the namespace of a process.
fn joining(holder: &Holder) -> Option<Bundle> {
    let mut bundle = with(network())?;
    let namespaces = &mut bundle.config.namespaces;
    namespaces.set(NamespaceType::Network, holder.path());
    Some(bundle)
}

#[test]
fn a_pair_in_a_joined_namespace_is_counted_and_removed() {
    let Some(mut host) = Host::enter() else {
        return;
    };
    let holder = Holder::start();
    let Some(bundle) = joining(&holder) else {
        return;
    };
    let before = (host.picture(), picture(&mut holder.socket()));
    let container = bundle.create(shell("true")).unwrap();
    assert!(host.link(OUTSIDE).is_some());
    assert!(link(&mut holder.socket(), "eth0").unwrap().is_up);
    // The loopback interface is that of the others.
    assert!(!link(&mut holder.socket(), "lo").unwrap().is_up);
    let stats = container.stats().unwrap().network_interfaces.unwrap();
    assert_eq!(stats[0].name, OUTSIDE);
    container.destroy().unwrap();
    assert_eq!((host.picture(), picture(&mut holder.socket())), before);
    bundle.assert_nothing_left();
}

/// Through a device of the namespace, which stays, and through the pair.
fn routes() -> Vec<Route> {
    let route = |destination: &str, interface: &str| Route {
        destination: destination.to_owned(),
        interface_name: interface.to_owned(),
        ..Route::default()
    };
    vec![
        route("192.0.2.0/24", "theirs"),
        route("2001:db8::/32", "theirs"),
        route("198.51.100.0/24", "eth0"),
    ]
}

/// A namespace with a device and a route of its own.
fn holder_with_device() -> Holder {
    let holder = Holder::start();
    let mut socket = holder.socket();
    let index = dummy(&mut socket, "theirs").index;
    socket.add_address(index, cidr("10.9.9.9/24")).unwrap();
    socket.set_up(index).unwrap();
    let own = netlink::Route::parse("203.0.113.0/24", "", "", Some(index)).unwrap();
    socket.add_route(&own).unwrap();
    holder
}

#[test]
fn routes_in_a_joined_namespace_end_with_the_container() {
    let Some(mut host) = Host::enter() else {
        return;
    };
    let holder = holder_with_device();
    let Some(mut bundle) = joining(&holder) else {
        return;
    };
    bundle.config.routes = routes();
    let before = picture(&mut holder.socket());
    for _ in 0..2 {
        let container = bundle.create(shell("true")).unwrap();
        let during = picture(&mut holder.socket()).2;
        // Three, and two default routes.
        assert_eq!(during.len(), before.2.len() + 5, "{during:?}");
        container.destroy().unwrap();
        assert_eq!(picture(&mut holder.socket()), before);
    }
    // Also when the process with the namespace is gone.
    let container = bundle.create(shell("true")).unwrap();
    drop(holder);
    container.destroy().unwrap();
    assert!(host.link(OUTSIDE).is_none());
    bundle.assert_nothing_left();
}

/// Found out by the init process, long after the network.
#[test]
fn a_creation_that_fails_later_leaves_nothing_in_a_joined_namespace() {
    let Some(mut host) = Host::enter() else {
        return;
    };
    let holder = holder_with_device();
    let Some(mut bundle) = joining(&holder) else {
        return;
    };
    bundle.config.routes = routes();
    let before = (host.picture(), picture(&mut holder.socket()));
    let error = bundle
        .create(Process::new(["/no/such/program"]))
        .unwrap_err();
    let text = error.chain();
    assert!(text.contains("/no/such/program"), "{text}");
    assert_eq!((host.picture(), picture(&mut holder.socket())), before);
    bundle.assert_nothing_left();
}
