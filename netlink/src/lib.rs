//! Blocking rtnetlink: links, veth, bridge, addresses, routes, moving a device between namespaces.
