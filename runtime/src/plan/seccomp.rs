//! When a system call filter is loaded, and what it lets the stub still do.

use nsenter::plan::Op;
use seccomp::{Architecture, FilterFlags, Program};

use super::params::ProcessParams;
use super::request::Filter;
use super::steps::Steps;

/// `asm-generic/ioctls.h`; C libraries differ on the type of a request.
const TIOCSCTTY: u64 = 0x540e;

/// Loads the filter of the request, if there is one.
pub(super) fn load(steps: &mut Steps, params: &ProcessParams<'_>) {
    let Some(filter) = params.filter else {
        return;
    };
    // The supervisor takes the notification descriptor out of the process, which another user may
    // only do if that is dumpable.
    let opens = filter.listener && params.host.effective_uid != 0;
    if opens {
        steps.push("become dumpable", Op::Dumpable(true));
    }
    steps.push(
        "load the seccomp filter",
        Op::Seccomp {
            flags: filter.flags,
            program: filter.program.clone(),
            listener: filter.listener,
        },
    );
    if opens {
        steps.push("stop being dumpable", Op::Dumpable(false));
    }
}

const CLONE_PARENT: u64 = 0x8000;
const CLONE_PARENT_SETTID: u64 = 0x10_0000;
const PR_SET_NAME: u64 = 15;
const RLIMIT_NPROC: u64 = 6;

/// Whether a process with this filter on can no longer go to a directory or ask where it is. The
/// filter then comes after both; a filter that cannot be asked is one that forbids them.
pub(super) fn hides_directory(filter: &Filter) -> bool {
    let Some(native) = Architecture::native() else {
        return true;
    };
    let Ok(program) = Program::from_bytes(filter.program.clone(), FilterFlags::empty()) else {
        return true;
    };
    [libc::SYS_chdir, libc::SYS_getcwd].iter().any(|number| {
        let answer = u32::try_from(*number)
            .ok()
            .and_then(|number| seccomp::evaluate(&program, native, number, [0; 6]).ok());
        answer.map(Answer::of) != Some(Answer::Allowed)
    })
}

/// Whether the filter can answer a system call, whichever it is, with success without the kernel
/// doing it: by the value of `SCMP_ACT_ERRNO` with `errnoRet` 0, by one that it calculates, or by
/// what an agent says. What calls with addresses for arguments are answered cannot be asked in
/// advance.
pub(super) fn may_pretend(filter: &Filter) -> bool {
    /// `BPF_RET | BPF_K` and `BPF_RET | BPF_A` of `linux/bpf_common.h`.
    const RETURN_CONSTANT: u16 = 0x06;
    const RETURN_ACCUMULATOR: u16 = 0x16;
    let (instructions, _) = filter.program.as_chunks::<8>();
    // struct sock_filter: code, two jumps, value.
    filter.listener
        || instructions.iter().any(|[low, high, _, _, value @ ..]| {
            match u16::from_ne_bytes([*low, *high]) {
                RETURN_CONSTANT => Answer::of(u32::from_ne_bytes(*value)) == Answer::Errno(0),
                RETURN_ACCUMULATOR => true,
                _ => false,
            }
        })
}

/// The first system call of a change of identity that a filter answers with success without the
/// kernel doing it (`SCMP_ACT_ERRNO` with `errnoRet` 0). Loaded before that change, such a filter
/// would leave the program the identity of the runtime, and no call would fail. A filter that
/// cannot be asked counts as one that does.
pub(super) fn pretended(filter: &Filter, ids: (u32, u32)) -> Option<&'static str> {
    const PR_SET_KEEPCAPS: u64 = 8;
    const PR_CAP_AMBIENT: u64 = 47;
    const CLEAR_ALL: u64 = 4;
    let (uid, gid) = (u64::from(ids.0), u64::from(ids.1));
    let fixed = [
        ("setresgid", libc::SYS_setresgid, [gid, gid, gid, 0, 0, 0]),
        ("setresuid", libc::SYS_setresuid, [uid, uid, uid, 0, 0, 0]),
        ("capset", libc::SYS_capset, [0; 6]),
        ("prctl", libc::SYS_prctl, [PR_SET_KEEPCAPS, 1, 0, 0, 0, 0]),
        (
            "prctl",
            libc::SYS_prctl,
            [PR_CAP_AMBIENT, CLEAR_ALL, 0, 0, 0, 0],
        ),
    ];
    let program = Program::from_bytes(filter.program.clone(), FilterFlags::empty());
    let (Some(native), Ok(program)) = (Architecture::native(), program) else {
        return Some("setresuid");
    };
    let pretends = |number: libc::c_long, args: [u64; 6]| {
        let answer = u32::try_from(number)
            .ok()
            .and_then(|number| seccomp::evaluate(&program, native, number, args).ok());
        matches!(answer.map(Answer::of), None | Some(Answer::Errno(0)))
    };
    fixed
        .into_iter()
        .find(|(_, number, args)| pretends(*number, *args))
        .map(|(name, ..)| name)
}

/// What the second stage of a plan does for itself.
#[derive(Debug)]
pub(super) struct Later {
    /// It takes a controlling terminal.
    pub(super) terminal: bool,
    /// It sets the limit on the number of processes.
    pub(super) limit: bool,
    /// It sets its scheduling policy.
    pub(super) schedule: bool,
}

/// Whether a process with this filter on can still start the second stage, and that one do
/// what is left of its plan.
///
/// Asked are the calls that both stages make between an early filter and a late one, and that a
/// program without stages could do without. What is not asked comes after a late filter as well
/// (`write` for a last message, `close`, `execve`), has another way in the stub, or belongs to the
/// change of identity: a filter that forbids that one lets no runtime in.
pub(super) fn lets_second_stage_start(filter: &Filter, later: &Later) -> bool {
    let Some(native) = Architecture::native() else {
        return false;
    };
    let Ok(program) = Program::from_bytes(filter.program.clone(), FilterFlags::empty()) else {
        return false;
    };
    let answer = |number: libc::c_long, args: [u64; 6]| {
        let number = u32::try_from(number).ok()?;
        seccomp::evaluate(&program, native, number, args)
            .ok()
            .map(Answer::of)
    };
    let allowed = |number, args| matches!(answer(number, args), Some(Answer::Allowed));
    let clones = match answer(libc::SYS_clone3, [0, 88, 0, 0, 0, 0]) {
        Some(Answer::Allowed) => true,
        // The stub then tries the older call.
        Some(Answer::Errno(libc::ENOSYS | libc::EPERM)) => {
            let flags = CLONE_PARENT | CLONE_PARENT_SETTID;
            allowed(libc::SYS_clone, [flags, 0, 0, 0, 0, 0])
        }
        _ => false,
    };
    // The first stage says that there is a second one, and ends.
    let leaves = allowed(libc::SYS_exit_group, [0; 6]) || allowed(libc::SYS_exit, [0; 6]);
    // The second waits for the supervisor's word, names itself, and takes what it would not have
    // inherited.
    let goes_on = allowed(libc::SYS_read, [3, 0, 16, 0, 0, 0])
        && allowed(libc::SYS_prctl, [PR_SET_NAME, 0, 0, 0, 0, 0])
        && allowed(libc::SYS_setsid, [0; 6])
        && (!later.terminal || allowed(libc::SYS_ioctl, [3, TIOCSCTTY, 0, 0, 0, 0]))
        && (!later.limit || allowed(libc::SYS_prlimit64, [0, RLIMIT_NPROC, 0, 0, 0, 0]))
        && (!later.schedule || allowed(libc::SYS_sched_setattr, [0; 6]));
    clones && leaves && goes_on
}

/// What a filter says to a system call.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Allowed,
    Errno(i32),
    Other,
}

impl Answer {
    /// From `SECCOMP_RET_*` with its data, `seccomp(2)`.
    fn of(value: u32) -> Self {
        const ERRNO: u32 = 0x0005_0000;
        const LOG: u32 = 0x7ffc_0000;
        const ALLOW: u32 = 0x7fff_0000;
        match value & 0xffff_0000 {
            ALLOW | LOG => Self::Allowed,
            ERRNO => i32::try_from(value & 0xffff).map_or(Self::Other, Self::Errno),
            _ => Self::Other,
        }
    }
}
