//! Id-mapped mounts (`mount_setattr(2)` with `MOUNT_ATTR_IDMAP`, Linux 5.12).
//!
//! The kernel takes the mapping of a user namespace. If no existing one has it, one is made: a stub
//! unshares its user namespace, gets the maps, and is ended as soon as the namespace is open.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use configs::Config;
use configs::config::{IdMap, MountIdMapping, NamespaceType};
use nsenter::plan::{Op, PlanBuilder};
use nsenter::{Deadline, ProcessRef, Refusal, RequestHandler, Spawn, namespaces};

use super::id_maps;
use crate::error::{Error, ErrorKind, Result};
use crate::process::console::null;
use crate::sys;
use crate::system::System;

/// The user namespaces that were made for the mounts of a container, one for each mapping.
#[derive(Debug, Default)]
pub(crate) struct UserNamespaces(Vec<(Maps, OwnedFd)>);

#[derive(Debug, PartialEq, Eq)]
struct Maps {
    uid: Vec<IdMap>,
    gid: Vec<IdMap>,
}

impl UserNamespaces {
    /// The namespace with these maps.
    fn namespace(
        &mut self,
        maps: Maps,
        make: impl FnOnce(&Maps) -> Result<OwnedFd>,
    ) -> Result<BorrowedFd<'_>> {
        let known = self.0.iter().position(|(known, _)| *known == maps);
        let index = match known {
            Some(index) => index,
            None => {
                let namespace = make(&maps)?;
                self.0.push((maps, namespace));
                self.0.len() - 1
            }
        };
        self.0
            .get(index)
            .map(|(_, namespace)| namespace.as_fd())
            .ok_or_else(|| Error::new(ErrorKind::Init, "there is no such user namespace"))
    }
}

/// Gives a detached tree the mapping.
pub(crate) fn apply(
    tree: BorrowedFd<'_>,
    mapping: &MountIdMapping,
    made: &mut UserNamespaces,
    config: &Config,
    system: &System,
    process: &ProcessRef<'_>,
) -> Result<()> {
    let result = match existing(mapping, config, system, process)? {
        Some(namespace) => sys::map_ids(tree, namespace.as_fd(), mapping.recursive),
        None => {
            let maps = Maps {
                uid: mapping.uid_mappings.clone(),
                gid: mapping.gid_mappings.clone(),
            };
            let make = |maps: &Maps| make_user_namespace(&maps.uid, &maps.gid, system);
            sys::map_ids(tree, made.namespace(maps, make)?, mapping.recursive)
        }
    };
    result.map_err(|error| {
        let hint = match error.raw_os_error() {
            Some(libc::EINVAL) => {
                "map the ids of a mount (maybe the filesystem used doesn't support idmap mounts on this kernel?)"
            }
            Some(libc::ENOSYS) => {
                "map the ids of a mount, which needs mount_setattr (Linux 5.12)"
            }
            _ => "map the ids of a mount",
        };
        Error::system(hint, error)
    })
}

/// A user namespace that is there and has the mapping.
fn existing(
    mapping: &MountIdMapping,
    config: &Config,
    system: &System,
    process: &ProcessRef<'_>,
) -> Result<Option<OwnedFd>> {
    if !mapping.userns_path.is_empty() {
        return namespaces::open(Path::new(&mapping.userns_path), NamespaceType::User)
            .map(Some)
            .map_err(|error| {
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
        return namespaces::of_process(system.procfs()?, process.pid(), NamespaceType::User)
            .map(Some)
            .map_err(|error| Error::system("open the user namespace of the container", error));
    }
    Ok(None)
}

/// A user namespace with these maps that no process is in.
fn make_user_namespace(uid: &[IdMap], gid: &[IdMap], system: &System) -> Result<OwnedFd> {
    let failed = |error: nsenter::Error| {
        Error::system("make a user namespace for an id-mapped mount", error)
    };
    let mut plan = PlanBuilder::new();
    plan.push("become dumpable", Op::Dumpable(true));
    plan.push(
        "make a user namespace",
        Op::Unshare(NamespaceType::User.into()),
    );
    plan.push("get id maps", Op::AskIdMaps);
    plan.push("stop being dumpable", Op::Dumpable(false));
    plan.push("exit", Op::Exit);
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
    stub.serve(&mut maker, Deadline::default())
        .map_err(failed)?;
    maker.namespace.ok_or_else(|| {
        Error::new(
            ErrorKind::Init,
            "no user namespace was made for an id-mapped mount",
        )
    })
}

struct Maker<'a> {
    uid: &'a [IdMap],
    gid: &'a [IdMap],
    system: &'a System,
    namespace: Option<OwnedFd>,
}

impl RequestHandler for Maker<'_> {
    fn id_maps(&mut self, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        let procfs = self.system.procfs()?;
        id_maps::write_maps(self.uid, self.gid, procfs, process.pid())?;
        self.namespace = Some(namespaces::of_process(
            procfs,
            process.pid(),
            NamespaceType::User,
        )?);
        // It lives by the descriptor from here on.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_has_one_namespace_however_many_mounts_have_it() {
        let maps = |first: u32| {
            let map = IdMap {
                container_id: 0,
                host_id: first,
                size: 1,
            };
            Maps {
                uid: vec![map],
                gid: vec![map],
            }
        };
        let mut made = UserNamespaces::default();
        let mut count = 0;
        for first in [1, 2, 1, 2, 1] {
            let mut make = |_: &Maps| {
                count += 1;
                null()
            };
            made.namespace(maps(first), &mut make).unwrap();
        }
        assert_eq!(count, 2);
        // A failure is not remembered.
        let refused = |_: &Maps| Err(Error::new(ErrorKind::Init, "no"));
        assert!(made.namespace(maps(3), refused).is_err());
        assert!(made.namespace(maps(3), |_| null()).is_ok());
    }
}
