//! The limits that are in force, read from the files of a cgroup.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use configs::config::Resources;
use devices::{Emulator, Rule};

use crate::error::{Error, Result};

/// What the kernel shows on cgroup v1 for no limit: the largest number of pages, in bytes.
const UNLIMITED: i64 = 1 << 60;
/// Shares, and their weight on v2, of a cgroup for which none are set.
const USUAL_SHARES: u64 = 1024;
const USUAL_WEIGHT: u64 = 100;

/// What is in force, in the order of memory, processes, CPU.
struct InForce {
    memory: Option<i64>,
    pids: Option<i64>,
    quota: Option<i64>,
    shares: Option<u64>,
}

/// Replaces the limits on record by those that are in force, and tells of differences.
pub(super) fn replace(
    paths: &BTreeMap<String, PathBuf>,
    resources: &mut Resources,
    differences: &mut Vec<(String, String)>,
) -> Result<()> {
    let found = read(paths)?;
    let memory = Some(resources.memory).filter(|limit| *limit > 0);
    let pids = resources.pids_limit.filter(|limit| *limit >= 0);
    let quota = Some(resources.cpu_quota).filter(|limit| *limit > 0);
    let compared = [
        ("linux.resources.memory.limit", memory, found.memory),
        ("linux.resources.pids.limit", pids, found.pids),
        ("linux.resources.cpu.quota", quota, found.quota),
    ];
    for (field, recorded, found) in compared {
        // What was set through a file of v2 is not on record under the name of the limit, and the
        // kernel rounds memory down to whole pages.
        let page = if field.contains("memory") { 65536 } else { 0 };
        let close = recorded
            .zip(found)
            .is_some_and(|(a, b)| a.abs_diff(b) <= page);
        if recorded == found || close || resources.unified.keys().any(|key| key.ends_with(".max")) {
            continue;
        }
        let shown = |limit: Option<i64>| limit.map_or("none".to_owned(), |it| it.to_string());
        let detail = format!(
            "the limit is {}, {} on record",
            shown(found),
            shown(recorded)
        );
        differences.push((field.to_owned(), detail));
    }
    resources.memory = found.memory.unwrap_or(0);
    resources.pids_limit = found.pids;
    resources.cpu_quota = found.quota.unwrap_or(0);
    resources.cpu_shares = found.shares.unwrap_or(0);
    // They have been read under their own names.
    resources.unified.clear();
    if let Some(rules) = device_rules(paths)? {
        resources.devices = rules;
    }
    Ok(())
}

fn read(paths: &BTreeMap<String, PathBuf>) -> Result<InForce> {
    let limit = |controller: &str, v1: &str, v2: &str| match paths.get(controller) {
        Some(path) => number(path, v1),
        None => paths.get("").map_or(Ok(None), |path| number(path, v2)),
    };
    let weight = limit("cpu", "cpu.shares", "cpu.weight")?.and_then(|it| u64::try_from(it).ok());
    let usual = if paths.contains_key("cpu") {
        USUAL_SHARES
    } else {
        USUAL_WEIGHT
    };
    Ok(InForce {
        memory: limit("memory", "memory.limit_in_bytes", "memory.max")?
            .filter(|limit| *limit < UNLIMITED),
        pids: limit("pids", "pids.max", "pids.max")?,
        quota: limit("cpu", "cpu.cfs_quota_us", "cpu.max")?.filter(|quota| *quota > 0),
        shares: weight.filter(|weight| *weight != usual),
    })
}

/// The first number in a file; `None` for `max`, and without the file: then the controller is off.
fn number(directory: &Path, file: &str) -> Result<Option<i64>> {
    let path = directory.join(file);
    let Some(text) = text(&path)? else {
        return Ok(None);
    };
    match text.split_whitespace().next() {
        None | Some("max") => Ok(None),
        Some(word) => word.parse().map(Some).map_err(|error| {
            let path = path.display();
            Error::system(
                format!("read {path}: {word:?} is no number"),
                std::io::Error::other(error),
            )
        }),
    }
}

/// The rules that cgroup v1 shows; v2 has a program, which cannot be read back.
fn device_rules(paths: &BTreeMap<String, PathBuf>) -> Result<Option<Vec<Rule>>> {
    let Some(path) = paths.get("devices").map(|path| path.join("devices.list")) else {
        return Ok(None);
    };
    let Some(text) = text(&path)? else {
        return Ok(None);
    };
    let list = Emulator::parse_list(&text)
        .map_err(|error| Error::system(format!("read {}", path.display()), error))?;
    let all = list.allows_by_default().then_some(Rule::everything(true));
    Ok(Some(all.into_iter().chain(list.exceptions()).collect()))
}

fn text(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => Ok(None),
            _ => Err(Error::system(format!("read {}", path.display()), error)),
        },
    }
}
