//! Statistics of a container.

use cgroups::Cgroup;
use configs::config::Network;
use netlink::{InterfaceName, Socket};
use serde::Serialize;

use super::Container;
use crate::error::{Error, Result};
use crate::id::ContainerId;
use crate::state::record::ConfigRecord;
use crate::system::System;
use crate::{cgroup, rdt};

/// What [`Container::stats`](crate::Container::stats) returns. Its JSON is the `data` of an
/// `events` line.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// What the cgroup counts.
    #[serde(flatten)]
    pub cgroup: cgroups::Stats,
    /// Cache and memory bandwidth (Intel RDT); empty without an RDT group.
    pub intel_rdt: intelrdt::Stats,
    /// The host's ends of the container's network interfaces; `None` if it has none that the
    /// runtime made.
    pub network_interfaces: Option<Vec<NetworkInterface>>,
}

/// Counters of a network interface (`IFLA_STATS64` of `rtnetlink(7)`), as the container sees them:
/// what it receives the host's end has sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct NetworkInterface {
    /// Name on the host.
    pub name: String,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Failed receptions.
    pub rx_errors: u64,
    /// Packets dropped on receive.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Failed transmissions.
    pub tx_errors: u64,
    /// Packets dropped on transmit.
    pub tx_dropped: u64,
}

impl Container {
    /// Statistics of the cgroup, of the Intel RDT group, and of the network interfaces that the
    /// runtime made.
    ///
    /// # Errors
    /// [`ErrorKind::CgroupNotFound`](crate::ErrorKind::CgroupNotFound),
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn stats(&self) -> Result<Stats> {
        read_stats(
            self.system(),
            &self.cgroup()?,
            &self.record.config,
            &self.id,
        )
    }
}

pub(crate) fn read_stats(
    system: &System,
    group: &Cgroup,
    config: &ConfigRecord,
    id: &ContainerId,
) -> Result<Stats> {
    Ok(Stats {
        cgroup: group.stats().map_err(cgroup::failed(
            "read the statistics of the container's cgroup",
        ))?,
        intel_rdt: rdt::stats(system, config.intel_rdt.as_ref(), id)?,
        network_interfaces: network_statistics(&config.networks)?,
    })
}

/// Counters of the host's ends of the container's veth pairs, as the container sees them.
fn network_statistics(networks: &[Network]) -> Result<Option<Vec<NetworkInterface>>> {
    let mut veths = networks
        .iter()
        .filter(|network| network.kind == "veth")
        .peekable();
    if veths.peek().is_none() {
        return Ok(None);
    }
    let failed = |error| Error::system("read the counters of the network interfaces", error);
    let mut host = Socket::connect().map_err(failed)?;
    let read = |network: &Network| {
        if network.host_interface_name.is_empty() {
            return Ok(NetworkInterface::default());
        }
        let name: InterfaceName = network.host_interface_name.parse().map_err(failed)?;
        let counters = host.statistics(&name).map_err(failed)?.from_other_end();
        Ok(NetworkInterface {
            name: name.to_string(),
            rx_bytes: counters.rx_bytes,
            rx_packets: counters.rx_packets,
            rx_errors: counters.rx_errors,
            rx_dropped: counters.rx_dropped,
            tx_bytes: counters.tx_bytes,
            tx_packets: counters.tx_packets,
            tx_errors: counters.tx_errors,
            tx_dropped: counters.tx_dropped,
        })
    };
    veths.map(read).collect::<Result<_>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_has_the_keys_of_an_events_line() {
        let json = serde_json::to_value(Stats::default()).unwrap();
        let keys: Vec<&str> = json
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        for key in [
            "cpu",
            "cpuset",
            "memory",
            "pids",
            "blkio",
            "hugetlb",
            "intel_rdt",
            "network_interfaces",
        ] {
            assert!(keys.contains(&key), "{key} is not in {keys:?}");
        }
        assert!(json["network_interfaces"].is_null());
        let interface = serde_json::to_value(NetworkInterface::default()).unwrap();
        assert!(interface.get("RxBytes").is_some() && interface.get("Name").is_some());
    }

    #[test]
    fn without_a_veth_pair_there_are_no_counters() {
        assert_eq!(network_statistics(&[Network::loopback()]).unwrap(), None);
        let unnamed = Network {
            kind: "veth".to_owned(),
            name: "eth0".to_owned(),
            ..Network::default()
        };
        assert_eq!(
            network_statistics(&[unnamed]).unwrap(),
            Some(vec![NetworkInterface::default()])
        );
    }
}
