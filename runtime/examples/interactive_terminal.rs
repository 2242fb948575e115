//! A shell on a terminal of its own, connected to the terminal this program runs on.
//!
//! ```text
//! cargo run --example interactive_terminal -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

mod configuration;

use std::error::Error;

use cofferdam::{ContainerId, Foreground, Process, Runtime, Terminal};

fn main() -> Result<(), Box<dyn Error>> {
    let id: ContainerId = "interactive-terminal".parse()?;
    let config = configuration::config(id.as_str(), &configuration::rootfs()?)?;
    let runtime = Runtime::new("/run/cofferdam-examples")?;

    let mut shell = Process::new(["sh"]);
    shell
        .env(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"])
        .terminal(Some(Terminal::Keep));

    // Before the container exists: from here on no signal is lost.
    let mut foreground = Foreground::prepare(false)?;
    let mut container = runtime.run(&id, config, shell)?;
    let status = match container.init_mut() {
        Some(init) => foreground.wait(init)?,
        None => container.wait()?,
    };
    container.destroy()?;
    println!("{status}");
    Ok(())
}
