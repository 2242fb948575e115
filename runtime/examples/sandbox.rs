//! Runs a program that is not trusted under limits, and says what came of it.
//!
//! ```text
//! cargo run --example sandbox -- /path/to/rootfs
//! ```
//!
//! Without [`Command::rootfs`] the program would be one of the host's.

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

use std::error::Error;
use std::time::Duration;

use cofferdam::Command;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let rootfs = std::env::args().nth(1).ok_or("give a root file system")?;
    let output = Command::new("sh")
        .args(["-c", "echo $((6 * 7))"])
        .rootfs(rootfs)
        .memory(64 << 20)
        .pids(20)
        .timeout(Duration::from_secs(5))
        .output()?;

    print!("{}", String::from_utf8_lossy(&output.stdout));
    if output.timed_out {
        println!("it did not end within five seconds");
    }
    println!("{}", output.status);
    if let Some(peak) = output.usage.peak_memory {
        println!("at most {} KiB of memory", peak >> 10);
    }
    Ok(())
}
