//! The id maps of a user namespace that exists already.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use configs::UserNamespaceMaps;
use configs::config::IdMap;
use nsenter::plan::{Op, PlanBuilder};
use nsenter::{Answers, Deadline, ProcessRef, Refusal, Spawn};

use super::failure::{Failure, describe};

/// `CLONE_NEWUSER` of `linux/sched.h`.
const USER: u32 = 0x1000_0000;

/// The maps of the user namespace that a path leads to.
///
/// Only a process shows the maps of its namespace, and there may be none in this one. So one is made that joins it, is
/// looked at from here, and goes no further.
pub(crate) fn maps(path: &Path) -> Result<UserNamespaceMaps, Failure> {
    let failed = |error: nsenter::Error| {
        Failure::new(format!(
            "look into the user namespace {}: {}",
            path.display(),
            describe(&error)
        ))
    };
    let opened = |error| Failure::io("open /dev/null", error);
    let namespace =
        nsenter::namespaces::open(path, nsenter::namespaces::Kind::User).map_err(failed)?;
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(opened)?;
    let mut plan = PlanBuilder::new();
    let slot = plan.input("user namespace");
    plan.push("join the user namespace", Op::Join(vec![(slot, USER)]));
    plan.push("be looked at", Op::AskGate(0));
    // Never reached: the answer to the question above ends the process.
    plan.push("report", Op::AskReady);
    plan.push("find nothing", Op::Lookup(vec![CString::default()]));
    plan.push("close the channel", Op::CloseControl);
    plan.push(
        "run nothing",
        Op::Exec {
            args: vec![CString::default()],
            env: Vec::new(),
        },
    );
    let plan = plan.build().map_err(failed)?;
    let spawn = Spawn {
        plan: &plan,
        stdio: [null.as_fd(); 3],
        passed: Vec::new(),
        inputs: vec![(slot, namespace.as_fd())],
        cgroup: None,
    };
    let mut process = spawn.start().map_err(failed)?;
    let mut reader = Reader(None);
    match process.serve(&mut reader, Deadline::default()) {
        Err(error) if reader.0.is_none() => Err(failed(error)),
        _ => reader
            .0
            .ok_or_else(|| Failure::new(format!("{} shows no id maps", path.display()))),
    }
}

/// Reads the maps while the process waits at its gate.
struct Reader(Option<UserNamespaceMaps>);

impl Answers for Reader {
    fn gate(&mut self, _: u32, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        let found = user::IdMapping::open_at(File::open(format!("/proc/{}", process.pid()))?)?;
        let convert = |maps: &user::IdMaps| {
            let one = |map: &user::IdMap| IdMap {
                container_id: map.container,
                host_id: map.host,
                size: map.size,
            };
            maps.ranges().iter().map(one).collect()
        };
        self.0 = Some(UserNamespaceMaps {
            uid_mappings: convert(&found.uids),
            gid_mappings: convert(&found.gids),
        });
        Err("done".into())
    }
}
