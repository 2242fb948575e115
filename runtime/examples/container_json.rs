//! A container as libcontainer described it in April 2014: the file `container.json`, and a
//! command. Files of all later forms are read in the same way.
//!
//! ```text
//! cargo run --example container_json -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

use std::error::Error;
use std::path::Path;

use cofferdam::configs::legacy::{self, Options};
use cofferdam::{ContainerId, Process, Runtime, Stdio};

const CONTAINER_JSON: &str = r#"{
    "hostname": "spring",
    "tty": false,
    "environment": ["HOME=/", "PATH=/usr/bin:/bin", "TERM=xterm"],
    "capabilities_mask": ["SETPCAP", "SYS_MODULE", "SYS_RAWIO", "SYS_ADMIN", "SYS_TIME", "MKNOD"],
    "namespaces": ["NEWNS", "NEWUTS", "NEWIPC", "NEWPID", "NEWNET"],
    "networks": [{ "type": "loopback", "address": "127.0.0.1/0", "gateway": "localhost", "mtu": 1500 }],
    "cgroups": { "parent": "cofferdam-example", "name": "container-json" }
}"#;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let rootfs = std::env::args_os().nth(1);
    let rootfs = rootfs.ok_or("give the path of a root file system")?;
    let rootfs = Path::new(&rootfs).canonicalize()?;

    let options = Options {
        rootfs: rootfs.to_string_lossy().into_owned(),
        ..Options::default()
    };
    let loaded = legacy::load(CONTAINER_JSON.as_bytes(), &options)?;
    println!("a file of revision {:?}", loaded.revision);
    for warning in &loaded.warnings {
        println!("{warning}");
    }

    // The command was never in the file.
    let mut shell = Process::new(["sh", "-c", "echo process $$ on $(hostname)"]);
    shell
        .env(loaded.process.env)
        .cwd(loaded.process.cwd)
        .stdin(Stdio::Null);

    let runtime = Runtime::new("/run/cofferdam-examples")?;
    let id: ContainerId = "container-json".parse()?;
    let container = runtime.run(&id, loaded.config, shell)?;
    println!("{}", container.wait()?);
    container.destroy()?;
    Ok(())
}
