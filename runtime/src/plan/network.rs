//! The network namespace: loopback up; everything else is done by the supervisor over a socket
//! opened in there.

use configs::config::NamespaceType;
use nsenter::plan::Op;

use super::output::Tag;
use super::params::ProcessParams;
use super::steps::Steps;

const AF_NETLINK: u32 = 16;
const SOCK_RAW: u32 = 3;
const NETLINK_ROUTE: u32 = 0;

/// The steps that configure the container's network.
pub(super) fn configure(steps: &mut Steps, params: &ProcessParams<'_>) {
    let config = params.config;
    if !params.has(NamespaceType::Network) {
        return;
    }
    let loopback = config
        .networks
        .iter()
        .any(|network| network.kind == "loopback");
    if loopback && config.namespaces.is_private(NamespaceType::Network) {
        steps.push(
            "set the loopback interface up",
            Op::Netlink(netlink::encode::loopback_up()),
        );
    }
    let further = config
        .networks
        .iter()
        .any(|network| network.kind != "loopback");
    if further || !config.routes.is_empty() || !config.net_devices.is_empty() {
        let into = steps.slot();
        steps.push(
            "open a route socket in the network namespace",
            Op::Socket {
                family: AF_NETLINK,
                kind: SOCK_RAW,
                protocol: NETLINK_ROUTE,
                into,
            },
        );
        steps.push(
            "configure network interfaces",
            Op::SendDescriptorAndWait {
                tag: Tag::RouteSocket.number(),
                fd: into,
            },
        );
        steps.close(into);
    }
}
