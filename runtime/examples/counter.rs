//! A container counts, is written to files, and goes on counting when it is restored. Needs CRIU.
//!
//! ```text
//! cargo run --example counter -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

mod configuration;

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};

use cofferdam::{
    Bundle, CheckpointOptions, Container, ContainerId, RestoreOptions, Runtime, Signal, Stdio,
};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new("/run/cofferdam-examples")?;
    let id: ContainerId = "counter".parse()?;
    let images = std::env::temp_dir().join("cofferdam-counter");
    std::fs::create_dir_all(&images)?;

    let mut container = runtime.run_bundle(&id, bundle(&id)?)?;
    let mut output = output_of(&mut container)?;
    let before = count_to(&mut output, 3)?;
    println!("counted to {before}");

    // Its processes are in the images now.
    container.checkpoint(CheckpointOptions::new(&images))?;
    container.destroy()?;

    let mut container = runtime.restore_bundle(&id, bundle(&id)?, &RestoreOptions::new(&images))?;
    let mut output = output_of(&mut container)?;
    let after = count_to(&mut output, before + 3)?;
    println!("went on to {after}");

    container.signal(Signal::KILL)?;
    container.wait()?;
    container.destroy()?;
    std::fs::remove_dir_all(&images)?;
    Ok(())
}

/// A container that counts on its standard output, a pipe. No stream is a file of the host, which
/// could not be restored.
fn bundle(id: &ContainerId) -> Result<Bundle, Box<dyn Error>> {
    let script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done";
    let rootfs = configuration::rootfs()?;
    let mut bundle = configuration::bundle(id.as_str(), &rootfs, &["sh", "-c", script])?;
    let process = bundle.process();
    process.stdin(Stdio::Null).stdout(Stdio::Pipe);
    process.stderr(Stdio::Null);
    Ok(bundle)
}

/// The end of the pipe that this program has.
fn output_of(container: &mut Container) -> Result<BufReader<File>, Box<dyn Error>> {
    let init = container.init_mut().ok_or("not a child")?;
    let output = init.pipes().stdout.take().ok_or("not a pipe")?;
    Ok(BufReader::new(File::from(output)))
}

/// Reads what the container counts, until it has come to `end`.
fn count_to(output: &mut impl BufRead, end: u64) -> Result<u64, Box<dyn Error>> {
    for line in output.lines() {
        let count = line?.parse()?;
        if count >= end {
            return Ok(count);
        }
    }
    Err("the counter has ended".into())
}
