//! A seccomp(2) filter around this program that answers what protects a container with success
//! without the kernel doing it, as emulations of root do (`SECCOMP_RET_ERRNO` with errno 0).

use crate::error::{Error, ErrorKind, Result};
use crate::plan::HostFacts;
use crate::sys;

/// The calls, as syscalls(2) names them, that protect a container, and for which the kernel has an
/// error if they are made in vain. What the remaining ones have done (`setresuid`, `setresgid`,
/// `umask`) is asked of the kernel afterwards: see `launch/identity.rs`.
const PROTECTING: [(&str, libc::c_long); 19] = [
    ("unshare", libc::SYS_unshare),
    ("setns", libc::SYS_setns),
    ("mount", libc::SYS_mount),
    ("umount2", libc::SYS_umount2),
    ("pivot_root", libc::SYS_pivot_root),
    ("chroot", libc::SYS_chroot),
    ("open_tree", libc::SYS_open_tree),
    ("move_mount", libc::SYS_move_mount),
    ("mount_setattr", libc::SYS_mount_setattr),
    ("fsconfig", libc::SYS_fsconfig),
    ("prlimit64", libc::SYS_prlimit64),
    ("keyctl", libc::SYS_keyctl),
    ("setgroups", libc::SYS_setgroups),
    ("capset", libc::SYS_capset),
    ("prctl", libc::SYS_prctl),
    ("seccomp", libc::SYS_seccomp),
    ("bpf", libc::SYS_bpf),
    ("close", libc::SYS_close),
    ("close_range", libc::SYS_close_range),
];

/// Refuses to start a process where one of the calls would only seem to have been made.
pub(crate) fn refuse(host: &HostFacts) -> Result<()> {
    if !host.filtered {
        return Ok(());
    }
    match pretended() {
        Some(call) => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "a seccomp filter around this program answers {call} with success without calling the kernel"
            ),
        )),
        None => Ok(()),
    }
}

fn pretended() -> Option<&'static str> {
    let pretended = |call| sys::call_in_vain(call).is_ok();
    let found = PROTECTING.iter().find(|(_, call)| pretended(*call));
    found.map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_refuses_every_call_that_is_made_in_vain() {
        let namespaces = || std::fs::read_link("/proc/thread-self/ns/mnt").unwrap();
        let before = namespaces();
        assert_eq!(pretended(), None);
        assert_eq!(before, namespaces());
    }
}
