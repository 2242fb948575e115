//! What a container is allowed: an audit of a configuration, or of a running container.
//!
//! [`of_config`] examines a `config.json`. [`of_container`] examines a running container from
//! outside, by what the kernel says in `/proc` and in the container's cgroup; only what the kernel
//! does not tell (hooks, the profile behind a system call filter, sources of bind mounts, device
//! rules of cgroup v2) is taken from the record that the container was made with. Nothing is
//! changed by either.
//!
//! A [`Finding`] is no error: engines give containers much that the strictest reader would not. It
//! says which field of `config.json` decides, how much depends on it, and what to put there.
//! The rules are in one table, [`RULES`].
//!
//! ```
//! use cofferdam::audit::{self, Severity};
//! use cofferdam::configs::oci::Spec;
//!
//! let report = audit::of_config(&Spec::example())?;
//! assert!(report.worst() < Some(Severity::High));
//! let limit = report.findings.iter().find(|found| found.rule.id == "no-memory-limit");
//! assert_eq!(limit.map(|found| &*found.field), Some("linux.resources.memory.limit"));
//! # Ok::<(), cofferdam::Error>(())
//! ```

mod attributes;
mod capabilities;
mod device_access;
mod kernel_files;
mod limits;
mod mounts;
mod namespaces;
mod observed;
mod rules;
mod subject;
mod system_calls;
#[cfg(test)]
mod tests;

use std::fmt;

use configs::oci::Spec;

use crate::container::Container;
use crate::error::Result;
use subject::Subject;

pub use rules::{RULES, Rule};

/// How much depends on a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing to change by itself.
    Info,
    /// A line of defence less.
    Low,
    /// Helps an attacker much, together with a fault elsewhere.
    Medium,
    /// A way to the host that needs no fault elsewhere.
    High,
}

impl Severity {
    /// All of them, the worst first.
    pub const ALL: [Self; 4] = [Self::High, Self::Medium, Self::Low, Self::Info];

    /// The name in lower case: `high`, `medium`, `low` or `info`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }

    /// The severity of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// One less, where something else stands between.
    const fn lowered(self) -> Self {
        match self {
            Self::High => Self::Medium,
            Self::Medium => Self::Low,
            Self::Low | Self::Info => Self::Info,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that a container is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How much depends on it, in this configuration.
    pub severity: Severity,
    /// The field of `config.json` to change, as `linux.namespaces` or `mounts[3].options`; where a
    /// flag of the command decides, that flag.
    pub field: String,
    /// What was found. One line; control characters of the configuration are escaped.
    pub detail: String,
    /// The rule by which it is a finding.
    pub rule: &'static Rule,
}

/// The result of an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What was found, the worst first; of equal severity in the order of [`RULES`].
    pub findings: Vec<Finding>,
    /// The groups of dangerous system calls that the filter lets through, whether or not a
    /// capability is missing for them; `None` without a filter that could be evaluated.
    pub system_calls: Option<Vec<&'static str>>,
}

impl Report {
    /// The severity of the worst finding.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|found| found.severity).max()
    }

    /// How many findings have this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let has = |found: &&Finding| found.severity == severity;
        self.findings.iter().filter(has).count()
    }
}

/// Examines a configuration.
///
/// Of the machine, only the namespaces are looked at that the configuration joins by path: whether
/// they are those of the calling process. It need not be one that could be run here.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig), with the name of the field, for a
/// system call filter or device rules that cannot be evaluated.
/// [`ErrorKind::System`](crate::ErrorKind::System) if a namespace to join exists and cannot be
/// looked at.
pub fn of_config(spec: &Spec) -> Result<Report> {
    examine(Subject::of_config(spec)?)
}

/// Examines a running container, from outside.
///
/// The limits are those of its own cgroup; cgroups above may have narrower ones.
///
/// # Errors
/// [`ErrorKind::NotRunning`](crate::ErrorKind::NotRunning) if it does not run, or has ended
/// meanwhile; [`ErrorKind::System`](crate::ErrorKind::System) if something about it cannot be read,
/// for which the caller needs the right to trace its init process (`ptrace(2)`,
/// PTRACE_MODE_READ_FSCREDS).
pub fn of_container(container: &Container) -> Result<Report> {
    let (spec, seen) = observed::observe(container)?;
    examine(Subject::of_container(&spec, seen))
}

fn examine(mut subject: Subject<'_>) -> Result<Report> {
    namespaces::check(&mut subject)?;
    attributes::check(&mut subject);
    capabilities::check(&mut subject);
    let system_calls = system_calls::check(&mut subject)?;
    kernel_files::check(&mut subject);
    mounts::check(&mut subject);
    device_access::check(&mut subject)?;
    limits::check(&mut subject);
    let found = &mut subject.findings;
    let mut findings = Vec::with_capacity(found.len());
    // A sort of the library would be ten kilobytes of program, for a dozen values.
    for severity in Severity::ALL {
        for rule in RULES {
            let is_next =
                |found: &mut Finding| found.severity == severity && found.rule.id == rule.id;
            findings.extend(found.extract_if(.., is_next));
        }
    }
    Ok(Report {
        findings,
        system_calls,
    })
}
