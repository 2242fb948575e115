//! Waiting for a flag of `cgroup.events`: the kernel reports each change as `POLLPRI`.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::dir::{Dir, read_from_start};
use crate::file_format::value_of;
use crate::{Error, Result};

pub(crate) const FILE: &str = "cgroup.events";

/// How long the notification is relied on: when the cgroup is removed there is none, and one that
/// the kernel has put off (it sends one in 10 milliseconds) is dropped then.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// Whether a flag is set now; `None` if the kernel does not know it, or for the root, which has no
/// such file.
pub(crate) fn flag(dir: &Dir, key: &str) -> Result<Option<bool>> {
    let text = dir.read_if_present(FILE)?;
    let lines = text.as_deref().unwrap_or_default().lines();
    let value = lines
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == key);
    Ok(value.map(|(_, value)| value.trim() != "0"))
}

/// Waits until `key` has `value`; `false` if it does not before `deadline`. That the cgroup is gone
/// is an error.
pub(crate) fn wait_for(dir: &Dir, key: &str, value: u64, deadline: Instant) -> Result<bool> {
    let path = dir.path().join(FILE);
    let failed = |errno| Error::io(format_args!("read {}", path.display()), &path, errno);
    let file = dir.open(FILE, OFlags::RDONLY)?;
    loop {
        // A change between this and the poll is one that the poll reports.
        let text = read_from_start(&file).map_err(failed)?;
        if value_of(&text, key, &path)? == value {
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let left = Timespec::try_from(left.min(LOOK)).ok();
        match poll(&mut [PollFd::new(&file, PollFlags::PRI)], left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
}
