//! What the detail of a failed step says, in words: the stub sends numbers.

use std::borrow::Cow;

use crate::error::Failure;
use crate::namespace_types::NamespaceType;
use crate::plan::Op;

/// `MOUNT_ATTR_NOATIME`, `MOUNT_ATTR_STRICTATIME`, `MOUNT_ATTR_NODIRATIME` and
/// `MOUNT_ATTR_NOSYMFOLLOW` of `mount_setattr(2)`.
const NOATIME: u64 = 0x10;
const STRICTATIME: u64 = 0x20;
const NODIRATIME: u64 = 0x80;
const NOSYMFOLLOW: u64 = 0x20_0000;

/// `MOUNT_ATTR_*` bits of a mount's attributes with the words of `mount(8)`.
const WORDS: [(u64, &str); 8] = [
    (0x1, "ro"),
    (0x2, "nosuid"),
    (0x4, "nodev"),
    (0x8, "noexec"),
    (NOATIME, "noatime"),
    (STRICTATIME, "strictatime"),
    (NODIRATIME, "nodiratime"),
    (NOSYMFOLLOW, "nosymfollow"),
];

impl Failure {
    /// Which entry failed of a step that handles a list, [`Op::Mask`] or [`Op::ReadonlyPaths`].
    pub fn item(&self) -> Option<usize> {
        let count = match self.op() {
            Op::Mask { paths, .. } | Op::ReadonlyPaths(paths) => paths.len(),
            _ => return None,
        };
        let index = usize::try_from(self.number()?).ok()?;
        (index < count).then_some(index)
    }

    /// The attributes (`MOUNT_ATTR_*`) that a mount has whose change was refused with `EPERM`
    /// ([`Op::MountAttributes`]).
    pub fn present_flags(&self) -> Option<u64> {
        match self.op() {
            Op::MountAttributes { .. } if self.errno() == libc::EPERM => {
                Some(attributes(self.number()?))
            }
            _ => None,
        }
    }

    fn number(&self) -> Option<u64> {
        std::str::from_utf8(self.detail()).ok()?.parse().ok()
    }

    /// The detail in words, where it is a number.
    pub(crate) fn in_words(&self) -> Option<Cow<'_, [u8]>> {
        if let (Some(item), Op::Mask { paths, .. } | Op::ReadonlyPaths(paths)) =
            (self.item(), self.op())
        {
            return Some(Cow::Borrowed(paths.get(item)?.1.as_bytes()));
        }
        let words = match self.op() {
            Op::Join(_) => namespaces(self.number()?),
            _ => words(self.present_flags()?, &WORDS),
        };
        Some(Cow::Owned(words.into_bytes()))
    }
}

/// `f_flags` of `statfs(2)` as `MOUNT_ATTR_*`.
fn attributes(flags: u64) -> u64 {
    let access_time = match flags & (1024 | 4096) {
        0 => STRICTATIME,
        4096 => 0,
        _ => NOATIME,
    };
    let directories = if flags & 2048 != 0 { NODIRATIME } else { 0 };
    let links = if flags & 8192 != 0 { NOSYMFOLLOW } else { 0 };
    flags & 0xf | access_time | directories | links
}

/// The types of `CLONE_NEW*` flags, in the order of the flags.
fn namespaces(flags: u64) -> String {
    let mut types = NamespaceType::ALL;
    types.sort_by_key(|kind| kind.flag());
    words(
        flags,
        &types.map(|kind| (u64::from(kind.flag()), kind.oci_name())),
    )
}

fn words(bits: u64, table: &[(u64, &str)]) -> String {
    let known: Vec<&str> = table
        .iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, word)| *word)
        .collect();
    known.join(",")
}

#[cfg(test)]
mod tests {
    use crate::plan::{Plan, PlanBuilder};

    use super::*;

    fn plan(op: Op) -> Plan {
        let mut builder = PlanBuilder::new();
        let _ = builder.input("a descriptor");
        let joins = matches!(op, Op::Join(_));
        builder.push("step", op);
        if joins {
            builder.push("second stage", Op::SecondStage);
        }
        builder.push("find", Op::Lookup(vec![c"/x".to_owned()]));
        builder.push("close", Op::CloseControl);
        builder.push(
            "run",
            Op::Exec {
                args: vec![c"x".to_owned()],
                env: Vec::new(),
            },
        );
        builder.build().unwrap()
    }

    fn failure(op: Op, errno: i32, detail: &[u8]) -> Failure {
        Failure::new(&plan(op), 0, errno, detail).unwrap()
    }

    fn slot() -> crate::plan::Slot {
        PlanBuilder::new().slot()
    }

    #[test]
    fn the_entry_of_a_list_is_named_by_its_path() {
        let paths = vec![(slot(), c"/a".to_owned()), (slot(), c"/b".to_owned())];
        let failed = failure(Op::ReadonlyPaths(paths.clone()), libc::ELOOP, b"1");
        assert_eq!(failed.item(), Some(1));
        assert_eq!(failed.to_string(), "step (/b)");
        let mask = Op::Mask {
            paths,
            null: slot(),
            context: None,
        };
        let failed = failure(mask.clone(), libc::ELOOP, b"0");
        assert_eq!(failed.to_string(), "step (/a)");
        // The stub may say anything.
        for odd in [b"2".as_slice(), b"-1", b"x", b""] {
            assert_eq!(failure(mask.clone(), libc::ELOOP, odd).item(), None);
        }
    }

    #[test]
    fn flags_and_namespaces_are_named() {
        let change = Op::MountAttributes {
            mount: slot(),
            set: 0,
            clear: 0xf,
            propagation: 0,
            recursive: false,
            keep_locked: false,
        };
        // nosuid 2, noexec 8, valid 32, noatime 1024, nodiratime 2048, nosymfollow 8192.
        let failed = failure(change.clone(), libc::EPERM, b"11306");
        assert_eq!(
            failed.present_flags(),
            Some(2 | 8 | NOATIME | NODIRATIME | NOSYMFOLLOW)
        );
        assert_eq!(
            failed.to_string(),
            "step (nosuid,noexec,noatime,nodiratime,nosymfollow)"
        );
        assert_eq!(failure(change, libc::EINVAL, b"1").present_flags(), None);
        let join = Op::Join(vec![
            (slot(), NamespaceType::Mount),
            (slot(), NamespaceType::Pid),
        ]);
        let failed = failure(join, libc::EPERM, (0x2002_0000_u32).to_string().as_bytes());
        assert_eq!(failed.to_string(), "step (mount,pid)");
    }
}
