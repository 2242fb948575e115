//! The processes in a cgroup and below it.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::backoff::Backoff;
use crate::dir::Dir;
use crate::{Error, ErrorKind, Result};

/// How long joining is tried.
const ADD_LIMIT: Duration = Duration::from_millis(120);

/// How often a walk starts again because the cgroup it was in was removed.
const WALK_ATTEMPTS: u32 = 100;

/// Moves a process by writing its number to `cgroup.procs`.
pub(crate) fn add(dir: &Dir, pid: u32) -> Result<()> {
    let file = dir.open("cgroup.procs", OFlags::WRONLY)?;
    let number = pid.to_string();
    retried(pid, ADD_LIMIT, || {
        dir.write_to(&file, "cgroup.procs", &number)
    })
}

/// Calls `write` until the kernel takes the process, for `limit` at most.
fn retried(pid: u32, limit: Duration, mut write: impl FnMut() -> Result<()>) -> Result<()> {
    let (first, longest) = (Duration::from_millis(1), Duration::from_millis(30));
    let mut backoff = Backoff::new(first, longest, Instant::now() + limit);
    loop {
        match write() {
            // The cpu controller refuses a process between fork and its first run (TASK_NEW), and
            // that run sends no notification.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && backoff.pause() => {}
            Err(error) => {
                return Err(Error::because(
                    error.kind(),
                    format_args!("failed to write {pid}"),
                    error,
                ));
            }
            Ok(()) => return Ok(()),
        }
    }
}

/// A descriptor for a listed process. `None` for one of a pid namespace that we do not see, one
/// that is gone, and a thread of a process that is listed itself.
///
/// As the number may have come to mean another process by then, it has to be listed still.
pub(crate) fn pidfd(pid: u32) -> Result<Option<OwnedFd>, Errno> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Ok(None);
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok(Some(pidfd)),
        Err(Errno::SRCH | Errno::INVAL) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The processes in the cgroup itself; none if it is gone.
pub(crate) fn in_group(dir: &Dir) -> Result<Vec<u32>> {
    let mut pids = Vec::new();
    collect(dir, &mut pids)?;
    Ok(pids)
}

/// The processes in the cgroup and all below it. What vanishes meanwhile is empty.
pub(crate) fn in_tree(dir: &Dir) -> Result<Vec<u32>> {
    for _ in 0..WALK_ATTEMPTS {
        let mut pids = Vec::new();
        if walk(dir, &mut |dir| collect(dir, &mut pids))? {
            return Ok(pids);
        }
    }
    Err(restless(dir))
}

/// Does something to the cgroup and all below it, to some of them twice if others are removed
/// meanwhile.
pub(crate) fn for_all(dir: &Dir, mut visit: impl FnMut(&Dir) -> Result<()>) -> Result<()> {
    for _ in 0..WALK_ATTEMPTS {
        if walk(dir, &mut visit)? {
            return Ok(());
        }
    }
    Err(restless(dir))
}

fn restless(dir: &Dir) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format_args!("cgroup {} does not keep still", dir.path().display()),
    )
}

/// `false` when the way back was lost. The owner of a cgroup decides how deep it is nested, so the
/// walk holds one descriptor at a time and no stack frames.
fn walk(top: &Dir, visit: &mut dyn FnMut(&Dir) -> Result<()>) -> Result<bool> {
    let Some(mut names) = enter(top, visit)? else {
        return Ok(true);
    };
    let mut above = Vec::new();
    let mut here: Option<Dir> = None;
    loop {
        let dir = here.as_ref().unwrap_or(top);
        if let Some(name) = names.pop() {
            let child = match dir.step(&name) {
                Err(error) if error.is_not_found() => continue,
                child => child?,
            };
            if let Some(inside) = enter(&child, visit)? {
                above.push(std::mem::replace(&mut names, inside));
                here = Some(child);
            }
        } else {
            let Some(outside) = above.pop() else {
                return Ok(true);
            };
            here = match dir.step("..") {
                Err(error) if error.is_not_found() => return Ok(false),
                parent => Some(parent?),
            };
            names = outside;
        }
    }
}

/// Visits one cgroup and returns the names of its children; `None` if it is gone.
fn enter(dir: &Dir, visit: &mut dyn FnMut(&Dir) -> Result<()>) -> Result<Option<Vec<OsString>>> {
    visit(dir)?;
    match dir.children() {
        Err(error) if error.is_not_found() => Ok(None),
        children => children.map(Some),
    }
}

fn collect(dir: &Dir, pids: &mut Vec<u32>) -> Result<()> {
    let text = match dir.read("cgroup.procs") {
        // In a threaded cgroup only threads can be listed.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => dir.read("cgroup.threads"),
        text => text,
    };
    let text = match text {
        Err(error) if error.is_not_found() => return Ok(()),
        text => text?,
    };
    for line in text.lines() {
        let pid = line.trim().parse().map_err(|_| {
            crate::file_format::unparsable(
                &dir.path().join("cgroup.procs"),
                &format!("{line:?} is not a process id"),
            )
        })?;
        pids.push(pid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    /// Adds process 7 where the kernel refuses the first `refusals` attempts; the attempts made.
    fn added(refusals: u32, errno: Errno, limit: Duration) -> (Result<()>, u32) {
        let mut attempts = 0;
        let result = retried(7, limit, || {
            attempts += 1;
            if attempts <= refusals {
                Err(Error::io("write cgroup.procs", "cgroup.procs", errno))
            } else {
                Ok(())
            }
        });
        (result, attempts)
    }

    #[test]
    fn a_process_that_has_not_run_yet_is_added_again() {
        let (result, attempts) = added(3, Errno::INVAL, Duration::from_secs(10));
        result.unwrap();
        assert_eq!(attempts, 4);
    }

    #[test]
    fn adding_ends_with_the_errno_and_the_process() {
        let (result, attempts) = added(u32::MAX, Errno::INVAL, Duration::from_millis(5));
        let error = result.unwrap_err();
        assert!(attempts > 1, "{attempts}");
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        assert!(
            error.to_string().starts_with("failed to write 7"),
            "{error}"
        );

        let (result, attempts) = added(1, Errno::SRCH, Duration::from_secs(10));
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ESRCH));
        assert_eq!(attempts, 1);
    }
}
