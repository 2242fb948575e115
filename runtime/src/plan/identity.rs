//! Working directory, groups, ids and capabilities, in the order that leaves no gap.

use configs::config::{Capabilities, IdMapError, NamespaceType};
use nsenter::plan::Op;

use super::namespaces::setgroups_denied;
use super::params::ProcessParams;
use super::steps::{Steps, c_string, clean};
use crate::{Error, Result};

/// What comes before a filter of the container's own: supplementary groups and the bounding set.
/// Neither needs what loading a filter needs, and an `EINVAL` of the kernel, which does not know a
/// capability, could not be told from one of a filter that keeps it there.
pub(super) fn drop_what_needs_no_filter(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    sets: &Sets,
) -> Result<()> {
    for id in &params.process.additional_gids {
        valid(*id)?;
    }
    groups(steps, params)?;
    steps.push(
        "drop capabilities from the bounding set",
        Op::BoundingSet {
            keep: sets.bounding,
            last: params.host.last_capability,
        },
    );
    Ok(())
}

/// From the identity that prepared the container to the one of the user's program. Afterwards
/// nothing privileged is left.
///
/// The capabilities in `kept` stay for the moment; what is given back takes them away.
pub(super) fn assume(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    sets: Sets,
    kept: u64,
    directory: Directory,
) -> Result<Option<Sets>> {
    let process = params.process;
    let later = (kept != 0).then_some(sets);
    let cwd = process.cwd.as_str();
    // The process already is in the root directory.
    let moves = directory == Directory::Later && clean(cwd) != "/";
    if moves {
        // First with the rights of the runtime, and if they do not suffice with the user's.
        steps.push(
            format!("chdir to cwd ({cwd:?}) set in config.json"),
            Op::ChangeDirectory {
                path: c_string("process.cwd", cwd)?,
                retry_later: true,
            },
        );
    }
    // A change from root to another user would take the capabilities that are still to be sorted.
    let keep = process.uid != 0 && (later.is_some() || sets.is_anything());
    if keep {
        steps.push(
            "keep capabilities across the change of the user",
            Op::KeepCapabilities(true),
        );
    }
    change_ids(steps, params)?;
    if moves {
        steps.push(
            format!("chdir to cwd ({cwd:?}) set in config.json"),
            Op::RetryDirectory(c_string("process.cwd", cwd)?),
        );
    }
    if directory == Directory::Later {
        steps.push("verify the working directory", Op::VerifyDirectory);
    }
    if keep {
        steps.push("stop keeping capabilities", Op::KeepCapabilities(false));
    }
    if later.is_some() {
        Sets {
            effective: sets.effective | kept,
            permitted: sets.permitted | kept,
            ..sets
        }
        .push(steps);
    } else {
        sets.apply(steps);
    }
    Ok(later)
}

/// The ids of the user's program.
fn change_ids(steps: &mut Steps, params: &ProcessParams<'_>) -> Result<()> {
    let process = params.process;
    valid(process.uid)?;
    valid(process.gid)?;
    mapped(params)?;
    steps.push(
        "change the owner of the standard streams",
        Op::StdioOwner(process.uid),
    );
    steps.push(
        format!("setgid to {}", process.gid),
        Op::SetGid(process.gid),
    );
    steps.push(
        format!("setuid to {}", process.uid),
        Op::SetUid(process.uid),
    );
    Ok(())
}

/// The one number that is no id: the kernel takes it for "as it is".
fn valid(id: u32) -> Result<()> {
    if id == u32::MAX {
        return Err(Error::config("process.user: 4294967295 is no id"));
    }
    Ok(())
}

/// When the process goes to its working directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directory {
    /// It still has to.
    Later,
    /// It has, and has verified where it is.
    Entered,
}

/// Goes to the working directory, and verifies where that is, with the rights of the runtime alone:
/// for a filter that forbids either. What only the user may enter cannot be verified then, and is
/// an error.
pub(super) fn enter_directory(steps: &mut Steps, params: &ProcessParams<'_>) -> Result<()> {
    let cwd = params.process.cwd.as_str();
    if clean(cwd) != "/" {
        steps.push(
            format!("chdir to cwd ({cwd:?}) set in config.json"),
            Op::ChangeDirectory {
                path: c_string("process.cwd", cwd)?,
                retry_later: false,
            },
        );
    }
    steps.push("verify the working directory", Op::VerifyDirectory);
    Ok(())
}

/// `CAP_SYS_ADMIN`: loads a filter.
pub(super) const SYS_ADMIN: u64 = 1 << 21;
/// `CAP_SYS_NICE`: sets a scheduling policy.
pub(super) const SYS_NICE: u64 = 1 << 23;

/// The user and the group must have ids in the container's user namespace, as far as its maps are
/// known.
fn mapped(params: &ProcessParams<'_>) -> Result<()> {
    let (config, process) = (params.config, params.process);
    for (kind, id, on_host) in [
        ("uid", process.uid, config.host_uid(process.uid)),
        ("gid", process.gid, config.host_gid(process.gid)),
    ] {
        if let Err(IdMapError::NotMapped { .. }) = on_host {
            return Err(Error::config(format!(
                "unable to setup user: cannot set{kind} to unmapped {kind} {id} in user namespace"
            )));
        }
    }
    Ok(())
}

/// Drops the caller's supplementary groups where the kernel may have that switched off: in a user
/// namespace that is joined. It comes before every filter, whose `EPERM` would look the same.
pub(super) fn drop_groups_if_allowed(steps: &mut Steps, params: &ProcessParams<'_>) {
    if may_be_switched_off(params) {
        steps.push_tolerating(
            "drop supplementary groups",
            Op::SetGroups(Vec::new()),
            &[libc::EPERM],
        );
    }
}

/// Whether no group is asked for, and whether `setgroups(2)` is refused is not known.
fn may_be_switched_off(params: &ProcessParams<'_>) -> bool {
    let namespaces = &params.config.namespaces;
    params.process.additional_gids.is_empty()
        && !setgroups_denied(params)
        && namespaces.path_of(NamespaceType::User).is_some()
}

/// Supplementary groups: always set, so that none of the caller's survive, except where the kernel
/// has that switched off.
fn groups(steps: &mut Steps, params: &ProcessParams<'_>) -> Result<()> {
    let gids = &params.process.additional_gids;
    if params.config.rootless_euid && !gids.is_empty() {
        return Err(Error::config(
            "cannot set any additional groups in a rootless container",
        ));
    }
    // Where it may be switched off they are dropped already.
    if !setgroups_denied(params) && !may_be_switched_off(params) {
        steps.push("set supplementary groups", Op::SetGroups(gids.clone()));
    }
    Ok(())
}

/// Capability sets as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sets {
    bounding: u64,
    effective: u64,
    permitted: u64,
    inheritable: u64,
    ambient: u64,
}

impl Sets {
    /// What is asked for, as far as it can be had; with warnings of what cannot.
    pub(super) fn asked_for(steps: &mut Steps, params: &ProcessParams<'_>) -> Self {
        Self::of(params.capabilities(), params.host.last_capability, steps).granted(params, steps)
    }

    /// Sets them all, but the bounding set.
    pub(super) fn apply(self, steps: &mut Steps) {
        self.push(steps);
        steps.push("apply ambient capabilities", Op::AmbientSet(self.ambient));
    }

    fn push(self, steps: &mut Steps) {
        let Self {
            effective,
            permitted,
            inheritable,
            ..
        } = self;
        steps.push(
            "apply capabilities",
            Op::Capabilities {
                effective,
                permitted,
                inheritable,
            },
        );
    }

    fn is_anything(self) -> bool {
        self.effective | self.permitted | self.inheritable != 0
    }

    /// The sets, without what the kernel would refuse because this process does not have it itself;
    /// with one warning. Root of a user namespace of its own has every capability
    /// there.
    fn granted(self, params: &ProcessParams<'_>, steps: &mut Steps) -> Self {
        if params.has(NamespaceType::User) {
            return self;
        }
        let grantable = params.host.grantable_capabilities;
        let asked = self.effective | self.permitted | self.inheritable | self.ambient;
        let missing: Vec<String> = (0..64)
            .filter(|number| asked & !grantable & 1 << number != 0)
            .map(capability_name)
            .collect();
        if !missing.is_empty() {
            steps.warn(format!(
                "ignoring capabilities that this process cannot grant: [{}]",
                missing.join(" ")
            ));
        }
        Self {
            effective: self.effective & grantable,
            permitted: self.permitted & grantable,
            inheritable: self.inheritable & grantable,
            ambient: self.ambient & grantable,
            ..self
        }
    }

    /// The sets, without what the kernel does not know; with one warning.
    fn of(sets: &Capabilities, last: u32, steps: &mut Steps) -> Self {
        let mut unknown: Vec<String> = Vec::new();
        let mut bits = |names: &[String]| {
            let mut bits = 0;
            for name in names {
                match number(name).filter(|number| *number <= last) {
                    Some(number) => bits |= 1u64 << number,
                    None if unknown.contains(name) => {}
                    None => unknown.push(name.clone()),
                }
            }
            bits
        };
        let bits = Self {
            bounding: bits(&sets.bounding),
            effective: bits(&sets.effective),
            permitted: bits(&sets.permitted),
            inheritable: bits(&sets.inheritable),
            ambient: bits(&sets.ambient),
        };
        if !unknown.is_empty() {
            steps.warn(format!(
                "ignoring unknown or unavailable capabilities: [{}]",
                unknown.join(" ")
            ));
        }
        bits
    }
}

/// The name of a capability by its number.
pub(crate) fn capability_name(number: u32) -> String {
    caps::all()
        .into_iter()
        .find(|known| u32::from(known.index()) == number)
        .map_or_else(|| format!("CAP_{number}"), |known| known.to_string())
}

/// The number of a capability by its name, which must be exact and have its prefix.
fn number(name: &str) -> Option<u32> {
    name.parse::<caps::Capability>()
        .ok()
        .filter(|known| known.to_string() == name)
        .map(|known| known.index().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_known_by_their_exact_names() {
        assert_eq!(number("CAP_CHOWN"), Some(0));
        assert_eq!(number("CAP_SYS_ADMIN"), Some(21));
        assert_eq!(number("CAP_CHECKPOINT_RESTORE"), Some(40));
        for name in ["CHOWN", "cap_chown", "CAP_chown", "CAP_", "CAP_NONE", ""] {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
