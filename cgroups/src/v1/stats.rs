//! Reading what the controllers of cgroup v1 count.

use super::UNIFIED;
use crate::file_format::{list, unsigned};
use crate::stats::{
    Blkio, BlkioEntry, Controllers, Cpuset, Files, Hugetlb, Memory, MemoryEntry, NumaCount,
    NumaPages, NumaStats, Pids,
};
use crate::{Result, Stats, hugepages, v2};

/// The unit of `cpuacct.stat` in nanoseconds: `USER_HZ` is 100 on every architecture we know.
const TICK: u64 = 10_000_000;

/// Any limit above this means no limit: the kernel says `LONG_MAX`, rounded down to whole pages,
/// and no page is larger than 64 KiB.
const NO_LIMIT: u64 = i64::MAX as u64 - (64 << 10);

/// Whether a controller has numbers that are wanted. The side of cgroup v2 has the pressure of
/// several.
pub(crate) fn counts(controller: &str, wanted: Controllers) -> bool {
    controller == UNIFIED || wanted.meets(numbers_of(controller))
}

/// What a controller counts.
fn numbers_of(controller: &str) -> Controllers {
    match controller {
        "cpuset" => Controllers::CPUSET,
        "memory" => Controllers::MEMORY | Controllers::NUMA,
        "cpu" | "cpuacct" => Controllers::CPU,
        "pids" => Controllers::PIDS,
        "blkio" => Controllers::IO,
        "hugetlb" => Controllers::HUGETLB,
        "rdma" => Controllers::RDMA,
        "misc" => Controllers::MISC,
        _ => Controllers::default(),
    }
}

/// Adds the numbers of one controller. Files that are not there count nothing.
pub(crate) fn read(
    files: &Files<'_>,
    controller: &str,
    wanted: Controllers,
    stats: &mut Stats,
) -> Result<()> {
    match controller {
        "memory" => {
            for (numbers, read) in MEMORY_PARTS {
                if wanted.contains(numbers) {
                    read(files, &mut stats.memory)?;
                    if files.found() {
                        stats.counted |= numbers;
                    }
                }
            }
            Ok(())
        }
        UNIFIED => v2::stats::pressure(files, wanted, stats),
        _ => {
            read_one(files, controller, stats)?;
            if files.found() {
                stats.counted |= numbers_of(controller);
            }
            Ok(())
        }
    }
}

/// Reads a part of what the memory controller counts.
type ReadMemory = fn(&Files<'_>, &mut Memory) -> Result<()>;

/// Two parts of one controller, of which one may be wanted without the other.
const MEMORY_PARTS: [(Controllers, ReadMemory); 2] =
    [(Controllers::MEMORY, memory), (Controllers::NUMA, numa)];

fn read_one(files: &Files<'_>, controller: &str, stats: &mut Stats) -> Result<()> {
    match controller {
        "cpuset" => cpuset(files, &mut stats.cpuset),
        "cpu" => v2::stats::cpu(files, stats),
        "cpuacct" => cpuacct(files, stats),
        "pids" => pids(files, &mut stats.pids),
        "blkio" => blkio(files, &mut stats.blkio),
        "hugetlb" => hugetlb(files, stats),
        "rdma" => v2::stats::rdma(files, &mut stats.rdma),
        "misc" => v2::stats::misc(files, &mut stats.misc),
        _ => Ok(()),
    }
}

fn cpuacct(files: &Files<'_>, stats: &mut Stats) -> Result<()> {
    let usage = &mut stats.cpu.usage;
    files.table("cpuacct.stat", |key, ticks| match key {
        "user" => usage.user = ticks.saturating_mul(TICK),
        "system" => usage.kernel = ticks.saturating_mul(TICK),
        _ => {}
    })?;
    const PERCPU: &str = "cpuacct.usage_percpu";
    if let Some(text) = files.text(PERCPU)? {
        for field in text.split_whitespace() {
            let time = unsigned(field);
            usage.percpu.push(
                time.ok_or_else(|| files.malformed(PERCPU, &format!("{field:?} is not a number")))?,
            );
        }
    }
    // What `cpuacct.usage` says, too.
    usage.total = usage
        .percpu
        .iter()
        .fold(0, |sum, time| sum.saturating_add(*time));
    const ALL: &str = "cpuacct.usage_all";
    // Linux 4.15.
    let Some(text) = files.text(ALL)? else {
        return Ok(());
    };
    let wrong =
        |line: &str| files.malformed(ALL, &format!("line {line:?} is not \"cpu user system\""));
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    if !header.starts_with("cpu user system") {
        return Err(wrong(header));
    }
    for line in lines {
        let mut fields = line.split_whitespace().skip(1).map(unsigned);
        let (Some(Some(user)), Some(Some(kernel))) = (fields.next(), fields.next()) else {
            return Err(wrong(line));
        };
        usage.percpu_user.push(user);
        usage.percpu_kernel.push(kernel);
    }
    Ok(())
}

fn cpuset(files: &Files<'_>, cpuset: &mut Cpuset) -> Result<()> {
    for (name, target) in [
        ("cpuset.cpus", &mut cpuset.cpus),
        ("cpuset.mems", &mut cpuset.mems),
    ] {
        if let Some(text) = files.text(name)? {
            *target = list(&text).ok_or_else(|| {
                files.malformed(name, &format!("{:?} is not a list", text.trim()))
            })?;
        }
    }
    for (name, target) in [
        ("cpuset.cpu_exclusive", &mut cpuset.cpu_exclusive),
        ("cpuset.mem_hardwall", &mut cpuset.mem_hardwall),
        ("cpuset.mem_exclusive", &mut cpuset.mem_exclusive),
        ("cpuset.memory_migrate", &mut cpuset.memory_migrate),
        ("cpuset.memory_spread_page", &mut cpuset.memory_spread_page),
        ("cpuset.memory_spread_slab", &mut cpuset.memory_spread_slab),
        ("cpuset.memory_pressure", &mut cpuset.memory_pressure),
        ("cpuset.sched_load_balance", &mut cpuset.sched_load_balance),
    ] {
        *target = files.number(name)?;
    }
    const LEVEL: &str = "cpuset.sched_relax_domain_level";
    if let Some(text) = files.text(LEVEL)? {
        let text = text.trim();
        cpuset.sched_relax_domain_level = text
            .parse()
            .map_err(|_| files.malformed(LEVEL, &format!("{text:?} is not a number")))?;
    }
    Ok(())
}

fn memory(files: &Files<'_>, memory: &mut Memory) -> Result<()> {
    if !files.table_into("memory.stat", &mut memory.raw)? {
        return Ok(());
    }
    memory.cache = memory.raw.get("cache").copied().unwrap_or_default();
    // The least of the cgroup's own limit and those above it: without any, it has none.
    let none = |least: &str| {
        let least = memory.raw.get(least).copied();
        least.filter(|limit| *limit > NO_LIMIT)
    };
    let (no_limit, no_swap_limit) = (
        none("hierarchical_memory_limit"),
        none("hierarchical_memsw_limit"),
    );
    for (name, known_limit, target) in [
        ("memory", no_limit, &mut memory.usage),
        ("memory.memsw", no_swap_limit, &mut memory.swap),
        ("memory.kmem", None, &mut memory.kernel),
        ("memory.kmem.tcp", None, &mut memory.kernel_tcp),
    ] {
        let Some(usage) = files.number_if_present(&format!("{name}.usage_in_bytes"))? else {
            continue;
        };
        *target = MemoryEntry {
            usage,
            max: files.number(&format!("{name}.max_usage_in_bytes"))?,
            failcnt: files.number(&format!("{name}.failcnt"))?,
            limit: match known_limit {
                Some(limit) => limit,
                None => files.number(&format!("{name}.limit_in_bytes"))?,
            },
        };
    }
    memory.use_hierarchy = files.number("memory.use_hierarchy")? == 1;
    Ok(())
}

fn numa(files: &Files<'_>, memory: &mut Memory) -> Result<()> {
    const FILE: &str = "memory.numa_stat";
    if let Some(text) = files.text(FILE)? {
        memory.numa = pages_by_node(&text)
            .ok_or_else(|| files.malformed(FILE, "a column is not KEY=NUMBER"))?;
    }
    Ok(())
}

/// Lines `KIND=TOTAL N0=PAGES N1=PAGES …`; kinds we do not know are left out.
pub(super) fn pages_by_node(text: &str) -> Option<NumaStats> {
    let mut stats = NumaStats::default();
    for line in text.lines() {
        let mut columns = line.split_whitespace();
        let Some((kind, total)) = columns.next().and_then(|column| column.split_once('=')) else {
            continue;
        };
        let (pages, kind): (&mut NumaPages, &str) = match kind.strip_prefix("hierarchical_") {
            Some(kind) => (&mut stats.hierarchical, kind),
            None => (&mut stats.own, kind),
        };
        let count: &mut NumaCount = match kind {
            "total" => &mut pages.total,
            "file" => &mut pages.file,
            "anon" => &mut pages.anon,
            "unevictable" => &mut pages.unevictable,
            _ => continue,
        };
        count.total = total.parse().ok()?;
        for column in columns {
            let (node, pages) = column.split_once('=')?;
            let node = node.strip_prefix('N')?.parse().ok()?;
            count.nodes.insert(node, pages.parse().ok()?);
        }
    }
    Some(stats)
}

fn pids(files: &Files<'_>, pids: &mut Pids) -> Result<()> {
    let limit = files.number("pids.max")?;
    *pids = Pids {
        current: files.number("pids.current")?,
        limit: if limit == u64::MAX { 0 } else { limit },
    };
    Ok(())
}

fn hugetlb(files: &Files<'_>, stats: &mut Stats) -> Result<()> {
    for size in hugepages::sizes() {
        // What is reserved, where it is counted (Linux 5.7): a reservation is what a fault fails
        // on.
        for prefix in [format!("hugetlb.{size}.rsvd"), format!("hugetlb.{size}")] {
            let Some(usage) = files.number_if_present(&format!("{prefix}.usage_in_bytes"))? else {
                continue;
            };
            let pages = Hugetlb {
                usage,
                max: files.number(&format!("{prefix}.max_usage_in_bytes"))?,
                failcnt: files.number(&format!("{prefix}.failcnt"))?,
            };
            stats.hugetlb.insert(size.clone(), pages);
            break;
        }
    }
    Ok(())
}

/// Picks the table that a file fills.
type Table = fn(&mut Blkio) -> &mut Vec<BlkioEntry>;

const SERVICE_BYTES: Table = |blkio| &mut blkio.io_service_bytes_recursive;
const SERVICED: Table = |blkio| &mut blkio.io_serviced_recursive;
const QUEUED: Table = |blkio| &mut blkio.io_queued_recursive;
const SERVICE_TIME: Table = |blkio| &mut blkio.io_service_time_recursive;
const WAIT_TIME: Table = |blkio| &mut blkio.io_wait_time_recursive;
const MERGED: Table = |blkio| &mut blkio.io_merged_recursive;
const TIME: Table = |blkio| &mut blkio.io_time_recursive;
const SECTORS: Table = |blkio| &mut blkio.sectors_recursive;

/// The sets of files that schedulers offer, the richest first. Which one counts, its first file
/// shows: the one of a scheduler that is built in and not used exists without an entry.
const BLKIO_SETS: [&[(&str, Table)]; 5] = [
    // BFQ with CONFIG_BFQ_CGROUP_DEBUG
    &[
        ("blkio.bfq.sectors_recursive", SECTORS),
        ("blkio.bfq.io_service_time_recursive", SERVICE_TIME),
        ("blkio.bfq.io_wait_time_recursive", WAIT_TIME),
        ("blkio.bfq.io_merged_recursive", MERGED),
        ("blkio.bfq.io_queued_recursive", QUEUED),
        ("blkio.bfq.time_recursive", TIME),
        ("blkio.bfq.io_serviced_recursive", SERVICED),
        ("blkio.bfq.io_service_bytes_recursive", SERVICE_BYTES),
    ],
    // BFQ
    &[
        ("blkio.bfq.io_serviced_recursive", SERVICED),
        ("blkio.bfq.io_service_bytes_recursive", SERVICE_BYTES),
    ],
    // CFQ, before Linux 5.0
    &[
        ("blkio.sectors_recursive", SECTORS),
        ("blkio.io_service_time_recursive", SERVICE_TIME),
        ("blkio.io_wait_time_recursive", WAIT_TIME),
        ("blkio.io_merged_recursive", MERGED),
        ("blkio.io_queued_recursive", QUEUED),
        ("blkio.time_recursive", TIME),
        ("blkio.io_serviced_recursive", SERVICED),
        ("blkio.io_service_bytes_recursive", SERVICE_BYTES),
    ],
    // Whatever the scheduler, since Linux 4.19
    &[
        ("blkio.throttle.io_serviced_recursive", SERVICED),
        ("blkio.throttle.io_service_bytes_recursive", SERVICE_BYTES),
    ],
    &[
        ("blkio.throttle.io_serviced", SERVICED),
        ("blkio.throttle.io_service_bytes", SERVICE_BYTES),
    ],
];

fn blkio(files: &Files<'_>, blkio: &mut Blkio) -> Result<()> {
    for set in BLKIO_SETS {
        let mut others = set.iter();
        let Some((name, table)) = others.next() else {
            continue;
        };
        let Some(text) = files.text(name)? else {
            continue;
        };
        let entries = blkio_table(&text, files, name)?;
        // The files of a scheduler that the disks do not use are there, and hold nothing.
        if entries.is_empty() {
            continue;
        }
        *table(blkio) = entries;
        for (name, table) in others {
            if let Some(text) = files.text(name)? {
                *table(blkio) = blkio_table(&text, files, name)?;
            }
        }
        break;
    }
    Ok(())
}

/// Lines `MAJOR:MINOR OP VALUE` or `MAJOR:MINOR VALUE`, and a sum `Total VALUE` over all devices.
fn blkio_table(text: &str, files: &Files<'_>, name: &str) -> Result<Vec<BlkioEntry>> {
    let mut table = Vec::new();
    for line in text.lines() {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (device, op, value) = match *fields.as_slice() {
            [] | ["Total", _] => continue,
            [device, value] => (device, "", value),
            [device, op, value] => (device, op, value),
            _ => ("", "", ""),
        };
        let entry = device.split_once(':').and_then(|(major, minor)| {
            Some(BlkioEntry {
                major: major.parse().ok()?,
                minor: minor.parse().ok()?,
                op: op.to_owned(),
                value: unsigned(value)?,
            })
        });
        table.push(entry.ok_or_else(|| {
            files.malformed(
                name,
                &format!("line {line:?} is not \"MAJOR:MINOR [OPERATION] VALUE\""),
            )
        })?);
    }
    Ok(table)
}

#[cfg(test)]
mod tests;
