//! Removing cgroups: children first, and only once no process is left inside.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::backoff::Backoff;
use crate::dir::{Below, Dir};
use crate::group_dir::GroupDir;
use crate::wait_empty::wait_until_empty;
use crate::{Error, ErrorKind, Hierarchy, Result, cgroup_events, processes};

/// Until when removing may wait.
pub(crate) type Deadline = Instant;

/// Removes a cgroup and all below it. It need not exist.
pub(crate) fn cgroup(
    hierarchy: &Hierarchy,
    group_dir: &GroupDir,
    deadline: Deadline,
) -> Result<()> {
    let Some(name) = group_dir.relative().file_name() else {
        return Err(Error::new(
            ErrorKind::InvalidPath,
            "the root of a hierarchy cannot be removed",
        ));
    };
    let parent = group_dir.relative().parent().unwrap_or(Path::new(""));
    if group_dir.below() == Below::Unified && removed_at_once(hierarchy, group_dir) {
        return Ok(());
    }
    let Some(dir) = group_dir.dir_if_present(hierarchy)? else {
        return Ok(());
    };
    let parent = match hierarchy.root().descend(parent, group_dir.below()) {
        Err(error) if error.is_not_found() => return Ok(()),
        parent => parent?,
    };
    remove(&parent, Path::new(name), dir, deadline)
}

/// Removes a cgroup of cgroup v2, in which the kernel says is no process, without opening its
/// directory. `false` if that cannot be done.
fn removed_at_once(hierarchy: &Hierarchy, group_dir: &GroupDir) -> bool {
    let events = group_dir.read_in_one_step(hierarchy, cgroup_events::FILE);
    let is_empty = events.is_some_and(|text| text.lines().any(|line| line == "populated 0"));
    is_empty && group_dir.rmdir(hierarchy).is_ok()
}

fn remove(parent: &Dir, name: &Path, dir: &Dir, deadline: Deadline) -> Result<()> {
    // Kernels since 6.9 can hang in rmdir of a cgroup whose processes are on their way out, so
    // that is not tried before they are gone.
    expect_empty(dir, deadline)?;
    let (first, longest) = (Duration::from_millis(1), Duration::from_millis(100));
    let mut backoff = Backoff::new(first, longest, deadline);
    let mut late = false;
    loop {
        let errno = match parent.rmdir(name) {
            Ok(()) | Err(Errno::NOENT | Errno::NODEV) => return Ok(()),
            Err(errno) => errno,
        };
        // A read-only mount says EROFS even for what is not there.
        let has_children = match dir.children() {
            Err(error) if error.is_not_found() => return Ok(()),
            children => !children?.is_empty(),
        };
        let retry = errno == Errno::BUSY || (errno == Errno::NOTEMPTY && has_children);
        if !retry || late {
            return Err(Error::io(
                format_args!("rmdir {}", dir.path().display()),
                dir.path(),
                errno,
            ));
        }
        // One more attempt when the time is up: the children may have been all that was in the way.
        late = Instant::now() >= deadline;
        if has_children {
            remove_below(dir, deadline)?;
        } else if !late {
            // Another program has added a process, which can be waited for; or the kernel still
            // uses the cgroup for what it has to clean up, and does not tell when that is done.
            expect_empty(dir, deadline)?;
            backoff.pause();
        }
    }
}

/// Removes everything below a cgroup, the innermost first. The tree may be deeper than there are
/// descriptors or stack frames.
fn remove_below(top: &Dir, deadline: Deadline) -> Result<()> {
    let mut above: Vec<OsString> = Vec::new();
    let mut here: Option<Dir> = None;
    loop {
        let dir = here.as_ref().unwrap_or(top);
        let child = match dir.children() {
            Err(error) if error.is_not_found() => None,
            children => children?.pop(),
        };
        let next = match (child, above.pop()) {
            (Some(name), outer) => {
                above.extend(outer);
                let child = dir.step(&name);
                above.push(name);
                child
            }
            (None, None) => return Ok(()),
            (None, Some(name)) => {
                expect_empty(dir, deadline)?;
                dir.step("..")
                    .and_then(|parent| match parent.rmdir(Path::new(&name)) {
                        Ok(()) | Err(Errno::NOENT | Errno::NODEV) => Ok(parent),
                        Err(errno) => Err(Error::io(
                            format_args!("rmdir {} below {}", name.display(), top.path().display()),
                            top.path(),
                            errno,
                        )),
                    })
            }
        };
        match next {
            Ok(next) => here = Some(next),
            // Another program removes cgroups here, too: look again from the top.
            Err(error) if error.is_not_found() && Instant::now() < deadline => {
                above.clear();
                here = None;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Waits until no process is inside, and says which ones still are if they stay too long.
fn expect_empty(dir: &Dir, deadline: Deadline) -> Result<()> {
    if wait_until_empty(dir, deadline)? {
        return Ok(());
    }
    let pids = processes::in_tree(dir)?;
    let list: Vec<_> = pids.iter().map(u32::to_string).collect();
    Err(Error::new(
        ErrorKind::NotEmpty,
        format_args!(
            "cgroup {} still has {} process(es): {}",
            dir.path().display(),
            pids.len(),
            list.join(", ")
        ),
    ))
}

/// Removes several cgroups, as far as possible, and says which ones remain, and who is in them.
pub(crate) fn cgroups<'a>(
    hierarchy: &Hierarchy,
    group_dirs: impl Iterator<Item = &'a GroupDir>,
    deadline: Deadline,
) -> Result<()> {
    let mut remaining = Vec::new();
    let mut inside = std::collections::BTreeSet::new();
    let mut first = None;
    for group_dir in group_dirs {
        if let Err(error) = cgroup(hierarchy, group_dir, deadline) {
            remaining.push(group_dir.path().display().to_string());
            if let Ok(Some(dir)) = group_dir.dir_if_present(hierarchy) {
                inside.extend(processes::in_tree(dir).unwrap_or_default());
            }
            first.get_or_insert(error);
        }
    }
    let Some(error) = first else {
        return Ok(());
    };
    let inside = if inside.is_empty() {
        String::new()
    } else {
        let pids: Vec<_> = inside.iter().map(u32::to_string).collect();
        format!(" (processes inside: {})", pids.join(", "))
    };
    Err(Error::because(
        error.kind(),
        format_args!("failed to remove paths: {}{inside}", remaining.join(", ")),
        error,
    ))
}
