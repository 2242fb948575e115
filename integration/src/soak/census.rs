//! What there is, counted.

use std::fs;
use std::path::Path;
use std::process;
use std::thread;
use std::time::Instant;

use runtime::ContainerId;

use super::life;
use super::place::Place;
use super::table::{MAPPED_KIB, MEMORY_KIB};
use crate::cgroup;
use crate::leftovers::{self, SETTLING, programs};

/// What a row of the table has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Not more than at the beginning.
    Flat,
    /// In KiB, and not more than at the beginning by so many.
    Memory(u64),
}

/// One kind of thing that is counted.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What it is called in the table.
    pub name: &'static str,
    /// What it has to be.
    pub judgement: Judgement,
    count: fn(&Place) -> Result<u64, String>,
}

const fn flat(name: &'static str, count: fn(&Place) -> Result<u64, String>) -> Row {
    Row {
        name,
        judgement: Judgement::Flat,
        count,
    }
}

const fn memory(name: &'static str, more: u64, count: fn(&Place) -> Result<u64, String>) -> Row {
    Row {
        name,
        judgement: Judgement::Memory(more),
        count,
    }
}

/// All that is counted.
pub const ROWS: &[Row] = &[
    flat("descriptors", |_| entries(Path::new("/proc/self/fd"))),
    flat("inotify watches", |_| inotify_watches()),
    flat("threads", |_| entries(Path::new("/proc/self/task"))),
    flat("child processes", |_| children()),
    flat("mounts", |_| lines("/proc/thread-self/mountinfo")),
    flat("state directories", |place| entries(&place.root())),
    flat("cgroups", |place| {
        Ok(cgroup::marked(place.mark()).len() as u64)
    }),
    flat("BPF programs and links", |place| {
        let found = programs::with_device(place.device());
        Ok(found.map_err(|error| format!("bpf: {error}"))?.len() as u64)
    }),
    flat("keyrings", |place| {
        Ok(leftovers::keyrings(|id| id.starts_with(place.mark())).len() as u64)
    }),
    flat("keys of the user namespaces", keys_of_users),
    flat("network devices", |place| {
        let found = leftovers::network_devices().map_err(|error| error.to_string())?;
        Ok(found.difference(&place.devices).count() as u64)
    }),
    flat("resctrl groups", |place| {
        Ok(leftovers::resctrl_groups(|name| name.starts_with(place.mark())).len() as u64)
    }),
    memory("VmData, KiB", MAPPED_KIB, |_| status("VmData")),
    memory("RssAnon, KiB", MEMORY_KIB, |_| status("RssAnon")),
    memory("VmRSS, KiB", MEMORY_KIB, |_| status("VmRSS")),
];

/// The number of each row.
#[derive(Clone, Debug)]
pub struct Census(pub Vec<u64>);

impl Census {
    fn take(place: &Place) -> Result<Self, String> {
        let counts: Result<Vec<u64>, String> = ROWS.iter().map(|row| (row.count)(place)).collect();
        counts.map(Self)
    }

    /// A census when the kernel has freed what it frees with a delay: when nothing that has to be
    /// flat is more than in `first`, or there are no objects of containers; not longer than
    /// [`SETTLING`].
    pub(super) fn settled(place: &Place, first: Option<&Self>) -> Result<Self, String> {
        let deadline = Instant::now() + SETTLING;
        loop {
            let census = Self::take(place)?;
            let has_settled = ROWS.iter().enumerate().all(|(index, row)| {
                let count = census.0.get(index).copied().unwrap_or(u64::MAX);
                let limit = match first {
                    Some(first) => first.0.get(index).copied().unwrap_or(0),
                    None if is_of_containers(row) => 0,
                    None => u64::MAX,
                };
                row.judgement != Judgement::Flat || count <= limit
            });
            if has_settled || Instant::now() > deadline {
                return Ok(census);
            }
            thread::yield_now();
        }
    }
}

impl Census {
    /// Fails if something of containers is there, when all of them are gone: as the beginning of a
    /// table it would hide what it is.
    pub(super) fn is_clean(&self) -> Result<(), String> {
        for (row, count) in ROWS.iter().zip(&self.0) {
            if is_of_containers(row) && *count > 0 {
                return Err(format!(
                    "after the first lives {count} {} are left",
                    row.name
                ));
            }
        }
        Ok(())
    }
}

/// Whether nothing of this kind is there without a container.
fn is_of_containers(row: &Row) -> bool {
    !["descriptors", "threads", "mounts"].contains(&row.name) && row.judgement == Judgement::Flat
}

/// Makes a container and looks whether the census sees everything that it consists of: what is
/// never seen could grow unnoticed.
pub(super) fn is_not_blind(place: &Place) -> Result<(), String> {
    let before = Census::settled(place, None)?;
    let id: ContainerId = format!("{}-seen", place.mark())
        .parse()
        .map_err(|error| format!("{error}"))?;
    let container = life::resident(place, &id, true, 0)?;
    let present = Census::take(place)?;
    life::force_delete(place, &container)?;
    for ((row, before), present) in ROWS.iter().zip(&before.0).zip(&present.0) {
        let is_expected = match row.name {
            "child processes" | "state directories" | "cgroups" | "descriptors" => true,
            "keyrings" => Path::new("/proc/keys").exists(),
            "BPF programs and links" => cgroup::is_unified(),
            "network devices" => place.has_bridge,
            _ => false,
        };
        if is_expected && present <= before {
            return Err(format!("a container is there, but no {} of it", row.name));
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> Result<u64, String> {
    let entries = fs::read_dir(directory);
    let entries = entries.map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(entries.count() as u64)
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

fn lines(path: &str) -> Result<u64, String> {
    Ok(read(path)?.lines().count() as u64)
}

/// Watches in all inotify instances that this process has open (proc_pid_fdinfo(5)).
fn inotify_watches() -> Result<u64, String> {
    let mut found = 0;
    for entry in fs::read_dir("/proc/self/fdinfo")
        .map_err(|error| format!("/proc/self/fdinfo: {error}"))?
        .flatten()
    {
        // That of the directory itself is closed by the time it is read.
        let Ok(text) = fs::read_to_string(entry.path()) else {
            continue;
        };
        found += text
            .lines()
            .filter(|line| line.starts_with("inotify "))
            .count() as u64;
    }
    Ok(found)
}

/// The processes whose parent this one is, those that have ended and were not waited for among
/// them.
fn children() -> Result<u64, String> {
    let own = process::id().to_string();
    let mut found = 0;
    for entry in fs::read_dir("/proc")
        .map_err(|error| format!("/proc: {error}"))?
        .flatten()
    {
        // A process may end while it is looked at. The name in the second field may have blanks.
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let fields = text.rsplit_once(") ").map_or("", |(_, fields)| fields);
        found += u64::from(fields.split(' ').nth(1) == Some(own.as_str()));
    }
    Ok(found)
}

/// The keys of the root users of the user namespaces (proc_key_users(5)).
fn keys_of_users(place: &Place) -> Result<u64, String> {
    let user = place.first_id().to_string();
    let text = match fs::read_to_string("/proc/key-users") {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        other => other.map_err(|error| format!("/proc/key-users: {error}"))?,
    };
    let line = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(&user)?.strip_prefix(':'));
    let keys = line.and_then(|line| line.split_whitespace().nth(1)?.split('/').next());
    Ok(keys.map_or(Ok(0), str::parse).unwrap_or(u64::MAX))
}

/// A line of `/proc/self/status`, in KiB.
fn status(name: &str) -> Result<u64, String> {
    let text = read("/proc/self/status")?;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .and_then(|value| value.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| format!("/proc/self/status has no {name}"))
}
