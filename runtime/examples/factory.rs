//! The life that libcontainer's factories gave a container, from 2015 to 2020: created, started,
//! asked, paused, joined by another process, ended, destroyed.
//!
//! ```text
//! cargo run --example factory -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

mod configuration;

use std::error::Error;

use cofferdam::{ContainerId, Process, Runtime, Signal, Stdio};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    // The factory: it knows its containers by the directory that they are recorded in.
    let runtime = Runtime::new("/run/cofferdam-examples")?;

    let id: ContainerId = "factory".parse()?;
    let rootfs = configuration::rootfs()?;
    let mut bundle = configuration::bundle(id.as_str(), &rootfs, &["sleep", "1000"])?;
    bundle.process().stdin(Stdio::Null);
    let container = runtime.create_bundle(&id, bundle)?;
    container.start()?;

    // Another process in the same container.
    let mut shell = Process::new(["sh", "-c", "echo a process of $(hostname)"]);
    shell.env(["PATH=/usr/bin:/bin"]).stdin(Stdio::Null);
    println!("it {}", container.exec(shell)?.wait()?);

    println!("{} process", container.processes()?.len());
    let stats = container.stats()?;
    println!("{} ns of CPU time", stats.cgroup.cpu.usage.total);

    container.pause()?;
    println!("{}", container.status()?);
    container.resume()?;
    println!("{}", container.status()?);

    // Found again by its id, as by any other process.
    let container = runtime.load(&id)?;
    container.signal(Signal::KILL)?;
    container.wait()?;
    container.destroy()?;
    Ok(())
}
