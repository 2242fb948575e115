//! Containers made of libcontainer's older configuration files.

use std::fs::File;
use std::io::Read as _;

use configs::Config;
use configs::legacy::{self, Options};
use runtime::{ContainerId, ExitStatus, Process, Runtime, Stdio};

use crate::Case;

/// The configuration of a file, changed for this machine and for the root file system of a case.
pub fn read(case: &Case, file: &str, change: impl FnOnce(&mut Config)) -> Config {
    let rootfs = case.bundle.rootfs().to_str().unwrap().to_owned();
    let options = Options {
        rootfs: rootfs.clone(),
        ..Options::default()
    };
    let mut config = legacy::load(file.as_bytes(), &options).unwrap().config;
    config.rootfs = rootfs;
    // Not the cgroup of another test.
    config.cgroups.name.clone_from(&case.id);
    config.cgroups.parent = "cofferdam".to_owned();
    change(&mut config);
    config
}

/// Runs a script with this configuration by the library. Returns what the script prints.
///
/// # Panics
/// The container cannot be made, or the script fails.
#[track_caller]
pub fn run(case: &Case, file: &str, change: impl FnOnce(&mut Config), script: &str) -> String {
    let config = read(case, file, change);
    let mut process = Process::new(["/bin/sh", "-c", script]);
    process
        .env(["PATH=/bin"])
        .stdin(Stdio::Null)
        .stdout(Stdio::Pipe);
    let id: ContainerId = case.id.parse().unwrap();
    let runtime = Runtime::new(case.root()).unwrap();
    let mut container = runtime
        .run(&id, config, process)
        .unwrap_or_else(|error| panic!("{}", error.chain()));
    let pipes = container.init_mut().unwrap().pipes();
    let mut text = String::new();
    File::from(pipes.stdout.take().unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let status = container.wait().unwrap();
    container.destroy().unwrap();
    assert_eq!(status, ExitStatus::Exited(0), "{text}");
    text
}
