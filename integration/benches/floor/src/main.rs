//! A runtime that makes only the system calls that the bundle of the benchmarks cannot do without:
//! what a real runtime takes beyond it is its own.
//!
//! `floor --root DIR run|create --bundle DIR ID`, `start|state|delete [--force] ID`,
//! `kill ID KILL` and `exec ID PROGRAM`, as the other runtimes have them.
//!
//! What it does: it reads the configuration; records the container so that another process finds
//! it; gives it a cgroup with a device filter, namespaces, loopback, mounts, devices, masked and
//! read-only paths, a session keyring, limits, no more capabilities than asked for; executes the
//! program, forwards signals to it, waits for it, and removes what it has made.
//!
//! What it does not do, and a runtime for users has to: understand any other bundle (of the
//! configuration it looks for three keys), check what it reads, say why something failed in terms
//! of the configuration, survive being killed at any point, keep two commands from working on one
//! container at the same time, and keep its own binary out of the reach of the container.

#![no_std]
#![no_main]

#[cfg(target_arch = "x86_64")]
#[path = "../../../../nsenter/stub/sys/x86_64.rs"]
#[allow(dead_code, reason = "the init stub needs more of it")]
mod arch;

#[cfg(target_arch = "aarch64")]
#[path = "../../../../nsenter/stub/sys/aarch64.rs"]
#[allow(dead_code, reason = "the init stub needs more of it")]
mod arch;

#[path = "../../../../nsenter/stub/memory.rs"]
mod memory;

mod bundle;
mod cgroup;
mod commands;
mod device_filter;
mod failure;
mod init;
mod privileges;
mod record;
mod rootfs;
mod start;
mod sys;
mod text;

use core::ffi::CStr;

use commands::Command;
use failure::Failure;
use rustix::io::Errno;

/// What the command line asks for.
fn parse<'a>(mut arguments: impl Iterator<Item = &'a CStr>) -> Option<Command<'a>> {
    let mut command = Command::default();
    while let Some(argument) = arguments.next() {
        match argument.to_bytes() {
            b"--root" => command.root = arguments.next()?,
            b"--bundle" => command.bundle = arguments.next()?,
            b"--force" => command.force = true,
            _ if command.verb.is_empty() => command.verb = argument,
            _ if command.id.is_empty() => command.id = argument,
            _ => command.argument = argument,
        }
    }
    (!command.id.is_empty() && !command.root.is_empty()).then_some(command)
}

/// The exit code.
fn main<'a>(arguments: impl Iterator<Item = &'a CStr>) -> i32 {
    let result = match parse(arguments.skip(1)) {
        Some(command) => command.perform(),
        None => Err(Failure::new("read the command line", Errno::INVAL)),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            failure.report(sys::stream(2));
            1
        }
    }
}
