//! The processes in a cgroup and below it.

use rustix::fs::OFlags;

use crate::{Error, Result, dir::Dir};

/// How often joining is tried: `EINVAL` is what a process that is just being born gets.
const ADD_ATTEMPTS: u32 = 5;
const ADD_PAUSE: std::time::Duration = std::time::Duration::from_millis(30);

/// How deep cgroups are followed; the kernel's own `cgroup.max.depth` has no such bound, stacks do.
const MAX_DEPTH: usize = 512;

/// Moves a process by writing its number to `cgroup.procs`.
pub(crate) fn add(dir: &Dir, pid: u32) -> Result<()> {
    let file = dir.open("cgroup.procs", OFlags::WRONLY)?;
    for attempt in 1.. {
        match dir.write_to(&file, "cgroup.procs", &pid.to_string()) {
            Err(error) if error.errno() == Some(libc::EINVAL) && attempt < ADD_ATTEMPTS => {
                std::thread::sleep(ADD_PAUSE);
            }
            Err(error) => {
                return Err(Error::because(
                    error.kind(),
                    format_args!("failed to write {pid}"),
                    error,
                ));
            }
            Ok(()) => break,
        }
    }
    Ok(())
}

/// The processes in the cgroup itself; none if it is gone.
pub(crate) fn processes(dir: &Dir) -> Result<Vec<u32>> {
    let mut pids = Vec::new();
    collect(dir, &mut pids)?;
    Ok(pids)
}

/// The processes in the cgroup and all below it. What vanishes meanwhile is empty.
pub(crate) fn all_processes(dir: &Dir) -> Result<Vec<u32>> {
    let mut pids = Vec::new();
    walk(dir, 0, &mut pids)?;
    Ok(pids)
}

fn walk(dir: &Dir, depth: usize, pids: &mut Vec<u32>) -> Result<()> {
    collect(dir, pids)?;
    let children = match dir.children() {
        Err(error) if error.is_not_found() => return Ok(()),
        children => children?,
    };
    if depth == MAX_DEPTH {
        return Ok(());
    }
    for name in children {
        match dir.child(&name) {
            Err(error) if error.is_not_found() => {}
            child => walk(&child?, depth + 1, pids)?,
        }
    }
    Ok(())
}

fn collect(dir: &Dir, pids: &mut Vec<u32>) -> Result<()> {
    let text = match dir.read("cgroup.procs") {
        // In a threaded cgroup only threads can be listed.
        Err(error) if error.errno() == Some(libc::EOPNOTSUPP) => dir.read("cgroup.threads"),
        text => text,
    };
    let text = match text {
        Err(error) if error.is_not_found() => return Ok(()),
        text => text?,
    };
    for line in text.lines() {
        let pid = line.trim().parse().map_err(|_| {
            crate::values::unparsable(
                &dir.path().join("cgroup.procs"),
                &format!("{line:?} is not a process id"),
            )
        })?;
        pids.push(pid);
    }
    Ok(())
}
