//! Namespaces: which are the host's, which are shared, and who root is.

use std::os::unix::fs::MetadataExt as _;

use configs::config::NamespaceType;

use super::Severity;
use super::rules::{
    HOST_CGROUP, HOST_IPC, HOST_MOUNT, HOST_NETWORK, HOST_PID, HOST_ROOT_MAPPED, HOST_USER,
    HOST_UTS, JOINED_NAMESPACE, ROOT_USER, Rule,
};
use super::subject::Subject;
use crate::error::{Error, Result};

/// The time namespace is not among them: without one of its own a container can do nothing to the
/// clocks of the host.
const TYPES: [(NamespaceType, &Rule, Severity); 6] = [
    (NamespaceType::Mount, &HOST_MOUNT, Severity::High),
    (NamespaceType::Pid, &HOST_PID, Severity::High),
    (NamespaceType::Network, &HOST_NETWORK, Severity::High),
    (NamespaceType::Ipc, &HOST_IPC, Severity::Medium),
    (NamespaceType::Uts, &HOST_UTS, Severity::Low),
    (NamespaceType::Cgroup, &HOST_CGROUP, Severity::Low),
];

pub(super) fn check(subject: &mut Subject<'_>) -> Result<()> {
    for (kind, rule, severity) in TYPES {
        is_shared(subject, kind, rule, severity)?;
    }
    let is_root = subject.process().is_some_and(|it| it.user.uid == 0);
    let severity = if is_root {
        Severity::Medium
    } else {
        Severity::Low
    };
    is_shared(subject, NamespaceType::User, &HOST_USER, severity)?;
    mappings(subject);
    if is_root {
        let severity = subject.if_host_root(Severity::Medium);
        subject.add(&ROOT_USER, severity, "process.user.uid", "user id 0");
    }
    Ok(())
}

/// Tells of a type of which the container has no namespace of its own.
fn is_shared(
    subject: &mut Subject<'_>,
    kind: NamespaceType,
    rule: &'static Rule,
    severity: Severity,
) -> Result<()> {
    let name = kind.oci_name();
    let Some((index, namespace)) = subject.namespace(kind) else {
        let detail = format!("no {name} namespace: the container uses that of the host");
        subject.add(rule, severity, "linux.namespaces", detail);
        return Ok(());
    };
    let path = namespace.path.as_str();
    if path.is_empty() {
        return Ok(());
    }
    let field = format!("linux.namespaces[{index}].path");
    // A running container has been compared already: with what it is in, not with what is at the
    // path by now.
    let found = if subject.seen.is_some() {
        Some(false)
    } else {
        is_own(path, kind).map_err(|error| error.context(field.clone()))?
    };
    match found {
        Some(true) => {
            let detail = format!("{path} is the {name} namespace of the host");
            subject.add(rule, severity, field, detail);
        }
        Some(false) => {
            let detail = format!("joins the {name} namespace {path}");
            subject.add(&JOINED_NAMESPACE, Severity::Info, field, detail);
        }
        None => {
            let detail = format!("joins the {name} namespace {path}, which is not there now");
            subject.add(&JOINED_NAMESPACE, Severity::Info, field, detail);
        }
    }
    Ok(())
}

/// Whether a namespace is the one of this process, which is the host's as far as a container is
/// concerned; `None` if it is not there.
fn is_own(path: &str, kind: NamespaceType) -> Result<Option<bool>> {
    let identity = |path: &str| match std::fs::metadata(path) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => Ok(None),
            _ => Err(Error::system(format!("stat {path}"), error)),
        },
    };
    let Some(theirs) = identity(path)? else {
        return Ok(None);
    };
    let own = identity(&format!("/proc/self/ns/{}", kind.file_name()))?;
    Ok(Some(own == Some(theirs)))
}

/// Ids of the container that are root of the host.
fn mappings(subject: &mut Subject<'_>) {
    if subject.namespace(NamespaceType::User).is_none() {
        return;
    }
    let Some(linux) = subject.linux() else { return };
    let both = [
        ("linux.uidMappings", &linux.uid_mappings),
        ("linux.gidMappings", &linux.gid_mappings),
    ];
    for (field, maps) in both {
        for (index, map) in maps.iter().enumerate() {
            if map.host_id != 0 || map.size == 0 {
                continue;
            }
            let severity = if field.contains("uid") {
                Severity::High
            } else {
                Severity::Medium
            };
            let detail = format!("id {} of the container is 0 on the host", map.container_id);
            subject.add(
                &HOST_ROOT_MAPPED,
                severity,
                format!("{field}[{index}].hostID"),
                detail,
            );
        }
    }
}
