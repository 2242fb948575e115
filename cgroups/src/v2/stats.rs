//! Reading what the controllers of cgroup v2 count.

use std::collections::BTreeMap;

use crate::stats::{
    Blkio, BlkioEntry, Controllers, Files, Hugetlb, Memory, MemoryEntry, Misc, Pids, Psi, PsiLine,
    Rdma, RdmaEntry,
};
use crate::{Hierarchy, Result, Stats, hugepages};

/// Reads everything. A controller that is not there counts nothing; of failures the first one is
/// returned, unless the caller is rootless. With `root` it is the root cgroup of that hierarchy,
/// which has no files for what the whole machine uses.
pub(crate) fn read(
    files: &Files<'_>,
    wanted: Controllers,
    root: Option<&Hierarchy>,
    rootless: bool,
) -> Result<Stats> {
    let mut stats = Stats::default();
    let mut failed = None;
    let mut keep = |controller: Controllers, read: &mut dyn FnMut(&mut Stats) -> Result<()>| {
        if !wanted.contains(controller) {
            return;
        }
        match read(&mut stats) {
            Ok(()) if files.found() => stats.counted |= controller,
            Ok(()) => {}
            Err(error) => {
                log::debug!("{error}");
                failed.get_or_insert(error);
            }
        }
    };
    keep(Controllers::PIDS, &mut |stats| pids(files, stats));
    keep(Controllers::MEMORY, &mut |stats| {
        memory(files, root, &mut stats.memory)
    });
    keep(Controllers::IO, &mut |stats| io(files, &mut stats.blkio));
    keep(Controllers::CPU, &mut |stats| cpu(files, stats));
    keep(Controllers::HUGETLB, &mut |stats| hugetlb(files, stats));
    keep(Controllers::RDMA, &mut |stats| rdma(files, &mut stats.rdma));
    keep(Controllers::MISC, &mut |stats| misc(files, &mut stats.misc));
    for pressure in PRESSURES {
        if wanted.contains(pressure.0)
            && let Err(error) = pressure_of(files, pressure, &mut stats)
        {
            log::debug!("{error}");
            failed.get_or_insert(error);
        }
    }
    match failed {
        Some(error) if !rootless => Err(error),
        _ => Ok(stats),
    }
}

/// A file with pressure stall information, and where it goes.
type Pressure = (
    Controllers,
    &'static str,
    fn(&mut Stats) -> &mut Option<Psi>,
);

const PRESSURES: [Pressure; 3] = [
    (Controllers::CPU, "cpu.pressure", |stats| &mut stats.cpu.psi),
    (Controllers::MEMORY, "memory.pressure", |stats| {
        &mut stats.memory.psi
    }),
    (Controllers::IO, "io.pressure", |stats| &mut stats.blkio.psi),
];

fn pressure_of(files: &Files<'_>, (_, file, slot): Pressure, stats: &mut Stats) -> Result<()> {
    *slot(stats) = psi(files, file)?;
    Ok(())
}

/// Pressure alone: all that the cgroup v2 side of a hybrid machine can add to the numbers of
/// cgroup v1. It needs no controller.
pub(crate) fn pressure(files: &Files<'_>, wanted: Controllers, stats: &mut Stats) -> Result<()> {
    let mut wanted = PRESSURES
        .into_iter()
        .filter(|pressure| wanted.contains(pressure.0));
    wanted.try_for_each(|pressure| pressure_of(files, pressure, stats))
}

fn pids(files: &Files<'_>, stats: &mut Stats) -> Result<()> {
    let Some(current) = files.number_if_present("pids.current")? else {
        // Without the controller the processes can be counted; the limit is unknown.
        let count = crate::processes::in_group(files.dir())?.len();
        stats.pids = Pids {
            current: u64::try_from(count).unwrap_or(u64::MAX),
            limit: 0,
        };
        return Ok(());
    };
    let limit = files.number("pids.max")?;
    stats.pids = Pids {
        current,
        limit: if limit == u64::MAX { 0 } else { limit },
    };
    Ok(())
}

fn memory(files: &Files<'_>, root: Option<&Hierarchy>, memory: &mut Memory) -> Result<()> {
    if !files.table_into("memory.stat", &mut memory.raw)? {
        return Ok(());
    }
    let raw = |key: &str| memory.raw.get(key).copied().unwrap_or_default();
    memory.cache = raw("file");
    memory.use_hierarchy = true;
    let Some(usage) = files.number_if_present("memory.current")? else {
        let Some(root) = root else {
            return Ok(());
        };
        let used = raw("anon").saturating_add(raw("file"));
        memory.usage = MemoryEntry {
            usage: used,
            limit: u64::MAX,
            ..MemoryEntry::default()
        };
        root_swap(&root.meminfo()?, memory, used);
        return Ok(());
    };
    memory.usage = MemoryEntry {
        usage,
        limit: files.number("memory.max")?,
        max: files.number("memory.peak")?,
        failcnt: 0,
    };
    let Some(swap) = files.number_if_present("memory.swap.current")? else {
        return Ok(());
    };
    let limit = files.number("memory.swap.max")?;
    memory.swap_only = MemoryEntry {
        usage: swap,
        limit,
        max: files.number("memory.swap.peak")?,
        failcnt: 0,
    };
    // cgroup v1 counts memory and swap together; so does this.
    memory.swap = MemoryEntry {
        usage: swap.saturating_add(usage),
        limit: if limit == u64::MAX {
            u64::MAX
        } else {
            limit.saturating_add(memory.usage.limit)
        },
        ..MemoryEntry::default()
    };
    Ok(())
}

/// The root cgroup has no swap files; the machine's numbers are its own.
fn root_swap(meminfo: &str, memory: &mut Memory, used: u64) {
    let kilobytes = |key: &str| {
        meminfo
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
            .and_then(|value| value.trim().strip_suffix("kB"))
            .and_then(|value| value.trim().parse::<u64>().ok())
            .unwrap_or_default()
            .saturating_mul(1024)
    };
    let total = kilobytes("SwapTotal");
    let swap = total.saturating_sub(kilobytes("SwapFree"));
    memory.swap_only = MemoryEntry {
        usage: swap,
        limit: u64::MAX,
        ..MemoryEntry::default()
    };
    memory.swap = MemoryEntry {
        usage: swap.saturating_add(used),
        limit: u64::MAX,
        ..MemoryEntry::default()
    };
}

/// Times are in microseconds, and on cgroup v1, under other names, in nanoseconds.
pub(crate) fn cpu(files: &Files<'_>, stats: &mut Stats) -> Result<()> {
    let (usage, throttling) = (&mut stats.cpu.usage, &mut stats.cpu.throttling);
    files.table("cpu.stat", |key, value| {
        let nanoseconds = value.saturating_mul(1000);
        match key {
            "usage_usec" => usage.total = nanoseconds,
            "user_usec" => usage.user = nanoseconds,
            "system_usec" => usage.kernel = nanoseconds,
            "nr_periods" => throttling.periods = value,
            "nr_throttled" => throttling.throttled_periods = value,
            "throttled_time" => throttling.throttled_time = value,
            "throttled_usec" => throttling.throttled_time = nanoseconds,
            "nr_bursts" => throttling.bursts = value,
            "burst_time" => throttling.burst_time = value,
            "burst_usec" => throttling.burst_time = nanoseconds,
            _ => {}
        }
    })?;
    Ok(())
}

/// Lines `MAJOR:MINOR key=value …`. A device the kernel cannot name is skipped.
fn io(files: &Files<'_>, blkio: &mut Blkio) -> Result<()> {
    let Some(text) = files.text("io.stat")? else {
        return Ok(());
    };
    for line in text.lines() {
        let mut fields = line.split_whitespace();
        let Some((major, minor)) = fields
            .next()
            .and_then(|device| device.split_once(':'))
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
        else {
            continue;
        };
        for field in fields {
            let Some((key, value)) = field.split_once('=') else {
                continue;
            };
            let (op, table) = match key {
                "rbytes" => ("Read", &mut blkio.io_service_bytes_recursive),
                "wbytes" => ("Write", &mut blkio.io_service_bytes_recursive),
                "rios" => ("Read", &mut blkio.io_serviced_recursive),
                "wios" => ("Write", &mut blkio.io_serviced_recursive),
                key if key.starts_with("cost.") => {
                    ("Count", blkio.cost.entry(key.to_owned()).or_default())
                }
                _ => continue,
            };
            // The iocost controller prints some of its figures as fractions.
            let whole = value.split_once('.').map_or(value, |(whole, _)| whole);
            let value = whole
                .parse()
                .map_err(|_| files.malformed("io.stat", &format!("{value:?} is not a number")))?;
            table.push(BlkioEntry {
                major,
                minor,
                op: op.to_owned(),
                value,
            });
        }
    }
    Ok(())
}

/// `None` when the kernel was built or booted without pressure stall information.
fn psi(files: &Files<'_>, name: &str) -> Result<Option<Psi>> {
    let text = match files.text(name) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut psi = Psi::default();
    for line in text.lines() {
        let mut fields = line.split_whitespace();
        let target = match fields.next() {
            Some("some") => &mut psi.some,
            Some("full") => &mut psi.full,
            _ => continue,
        };
        *target = psi_line(fields).ok_or_else(|| {
            files.malformed(name, &format!("line {line:?} is not pressure information"))
        })?;
    }
    Ok(Some(psi))
}

fn psi_line<'a>(fields: impl Iterator<Item = &'a str>) -> Option<PsiLine> {
    let mut line = PsiLine::default();
    for field in fields {
        let (key, value) = field.split_once('=')?;
        match key {
            "avg10" => line.avg10 = value.parse().ok()?,
            "avg60" => line.avg60 = value.parse().ok()?,
            "avg300" => line.avg300 = value.parse().ok()?,
            "total" => line.total = value.parse().ok()?,
            _ => {}
        }
    }
    Some(line)
}

fn hugetlb(files: &Files<'_>, stats: &mut Stats) -> Result<()> {
    for size in hugepages::sizes() {
        // What is reserved, on kernels that count it: a reservation is what a fault fails on.
        let mut usage = files.number_if_present(&format!("hugetlb.{size}.rsvd.current"))?;
        if usage.is_none() {
            usage = files.number_if_present(&format!("hugetlb.{size}.current"))?;
        }
        let Some(usage) = usage else { continue };
        let mut failcnt = 0;
        files.table(&format!("hugetlb.{size}.events"), |key, value| {
            if key == "max" {
                failcnt = value;
            }
        })?;
        stats.hugetlb.insert(
            size.clone(),
            Hugetlb {
                usage,
                max: 0,
                failcnt,
            },
        );
    }
    Ok(())
}

pub(crate) fn rdma(files: &Files<'_>, rdma: &mut Rdma) -> Result<()> {
    for (file, table) in [
        ("rdma.current", &mut rdma.current),
        ("rdma.max", &mut rdma.limit),
    ] {
        let Some(text) = files.text(file)? else {
            return Ok(());
        };
        for line in text.lines() {
            let mut fields = line.split_whitespace();
            let Some(device) = fields.next() else {
                continue;
            };
            let entry: &mut RdmaEntry = table.entry(device.to_owned()).or_default();
            for (key, value) in fields.filter_map(|field| field.split_once('=')) {
                let value = match value {
                    "max" => u32::MAX,
                    _ => value.parse().map_err(|_| {
                        files.malformed(file, &format!("{value:?} is not a number"))
                    })?,
                };
                match key {
                    "hca_handle" => entry.hca_handles = value,
                    "hca_object" => entry.hca_objects = value,
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

pub(crate) fn misc(files: &Files<'_>, misc: &mut BTreeMap<String, Misc>) -> Result<()> {
    files.table("misc.current", |key, value| {
        misc.entry(key.to_owned()).or_default().usage = value;
    })?;
    files.table("misc.events", |key, value| {
        if let Some(key) = key.strip_suffix(".max") {
            misc.entry(key.to_owned()).or_default().events = value;
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests;
