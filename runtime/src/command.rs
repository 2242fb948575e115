//! Programs in sandboxes: a builder with the verbs of [`std::process::Command`] that makes a
//! container for one program.
//!
//! ```no_run
//! use cofferdam::Command;
//! use std::time::Duration;
//!
//! let output = Command::new("python3")
//!     .args(["-c", "print(sum(range(10)))"])
//!     .memory(64 << 20)
//!     .pids(20)
//!     .timeout(Duration::from_secs(5))
//!     .output()?;
//! assert_eq!(output.stdout, b"45\n");
//! println!("{} at most {:?} bytes", output.status, output.usage.peak_memory);
//! # Ok::<(), cofferdam::Error>(())
//! ```
//!
//! Everything that is not given to it is kept from the program: it has namespaces of its own
//! (`pid`, `mount`, `ipc`, `uts`, `cgroup`, `network`), no capabilities, `no_new_privs`, a system
//! call filter with the meaning of Docker's, the masked paths and devices that containers of
//! engines have, an environment with nothing but `PATH` and `HOME`, and a root that it cannot
//! write. What it runs with is [`Command::spec`], the configuration of an ordinary container.
//!
//! # The quick sandbox
//!
//! Without [`Command::rootfs`] the program sees the directories of the host's `/`, read-only with
//! all that is mounted below them, except `/home` and `/root`, which are empty, and `/sys`, which
//! is not there; `/proc`, `/dev`, `/tmp` and `/run` are its own. So programs that are installed on
//! the host run, and may read what the user that they run as may read: by default that is `nobody`
//! (65534) for root. [`Command::user`] chooses. Services that listen on Unix sockets below those
//! directories can be reached.
//!
//! # Without privileges
//!
//! A caller that is not root makes a user namespace, in which the user that the program runs as is
//! the caller. Limits then need a cgroup that the caller may write (`Delegate=` of
//! systemd.resource-control(5)); without one they are an error, not ignored.

#[cfg(feature = "tokio")]
mod asynchronous;
mod builder;
mod child;
mod filter;
mod host_root;
mod limits;
mod output;
mod specification;

use std::path::PathBuf;
use std::time::Duration;

use configs::oci;

#[cfg(feature = "tokio")]
pub use asynchronous::AsyncChild;
pub use child::Child;
pub use output::{Output, Usage};

use crate::Stdio;

/// Bytes of each stream that [`Command::output`] keeps, unless [`Command::output_limit`] says
/// otherwise: 16 MiB.
pub const DEFAULT_OUTPUT_LIMIT: usize = 16 << 20;

/// A program, and the sandbox to run it in. See the [module](self).
///
/// Like that of the standard library it can be used several times; each time there is another
/// container. Nothing is checked before the program is to run: what is wrong with what was given is
/// an error of [`spawn`](Self::spawn), [`status`](Self::status) and [`output`](Self::output) that
/// names the method.
#[derive(Debug)]
pub struct Command {
    args: Vec<String>,
    env: Vec<(String, String)>,
    clear_env: bool,
    current_dir: String,
    rootfs: Option<PathBuf>,
    read_only: bool,
    mounts: Vec<Mount>,
    user: Option<(u32, u32)>,
    hostname: String,
    network: Network,
    memory: Option<u64>,
    pids: Option<u32>,
    cpus: Option<f64>,
    io_weight: Option<u16>,
    timeout: Option<Duration>,
    filter: Filter,
    capabilities: Vec<String>,
    no_new_privileges: bool,
    stdio: [Option<Stdio>; 3],
    kill_on_drop: bool,
    output_limit: usize,
    state: Option<PathBuf>,
}

/// What a sandbox has for a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Network {
    /// Its own, in which there is a loopback interface and nothing else.
    #[default]
    None,
    /// The host's, with everything that listens there, abstract Unix sockets included.
    Host,
    /// The network namespace at this path (`/run/netns/NAME`, `/proc/PID/ns/net`).
    Namespace(PathBuf),
}

/// The system call filter of a sandbox.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Filter {
    /// What Docker allows a container with the same capabilities.
    #[default]
    Default,
    /// This one, as `linux.seccomp` of a bundle has it.
    Profile(Box<oci::Seccomp>),
    /// None.
    Unconfined,
}

/// Something that is mounted in the sandbox, as it was asked for.
#[derive(Clone, Debug)]
enum Mount {
    Bind {
        source: PathBuf,
        destination: PathBuf,
        read_only: bool,
    },
    Tmpfs {
        destination: PathBuf,
        size: Option<u64>,
    },
}
