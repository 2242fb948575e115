//! Many threads make containers at the same time, in one process, and read what the programs in
//! them write.
//!
//! ```text
//! cargo run --example threaded_host -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

mod configuration;

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::thread;

use cofferdam::{ContainerId, Runtime, Stdio};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let rootfs = configuration::rootfs()?;
    let runtime = Runtime::new("/run/cofferdam-examples")?;
    let outputs = thread::scope(|scope| {
        let (runtime, rootfs) = (&runtime, &rootfs);
        let threads: Vec<_> = (0..8)
            .map(|number| {
                scope.spawn(move || one(runtime, rootfs, number).map_err(|error| error.to_string()))
            })
            .collect();
        threads
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect::<Vec<_>>()
    });
    for output in outputs {
        match output {
            Ok(text) => print!("{}", text?),
            Err(_) => return Err("a thread panicked".into()),
        }
    }
    Ok(())
}

fn one(runtime: &Runtime, rootfs: &Path, number: u32) -> Result<String, Box<dyn Error>> {
    let id: ContainerId = format!("threaded-host-{number}").parse()?;
    let mut bundle = configuration::bundle(id.as_str(), rootfs, &["hostname"])?;
    bundle.process().stdin(Stdio::Null).stdout(Stdio::Pipe);

    let mut container = runtime.run_bundle(&id, bundle)?;
    let mut output = String::new();
    if let Some(stdout) = container
        .init_mut()
        .and_then(|init| init.pipes().stdout.take())
    {
        File::from(stdout).read_to_string(&mut output)?;
    }
    container.wait()?;
    container.destroy()?;
    Ok(output)
}
