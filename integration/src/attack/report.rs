//! What a program in the container sees of its own protection.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::calls;
use crate::{Bundle, CONFINEMENT, Case};

const BEGIN: &str = "report begins";
const END: &str = "report ends";

/// Beside those of [`CONFINEMENT`], the lines of `/proc/PID/status` about groups, signals, CPUs and
/// memory.
const STATUS: [&str; 6] = [
    "Groups",
    "SigBlk",
    "SigIgn",
    "Speculation_Store_Bypass",
    "Cpus_allowed_list",
    "Mems_allowed_list",
];

/// A script for busybox's shell that prints the report. It ends with a device that the device
/// rules forbid, a system call that the filter forbids, and files that may not be written.
pub(super) fn script() -> String {
    let files = [
        "status",
        "limits",
        "cgroup",
        "mountinfo",
        "oom_score_adj",
        "uid_map",
        "gid_map",
        "setgroups",
        "coredump_filter",
        "timerslack_ns",
        "personality",
    ]
    .map(|file| format!("/proc/$$/{file}"))
    .join(" ");
    format!(
        "exec 2>&1; echo {BEGIN}; cat {files} /proc/sys/kernel/hostname /proc/sys/kernel/shmmni; \
         ls -l /proc/$$/fd /proc/$$/ns; umask; pwd; env; \
         mknod /dev/probe c 1 11; true </dev/probe; chmod 600 /dev/probe; \
         true >/written; true >/proc/sys/kernel/hostname; cat /proc/keys /proc/acpi/wakeup; \
         echo {END}"
    )
}

/// Makes a bundle whose container asks for each protection that the report shows, and whose program
/// is the report.
pub(super) fn protect(bundle: &mut Bundle) {
    bundle.script(&script());
    let config = &mut bundle.config;
    for set in ["bounding", "effective", "permitted"] {
        config["process"]["capabilities"][set] = json!(["CAP_MKNOD", "CAP_KILL", "CAP_FOWNER"]);
    }
    config["process"]["noNewPrivileges"] = json!(true);
    config["process"]["oomScoreAdj"] = json!(100);
    config["process"]["user"]["additionalGids"] = json!([10, 20]);
    config["process"]["user"]["umask"] = json!(0o27);
    config["process"]["rlimits"] = json!([
        { "type": "RLIMIT_NOFILE", "soft": 64, "hard": 128 },
        { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
    ]);
    config["root"]["readonly"] = json!(true);
    config["linux"]["sysctl"] = json!({ "kernel.shmmni": "1234" });
    config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{
            "names": ["chmod", "fchmod", "fchmodat", "fchmodat2"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 111,
        }],
    });
}

/// A report, without what differs from run to run.
#[derive(Clone, Debug)]
pub(super) struct Report {
    lines: Vec<String>,
    pub(super) is_complete: bool,
}

impl Report {
    /// What is in this file; `None` if no report has begun.
    pub(super) fn read(file: &Path, case: &Case) -> Option<Self> {
        let bytes = fs::read(file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        // The last line may still be incomplete.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let start = whole.find(BEGIN)?;
        let bundle = case.bundle.path().to_string_lossy();
        let lines: Vec<String> = whole[start..]
            .lines()
            .filter_map(line)
            .map(|line| line.replace(&*bundle, "BUNDLE").replace(&case.id, "ID"))
            .collect();
        Some(Self {
            is_complete: lines.last().is_some_and(|last| last == END),
            lines,
        })
    }

    /// The first difference to `expected`, when `call` has failed. A report whose program was ended
    /// may be shorter.
    pub(super) fn difference(&self, expected: &Self, call: u64) -> Option<String> {
        let compared = |report: &Self| -> Vec<String> {
            let lines = report.lines.iter();
            if calls::makes_nodes(call) {
                return lines.filter_map(|line| without_nodes(line)).collect();
            }
            lines.cloned().collect()
        };
        let (found, expected) = (compared(self), compared(expected));
        let pairs = found.iter().zip(&expected);
        let differing = pairs.clone().find(|(found, wanted)| found != wanted);
        if let Some((found, wanted)) = differing {
            return Some(format!("{found:?} instead of {wanted:?}"));
        }
        let longer = found.get(expected.len());
        longer.map(|line| format!("more than expected: {line:?}"))
    }
}

/// A line, where device nodes cannot be made and those of the host are mounted, also as what hides
/// a file.
fn without_nodes(line: &str) -> Option<String> {
    if !line.starts_with("mount ") {
        return Some(line.to_owned());
    }
    let words: Vec<&str> = line.split(' ').collect();
    let [_, _, root, target, ..] = words[..] else {
        return Some(line.to_owned());
    };
    if line.contains(" devtmpfs ") && target == format!("/dev{root}") {
        return None;
    }
    match root {
        "/null" => Some(format!("mount {root} {target}")),
        _ => Some(line.to_owned()),
    }
}

/// A line of the report without numbers that the kernel chooses; `None`: it says nothing.
fn line(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    // A descriptor or a namespace, as `ls -l` shows links.
    if let Some(arrow) = words.iter().position(|word| *word == "->") {
        let (name, target) = (words.get(arrow - 1)?, words.get(arrow + 1)?);
        return Some(format!("{name} -> {}", link_target(name, target)));
    }
    // Without a readable password file the home directory is another one.
    if line.starts_with("total ") || line.starts_with("HOME=") {
        return None;
    }
    if let Some((key, _)) = line.split_once(":\t") {
        let is_kept = CONFINEMENT.contains(&key) || STATUS.contains(&key);
        return is_kept.then(|| line.to_owned());
    }
    // A mount: its id and that of its parent, its device, and the rest.
    if let [id, parent, device, rest @ ..] = &words[..]
        && id.parse::<u32>().is_ok()
        && parent.parse::<u32>().is_ok()
        && device.contains(':')
    {
        let device = device.strip_prefix("0:").map_or(*device, |_| "0:*");
        let rest: Vec<String> = rest.iter().map(|word| without_number(word)).collect();
        return Some(format!("mount {device} {}", rest.join(" ")));
    }
    // The names of directories that `ls` lists hold the process id.
    Some(match line.strip_prefix("/proc/") {
        Some(rest) if rest.ends_with(':') => "directory".to_owned(),
        _ => line.to_owned(),
    })
}

/// The propagation of a mount without the number of its peer group; the options of the file system
/// that hides directories with one inode, where some kernels need one more.
fn without_number(word: &str) -> String {
    ["shared:", "master:", "propagate_from:"]
        .into_iter()
        .find(|prefix| word.starts_with(prefix))
        .unwrap_or(word)
        .replace(",nr_inodes=2", ",nr_inodes=1")
}

/// What a link in /proc/PID/ns or /proc/PID/fd points to: of a namespace, whether it is the host's.
fn link_target(name: &str, target: &str) -> String {
    let Some((kind, _)) = target.split_once(":[") else {
        return target.to_owned();
    };
    let host = fs::read_link(format!("/proc/thread-self/ns/{name}"));
    match host {
        Ok(host) if host.to_string_lossy() == target => format!("{kind} of the host"),
        _ => format!("{kind} of its own"),
    }
}
