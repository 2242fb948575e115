//! What is examined: a configuration, or what was seen of a running container in the same form.

use configs::HostInfo;
use configs::config::{NamespaceType, Resources};
use configs::oci::{Linux, Mount, Namespace, Process, Spec};
use configs::specconv;
use seccomp::Profile;

use super::observed::Seen;
use super::rules::Rule;
use super::{Finding, Severity};
use crate::error::Result;
use crate::validation::refused;

/// The system call filter.
pub(super) enum Filter {
    /// There is none.
    None,
    /// One made of this profile.
    Profile(Profile),
    /// One of which nothing is known.
    Unknown,
}

/// What is examined, and what was found so far.
pub(super) struct Subject<'a> {
    /// Everything but what the other fields hold.
    pub(super) spec: &'a Spec,
    /// Limits and device rules, those that every container gets included.
    pub(super) resources: Resources,
    pub(super) filter: Filter,
    /// Of a running container: what a configuration does not have.
    pub(super) seen: Option<Seen>,
    /// Capabilities that a process of the container can come to have, by number.
    pub(super) capabilities: u64,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Subject<'a> {
    pub(super) fn of_config(spec: &'a Spec) -> Result<Self> {
        let linux = spec.linux.as_ref();
        let filter = match linux.and_then(|linux| linux.seccomp.as_ref()) {
            Some(filter) => {
                // Whether the kernel has a flag says nothing about what is let through.
                let mut filter = filter.clone();
                filter.flags = Some(Vec::new());
                specconv::seccomp(&filter, &HostInfo::default())
                    .map_err(|error| refused(error).context("linux.seccomp"))?
                    .map_or(Filter::None, |filter| Filter::Profile(filter.profile()))
            }
            None => Filter::None,
        };
        let mut resources = match linux.and_then(|linux| linux.resources.as_ref()) {
            // Each use of a configuration gives the warnings; an audit is not one.
            Some(limits) => specconv::resources(limits, &mut Vec::new())
                .map_err(|error| refused(error).context("linux.resources"))?,
            None => Resources::default(),
        };
        resources.devices.extend(devices::defaults::rules());
        Ok(Self::new(spec, resources, filter, None))
    }

    pub(super) fn of_container(spec: &'a Spec, mut seen: Seen) -> Self {
        let resources = std::mem::take(&mut seen.resources);
        let filter = std::mem::replace(&mut seen.filter, Filter::None);
        Self::new(spec, resources, filter, Some(seen))
    }

    fn new(spec: &'a Spec, resources: Resources, filter: Filter, seen: Option<Seen>) -> Self {
        Self {
            spec,
            resources,
            filter,
            seen,
            capabilities: super::capabilities::reachable(spec.process.as_ref()),
            findings: Vec::new(),
        }
    }

    pub(super) fn process(&self) -> Option<&'a Process> {
        self.spec.process.as_ref()
    }

    pub(super) fn linux(&self) -> Option<&'a Linux> {
        self.spec.linux.as_ref()
    }

    /// The namespace of a type, and its place in the configuration.
    pub(super) fn namespace(&self, kind: NamespaceType) -> Option<(usize, &'a Namespace)> {
        let namespaces = self.linux()?.namespaces.iter().enumerate();
        let mut of_kind = namespaces.filter(|(_, found)| found.kind == kind.oci_name());
        of_kind.next()
    }

    /// Whether root of the container is somebody else on the host.
    pub(super) fn root_is_mapped(&self) -> bool {
        self.namespace(NamespaceType::User).is_some_and(|_| {
            let maps = self.linux().map_or(&[][..], |linux| &linux.uid_mappings);
            !maps.iter().any(|map| map.host_id_of(0) == Some(0))
        })
    }

    /// This severity, or less where root of the container is nobody on the host.
    pub(super) fn if_host_root(&self, severity: Severity) -> Severity {
        if self.root_is_mapped() {
            severity.lowered()
        } else {
            severity
        }
    }

    /// The field of the mount at `index`, with something below it.
    pub(super) fn mount_field(&self, index: usize, below: &str) -> String {
        match &self.seen {
            Some(seen) if index >= seen.configured_mounts => "mounts".to_owned(),
            _ => format!("mounts[{index}]{below}"),
        }
    }

    /// The mounts with their places.
    pub(super) fn mounts(&self) -> impl Iterator<Item = (usize, &'a Mount)> + use<'a> {
        self.spec.mounts.iter().enumerate()
    }

    pub(super) fn add(
        &mut self,
        rule: &'static Rule,
        severity: Severity,
        field: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.findings.push(Finding {
            severity,
            field: printable(field.into()),
            detail: printable(detail.into()),
            rule,
        });
    }
}

/// Text of a configuration comes from strangers: what a terminal would obey is escaped, and so is
/// what turns the direction of writing around.
fn printable(text: String) -> String {
    let is_bad = |letter: char| {
        letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(is_bad) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_bad(letter) {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

/// Whether a mount is read-only: the last option that says so counts.
pub(super) fn is_read_only(mount: &Mount) -> bool {
    let says = |option: &String| match option.as_str() {
        "ro" | "rro" => Some(true),
        "rw" | "rrw" => Some(false),
        _ => None,
    };
    mount.options.iter().rev().find_map(says).unwrap_or(false)
}

/// Whether a mount is a bind mount.
pub(super) fn is_bind(mount: &Mount) -> bool {
    let is_option = |option: &String| matches!(option.as_str(), "bind" | "rbind");
    mount.kind == "bind" || mount.options.iter().any(is_option)
}

/// An absolute path without `.`, `..` and doubled slashes; `None` for a relative one.
pub(super) fn clean(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.strip_prefix('/')?.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// Whether `path` is `directory` or below it; both are clean.
pub(super) fn is_within(path: &str, directory: &str) -> bool {
    let Some(rest) = path.strip_prefix(directory) else {
        return false;
    };
    rest.is_empty() || rest.starts_with('/') || directory == "/"
}
