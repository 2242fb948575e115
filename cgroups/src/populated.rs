//! Waiting for a flag of `cgroup.events`: the kernel reports each change as `POLLPRI`.

use std::time::{Duration, Instant};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, SeekFrom},
    io::Errno,
};

use crate::{
    Error, Result,
    dir::{Dir, read_all},
    values::value_of,
};

const FILE: &str = "cgroup.events";

/// The longest single wait. A change between reading and polling is not lost, but a file that is no
/// kernel file has no notifications at all.
const STEP: Duration = Duration::from_millis(100);

/// Waits until `key` has `value`; `false` if it does not before `deadline`.
pub(crate) fn wait_for(dir: &Dir, key: &str, value: u64, deadline: Instant) -> Result<bool> {
    let path = dir.path().join(FILE);
    let failed = |errno| Error::io(format_args!("read {}", path.display()), &path, errno);
    let file = dir.open(FILE, OFlags::RDONLY)?;
    loop {
        let text = read_all(&file).map_err(failed)?;
        if value_of(&text, key, &path)? == value {
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let step = Timespec::try_from(left.min(STEP)).ok();
        match poll(&mut [PollFd::new(&file, PollFlags::PRI)], step.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
        rustix::fs::seek(&file, SeekFrom::Start(0)).map_err(failed)?;
    }
}
