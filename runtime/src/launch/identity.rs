//! What the kernel says of a process that is about to become the program, compared with the plan.
//!
//! A seccomp filter can answer a system call with success, or with the error that counts as
//! success, without the kernel doing anything. It cannot make up the text of `/proc/PID/status`,
//! which this process reads from outside.

use std::os::fd::{AsFd, OwnedFd};

use configs::Config;
use configs::config::NamespaceType;
use nsenter::plan::{Op, Plan};
use rustix::fs::{Mode, OFlags, openat};
use user::IdMapping;

use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Gate, capability_name};
use crate::system::System;

/// What the steps of a plan make of the process. Of capabilities it is the most that there may be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    uid: u32,
    gid: u32,
    /// `None` where the kernel may refuse to drop those of the caller.
    groups: Option<Vec<u32>>,
    inheritable: u64,
    permitted: u64,
    effective: u64,
    bounding: u64,
    ambient: u64,
    no_new_privileges: bool,
    umask: Option<u32>,
    /// How many filters are loaded.
    filters: u32,
}

impl Expected {
    /// What a plan that asks for it is compared with.
    pub(crate) fn where_asked_for(plan: &Plan) -> Option<Self> {
        let number = Gate::Identity.number();
        let asks = |op: &Op| matches!(op, Op::AskGate(gate) if *gate == number);
        plan.steps()
            .iter()
            .any(|step| asks(step.op()))
            .then(|| Self::of(plan))
    }

    /// The last of several steps counts.
    fn of(plan: &Plan) -> Self {
        let mut expected = Self::default();
        for step in plan.steps() {
            match step.op() {
                Op::SetUid(uid) => expected.uid = *uid,
                Op::SetGid(gid) => expected.gid = *gid,
                Op::SetGroups(gids) => {
                    expected.groups = step.tolerated().is_empty().then(|| gids.clone());
                }
                Op::BoundingSet { keep, .. } => expected.bounding = *keep,
                Op::Capabilities {
                    effective,
                    permitted,
                    inheritable,
                } => {
                    expected.effective = *effective;
                    expected.permitted = *permitted;
                    expected.inheritable = *inheritable;
                }
                Op::AmbientSet(set) => expected.ambient = *set,
                Op::NoNewPrivileges => expected.no_new_privileges = true,
                Op::Umask(mask) => expected.umask = Some(*mask),
                Op::Seccomp { .. } => expected.filters += 1,
                _ => {}
            }
        }
        expected
    }
}

/// Fails if the process is anything else than its plan has made of it.
pub(crate) fn verify(
    expected: &Expected,
    system: &System,
    config: &Config,
    pid: u32,
) -> Result<()> {
    let procfs = system.procfs()?;
    let process = open(
        procfs.as_fd(),
        &pid.to_string(),
        OFlags::PATH | OFlags::DIRECTORY,
    )?;
    let own = read(procfs.as_fd(), "thread-self/status")?;
    let status = read(process.as_fd(), "status")?;
    let maps = if config.namespaces.contains(NamespaceType::User) {
        let maps = IdMapping::open_at(&process);
        Some(maps.map_err(|error| Error::system("read the id maps of the process", error))?)
    } else {
        None
    };
    compare(expected, maps.as_ref(), &own, &status).map_err(|what| {
        Error::new(
            ErrorKind::Init,
            format!(
                "a seccomp filter answers for the kernel: the process {what}, which is not what was asked for"
            ),
        )
    })
}

fn open(dir: impl AsFd, path: &str, flags: OFlags) -> Result<OwnedFd> {
    openat(dir, path, flags | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Error::system(format!("open /proc/{path}"), errno))
}

fn read(dir: impl AsFd, path: &str) -> Result<String> {
    let file = std::fs::File::from(open(dir, path, OFlags::RDONLY)?);
    std::io::read_to_string(file)
        .map_err(|error| Error::system(format!("read /proc/{path}"), error))
}

/// What is wrong, in words that follow "the process".
fn compare(
    expected: &Expected,
    maps: Option<&IdMapping>,
    own: &str,
    status: &str,
) -> Result<(), String> {
    let uid = |id| maps.map_or(Some(id), |maps| maps.uids.host_id(id));
    let gid = |id| maps.map_or(Some(id), |maps| maps.gids.host_id(id));
    for (name, wanted) in [("Uid", uid(expected.uid)), ("Gid", gid(expected.gid))] {
        let found = numbers(status, name)?;
        if found.is_empty() || found.iter().any(|id| Some(*id) != wanted) {
            return Err(format!("has {name} {found:?}"));
        }
    }
    if let Some(groups) = &expected.groups {
        let mut wanted: Vec<_> = groups.iter().map(|id| gid(*id)).collect();
        let mut found: Vec<_> = numbers(status, "Groups")?.into_iter().map(Some).collect();
        wanted.sort_unstable();
        wanted.dedup();
        found.sort_unstable();
        found.dedup();
        if wanted != found {
            return Err(format!("has the groups {:?}", numbers(status, "Groups")?));
        }
    }
    for (name, most) in [
        ("CapBnd", expected.bounding),
        ("CapPrm", expected.permitted),
        ("CapEff", expected.effective),
        ("CapInh", expected.inheritable),
        ("CapAmb", expected.ambient),
    ] {
        let text = value(status, name)?;
        let found = u64::from_str_radix(text, 16).map_err(|_| unknown(name))?;
        if let Some(more) = (0..64).find(|number| found & !most & 1 << number != 0) {
            return Err(format!("has {} in {name}", capability_name(more)));
        }
    }
    if expected.no_new_privileges && value(status, "NoNewPrivs")? != "1" {
        return Err("can gain privileges".to_owned());
    }
    if let Some(mask) = expected.umask
        && u32::from_str_radix(value(status, "Umask")?, 8) != Ok(mask)
    {
        return Err(format!("has Umask {}", value(status, "Umask")?));
    }
    let filters = |status| number(value(status, "Seccomp_filters")?, "Seccomp_filters");
    if filters(status)? < filters(own)?.saturating_add(expected.filters) {
        return Err("has not loaded its filter".to_owned());
    }
    Ok(())
}

fn unknown(name: &str) -> String {
    format!("is shown without {name}")
}

/// The value of a line of `proc_pid_status(5)`.
fn value<'a>(status: &'a str, name: &str) -> Result<&'a str, String> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.map(str::trim).ok_or_else(|| unknown(name))
}

fn number(text: &str, name: &str) -> Result<u32, String> {
    text.parse().map_err(|_| unknown(name))
}

fn numbers(status: &str, name: &str) -> Result<Vec<u32>, String> {
    value(status, name)?
        .split_ascii_whitespace()
        .map(|text| number(text, name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "Name:\tx\nSeccomp_filters:\t1\n";

    fn status(changes: &[(&str, &str)]) -> String {
        let lines = [
            ("Umask", "0022"),
            ("Uid", "1000\t1000\t1000\t1000"),
            ("Gid", "100\t100\t100\t100"),
            ("Groups", "7 100 "),
            ("CapInh", "0000000000000000"),
            ("CapPrm", "0000000000000020"),
            ("CapEff", "0000000000000020"),
            ("CapBnd", "0000000000000021"),
            ("CapAmb", "0000000000000000"),
            ("NoNewPrivs", "1"),
            ("Seccomp_filters", "2"),
        ];
        let line = |(name, value): &(&str, &str)| {
            let changed = changes.iter().find(|(changed, _)| changed == name);
            format!("{name}:\t{}\n", changed.map_or(*value, |(_, value)| value))
        };
        lines.iter().map(line).collect()
    }

    fn expected() -> Expected {
        Expected {
            uid: 1000,
            gid: 100,
            groups: Some(vec![100, 7, 7]),
            inheritable: 0,
            permitted: 0x20,
            effective: 0x20,
            bounding: 0x21,
            ambient: 0x20,
            no_new_privileges: true,
            umask: Some(0o22),
            filters: 1,
        }
    }

    #[test]
    fn what_was_asked_for_or_less_passes() {
        for changes in [
            [].as_slice(),
            &[("CapBnd", "0000000000000001"), ("CapEff", "0")],
            &[("CapAmb", "20"), ("Seccomp_filters", "3")],
        ] {
            assert_eq!(compare(&expected(), None, OWN, &status(changes)), Ok(()));
        }
        let unknown_groups = Expected {
            groups: None,
            ..expected()
        };
        let others = status(&[("Groups", "0 4")]);
        assert_eq!(compare(&unknown_groups, None, OWN, &others), Ok(()));
    }

    #[test]
    fn every_other_identity_is_told() {
        for (name, value, told) in [
            (
                "Uid",
                "1000\t1000\t1000\t0",
                "has Uid [1000, 1000, 1000, 0]",
            ),
            ("Uid", "", "has Uid []"),
            ("Gid", "0\t0\t0\t0", "has Gid [0, 0, 0, 0]"),
            ("Groups", "0 7 100", "has the groups [0, 7, 100]"),
            ("Groups", "100", "has the groups [100]"),
            ("CapBnd", "0000000000200021", "has CAP_SYS_ADMIN in CapBnd"),
            ("CapPrm", "0000000000000021", "has CAP_CHOWN in CapPrm"),
            ("CapEff", "8000000000000000", "has CAP_63 in CapEff"),
            ("CapInh", "0000000000000020", "has CAP_KILL in CapInh"),
            ("CapAmb", "0000000000000001", "has CAP_CHOWN in CapAmb"),
            ("CapAmb", "none", "is shown without CapAmb"),
            ("NoNewPrivs", "0", "can gain privileges"),
            ("Umask", "0000", "has Umask 0000"),
            ("Seccomp_filters", "1", "has not loaded its filter"),
        ] {
            let found = compare(&expected(), None, OWN, &status(&[(name, value)]));
            assert_eq!(found, Err(told.to_owned()), "{name}");
        }
        assert!(compare(&expected(), None, OWN, "").is_err());
        assert!(compare(&expected(), None, "", &status(&[])).is_err());
    }

    #[test]
    fn ids_of_a_user_namespace_are_shown_as_those_outside() {
        let map = |host| user::IdMaps::new([user::IdMap::new(0, host, 2000)]);
        let maps = IdMapping {
            uids: map(100_000),
            gids: map(200_000),
        };
        let outside = status(&[
            ("Uid", "101000 101000 101000 101000"),
            ("Gid", "200100 200100 200100 200100"),
            ("Groups", "200007 200100"),
        ]);
        assert_eq!(compare(&expected(), Some(&maps), OWN, &outside), Ok(()));
        let unmapped = compare(&expected(), Some(&maps), OWN, &status(&[]));
        assert!(unmapped.is_err(), "{unmapped:?}");
    }
}
