//! Creates a container, starts a shell in it, waits, and destroys it.
//!
//! ```text
//! cargo run --example readme -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

mod configuration;

use std::error::Error;

use cofferdam::{ContainerId, Runtime};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let id: ContainerId = "readme".parse()?;
    let script = "echo hello from process $$ on $(hostname)";
    let bundle = configuration::bundle(
        id.as_str(),
        &configuration::rootfs()?,
        &["sh", "-c", script],
    )?;
    let runtime = Runtime::new("/run/cofferdam-examples")?;

    // Everything is made here: namespaces, cgroup, mounts. The shell waits.
    let container = runtime.create_bundle(&id, bundle)?;
    println!("{} is {}", container.id(), container.status()?);

    container.start()?;
    let status = container.wait()?;
    container.destroy()?;
    println!("{status}");
    Ok(())
}
