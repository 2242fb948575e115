//! The interface that libcontainer has since 2022, without a factory: create or run, then status,
//! state, new limits, signals.
//!
//! ```text
//! cargo run --example lifecycle -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

mod configuration;

use std::error::Error;

use cofferdam::{ContainerId, Runtime, Signal, Stdio};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new("/run/cofferdam-examples")?;
    let id: ContainerId = "lifecycle".parse()?;
    let script = "trap 'exit 3' TERM; while :; do sleep 0.1; done";
    let rootfs = configuration::rootfs()?;
    let mut bundle = configuration::bundle(id.as_str(), &rootfs, &["sh", "-c", script])?;
    bundle.process().stdin(Stdio::Null);

    // In one call what `create_bundle` and `start` do.
    let container = runtime.run_bundle(&id, bundle)?;
    println!("{}", container.status()?);

    // All that is on record, as in its state.json.
    let state = container.state()?;
    println!("{} since {}", state.id, state.created);

    // New limits, while it runs.
    let mut config = container.config()?;
    config.cgroups.resources.pids_limit = Some(20);
    container.set(&config)?;
    let limit = container.config()?.cgroups.resources.pids_limit;
    println!("{} processes at most", limit.unwrap_or_default());

    // The first process has a handler; without one it would be deaf to this signal.
    container.signal(Signal::TERM)?;
    println!("{}", container.wait()?);
    println!("{}", container.status()?);
    container.destroy()?;
    Ok(())
}
