//! What a cgroup has used, in one shape for both versions.

use std::collections::BTreeMap;

mod controllers;
mod files;
#[cfg(test)]
mod tests;

pub use controllers::Controllers;
pub(crate) use files::Files;

/// Everything the controllers count for a cgroup.
///
/// A controller that the cgroup does not have counts nothing, and all its numbers are 0 or empty:
/// [`counted`](Self::counted) distinguishes that from one whose numbers are 0.
///
/// With feature `serde` the JSON is the `data` of `events --stats`: `cpu`, `cpuset`, `memory`,
/// `pids`, `blkio` and `hugetlb`. RDMA and the miscellaneous controller have no place there and are
/// left out.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// Processor time.
    pub cpu: Cpu,
    /// Processors and memory nodes (cgroup v1 only).
    pub cpuset: Cpuset,
    /// Memory and swap.
    pub memory: Memory,
    /// Processes and threads.
    pub pids: Pids,
    /// Block I/O.
    pub blkio: Blkio,
    /// Huge pages by page size (`2MB`, `1GB`).
    pub hugetlb: BTreeMap<String, Hugetlb>,
    /// RDMA devices.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub rdma: Rdma,
    /// The miscellaneous controller, by resource name.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub misc: BTreeMap<String, Misc>,
    /// The controllers whose numbers these are: those that were asked for and have files in the
    /// cgroup. On cgroup v2 the kernel keeps `cpu.stat` without the controller.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub counted: Controllers,
}

/// Processor time.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Cpu {
    /// Time used.
    pub usage: CpuUsage,
    /// What the quota did.
    pub throttling: Throttling,
    /// Pressure; `None` when the kernel does not report it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub psi: Option<Psi>,
}

/// Processor time used, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CpuUsage {
    /// All of it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_zero"))]
    pub total: u64,
    /// By CPU (cgroup v1 only).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub percpu: Vec<u64>,
    /// By CPU, in the kernel (cgroup v1 only).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub percpu_kernel: Vec<u64>,
    /// By CPU, in user mode (cgroup v1 only).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub percpu_user: Vec<u64>,
    /// In the kernel.
    pub kernel: u64,
    /// In user mode.
    pub user: u64,
}

/// What the CPU quota did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Throttling {
    /// Periods that passed.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_zero"))]
    pub periods: u64,
    /// Periods in which the quota ran out.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "throttledPeriods", skip_serializing_if = "is_zero")
    )]
    pub throttled_periods: u64,
    /// Time spent waiting for quota, in nanoseconds.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "throttledTime", skip_serializing_if = "is_zero")
    )]
    pub throttled_time: u64,
    /// Periods in which saved-up quota was used.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub bursts: u64,
    /// Time run on saved-up quota, in nanoseconds.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub burst_time: u64,
}

/// Pressure stall information (`Documentation/accounting/psi.rst`).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Psi {
    /// Time in which at least one task waited.
    pub some: PsiLine,
    /// Time in which all tasks waited at once.
    pub full: PsiLine,
}

/// One line of pressure stall information.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PsiLine {
    /// Percent of the last 10 seconds.
    pub avg10: f64,
    /// Percent of the last 60 seconds.
    pub avg60: f64,
    /// Percent of the last 300 seconds.
    pub avg300: f64,
    /// Microseconds since the start.
    pub total: u64,
}

/// The cpuset controller of cgroup v1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Cpuset {
    /// `cpuset.cpus`
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub cpus: Vec<u16>,
    /// `cpuset.cpu_exclusive`
    pub cpu_exclusive: u64,
    /// `cpuset.mems`
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub mems: Vec<u16>,
    /// `cpuset.mem_hardwall`
    pub mem_hardwall: u64,
    /// `cpuset.mem_exclusive`
    pub mem_exclusive: u64,
    /// `cpuset.memory_migrate`
    pub memory_migrate: u64,
    /// `cpuset.memory_spread_page`
    pub memory_spread_page: u64,
    /// `cpuset.memory_spread_slab`
    pub memory_spread_slab: u64,
    /// `cpuset.memory_pressure`
    pub memory_pressure: u64,
    /// `cpuset.sched_load_balance`
    pub sched_load_balance: u64,
    /// `cpuset.sched_relax_domain_level`
    pub sched_relax_domain_level: i64,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Memory {
    /// Page cache.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_zero"))]
    pub cache: u64,
    /// Memory.
    pub usage: MemoryEntry,
    /// Memory and swap together.
    pub swap: MemoryEntry,
    /// Swap alone (cgroup v2 only).
    #[cfg_attr(feature = "serde", serde(skip))]
    pub swap_only: MemoryEntry,
    /// Kernel memory (cgroup v1 only).
    pub kernel: MemoryEntry,
    /// TCP buffers (cgroup v1 only).
    #[cfg_attr(feature = "serde", serde(rename = "kernelTCP"))]
    pub kernel_tcp: MemoryEntry,
    /// Whether children count here too; always so on cgroup v2.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub use_hierarchy: bool,
    /// Pages by memory node (cgroup v1 only).
    #[cfg_attr(feature = "serde", serde(skip))]
    pub numa: NumaStats,
    /// All of `memory.stat`.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "BTreeMap::is_empty"))]
    pub raw: BTreeMap<String, u64>,
    /// Pressure; `None` when the kernel does not report it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub psi: Option<Psi>,
}

/// One kind of memory, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MemoryEntry {
    /// The limit as the kernel has it. Without one it is 2⁶⁴-1 on cgroup v2, and on v1 the largest
    /// number of whole pages in 2⁶³-1 bytes (9223372036854771712 with pages of 4 KiB).
    pub limit: u64,
    /// In use.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_zero"))]
    pub usage: u64,
    /// The most that was in use.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_zero"))]
    pub max: u64,
    /// How often the limit was hit.
    pub failcnt: u64,
}

/// Pages by memory node: this cgroup's own, and with children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NumaStats {
    /// Without child cgroups.
    pub own: NumaPages,
    /// With child cgroups.
    pub hierarchical: NumaPages,
}

/// Pages by memory node, by what they hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NumaPages {
    /// All pages.
    pub total: NumaCount,
    /// File pages.
    pub file: NumaCount,
    /// Anonymous pages.
    pub anon: NumaCount,
    /// Pages that cannot be reclaimed.
    pub unevictable: NumaCount,
}

/// Pages in total and by memory node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NumaCount {
    /// In total.
    pub total: u64,
    /// By number of the node.
    pub nodes: BTreeMap<u8, u64>,
}

/// Processes and threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Pids {
    /// How many there are. On cgroup v2 they are counted where the controller is missing.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_zero"))]
    pub current: u64,
    /// How many there may be; 0 is unlimited, which is how the JSON of `events` has it. (In
    /// [`Resources`](crate::Resources), where -1 is unlimited, 0 is read as 1.)
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_zero"))]
    pub limit: u64,
}

/// Block I/O by device and operation.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "camelCase")
)]
#[non_exhaustive]
pub struct Blkio {
    /// Bytes transferred.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub io_service_bytes_recursive: Vec<BlkioEntry>,
    /// Operations.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub io_serviced_recursive: Vec<BlkioEntry>,
    /// Operations waiting.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "ioQueueRecursive", skip_serializing_if = "Vec::is_empty")
    )]
    pub io_queued_recursive: Vec<BlkioEntry>,
    /// Time in service, in nanoseconds.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub io_service_time_recursive: Vec<BlkioEntry>,
    /// Time waiting, in nanoseconds.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub io_wait_time_recursive: Vec<BlkioEntry>,
    /// Operations merged into others.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub io_merged_recursive: Vec<BlkioEntry>,
    /// Time the device was assigned, in milliseconds.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub io_time_recursive: Vec<BlkioEntry>,
    /// Sectors transferred.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub sectors_recursive: Vec<BlkioEntry>,
    /// The `cost.*` fields of `io.stat` (cgroup v2 with the iocost controller), by field name.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub cost: BTreeMap<String, Vec<BlkioEntry>>,
    /// Pressure; `None` when the kernel does not report it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub psi: Option<Psi>,
}

/// One number for one device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BlkioEntry {
    /// Major number.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_zero"))]
    pub major: u64,
    /// Minor number.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_zero"))]
    pub minor: u64,
    /// `Read`, `Write`, `Sync`, `Async`, `Discard`, `Total`; empty where the file has no such
    /// column.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "String::is_empty"))]
    pub op: String,
    /// The number.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_zero"))]
    pub value: u64,
}

/// Huge pages of one size, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Hugetlb {
    /// In use.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_zero"))]
    pub usage: u64,
    /// The most that was in use (cgroup v1 only).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_zero"))]
    pub max: u64,
    /// How often the limit was hit.
    pub failcnt: u64,
}

/// RDMA devices by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rdma {
    /// In use.
    pub current: BTreeMap<String, RdmaEntry>,
    /// Limits; `u32::MAX` is unlimited.
    pub limit: BTreeMap<String, RdmaEntry>,
}

/// One RDMA device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RdmaEntry {
    /// Handles of the host channel adapter.
    pub hca_handles: u32,
    /// Objects of the host channel adapter.
    pub hca_objects: u32,
}

/// One resource of the miscellaneous controller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Misc {
    /// In use.
    pub usage: u64,
    /// How often the limit was hit.
    pub events: u64,
}

#[cfg(feature = "serde")]
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
