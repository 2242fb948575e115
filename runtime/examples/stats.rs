//! What a container uses, read while it runs.
//!
//! ```text
//! cargo run --example stats -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

mod configuration;

use std::error::Error;
use std::time::Duration;

use cofferdam::{ContainerId, Event, Runtime};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let id: ContainerId = "stats".parse()?;
    let script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let bundle = configuration::bundle(
        id.as_str(),
        &configuration::rootfs()?,
        &["sh", "-c", script],
    )?;
    let runtime = Runtime::new("/run/cofferdam-examples")?;

    let container = runtime.run_bundle(&id, bundle)?;

    // Ends with the container.
    for event in container.events(Some(Duration::from_millis(200)))? {
        match event? {
            Event::Stats(Ok(stats)) => {
                let seconds = Duration::from_nanos(stats.cgroup.cpu.usage.total).as_secs_f64();
                println!(
                    "{seconds:.3} s of CPU time, {} bytes of memory, {} tasks",
                    stats.cgroup.memory.usage.usage, stats.cgroup.pids.current
                );
            }
            Event::Stats(Err(error)) => println!("{}", error.chain()),
            Event::OutOfMemory => println!("out of memory"),
            _ => {}
        }
    }
    container.wait()?;
    container.destroy()?;
    Ok(())
}
