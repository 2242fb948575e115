//! Namespaces that a restored container joins instead of getting its own, and the descriptors that
//! CRIU takes over.

use std::os::fd::OwnedFd;
use std::path::Path;

use configs::config::{Namespace, NamespaceType, Namespaces};
use criu::{FIRST_INHERITED, InheritedDescriptor, JoinNamespace};
use nsenter::namespaces;
use rustix::io::Errno;

use crate::checkpoint::namespaces::external;
use crate::error::{Error, ErrorKind, Result};

/// Descriptors that CRIU puts in the place of those that the images name.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    /// In the order in which CRIU gets them, from [`FIRST_INHERITED`] on.
    pub(crate) descriptors: Vec<OwnedFd>,
    pub(crate) names: Vec<InheritedDescriptor>,
}

impl Inherited {
    /// Passes a descriptor in the place of what has this name in the images.
    pub(crate) fn add(&mut self, key: String, descriptor: OwnedFd) -> Result<()> {
        let index = i32::try_from(self.descriptors.len())
            .map_err(|error| Error::system("pass a descriptor to CRIU", error))?;
        let fd = FIRST_INHERITED.saturating_add(index);
        self.descriptors.push(descriptor);
        self.names.push(InheritedDescriptor { key, fd });
        Ok(())
    }
}

/// Has a restore join the namespaces that the configuration has a path of. Network and pid
/// namespaces are external to the images, and known there by a name; others are joined by their
/// path.
pub(crate) fn join(wanted: &Namespaces, inherited: &mut Inherited) -> Result<Vec<JoinNamespace>> {
    let mut joined = Vec::new();
    for external in external(wanted) {
        let namespace = open(external.kind, external.path)?;
        inherited.add(external.key.to_owned(), namespace)?;
    }
    for Namespace { kind, path } in wanted.iter().filter(|wanted| !wanted.path.is_empty()) {
        match kind {
            NamespaceType::Network | NamespaceType::Pid => {}
            // CRIU has no word for it.
            NamespaceType::Cgroup => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("Do not know how to handle namespace {}", kind.flag_name()),
                ));
            }
            _ => {
                open(*kind, path)?;
                joined.push(JoinNamespace {
                    ns: kind.file_name().to_owned(),
                    ns_file: path.clone(),
                    extra_opt: None,
                });
            }
        }
    }
    Ok(joined)
}

fn open(kind: NamespaceType, path: &str) -> Result<OwnedFd> {
    namespaces::open(Path::new(path), kind).map_err(|error| {
        let what = format!("namespace path: {path}");
        Error::with(ErrorKind::InvalidConfig, what, error)
    })
}

/// Fails if the restored process is not in the namespaces of the configuration, by which everything
/// that joins the container goes: those of a container come from its images.
///
/// The time namespace is none of the container's: CRIU makes one where it has to. A cgroup
/// namespace it restores only where it restores cgroups.
pub(crate) fn require_same(wanted: &Namespaces, pid: u32) -> Result<()> {
    for kind in NamespaceType::ALL {
        if kind == NamespaceType::Time {
            continue;
        }
        let name = kind.file_name();
        let restored = inode(&format!("/proc/{pid}/ns/{name}"))?;
        let own = || inode(&format!("/proc/thread-self/ns/{name}"));
        let problem = match wanted.path_of(kind) {
            Some(path) if restored != inode(path)? => "is not the one that the configuration joins",
            None if kind != NamespaceType::Cgroup
                && wanted.is_private(kind)
                && restored == own()? =>
            {
                "is that of the host, and the configuration has one of the container's own"
            }
            None if !wanted.contains(kind) && restored != own()? => {
                "is one of its own, and the configuration has none"
            }
            _ => continue,
        };
        let message = format!("the {name} namespace of the restored process {problem}");
        return Err(Error::new(ErrorKind::InvalidConfig, message));
    }
    Ok(())
}

/// What identifies a namespace; `None` if the kernel has none of its kind.
pub(crate) fn inode(path: &str) -> Result<Option<u64>> {
    match rustix::fs::stat(path) {
        Ok(stat) => Ok(Some(stat.st_ino)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(Error::system(format!("look at {path}"), errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(kind: NamespaceType, path: &str) -> Namespaces {
        let mut wanted = Namespaces::new();
        wanted.set(kind, path);
        wanted
    }

    #[test]
    fn network_and_pid_namespaces_are_inherited_others_joined() {
        let mut inherited = Inherited::default();
        inherited
            .add(
                "pipe:[1]".to_owned(),
                crate::process::console::null().unwrap(),
            )
            .unwrap();
        let mut all = wanted(NamespaceType::Network, "/proc/self/ns/net");
        all.set(NamespaceType::Pid, "/proc/self/ns/pid");
        all.set(NamespaceType::Ipc, "/proc/self/ns/ipc");
        all.set(NamespaceType::Mount, "");
        let joined = join(&all, &mut inherited).unwrap();
        let expected = [
            ("pipe:[1]", FIRST_INHERITED),
            ("extRootNetNS", FIRST_INHERITED + 1),
            ("extRootPidNS", FIRST_INHERITED + 2),
        ];
        let names: Vec<_> = inherited
            .names
            .iter()
            .map(|name| (name.key.as_str(), name.fd))
            .collect();
        assert_eq!(names, expected);
        assert_eq!(inherited.descriptors.len(), 3);
        let joined: Vec<_> = joined
            .iter()
            .map(|joined| (joined.ns.as_str(), joined.ns_file.as_str()))
            .collect();
        assert_eq!(joined, [("ipc", "/proc/self/ns/ipc")]);
    }

    #[test]
    fn what_cannot_be_joined_is_refused() {
        let refused = |wanted: Namespaces| join(&wanted, &mut Inherited::default()).unwrap_err();
        let group = wanted(NamespaceType::Cgroup, "/proc/self/ns/cgroup");
        let error = refused(group);
        assert_eq!(
            error.to_string(),
            "Do not know how to handle namespace NEWCGROUP"
        );
        for path in ["/etc/passwd", "/nonexistent", "/proc/self/ns/uts"] {
            let error = refused(wanted(NamespaceType::Ipc, path));
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{path}");
        }
    }
}
