//! Creates a container, starts a shell in it, waits, and destroys it.
//!
//! ```text
//! cargo run --example readme -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

mod configuration;

use std::error::Error;

use cofferdam::{ContainerId, Process, Runtime};

fn main() -> Result<(), Box<dyn Error>> {
    let id: ContainerId = "readme".parse()?;
    let config = configuration::config(id.as_str(), &configuration::rootfs()?)?;
    let runtime = Runtime::new("/run/cofferdam-examples")?;

    let mut shell = Process::new(["sh", "-c", "echo hello from process $$ on $(hostname)"]);
    shell.env(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);

    // Everything is made here: namespaces, cgroup, mounts. The shell waits.
    let container = runtime.create(&id, config, shell)?;
    println!("{} is {}", container.id(), container.status()?);

    container.start()?;
    let status = container.wait()?;
    container.destroy()?;
    println!("{status}");
    Ok(())
}
