//! Kernels that lack system calls, played by a seccomp(2) filter that answers `ENOSYS`: older ones,
//! and hosts whose own filter is older than the calls.
//!
//! A test is executed once more under the filter ([`ReducedKernel::restrict`]), and everything that
//! it starts is under it as well. What it demands of a container may be more than such a kernel
//! allows. So a test that fails is judged by [`note`]: it was *refused* if a command of the runtime
//! failed and named a call that is missing, and none has succeeded since. Any other failure is a
//! fault, and so is one of the checks that hold after refusals, too ([`Check`]).

pub(crate) mod sys;

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use crate::Output;

/// The environment variable that names the calls which are missing, separated by blanks.
pub const VARIABLE: &str = "COFFERDAM_MISSING_CALLS";

/// What stands in front of a refusal on standard error.
pub const REFUSED: &str = "reduced kernel: refused: ";

/// A kernel without some system calls.
#[derive(Clone, Copy, Debug)]
pub struct ReducedKernel {
    /// What it is called in reports.
    pub name: &'static str,
    calls: &'static [(&'static str, libc::c_long)],
}

const OPENAT2: (&str, libc::c_long) = ("openat2", libc::SYS_openat2);
const MOUNT_SETATTR: (&str, libc::c_long) = ("mount_setattr", libc::SYS_mount_setattr);
const OPEN_TREE: (&str, libc::c_long) = ("open_tree", libc::SYS_open_tree);
const MOVE_MOUNT: (&str, libc::c_long) = ("move_mount", libc::SYS_move_mount);
const FSOPEN: (&str, libc::c_long) = ("fsopen", libc::SYS_fsopen);
const FSCONFIG: (&str, libc::c_long) = ("fsconfig", libc::SYS_fsconfig);
const FSMOUNT: (&str, libc::c_long) = ("fsmount", libc::SYS_fsmount);
const CLONE3: (&str, libc::c_long) = ("clone3", libc::SYS_clone3);
const CLOSE_RANGE: (&str, libc::c_long) = ("close_range", libc::SYS_close_range);
const PIDFD_OPEN: (&str, libc::c_long) = ("pidfd_open", libc::SYS_pidfd_open);
/// Only where the number of a mount is asked for (`STATX_MNT_ID`, `STATX_MNT_ID_UNIQUE`).
const STATX: (&str, libc::c_long) = ("statx", libc::SYS_statx);

/// Each call by itself, and all of them together.
pub const KERNELS: [ReducedKernel; 10] = [
    ReducedKernel::new("openat2", &[OPENAT2]),
    ReducedKernel::new("mount_setattr", &[MOUNT_SETATTR]),
    ReducedKernel::new("open_tree", &[OPEN_TREE]),
    ReducedKernel::new("move_mount", &[MOVE_MOUNT]),
    ReducedKernel::new("fsopen, fsconfig, fsmount", &[FSOPEN, FSCONFIG, FSMOUNT]),
    ReducedKernel::new("clone3", &[CLONE3]),
    ReducedKernel::new("close_range", &[CLOSE_RANGE]),
    ReducedKernel::new("pidfd_open", &[PIDFD_OPEN]),
    ReducedKernel::new("statx of a mount id", &[STATX]),
    ReducedKernel::new(
        "all of these",
        &[
            OPENAT2,
            MOUNT_SETATTR,
            OPEN_TREE,
            MOVE_MOUNT,
            FSOPEN,
            FSCONFIG,
            FSMOUNT,
            CLONE3,
            CLOSE_RANGE,
            PIDFD_OPEN,
            STATX,
        ],
    ),
];

impl ReducedKernel {
    const fn new(name: &'static str, calls: &'static [(&'static str, libc::c_long)]) -> Self {
        Self { name, calls }
    }

    /// Lets a command, and all that it starts, run on this kernel. It needs `CAP_SYS_ADMIN`, since
    /// `no_new_privs` would change what containers are.
    pub fn restrict(&self, command: &mut Command) {
        let names: Vec<&str> = self.calls.iter().map(|(name, _)| *name).collect();
        command.env(VARIABLE, names.join(" "));
        sys::filter_before_exec(command, self.program());
    }

    /// Whether each of the calls is answered with `ENOSYS` in this process.
    pub fn is_here(&self) -> bool {
        self.calls.iter().all(|(_, call)| sys::is_missing(*call))
    }

    /// The filter (seccomp(2), `struct seccomp_data`). It goes by numbers alone: what the tests
    /// start is of one architecture.
    fn program(&self) -> Vec<libc::sock_filter> {
        const LOAD: u16 = 0x20;
        const IS: u16 = 0x15;
        const HAS_BITS: u16 = 0x45;
        const RETURN: u16 = 0x06;
        const NUMBER: u32 = 0;
        /// The low half of the fourth argument of statx(2), its mask.
        const MASK: u32 = 16 + 3 * 8;
        const MOUNT_IDS: u32 = libc::STATX_MNT_ID | 0x4000;
        let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        let refuse = step(
            RETURN,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs(),
        );
        let mut program = vec![step(LOAD, 0, 0, NUMBER)];
        for &(_, call) in self.calls {
            let number = u32::try_from(call).expect("a number of a system call");
            if call == libc::SYS_statx {
                program.extend([
                    step(IS, 0, 4, number),
                    step(LOAD, 0, 0, MASK),
                    step(HAS_BITS, 0, 1, MOUNT_IDS),
                    refuse,
                    step(LOAD, 0, 0, NUMBER),
                ]);
            } else {
                program.extend([step(IS, 0, 1, number), refuse]);
            }
        }
        program.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
        program
    }
}

/// The last refusal, if no command has succeeded since.
static LAST: Mutex<Option<String>> = Mutex::new(None);
/// How many checks are under way that must hold whatever was refused.
static CHECKS: AtomicUsize = AtomicUsize::new(0);

/// A check that must hold on every kernel, for as long as this lives: a panic meanwhile is no
/// refusal.
#[derive(Debug)]
pub struct Check(());

impl Check {
    /// Begins one.
    pub fn begin() -> Self {
        CHECKS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        CHECKS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The names of the calls that are missing here; empty on a kernel that is not reduced.
pub fn missing() -> Vec<String> {
    let names = std::env::var(VARIABLE).unwrap_or_default();
    names.split_whitespace().map(str::to_owned).collect()
}

/// Looks at what a command came to, on a reduced kernel.
pub(crate) fn note(output: &Output) {
    static HOOK: Once = Once::new();
    let missing = missing();
    if missing.is_empty() {
        return;
    }
    HOOK.call_once(say_refusals);
    // What removes a container that was not made, or finds it while it still seems to be, says
    // nothing about the kernel, and neither does a failure after the refusal: of a command on what
    // was not made, or of a race.
    let is = |command: &str| output.command.contains(command);
    if output.code == 0 && (is("\"delete\"") || is("\"state\"")) {
        return;
    }
    let refusal = || {
        let names = |line: &&str| {
            line.contains("function not implemented")
                && missing.iter().any(|name| line.contains(name.as_str()))
        };
        output.stderr.lines().find(names).map(str::to_owned)
    };
    let found = if output.code == 0 { None } else { refusal() };
    if output.code == 0 || found.is_some() {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }
}

/// Whether what was run last was refused: then nothing comes of it, however long a test waits.
pub(crate) fn is_refused() -> bool {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    last.is_some()
}

/// From now on a panic that follows a refusal says so.
fn say_refusals() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refusal) = last.as_ref()
            && CHECKS.load(Ordering::Relaxed) == 0
        {
            eprintln!("{REFUSED}{refusal}");
        }
    }));
}
