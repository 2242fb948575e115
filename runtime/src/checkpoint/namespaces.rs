//! Namespaces that the container has joined: they stay where they are, and the restored processes
//! join them again.
//!
//! CRIU knows two kinds, of which the images then hold the name only. The others are dumped as if
//! they were the container's own.

use std::os::unix::fs::MetadataExt;

use configs::config::{NamespaceType, Namespaces};
use criu::Version;

use crate::error::{Error, ErrorKind, Result};

/// A namespace that comes from outside of the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExternalNamespace<'a> {
    /// Its kind: network or pid.
    pub(crate) kind: NamespaceType,
    /// Its file.
    pub(crate) path: &'a str,
    /// What the images call it.
    pub(crate) key: &'static str,
    /// The first CRIU that can leave it out.
    since: Version,
}

/// Those of a container.
pub(crate) fn external(namespaces: &Namespaces) -> Vec<ExternalNamespace<'_>> {
    let kinds = [
        (
            NamespaceType::Network,
            "extRootNetNS",
            Version::new(3, 11, 0),
        ),
        (NamespaceType::Pid, "extRootPidNS", Version::new(3, 15, 0)),
    ];
    let joined = kinds.into_iter().filter_map(|(kind, key, since)| {
        let path = namespaces.path_of(kind)?;
        (!path.is_empty()).then_some(ExternalNamespace {
            kind,
            path,
            key,
            since,
        })
    });
    joined.collect()
}

impl ExternalNamespace<'_> {
    /// Fails if this CRIU would dump, or make, the namespace as if it were the container's own.
    pub(crate) fn require(&self, version: Version) -> Result<()> {
        if version < self.since {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "criu {version} cannot handle an external {} namespace, which needs {}",
                    self.kind.file_name(),
                    self.since
                ),
            ));
        }
        Ok(())
    }

    /// What the dump calls it, if the process with this `/proc/PID/ns/…` directory is in it.
    pub(crate) fn dumped(&self, process: &str) -> Result<String> {
        let kind = self.kind.file_name();
        let inode = |path: &str| {
            let found = std::fs::metadata(path);
            found
                .map(|stat| (stat.dev(), stat.ino()))
                .map_err(|error| Error::system(format!("look at {path}"), error))
        };
        let (device, number) = inode(self.path)?;
        if inode(&format!("{process}/ns/{kind}"))? != (device, number) {
            return Err(Error::new(
                ErrorKind::InvalidState,
                format!(
                    "the container is not in the {kind} namespace of its configuration, {}",
                    self.path
                ),
            ));
        }
        Ok(format!("{kind}[{number}]:{}", self.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_network_and_pid_namespaces_are_external() {
        let mut namespaces = Namespaces::default();
        namespaces.set(NamespaceType::Ipc, "/proc/self/ns/ipc");
        namespaces.set(NamespaceType::Network, "/proc/self/ns/net");
        namespaces.set(NamespaceType::Pid, "");
        let found = external(&namespaces);
        let [net] = found.as_slice() else {
            panic!("{found:?}");
        };
        let inode = std::fs::metadata("/proc/self/ns/net").unwrap().ino();
        assert_eq!(
            net.dumped("/proc/self").unwrap(),
            format!("net[{inode}]:extRootNetNS")
        );
        net.require(Version::new(3, 11, 0)).unwrap();
        assert_eq!(
            net.require(Version::new(3, 10, 9)).unwrap_err().to_string(),
            "criu 3.10.9 cannot handle an external net namespace, which needs 3.11"
        );
        namespaces.set(NamespaceType::Pid, "/proc/self/ns/pid");
        let pid = external(&namespaces).pop().unwrap();
        assert!(pid.dumped("/proc/self").unwrap().starts_with("pid["));
        assert!(pid.require(Version::new(3, 14, 0)).is_err());
    }

    #[test]
    fn a_namespace_that_the_container_is_not_in_is_refused() {
        let mut namespaces = Namespaces::default();
        namespaces.set(NamespaceType::Network, "/proc/self/ns/mnt");
        let found = external(&namespaces);
        let error = found.first().unwrap().dumped("/proc/self").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the container is not in the net namespace of its configuration, /proc/self/ns/mnt"
        );
        namespaces.set(NamespaceType::Network, "/no/such/namespace");
        let found = external(&namespaces);
        let error = found.first().unwrap().dumped("/proc/self").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }
}
