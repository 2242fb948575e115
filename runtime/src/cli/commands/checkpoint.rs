//! `checkpoint`: dumps a container into images.
//!
//! Engines ask `checkpoint --help`, and take exit code 0 for "can do that".

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ::criu::DumpStatistics;

use rustix::fs::{OFlags, fcntl_getfl};

use crate::checkpoint::CheckpointOptions;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::criu_flags as criu;
use crate::cli::dump_progress::DumpProgress;
use crate::cli::failure::Failure;
use crate::cli::flag::{Completion, Flag, Order};
use crate::cli::process_flags as flags;

const PARENT_PATH: Flag = Flag::text(
    "parent-path",
    "directory of the images of the pre-dump before, relative to --image-path",
)
.directory();
const TCP_SKIP_IN_FLIGHT: Flag = Flag::switch(
    "tcp-skip-in-flight",
    "leave out TCP connections that are not established yet",
);
const LINK_REMAP: Flag = Flag::switch("link-remap", "link unlinked files back where possible");
const TIMINGS: Flag = Flag::switch("timings", "show what took how long, on standard error");
const PRE_DUMP: Flag = Flag::switch(
    "pre-dump",
    "save the memory only, and keep the container running",
);

pub(crate) static COMMAND: Command = Command {
    name: "checkpoint",
    about: "checkpoint a running container",
    arguments: "<container-id>",
    completions: &[Completion::Container],
    description: "Writes the processes of a container into images, from which restore makes it again, and\n\
                  removes the container.",
    flags: &[
        criu::IMAGE_PATH,
        criu::WORK_PATH,
        PARENT_PATH,
        criu::LEAVE_RUNNING,
        criu::TCP_ESTABLISHED,
        TCP_SKIP_IN_FLIGHT,
        LINK_REMAP,
        criu::EXT_UNIX_SK,
        criu::SHELL_JOB,
        criu::LAZY_PAGES,
        flags::STATUS_FD,
        criu::PAGE_SERVER,
        criu::FILE_LOCKS,
        PRE_DUMP,
        criu::MANAGE_CGROUPS_MODE,
        criu::EMPTY_NS,
        criu::AUTO_DEDUP,
        TIMINGS,
    ],
    count: Count::Exactly(1),
    order: Order::Any,
    run: checkpoint,
};

fn checkpoint(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    if !rustix::process::geteuid().is_root() {
        let text = "runc checkpoint is untested with rootless containers";
        invocation.log.warn(text);
    }
    let container = super::container(invocation)?;
    let options = options(invocation)?;
    let pre_dump = invocation.parsed.switch(PRE_DUMP.name);
    let stays = options.leave_running || pre_dump;
    let began = Instant::now();
    let progress = DumpProgress::begin(&container, &options);
    let done = if pre_dump {
        container.pre_dump(options)
    } else {
        container.checkpoint(options)
    };
    drop(progress);
    let statistics = done?;
    let took = began.elapsed();
    if !stays && let Err(error) = container.destroy() {
        // The images are complete, and that is what counts.
        invocation.warn_of(&[error]);
    }
    if invocation.parsed.switch(TIMINGS.name) {
        show(statistics.as_ref(), took);
    }
    Ok(0)
}

/// Standard error may be gone; the images are what counts.
fn show(statistics: Option<&DumpStatistics>, took: Duration) {
    let mut text = format!("checkpoint took {took:.1?}\n");
    if let Some(of) = statistics {
        let _ = write!(
            text,
            "processes were stopped within {:.1?}, for {:.1?}\n\
             memory was taken in {:.1?}, and written in {:.1?}\n\
             pages: {} scanned, {} written, {} in parent images, {} left behind\n",
            of.freezing,
            of.frozen,
            of.memory_dump,
            of.memory_write,
            of.pages_scanned,
            of.pages_written,
            of.pages_in_parent,
            of.pages_lazy,
        );
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn options(invocation: &Invocation<'_>) -> Result<CheckpointOptions, Failure> {
    let parsed = invocation.parsed;
    let mut options = CheckpointOptions::new("");
    options.criu = criu::options(invocation)?;
    options.parent_path = parsed
        .text(PARENT_PATH.name)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    options.leave_running = parsed.switch(criu::LEAVE_RUNNING.name);
    options.tcp_skip_in_flight = parsed.switch(TCP_SKIP_IN_FLIGHT.name);
    options.link_remap = parsed.switch(LINK_REMAP.name);
    options.page_server = criu::page_server(parsed)?;
    if options.criu.lazy_pages {
        options.status_descriptor = status_descriptor(invocation)?;
    }
    Ok(options)
}

/// The descriptor that the caller has opened for this process, if there is one.
fn status_descriptor(invocation: &Invocation<'_>) -> Result<Option<OwnedFd>, Failure> {
    let number = match invocation.parsed.integer(flags::STATUS_FD.name) {
        None | Some(-1) => return Ok(None),
        Some(number) => number,
    };
    let invalid = |why: &str| Failure::new(format!("invalid --status-fd argument {number}: {why}"));
    let taken = match (invocation.inherited, i32::try_from(number)) {
        (Some(inherited), Ok(number)) => inherited.take(number)?,
        _ => None,
    };
    let descriptor = taken.ok_or_else(|| invalid("bad file descriptor"))?;
    let flags = fcntl_getfl(&descriptor).map_err(|errno| invalid(&errno.to_string()))?;
    if !flags.intersects(OFlags::WRONLY | OFlags::RDWR) {
        return Err(invalid("not writable"));
    }
    Ok(Some(descriptor))
}
