//! Resource limits, set from outside: raising one above the caller's own takes the privilege of the
//! runtime, which the process inside does not have.

use std::fmt;

use configs::config::{Rlimit, RlimitType};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit as Limit, prlimit};

use crate::error::{Error, ErrorKind, Result};
use crate::system::System;

/// Sets the limits of a process that waits, so that its pid is its own. `RLIMIT_NPROC` comes last:
/// it counts from then on.
pub(crate) fn set(pid: u32, limits: &[Rlimit]) -> Result<()> {
    let process = waiting(pid)?;
    let (last, first) = by_what_is_counted(limits);
    for limit in first.into_iter().chain(last) {
        change(process, limit).map_err(failed(limit))?;
    }
    Ok(())
}

/// The same for the first stage, while it has the identity of the runtime: the second stage
/// inherits the limits.
///
/// Of `RLIMIT_NPROC` as much is allowed as can be: both stages are there for a moment, and the user
/// may have other processes. The limit itself is a step of the second stage.
pub(crate) fn before_second_stage(system: &System, pid: u32, limits: &[Rlimit]) -> Result<()> {
    let process = waiting(pid)?;
    let (last, first) = by_what_is_counted(limits);
    for limit in first {
        change(process, limit).map_err(failed(limit))?;
    }
    for limit in last {
        lift_process_limit(system, process, limit)?;
    }
    Ok(())
}

/// Lifts `RLIMIT_NPROC`, so that it can be lowered to this limit.
fn lift_process_limit(system: &System, process: Pid, limit: &Rlimit) -> Result<()> {
    let lift = |value| {
        let value = Limit {
            current: value,
            maximum: value,
        };
        prlimit(Some(process), Resource::Nproc, value).map(drop)
    };
    let lifted = match lift(None) {
        // Without CAP_SYS_RESOURCE up to what there was: the process has inherited it from this
        // one.
        Err(Errno::PERM) => {
            let most = own_process_limit(system)?;
            let wanted = finite(limit.hard);
            let within = most.is_none_or(|most| wanted.is_some_and(|wanted| wanted <= most));
            if within { lift(most) } else { Err(Errno::PERM) }
        }
        result => result,
    };
    lifted.map_err(failed(limit))
}

fn waiting(pid: u32) -> Result<Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| Error::config(format!("{pid} is no process id")))
}

/// The limits on the number of processes, and the others.
fn by_what_is_counted(limits: &[Rlimit]) -> (Vec<&Rlimit>, Vec<&Rlimit>) {
    limits
        .iter()
        .partition(|limit| limit.kind == RlimitType::Nproc)
}

fn change(process: Pid, limit: &Rlimit) -> rustix::io::Result<()> {
    let value = Limit {
        current: finite(limit.soft),
        maximum: finite(limit.hard),
    };
    prlimit(Some(process), resource(limit.kind), value).map(drop)
}

fn failed(limit: &Rlimit) -> impl FnOnce(Errno) -> Error {
    let kind = limit.kind.to_int();
    move |errno| Error::system(format!("error setting rlimit type {kind}"), errno)
}

/// Fails if the kernel shows other limits of a process (`/proc/PID/limits`): a seccomp filter
/// around this program can answer `prlimit(2)` without setting one.
pub(crate) fn verify(system: &System, pid: u32, limits: &[Rlimit]) -> Result<()> {
    let text = text_of(system, pid)?;
    match limits.iter().find(|limit| !is_shown(&text, limit)) {
        None => Ok(()),
        Some(limit) => Err(Error::new(
            ErrorKind::Init,
            format!(
                "a seccomp filter answers for the kernel: {} is not set, which is not what was asked for",
                limit.kind.name()
            ),
        )),
    }
}

/// Whether a text of `proc_pid_limits(5)` has a limit.
fn is_shown(text: &str, limit: &Rlimit) -> bool {
    shown(text, limit.kind) == Some([finite(limit.soft), finite(limit.hard)])
}

/// The soft and the hard limit in a text of `proc_pid_limits(5)`: a heading, and lines in the order
/// of the numbers of the resources, the values after a name of 25 columns.
fn shown(text: &str, kind: RlimitType) -> Option<[Option<u64>; 2]> {
    let line = usize::try_from(kind.to_int()).ok()?.checked_add(1)?;
    let mut values = text.lines().nth(line)?.get(26..)?.split_ascii_whitespace();
    let mut value = || match values.next()? {
        "unlimited" => Some(None),
        text => text.parse().ok().map(Some),
    };
    Some([value()?, value()?])
}

/// The hard limit on processes of this process: as text, since rustix takes `getrlimit(2)` for a
/// call that never fails, and a filter can refuse it.
fn own_process_limit(system: &System) -> Result<Option<u64>> {
    let text = text_of(system, "thread-self")?;
    match shown(&text, RlimitType::Nproc) {
        Some([_, hard]) => Ok(hard),
        None => Err(Error::new(
            ErrorKind::Init,
            "/proc/thread-self/limits shows no limit on processes",
        )),
    }
}

/// The text of `/proc/PROCESS/limits`.
fn text_of(system: &System, process: impl fmt::Display) -> Result<String> {
    let path = format!("{process}/limits");
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(system.procfs()?, &path, flags, Mode::empty())
        .map_err(|errno| Error::system(format!("open /proc/{path}"), errno))?;
    std::io::read_to_string(std::fs::File::from(file))
        .map_err(|error| Error::system(format!("read /proc/{path}"), error))
}

fn finite(value: u64) -> Option<u64> {
    (value != u64::MAX).then_some(value)
}

fn resource(kind: RlimitType) -> Resource {
    match kind {
        RlimitType::Cpu => Resource::Cpu,
        RlimitType::Fsize => Resource::Fsize,
        RlimitType::Data => Resource::Data,
        RlimitType::Stack => Resource::Stack,
        RlimitType::Core => Resource::Core,
        RlimitType::Rss => Resource::Rss,
        RlimitType::Nproc => Resource::Nproc,
        RlimitType::Nofile => Resource::Nofile,
        RlimitType::Memlock => Resource::Memlock,
        RlimitType::As => Resource::As,
        RlimitType::Locks => Resource::Locks,
        RlimitType::Sigpending => Resource::Sigpending,
        RlimitType::Msgqueue => Resource::Msgqueue,
        RlimitType::Nice => Resource::Nice,
        RlimitType::Rtprio => Resource::Rtprio,
        RlimitType::Rttime => Resource::Rttime,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use nsenter::Procfs;
    use tempfile::TempDir;

    use super::*;

    /// A machine whose procfs shows this as the limits of the calling thread.
    fn showing(limits: &str) -> (TempDir, System) {
        let root = tempfile::tempdir().unwrap();
        for directory in ["proc/thread-self", "cgroup"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let put = |path: &str, text| fs::write(root.path().join(path), text).unwrap();
        put("proc/thread-self/limits", limits);
        put("proc/cgroup", "0::/\n");
        put("proc/mountinfo", "");
        put("cgroup/cgroup.controllers", "\n");
        let open = |path: &str| File::open(root.path().join(path)).unwrap();
        let hierarchy = cgroups::Hierarchy::open_at(
            open("cgroup").into(),
            root.path().join("cgroup"),
            open("proc").into(),
        );
        let procfs = Procfs::open_at(open("proc")).unwrap();
        (root, System::fake(procfs, hierarchy.unwrap()))
    }

    #[test]
    fn the_limit_on_processes_is_the_one_that_the_procfs_of_the_system_shows() {
        let limits = |processes: &str| {
            let name = |name: &str| format!("{name:25} ");
            let mut text = name("Limit") + "Soft Limit           Hard Limit           Units\n";
            for one in ["cpu", "file size", "data", "stack", "core", "resident set"] {
                text += &(name(one) + "unlimited            unlimited            bytes\n");
            }
            text + &name("Max processes") + processes + "\n"
        };
        let (_root, system) = showing(&limits(
            "555                  777                  processes",
        ));
        assert_eq!(own_process_limit(&system).unwrap(), Some(777));
        let (_root, system) = showing(&limits(
            "555                  unlimited            processes",
        ));
        assert_eq!(own_process_limit(&system).unwrap(), None);
        for damaged in [
            limits(""),
            limits("555"),
            limits("many  more"),
            String::new(),
        ] {
            let (_root, system) = showing(&damaged);
            let error = own_process_limit(&system).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Init, "{damaged}");
            let text = "/proc/thread-self/limits shows no limit on processes";
            assert_eq!(error.to_string(), text);
        }
        let (root, system) = showing("");
        fs::remove_file(root.path().join("proc/thread-self/limits")).unwrap();
        let error = own_process_limit(&system).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert!(
            error.to_string().contains("/proc/thread-self/limits"),
            "{error}"
        );
    }

    #[test]
    fn limits_of_another_process_change() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let limits = [
            Rlimit {
                kind: RlimitType::Nproc,
                hard: 777,
                soft: 555,
            },
            Rlimit {
                kind: RlimitType::Nofile,
                hard: 64,
                soft: 32,
            },
        ];
        let result = set(child.id(), &limits);
        let text = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let shown = verify(&System::default(), child.id(), &limits);
        let mut others = limits;
        others[1].soft += 1;
        let missed = verify(&System::default(), child.id(), &others);
        child.kill().unwrap();
        child.wait().unwrap();
        result.unwrap();
        shown.unwrap();
        assert!(missed.unwrap_err().to_string().contains("RLIMIT_NOFILE"));
        let line = |name: &str| {
            text.lines()
                .find(|line| line.starts_with(name))
                .unwrap()
                .split_whitespace()
                .collect::<Vec<_>>()
        };
        assert_eq!(line("Max open files")[3..5], ["32", "64"]);
        assert_eq!(line("Max processes")[2..4], ["555", "777"]);
    }

    #[test]
    fn a_refused_limit_is_named() {
        let limits = [Rlimit {
            kind: RlimitType::Nofile,
            hard: 1,
            soft: 2,
        }];
        let error = set(std::process::id(), &limits).unwrap_err();
        assert_eq!(error.to_string(), "error setting rlimit type 7");
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
}
