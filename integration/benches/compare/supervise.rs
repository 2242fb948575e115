//! The process that measures, watched by one that cleans up after it.

use std::error::Error;
use std::process::Child;

use cofferdam_integration::scratch::Scratch;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::layout::Layout;
use crate::options::Options;
use crate::record;
use crate::sys;

type Outcome = Result<(), Box<dyn Error>>;

/// Measures in each layout that this machine can have.
pub(crate) fn all(layouts: &[Layout], options: &Options) -> Outcome {
    let stop = sys::ending_signals()?;
    if let Some(file) = &options.json {
        record::begin(file)?;
    }
    let mut failed = Vec::new();
    for layout in layouts {
        if !layout.is_possible()? {
            println!(
                "layout {}: skipped, this machine cannot have it",
                layout.name()
            );
            continue;
        }
        for abandoned in Scratch::abandoned(&prefix(*layout))? {
            println!(
                "removing what an earlier run left in {}",
                abandoned.path().display()
            );
            remove(*layout, &abandoned, options)?;
        }
        if let Err(error) = one(*layout, options, &stop) {
            failed.push(format!("layout {}: {error}", layout.name()));
        }
        if sys::has_signal(&stop)? {
            failed.push("ended by a signal".to_owned());
            break;
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(failed.join("; ").into())
}

fn one(layout: Layout, options: &Options, stop: &sys::Signals) -> Outcome {
    let scratch = Scratch::create(&prefix(layout))?;
    let outcome = measure(layout, &scratch, options, stop);
    remove(layout, &scratch, options)?;
    outcome
}

/// Runs the measuring process to its end, or ends it when a signal comes.
fn measure(layout: Layout, scratch: &Scratch, options: &Options, stop: &sys::Signals) -> Outcome {
    let mut command = layout.this_program()?;
    command
        .arg("--measure-in")
        .arg(scratch.path())
        .args(options.arguments());
    let mut child = sys::spawn_group(command)?;
    let group = pid(&child)?;
    let end = pidfd_open(group, PidfdFlags::empty())?;
    poll(
        &mut [
            PollFd::new(&end, PollFlags::IN),
            PollFd::new(stop, PollFlags::IN),
        ],
        None,
    )?;
    if child.try_wait()?.is_none() {
        kill_process_group(group, Signal::KILL)?;
    }
    let status = child.wait()?;
    // Whatever it had started and not waited for.
    let _ended_before = kill_process_group(group, Signal::KILL);
    if status.success() {
        return Ok(());
    }
    Err(status.to_string().into())
}

/// What the folders of a layout are called.
fn prefix(layout: Layout) -> String {
    format!("cofferdam-bench-{}-", layout.name())
}

fn pid(child: &Child) -> Result<Pid, Box<dyn Error>> {
    Ok(i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or("a child without pid")?)
}

/// Removes everything that carries the mark of `scratch`, in the layout in which it was made.
fn remove(layout: Layout, scratch: &Scratch, options: &Options) -> Outcome {
    let mut command = layout.this_program()?;
    command.arg("--remove").arg(scratch.path());
    command.args(options.arguments());
    // In a group of its own the keys that end the benchmark do not end this.
    let status = sys::spawn_group(command)?.wait()?;
    if status.success() {
        return Ok(());
    }
    Err(format!("removing {}: {status}", scratch.path().display()).into())
}
