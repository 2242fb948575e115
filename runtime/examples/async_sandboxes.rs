//! Sandboxes in an async program: each is waited for by its pidfd, without a thread that blocks.
//!
//! ```text
//! cargo run --example async_sandboxes -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]
#![allow(
    unsafe_code,
    reason = "tokio has no safe way any more to watch a descriptor"
)]

use std::error::Error;
use std::time::Duration;

use cofferdam::command::Child;
use cofferdam::{Command, ExitStatus};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

type Failure = Box<dyn Error + Send + Sync>;

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
        tasks.push(tokio::spawn(run(command)));
    }
    for task in tasks {
        let status = task.await?.map_err(|error| error.to_string())?;
        println!("{status}");
    }
    Ok(())
}

/// Making a container and removing it are short, but they block: not a thing for the threads that
/// others wait on.
async fn run(mut command: Command) -> Result<ExitStatus, Failure> {
    let child = tokio::task::spawn_blocking(move || command.spawn()).await??;
    // SAFETY: a child has one pidfd, which is open as long as the child is there.
    let ended = unsafe { AsyncFd::register_with_interest(child, Interest::READABLE) };
    let ended = ended.map_err(|error| error.into_parts().1)?;
    let _ = ended.readable().await?;
    let mut child: Child = ended.into_inner();
    Ok(tokio::task::spawn_blocking(move || child.wait()).await??)
}
