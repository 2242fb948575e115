//! Containers made of libcontainer's older configuration files.

use std::fs::File;
use std::io::Read as _;

use configs::Config;
use configs::legacy::{self, Options};
use runtime::{ContainerId, Process, Runtime, Stdio};

use crate::Case;

/// Runs a script with the configuration of a file, changed for this machine, in the root file
/// system of a case. Returns what it prints.
#[track_caller]
pub fn run(case: &Case, file: &str, change: impl FnOnce(&mut Config), script: &str) -> String {
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
    container.wait().unwrap();
    container.destroy().unwrap();
    text
}
