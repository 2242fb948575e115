//! Statistics with the names that they had in 2014 and 2015.

use std::collections::BTreeMap;

use cgroups::stats::{Blkio, BlkioEntry, Cpu, Hugetlb, Memory, MemoryEntry};
use serde::Serialize;

use crate::container::stats::{NetworkInterface, Stats};

/// As `stats` of June 2015 has them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Stats2015<'a> {
    interfaces: Option<&'a [NetworkInterface]>,
    cgroup_stats: CgroupStats<'a>,
}

/// As `stats` of 2014 has them.
#[derive(Debug, Serialize)]
pub(crate) struct Stats2014<'a> {
    network_stats: NetworkStats,
    cgroup_stats: CgroupStats<'a>,
}

/// The counters of the one interface that a container of 2014 has; zeros without any.
#[derive(Debug, Default, Serialize)]
struct NetworkStats {
    rx_bytes: u64,
    rx_packets: u64,
    rx_errors: u64,
    rx_dropped: u64,
    tx_bytes: u64,
    tx_packets: u64,
    tx_errors: u64,
    tx_dropped: u64,
}

#[derive(Debug, Serialize)]
struct CgroupStats<'a> {
    cpu_stats: CpuStats<'a>,
    memory_stats: MemoryStats<'a>,
    blkio_stats: BlkioStats<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    hugetlb_stats: BTreeMap<&'a str, HugetlbStats>,
}

#[derive(Debug, Serialize)]
struct CpuStats<'a> {
    cpu_usage: CpuUsage<'a>,
    throttling_data: Throttling,
}

/// Nanoseconds.
#[derive(Debug, Serialize)]
struct CpuUsage<'a> {
    total_usage: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    percpu_usage: &'a [u64],
    usage_in_kernelmode: u64,
    usage_in_usermode: u64,
}

#[derive(Debug, Serialize)]
struct Throttling {
    periods: u64,
    throttled_periods: u64,
    throttled_time: u64,
}

#[derive(Debug, Serialize)]
struct MemoryStats<'a> {
    cache: u64,
    usage: MemoryData,
    swap_usage: MemoryData,
    kernel_usage: MemoryData,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    stats: &'a BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct MemoryData {
    usage: u64,
    max_usage: u64,
    failcnt: u64,
}

#[derive(Debug, Serialize)]
struct BlkioStats<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    io_service_bytes_recursive: &'a [BlkioEntry],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    io_serviced_recursive: &'a [BlkioEntry],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    io_queue_recursive: &'a [BlkioEntry],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    io_service_time_recursive: &'a [BlkioEntry],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    io_wait_time_recursive: &'a [BlkioEntry],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    io_merged_recursive: &'a [BlkioEntry],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    io_time_recursive: &'a [BlkioEntry],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    sectors_recursive: &'a [BlkioEntry],
}

#[derive(Debug, Serialize)]
struct HugetlbStats {
    usage: u64,
    max_usage: u64,
    failcnt: u64,
}

impl<'a> From<&'a Stats> for Stats2015<'a> {
    fn from(stats: &'a Stats) -> Self {
        Self {
            interfaces: stats.network_interfaces.as_deref(),
            cgroup_stats: (&stats.cgroup).into(),
        }
    }
}

impl<'a> From<&'a Stats> for Stats2014<'a> {
    fn from(stats: &'a Stats) -> Self {
        let interface = stats.network_interfaces.iter().flatten().next();
        Self {
            network_stats: interface.map(NetworkStats::from).unwrap_or_default(),
            cgroup_stats: (&stats.cgroup).into(),
        }
    }
}

impl From<&NetworkInterface> for NetworkStats {
    fn from(interface: &NetworkInterface) -> Self {
        Self {
            rx_bytes: interface.rx_bytes,
            rx_packets: interface.rx_packets,
            rx_errors: interface.rx_errors,
            rx_dropped: interface.rx_dropped,
            tx_bytes: interface.tx_bytes,
            tx_packets: interface.tx_packets,
            tx_errors: interface.tx_errors,
            tx_dropped: interface.tx_dropped,
        }
    }
}

impl<'a> From<&'a cgroups::Stats> for CgroupStats<'a> {
    fn from(stats: &'a cgroups::Stats) -> Self {
        let hugetlb = stats.hugetlb.iter();
        Self {
            cpu_stats: (&stats.cpu).into(),
            memory_stats: (&stats.memory).into(),
            blkio_stats: (&stats.blkio).into(),
            hugetlb_stats: hugetlb
                .map(|(size, stats)| (size.as_str(), stats.into()))
                .collect(),
        }
    }
}

impl<'a> From<&'a Cpu> for CpuStats<'a> {
    fn from(cpu: &'a Cpu) -> Self {
        Self {
            cpu_usage: CpuUsage {
                total_usage: cpu.usage.total,
                percpu_usage: &cpu.usage.percpu,
                usage_in_kernelmode: cpu.usage.kernel,
                usage_in_usermode: cpu.usage.user,
            },
            throttling_data: Throttling {
                periods: cpu.throttling.periods,
                throttled_periods: cpu.throttling.throttled_periods,
                throttled_time: cpu.throttling.throttled_time,
            },
        }
    }
}

impl<'a> From<&'a Memory> for MemoryStats<'a> {
    fn from(memory: &'a Memory) -> Self {
        let data = |entry: &MemoryEntry| MemoryData {
            usage: entry.usage,
            max_usage: entry.max,
            failcnt: entry.failcnt,
        };
        Self {
            cache: memory.cache,
            usage: data(&memory.usage),
            swap_usage: data(&memory.swap),
            kernel_usage: data(&memory.kernel),
            stats: &memory.raw,
        }
    }
}

impl<'a> From<&'a Blkio> for BlkioStats<'a> {
    fn from(blkio: &'a Blkio) -> Self {
        Self {
            io_service_bytes_recursive: &blkio.io_service_bytes_recursive,
            io_serviced_recursive: &blkio.io_serviced_recursive,
            io_queue_recursive: &blkio.io_queued_recursive,
            io_service_time_recursive: &blkio.io_service_time_recursive,
            io_wait_time_recursive: &blkio.io_wait_time_recursive,
            io_merged_recursive: &blkio.io_merged_recursive,
            io_time_recursive: &blkio.io_time_recursive,
            sectors_recursive: &blkio.sectors_recursive,
        }
    }
}

impl From<&Hugetlb> for HugetlbStats {
    fn from(hugetlb: &Hugetlb) -> Self {
        Self {
            usage: hugetlb.usage,
            max_usage: hugetlb.max,
            failcnt: hugetlb.failcnt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_their_year() {
        let mut stats = Stats {
            network_interfaces: Some(vec![NetworkInterface {
                rx_bytes: 7,
                ..NetworkInterface::default()
            }]),
            ..Stats::default()
        };
        stats.cgroup.cpu.usage.total = 5;
        stats.cgroup.memory.swap.max = 6;
        let late = serde_json::to_value(Stats2015::from(&stats)).unwrap();
        assert_eq!(late["Interfaces"][0]["RxBytes"], 7);
        let early = serde_json::to_value(Stats2014::from(&stats)).unwrap();
        assert_eq!(early["network_stats"]["rx_bytes"], 7);
        for counters in [&late["CgroupStats"], &early["cgroup_stats"]] {
            assert_eq!(counters["cpu_stats"]["cpu_usage"]["total_usage"], 5);
            assert_eq!(counters["memory_stats"]["swap_usage"]["max_usage"], 6);
            assert!(counters["blkio_stats"].is_object());
        }
        let none = Stats::default();
        assert!(serde_json::to_value(Stats2015::from(&none)).unwrap()["Interfaces"].is_null());
    }
}
