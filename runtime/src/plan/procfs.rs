//! The procfs of the host: verified, held by a descriptor, and the process' own files in it.

use nsenter::plan::{Dir, Expect, Op, Slot};

use super::params::ProcessParams;
use super::steps::{Steps, c_string};
use crate::Result;

/// `PROC_SUPER_MAGIC` of `statfs(2)`.
pub(super) const PROC_MAGIC: u64 = 0x9fa0;
/// Inode of the root directory of every procfs (`PROC_ROOT_INO`).
pub(super) const PROC_ROOT_INODE: u64 = 1;

/// The procfs of the host, if some step of the plan needs it.
#[derive(Debug)]
pub(super) struct ProcSelf(Option<Slot>);

impl ProcSelf {
    /// Opens `/proc` and checks that it is one, when labels are to be written or `wanted` for
    /// another reason.
    pub(super) fn open(steps: &mut Steps, params: &ProcessParams<'_>, wanted: bool) -> Self {
        if !wanted && params.apparmor_profile().is_none() && params.selinux_label().is_none() {
            return Self(None);
        }
        let into = steps.slot();
        steps.push(
            "open /proc",
            Op::Open {
                dir: Dir::Cwd,
                path: c"/proc".to_owned(),
                flags: (libc::O_PATH | libc::O_DIRECTORY).cast_unsigned(),
                mode: 0,
                resolve: libc::RESOLVE_NO_MAGICLINKS,
                into,
            },
        );
        steps.push(
            "check that /proc is a procfs",
            Op::Verify {
                fd: into,
                expect: Expect {
                    inode: Some(PROC_ROOT_INODE),
                    magic: Some(PROC_MAGIC),
                    ..Expect::default()
                },
            },
        );
        Self(Some(into))
    }

    pub(super) fn handle(&self) -> Option<Slot> {
        self.0
    }

    pub(super) fn close(&mut self, steps: &mut Steps) {
        if let Some(slot) = self.0.take() {
            steps.close(slot);
        }
    }

    /// Opens a file of `/proc/self/attr` for writing. Which task may write to it is decided by who
    /// opened it.
    pub(super) fn attribute(&self, steps: &mut Steps, name: &str) -> Result<Option<Slot>> {
        let Some(proc) = self.0 else { return Ok(None) };
        let into = steps.slot();
        steps.push(
            format!("open /proc/self/attr/{name}"),
            open_attribute(proc, name, into)?,
        );
        Ok(Some(into))
    }
}

/// Opens a file of `/proc/self/attr` by the procfs `proc`.
pub(super) fn open_attribute(proc: Slot, name: &str, into: Slot) -> Result<Op> {
    Ok(Op::Open {
        dir: Dir::Slot(proc),
        path: c_string("attribute", format!("self/attr/{name}"))?,
        flags: libc::O_WRONLY.cast_unsigned(),
        mode: 0,
        resolve: libc::RESOLVE_BENEATH | libc::RESOLVE_NO_XDEV | libc::RESOLVE_NO_MAGICLINKS,
        into,
    })
}
