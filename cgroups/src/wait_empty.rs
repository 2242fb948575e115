//! Waiting until no process is left in a cgroup.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::backoff::Backoff;
use crate::dir::Dir;
use crate::processes::{in_group, pidfd};
use crate::{Error, Result, cgroup_events};

/// Waits until the last process has left the cgroup and, on cgroup v2, below it; `false` if there
/// still is one at the deadline.
pub(crate) fn wait_until_empty(dir: &Dir, deadline: Instant) -> Result<bool> {
    match cgroup_events::wait_for(dir, "populated", 0, deadline) {
        // cgroup v1 has no such file, but its processes can be waited for.
        Err(error) if error.is_not_found() => wait_for_processes(dir, deadline),
        result => result,
    }
}

/// Waits for one process after the other: when one has ended, the rest mostly has, too.
fn wait_for_processes(dir: &Dir, deadline: Instant) -> Result<bool> {
    let (first, longest) = (Duration::from_millis(1), Duration::from_millis(100));
    let mut backoff = Backoff::new(first, longest, deadline);
    let mut last = None;
    loop {
        let Some(pid) = in_group(dir)?.into_iter().next() else {
            return Ok(true);
        };
        let process = match last {
            Some(ended) if ended == pid => None,
            _ => pidfd(pid).ok().flatten(),
        };
        last = Some(pid);
        let in_time = match process {
            // One that is still listed is the one that was opened, whatever became of the number
            // in between.
            Some(process) => {
                !in_group(dir)?.contains(&pid)
                    || has_ended(&process, deadline).map_err(|errno| {
                        Error::io(format_args!("wait for process {pid}"), dir.path(), errno)
                    })?
            }
            // It is in a pid namespace that we do not see, or has ended and is listed for all that:
            // cgroup v1 sends no notification when it goes.
            None => backoff.pause(),
        };
        if !in_time {
            return Ok(false);
        }
    }
}

/// Waits until a process has ended; `false` if it does not before `deadline`.
fn has_ended(process: &OwnedFd, deadline: Instant) -> Result<bool, Errno> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(process, PollFlags::IN)], left.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::dir::Below;
    use crate::fake::Fake;

    /// Whether the v1 cgroup that lists these processes is taken for empty within the time.
    fn is_empty_within(time: Duration, procs: &str) -> bool {
        let fake = Fake::v1("1:devices:/\n");
        fake.file("devices/c/cgroup.procs", procs);
        let hierarchy = fake.hierarchy();
        let dir = hierarchy.root().descend("devices/c".as_ref(), Below::V1);
        wait_until_empty(&dir.unwrap(), Instant::now() + time).unwrap()
    }

    #[test]
    fn nobody_inside() {
        assert!(is_empty_within(Duration::ZERO, ""));
    }

    #[test]
    fn whoever_stays_is_not_waited_for_for_ever() {
        let mut command = Command::new("cat");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut cat = command.spawn().unwrap();
        let soon = Duration::from_millis(20);
        assert!(!is_empty_within(soon, &format!("{}\n", cat.id())));
        // One that has ended, and is listed for all that; one that we do not see.
        drop(cat.stdin.take());
        assert!(!is_empty_within(soon, &format!("{}\n", cat.id())));
        cat.wait().unwrap();
        assert!(!is_empty_within(soon, "0\n"));
    }
}
