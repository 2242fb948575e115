//! Sandboxes in an async program: each is waited for by its pidfd, without a thread that blocks.
//!
//! ```text
//! cargo run --features tokio --example async_sandboxes -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

use std::error::Error;
use std::time::Duration;

use cofferdam::Command;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let rootfs = std::env::args().nth(1).ok_or("give a root file system")?;
    let mut tasks = Vec::new();
    for code in 0..8_u8 {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("exit {code}")])
            .rootfs(&rootfs)
            .timeout(Duration::from_secs(5));
        tasks.push(tokio::spawn(async {
            command.spawn_async().await?.wait().await
        }));
    }
    for task in tasks {
        let status = task.await??;
        println!("{status}");
    }
    Ok(())
}
