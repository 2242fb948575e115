//! Kernel parameters: only those that belong to one of the container's own namespaces.

use crate::config::NamespaceType;
use crate::{Config, Error, HostInfo, NetworkNamespaceFact, Result};

/// Parameters of the IPC namespace below `kernel.`; those of message queues are below `fs.mqueue.`.
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

pub(crate) fn check(config: &Config, host: &HostInfo) -> Result<()> {
    for name in config.sysctl.keys() {
        check_one(name, config, host)?;
    }
    Ok(())
}

fn check_one(name: &str, config: &Config, host: &HostInfo) -> Result<()> {
    let dotted = sysctl_with_dots(name);
    let namespaces = &config.namespaces;
    if dotted.split(['.', '/']).any(str::is_empty) || dotted.contains('\0') {
        // An empty part, or `..` once written as a path, would name something else than the rules
        // below look at.
        return Err(Error::invalid(format!(
            "sysctl {name:?} is not in a separate kernel namespace"
        )));
    }
    if IPC.contains(&dotted.as_str()) || dotted.starts_with("fs.mqueue.") {
        if namespaces.contains(NamespaceType::Ipc) {
            return Ok(());
        }
        return Err(Error::invalid(format!(
            "sysctl {name:?} is not allowed in the hosts ipc namespace"
        )));
    }
    if dotted.starts_with("net.") {
        return own_network(name, config, host);
    }
    if dotted.starts_with("user.") {
        if namespaces.contains(NamespaceType::User) {
            return Ok(());
        }
        return Err(Error::invalid(format!(
            "setting ucounts without a user namespace not allowed: {name}"
        )));
    }
    if namespaces.contains(NamespaceType::Uts) {
        match dotted.as_str() {
            "kernel.domainname" => return Ok(()),
            "kernel.hostname" => {
                return Err(Error::invalid(format!(
                    "sysctl {name:?} is not allowed as it conflicts with the OCI \"hostname\" field"
                )));
            }
            _ => {}
        }
    }
    Err(Error::invalid(format!(
        "sysctl {name:?} is not in a separate kernel namespace"
    )))
}

fn own_network(name: &str, config: &Config, host: &HostInfo) -> Result<()> {
    let refused = || {
        Error::invalid(format!(
            "sysctl {name:?} not allowed in host network namespace"
        ))
    };
    if !config.namespaces.contains(NamespaceType::Network) {
        return Err(refused());
    }
    if config.namespaces.is_private(NamespaceType::Network) {
        return Ok(());
    }
    match &host.network_namespace {
        NetworkNamespaceFact::Other => Ok(()),
        NetworkNamespaceFact::Own => Err(refused()),
        NetworkNamespaceFact::Failed(reason) => {
            Err(Error::invalid("invalid netns path").because(reason))
        }
        NetworkNamespaceFact::NotExamined => Err(Error::invalid("invalid netns path")
            .because("it was not compared with the host's namespace")),
    }
}

/// A parameter's name with dots between its parts.
///
/// As sysctl.d(5) has it: when the first separator is a slash, slashes separate and dots belong to
/// the parts, and each is turned into the other. So `net/ipv4/conf/eno2.100/x` becomes
/// `net.ipv4.conf.eno2/100.x`.
#[must_use]
pub fn sysctl_with_dots(name: &str) -> String {
    if separator(name) == Some('/') {
        swap(name)
    } else {
        name.to_owned()
    }
}

/// The path of a parameter below `/proc/sys`: slashes between its parts, whichever way the name was
/// written.
///
/// ```
/// use cofferdam_configs::validate::sysctl_path;
/// let path = "net/ipv4/conf/eno2.100/forwarding";
/// assert_eq!(sysctl_path("net.ipv4.conf.eno2/100.forwarding"), path);
/// assert_eq!(sysctl_path(path), path);
/// ```
#[must_use]
pub fn sysctl_path(name: &str) -> String {
    if separator(name) == Some('/') {
        name.to_owned()
    } else {
        swap(name)
    }
}

fn separator(name: &str) -> Option<char> {
    name.chars().find(|letter| matches!(letter, '.' | '/'))
}

fn swap(name: &str) -> String {
    name.chars()
        .map(|letter| match letter {
            '.' => '/',
            '/' => '.',
            other => other,
        })
        .collect()
}
