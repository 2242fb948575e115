//! A shell on a terminal of its own, connected to the terminal this program runs on.
//!
//! ```text
//! cargo run --example interactive_terminal -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

mod configuration;

use std::error::Error;

use cofferdam::{ContainerId, Foreground, Runtime, Terminal};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let id: ContainerId = "interactive-terminal".parse()?;
    let mut bundle = configuration::bundle(id.as_str(), &configuration::rootfs()?, &["sh"])?;
    bundle.process().terminal(Some(Terminal::Keep));
    let runtime = Runtime::new("/run/cofferdam-examples")?;

    // Before the container exists: from here on no signal is lost.
    let mut foreground = Foreground::prepare(false)?;
    let mut container = runtime.run_bundle(&id, bundle)?;
    let status = match container.init_mut() {
        Some(init) => foreground.wait(init)?,
        None => container.wait()?,
    };
    container.destroy()?;
    println!("{status}");
    Ok(())
}
