//! Id-mapped mounts (`mount_setattr(2)` with `MOUNT_ATTR_IDMAP`, Linux 5.12).
//!
//! The kernel takes the mapping of a user namespace. If no existing one has it, one is made: a stub unshares its user
//! namespace, gets the maps, and is ended as soon as the namespace is open.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use configs::Config;
use configs::config::{IdMap, MountIdMapping, NamespaceType};
use nsenter::namespaces::{self, Kind};
use nsenter::plan::{Op, PlanBuilder};
use nsenter::{Answers, Deadline, ProcessRef, Refusal, Spawn};

use super::{System, id_maps};
use crate::console::null;
use crate::error::{Error, ErrorKind, Result};
use crate::sys;

/// Gives a detached tree the mapping.
pub(crate) fn apply(
    tree: BorrowedFd<'_>,
    mapping: &MountIdMapping,
    config: &Config,
    system: &System,
    process: &ProcessRef<'_>,
) -> Result<()> {
    let namespace = user_namespace(mapping, config, system, process)?;
    sys::map_ids(tree, namespace.as_fd(), mapping.recursive).map_err(|error| {
        let hint = if error.raw_os_error() == Some(libc::EINVAL) {
            "map the ids of a mount (maybe the filesystem used doesn't support idmap mounts on this kernel?)"
        } else {
            "map the ids of a mount"
        };
        Error::system(hint, error)
    })
}

fn user_namespace(
    mapping: &MountIdMapping,
    config: &Config,
    system: &System,
    process: &ProcessRef<'_>,
) -> Result<OwnedFd> {
    if !mapping.userns_path.is_empty() {
        return namespaces::open(Path::new(&mapping.userns_path), Kind::User).map_err(|error| {
            Error::with(
                ErrorKind::InvalidConfig,
                "user namespace of an id-mapped mount",
                error,
            )
        });
    }
    let own = config.namespaces.contains(NamespaceType::User)
        && mapping.uid_mappings == config.uid_mappings
        && mapping.gid_mappings == config.gid_mappings;
    if own {
        return namespaces::of_process(system.procfs()?, process.pid(), Kind::User)
            .map_err(|error| Error::system("open the user namespace of the container", error));
    }
    make_user_namespace(&mapping.uid_mappings, &mapping.gid_mappings, system)
}

/// A user namespace with these maps that no process is in.
fn make_user_namespace(uid: &[IdMap], gid: &[IdMap], system: &System) -> Result<OwnedFd> {
    const CLONE_NEWUSER: u32 = 0x1000_0000;
    let failed = |error: nsenter::Error| {
        Error::system("make a user namespace for an id-mapped mount", error)
    };
    let mut plan = PlanBuilder::new();
    plan.push("become dumpable", Op::Dumpable(true));
    plan.push("make a user namespace", Op::Unshare(CLONE_NEWUSER));
    plan.push("get id maps", Op::AskIdMaps);
    plan.push("stop being dumpable", Op::Dumpable(false));
    // Never reached: the answer to the question above ends the stub.
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
    let null = null()?;
    let spawn = Spawn {
        plan: &plan,
        stdio: [null.as_fd(); 3],
        passed: Vec::new(),
        inputs: Vec::new(),
        cgroup: None,
    };
    let mut stub = spawn.start().map_err(failed)?;
    let mut maker = Maker {
        uid,
        gid,
        system,
        namespace: None,
    };
    match stub.serve(&mut maker, Deadline::default()) {
        Err(error) if maker.namespace.is_none() => Err(failed(error)),
        _ => maker.namespace.ok_or_else(|| {
            Error::new(
                ErrorKind::Init,
                "no user namespace was made for an id-mapped mount",
            )
        }),
    }
}

struct Maker<'a> {
    uid: &'a [IdMap],
    gid: &'a [IdMap],
    system: &'a System,
    namespace: Option<OwnedFd>,
}

impl Answers for Maker<'_> {
    fn id_maps(&mut self, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        let procfs = self.system.procfs()?;
        id_maps::write_maps(self.uid, self.gid, procfs, process.pid())?;
        self.namespace = Some(namespaces::of_process(procfs, process.pid(), Kind::User)?);
        // The namespace lives by the descriptor now.
        Err("done".into())
    }
}
