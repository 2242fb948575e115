//! Reading what the controllers of cgroup v1 count.

use std::path::PathBuf;

use super::UNIFIED;
use crate::{
    Result, Stats,
    dir::Dir,
    hugepages,
    stats::{
        Blkio, BlkioEntry, Controllers, Cpuset, Hugetlb, Memory, MemoryEntry, NumaCount, NumaPages,
        NumaStats, Pids,
    },
    v2,
    values::{key_values, list, read_unsigned_if_present, unparsable, unsigned},
};

/// The unit of `cpuacct.stat` in nanoseconds: `USER_HZ` is 100 on every architecture we know.
const TICK: u64 = 10_000_000;

/// Whether a controller has numbers that are wanted.
pub(crate) fn counts(controller: &str, wanted: Controllers) -> bool {
    wanted.contains(match controller {
        "cpuset" => Controllers::CPUSET,
        "memory" => Controllers::MEMORY,
        "cpu" | "cpuacct" => Controllers::CPU,
        "pids" => Controllers::PIDS,
        "blkio" => Controllers::IO,
        "hugetlb" => Controllers::HUGETLB,
        "rdma" => Controllers::RDMA,
        "misc" => Controllers::MISC,
        // The pressure of several controllers.
        UNIFIED => return true,
        _ => return false,
    })
}

/// Adds the numbers of one controller. Files that are not there count nothing.
pub(crate) fn read(
    dir: &Dir,
    controller: &str,
    wanted: Controllers,
    stats: &mut Stats,
) -> Result<()> {
    match controller {
        "cpuset" => cpuset(dir, &mut stats.cpuset),
        "memory" => memory(dir, &mut stats.memory),
        "cpu" => cpu(dir, stats),
        "cpuacct" => cpuacct(dir, stats),
        "pids" => pids(dir, &mut stats.pids),
        "blkio" => blkio(dir, &mut stats.blkio),
        "hugetlb" => hugetlb(dir, stats),
        "rdma" => v2::stats::rdma(dir, &mut stats.rdma),
        "misc" => v2::stats::misc(dir, &mut stats.misc),
        UNIFIED => v2::stats::pressure(dir, wanted, stats),
        _ => Ok(()),
    }
}

fn place(dir: &Dir, name: &str) -> PathBuf {
    dir.path().join(name)
}

fn number(dir: &Dir, name: &str) -> Result<u64> {
    Ok(read_unsigned_if_present(dir, name)?.unwrap_or_default())
}

fn cpu(dir: &Dir, stats: &mut Stats) -> Result<()> {
    let Some(text) = dir.read_if_present("cpu.stat")? else {
        return Ok(());
    };
    let throttling = &mut stats.cpu.throttling;
    for pair in key_values(&text, &place(dir, "cpu.stat")) {
        let (key, value) = pair?;
        match key {
            "nr_periods" => throttling.periods = value,
            "nr_throttled" => throttling.throttled_periods = value,
            "throttled_time" => throttling.throttled_time = value,
            "nr_bursts" => throttling.bursts = value,
            "burst_time" => throttling.burst_time = value,
            _ => {}
        }
    }
    Ok(())
}

fn cpuacct(dir: &Dir, stats: &mut Stats) -> Result<()> {
    let usage = &mut stats.cpu.usage;
    if let Some(text) = dir.read_if_present("cpuacct.stat")? {
        for pair in key_values(&text, &place(dir, "cpuacct.stat")) {
            match pair? {
                ("user", ticks) => usage.user = ticks.saturating_mul(TICK),
                ("system", ticks) => usage.kernel = ticks.saturating_mul(TICK),
                _ => {}
            }
        }
    }
    usage.total = number(dir, "cpuacct.usage")?;
    if let Some(text) = dir.read_if_present("cpuacct.usage_percpu")? {
        for field in text.split_whitespace() {
            usage.percpu.push(unsigned(field).ok_or_else(|| {
                unparsable(
                    &place(dir, "cpuacct.usage_percpu"),
                    &format!("{field:?} is not a number"),
                )
            })?);
        }
    }
    // Linux 4.15.
    let Some(text) = dir.read_if_present("cpuacct.usage_all")? else {
        return Ok(());
    };
    let mut lines = text.lines();
    let wrong = |line: &str| {
        unparsable(
            &place(dir, "cpuacct.usage_all"),
            &format!("line {line:?} is not \"cpu user system\""),
        )
    };
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

fn cpuset(dir: &Dir, cpuset: &mut Cpuset) -> Result<()> {
    for (name, slot) in [
        ("cpuset.cpus", &mut cpuset.cpus),
        ("cpuset.mems", &mut cpuset.mems),
    ] {
        if let Some(text) = dir.read_if_present(name)? {
            *slot = list(&text).ok_or_else(|| {
                unparsable(
                    &place(dir, name),
                    &format!("{:?} is not a list", text.trim()),
                )
            })?;
        }
    }
    for (name, slot) in [
        ("cpuset.cpu_exclusive", &mut cpuset.cpu_exclusive),
        ("cpuset.mem_hardwall", &mut cpuset.mem_hardwall),
        ("cpuset.mem_exclusive", &mut cpuset.mem_exclusive),
        ("cpuset.memory_migrate", &mut cpuset.memory_migrate),
        ("cpuset.memory_spread_page", &mut cpuset.memory_spread_page),
        ("cpuset.memory_spread_slab", &mut cpuset.memory_spread_slab),
        ("cpuset.memory_pressure", &mut cpuset.memory_pressure),
        ("cpuset.sched_load_balance", &mut cpuset.sched_load_balance),
    ] {
        *slot = number(dir, name)?;
    }
    const LEVEL: &str = "cpuset.sched_relax_domain_level";
    if let Some(text) = dir.read_if_present(LEVEL)? {
        let text = text.trim();
        cpuset.sched_relax_domain_level = text
            .parse()
            .map_err(|_| unparsable(&place(dir, LEVEL), &format!("{text:?} is not a number")))?;
    }
    Ok(())
}

fn memory(dir: &Dir, memory: &mut Memory) -> Result<()> {
    let Some(text) = dir.read_if_present("memory.stat")? else {
        return Ok(());
    };
    for pair in key_values(&text, &place(dir, "memory.stat")) {
        let (key, value) = pair?;
        memory.raw.insert(key.to_owned(), value);
    }
    memory.cache = memory.raw.get("cache").copied().unwrap_or_default();
    for (name, slot) in [
        ("memory", &mut memory.usage),
        ("memory.memsw", &mut memory.swap),
        ("memory.kmem", &mut memory.kernel),
        ("memory.kmem.tcp", &mut memory.kernel_tcp),
    ] {
        let Some(usage) = read_unsigned_if_present(dir, &format!("{name}.usage_in_bytes"))? else {
            continue;
        };
        *slot = MemoryEntry {
            usage,
            max: number(dir, &format!("{name}.max_usage_in_bytes"))?,
            failcnt: number(dir, &format!("{name}.failcnt"))?,
            limit: number(dir, &format!("{name}.limit_in_bytes"))?,
        };
    }
    memory.use_hierarchy = number(dir, "memory.use_hierarchy")? == 1;
    if let Some(text) = dir.read_if_present("memory.numa_stat")? {
        memory.numa = numa(&text).ok_or_else(|| {
            unparsable(
                &place(dir, "memory.numa_stat"),
                "a column is not KEY=NUMBER",
            )
        })?;
    }
    Ok(())
}

/// Lines `KIND=TOTAL N0=PAGES N1=PAGES …`; kinds we do not know are left out.
pub(super) fn numa(text: &str) -> Option<NumaStats> {
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

fn pids(dir: &Dir, pids: &mut Pids) -> Result<()> {
    let limit = number(dir, "pids.max")?;
    *pids = Pids {
        current: number(dir, "pids.current")?,
        limit: if limit == u64::MAX { 0 } else { limit },
    };
    Ok(())
}

fn hugetlb(dir: &Dir, stats: &mut Stats) -> Result<()> {
    for size in hugepages::sizes() {
        let reserved = format!("hugetlb.{size}.rsvd");
        let prefix = if dir.exists(&format!("{reserved}.usage_in_bytes")) {
            reserved
        } else {
            format!("hugetlb.{size}")
        };
        let Some(usage) = read_unsigned_if_present(dir, &format!("{prefix}.usage_in_bytes"))?
        else {
            continue;
        };
        stats.hugetlb.insert(
            size.clone(),
            Hugetlb {
                usage,
                max: number(dir, &format!("{prefix}.max_usage_in_bytes"))?,
                failcnt: number(dir, &format!("{prefix}.failcnt"))?,
            },
        );
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

/// The sets of files that schedulers offer, the richest first. Which one is there, its first file
/// tells.
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

fn blkio(dir: &Dir, blkio: &mut Blkio) -> Result<()> {
    for set in BLKIO_SETS {
        let mut files = set.iter();
        let Some((name, table)) = files.next() else {
            continue;
        };
        let Some(text) = dir.read_if_present(name)? else {
            continue;
        };
        *table(blkio) = blkio_table(&text, dir, name)?;
        for (name, table) in files {
            if let Some(text) = dir.read_if_present(name)? {
                *table(blkio) = blkio_table(&text, dir, name)?;
            }
        }
        break;
    }
    Ok(())
}

/// Lines `MAJOR:MINOR OP VALUE` or `MAJOR:MINOR VALUE`, and a sum `Total VALUE` over all devices.
fn blkio_table(text: &str, dir: &Dir, name: &str) -> Result<Vec<BlkioEntry>> {
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
            unparsable(
                &place(dir, name),
                &format!("line {line:?} is not \"MAJOR:MINOR [OPERATION] VALUE\""),
            )
        })?);
    }
    Ok(table)
}
