//! A step that failed. The stub sends numbers, which become text here.

use std::borrow::Cow;
use std::fmt;

use super::op::Op;
use crate::namespace_types::NamespaceType;

/// A step of a plan that failed in the stub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(super) index: usize,
    pub(super) op: Op,
    pub(super) context: String,
    pub(super) errno: i32,
    pub(super) detail: Vec<u8>,
}

impl Failure {
    /// The index of the step.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The operation.
    #[must_use]
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// What the plan calls the step, such as `mount proc at /proc`.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The errno of the first system call that failed; 0 if the step failed for another reason than
    /// a system call.
    #[must_use]
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// More about it, at most 256 bytes; the documentation of each [`Op`] says what. Untrusted: it
    /// may hold anything.
    #[must_use]
    pub fn detail(&self) -> &[u8] {
        &self.detail
    }

    /// The detail without the mark that file systems put before the messages of their log: `e`, `w`
    /// or `i` and a space, for an error, a warning or an information (`fs_context_operations`
    /// in the kernel's `filesystems/mount_api.rst`).
    fn message(&self) -> Cow<'_, [u8]> {
        match (&self.op, self.detail.as_slice()) {
            (
                Op::NewMount { .. } | Op::Reconfigure { .. } | Op::CheckOptions { .. },
                [b'e' | b'w' | b'i', b' ', message @ ..],
            ) => Cow::Borrowed(message),
            (_, detail) => self.as_text().unwrap_or(Cow::Borrowed(detail)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)?;
        if !self.detail.is_empty() {
            write!(f, " ({})", Readable(&self.message()))?;
        }
        Ok(())
    }
}

/// Bytes from the stub as one line of text.
struct Readable<'a>(&'a [u8]);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                if letter.is_control() {
                    write!(f, "{}", letter.escape_default())?;
                } else {
                    write!(f, "{letter}")?;
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

/// `MOUNT_ATTR_NOATIME`, `MOUNT_ATTR_STRICTATIME`, `MOUNT_ATTR_NODIRATIME` and
/// `MOUNT_ATTR_NOSYMFOLLOW` of `mount_setattr(2)`.
const NOATIME: u64 = 0x10;
const STRICTATIME: u64 = 0x20;
const NODIRATIME: u64 = 0x80;
const NOSYMFOLLOW: u64 = 0x20_0000;

/// `MOUNT_ATTR_*` bits of a mount's attributes with the names of `mount(8)`.
const ATTRIBUTES: [(u64, &str); 8] = [
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
    #[must_use]
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
    #[must_use]
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

    /// The text of a detail that is a number.
    fn as_text(&self) -> Option<Cow<'_, [u8]>> {
        if let (Some(item), Op::Mask { paths, .. } | Op::ReadonlyPaths(paths)) =
            (self.item(), self.op())
        {
            return Some(Cow::Borrowed(paths.get(item)?.1.as_bytes()));
        }
        let text = match self.op() {
            Op::Join(_) => namespaces(self.number()?),
            _ => names(self.present_flags()?, &ATTRIBUTES),
        };
        Some(Cow::Owned(text.into_bytes()))
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
    names(
        flags,
        &types.map(|kind| (u64::from(kind.flag()), kind.oci_name())),
    )
}

fn names(bits: u64, table: &[(u64, &str)]) -> String {
    let known: Vec<&str> = table
        .iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, name)| *name)
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
        plan(op).failure(0, errno, detail).unwrap()
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

    fn shown(op: Op, detail: &[u8]) -> String {
        Failure {
            index: 0,
            op,
            context: "mount".to_owned(),
            errno: 22,
            detail: detail.to_vec(),
        }
        .to_string()
    }

    #[test]
    fn a_detail_is_one_readable_line() {
        let text = "e tmpfs: Bad value for 'größe'\n\x1b[1m\u{85}";
        assert_eq!(
            shown(Op::VerifyDirectory, &[text.as_bytes(), b"\xff"].concat()),
            "mount (e tmpfs: Bad value for 'größe'\\n\\u{1b}[1m\\u{85}\\xff)"
        );
        assert_eq!(shown(Op::VerifyDirectory, b""), "mount");
    }

    #[test]
    fn the_mark_of_a_file_systems_message_is_left_out() {
        let mount = Op::NewMount {
            fstype: c"tmpfs".to_owned(),
            source: None,
            options: Vec::new(),
            mode_of: None,
            attributes: 0,
            into: slot(),
        };
        assert_eq!(
            shown(mount.clone(), b"e tmpfs: Bad value for 'size'"),
            "mount (tmpfs: Bad value for 'size')"
        );
        assert_eq!(shown(mount, b"odd"), "mount (odd)");
    }
}
