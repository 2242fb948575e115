//! Resource limits, set from outside: raising one above the caller's own takes the privilege of the runtime, which the
//! process inside does not have.

use configs::config::{Rlimit, RlimitType};
use rustix::process::{Pid, Resource, Rlimit as Limit, prlimit};

use crate::error::{Error, Result};

/// Sets the limits of a process that waits, so that its pid is its own. `RLIMIT_NPROC` comes last: it counts from then on.
pub(crate) fn set(pid: u32, limits: &[Rlimit]) -> Result<()> {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if process.is_none() {
        return Err(Error::config(format!("{pid} is no process id")));
    }
    let (last, first): (Vec<&Rlimit>, Vec<&Rlimit>) = limits
        .iter()
        .partition(|limit| limit.kind == RlimitType::Nproc);
    for limit in first.into_iter().chain(last) {
        let value = Limit {
            current: finite(limit.soft),
            maximum: finite(limit.hard),
        };
        prlimit(process, resource(limit.kind), value).map_err(|errno| {
            Error::system(
                format!("error setting rlimit type {}", limit.kind.to_int()),
                errno,
            )
        })?;
    }
    Ok(())
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
    use super::*;

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
        let text = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        result.unwrap();
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
