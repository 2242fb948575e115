//! The device rules of a cgroup v2: an eBPF program attached to its directory.
//!
//! Programs of the ancestors stay in force. There is never a moment without a program: the new one
//! is attached before, or in the same step as, the old one is taken away.

use std::{
    fs, io,
    os::fd::OwnedFd,
    sync::{Mutex, MutexGuard, PoisonError},
};

use devices::{Access, Emulator, Rule, bpf::Insn};
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use crate::{Error, ErrorKind, Result, dir::Dir, sys};

/// Whether there may be programs to replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attachment {
    /// The cgroup is new: nothing can be attached to it.
    First,
    /// Whatever is attached to it shall go.
    Replace,
}

/// How often loading is tried; `EAGAIN` is a signal that interrupted the verifier.
const LOAD_ATTEMPTS: u32 = 30;

/// Puts the rules in force. `Ok(Some(reason))` when the kernel refused and that is acceptable: in a
/// user namespace, where device nodes are out of reach anyway, or when nothing is denied.
pub(crate) fn apply(dir: &Dir, rules: &[Rule], attachment: Attachment) -> Result<Option<String>> {
    let invalid = |error: devices::Error| Error::because(ErrorKind::Devices, "device rules", error);
    let state = Emulator::from_rules(rules).map_err(invalid)?;
    let program = devices::bpf::assemble(&state).map_err(invalid)?;
    match load(&program).and_then(|program| attach(dir, &program, attachment)) {
        Ok(()) => Ok(None),
        Err(error) if denies_nothing(rules) || in_user_namespace() => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            Ok(Some(format!("{error}{}", cause.unwrap_or_default())))
        }
        Err(error) => Err(error),
    }
}

fn denies_nothing(rules: &[Rule]) -> bool {
    rules
        .iter()
        .all(|rule| rule.allow && rule.access == Access::ALL)
}

/// The initial user namespace maps all ids to themselves.
pub(crate) fn in_user_namespace() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_ids(&map))
}

/// Whether a `uid_map` is that of another user namespace. Text that is no map is not: a missing
/// protection is forgiven in a user namespace only.
fn maps_ids(map: &str) -> bool {
    let Some(line) = map.lines().next() else {
        return true;
    };
    let fields: Vec<_> = line.split_whitespace().collect();
    let is_map = fields.len() == 3 && fields.iter().all(|field| field.parse::<u32>().is_ok());
    is_map && fields != ["0", "0", "4294967295"]
}

pub(crate) fn load(program: &[Insn]) -> Result<OwnedFd> {
    let failed = |what: &str, error| Error::because(ErrorKind::Devices, what, error);
    let mut attempts = 0;
    let mut unlimited = None;
    let error = loop {
        match sys::load(program, &mut []) {
            Ok(program) => return Ok(program),
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                attempts += 1;
                if attempts == LOAD_ATTEMPTS {
                    return Err(failed("load device program", error));
                }
            }
            // Before Linux 5.11 programs counted as locked memory.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) && unlimited.is_none() => {
                match UnlimitedMemlock::new() {
                    Ok(guard) => unlimited = Some(guard),
                    Err(_) => break error,
                }
            }
            Err(error) => break error,
        }
    };
    if !is_of_the_verifier(&error) {
        return Err(failed("load device program", error));
    }
    // Only the verifier can tell what it disliked.
    Err(failed(
        &format!("load device program: {}", verifier_log(program)),
        error,
    ))
}

/// Whether the kernel has looked at the program at all: without permission, and without bpf(2), it
/// has not. `EACCES` is what the verifier says of a forbidden access, beside `EINVAL`.
fn is_of_the_verifier(error: &io::Error) -> bool {
    !matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS))
}

/// `RLIMIT_MEMLOCK` of this process is unlimited as long as this lives: it belongs to the caller,
/// and whatever is started later inherits it. Threads of this process that load programs take
/// turns.
struct UnlimitedMemlock {
    before: Rlimit,
    _turn: MutexGuard<'static, ()>,
}

impl UnlimitedMemlock {
    fn new() -> Result<Self, Errno> {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let before = getrlimit(Resource::Memlock);
        let unlimited = Rlimit {
            current: None,
            maximum: None,
        };
        setrlimit(Resource::Memlock, unlimited)?;
        Ok(Self {
            before,
            _turn: turn,
        })
    }
}

impl Drop for UnlimitedMemlock {
    fn drop(&mut self) {
        let before = Rlimit {
            current: self.before.current,
            maximum: self.before.maximum,
        };
        if let Err(errno) = setrlimit(Resource::Memlock, before) {
            log::warn!("RLIMIT_MEMLOCK stays unlimited: {errno}");
        }
    }
}

/// Loads the program once more, for what the verifier says about it.
fn verifier_log(program: &[Insn]) -> String {
    const MAX: usize = (1 << 24) - 1;
    let mut size = 64 << 10;
    loop {
        let mut log = vec![0_u8; size];
        match sys::load(program, &mut log) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && size < MAX => {
                size = (size * 8).min(MAX);
            }
            _ => {
                let text = log.split(|byte| *byte == 0).next().unwrap_or_default();
                let text = String::from_utf8_lossy(text);
                return text.split_whitespace().collect::<Vec<_>>().join(" ");
            }
        }
    }
}

fn attach(dir: &Dir, program: &OwnedFd, attachment: Attachment) -> Result<()> {
    let failed = |what: &str, error: io::Error| {
        Error::because(
            ErrorKind::Devices,
            format_args!("{what} {}", dir.path().display()),
            error,
        )
    };
    let old = match attachment {
        Attachment::First => Vec::new(),
        Attachment::Replace => {
            attached(dir).map_err(|error| failed("query device programs of", error))?
        }
    };
    if let [only] = old.as_slice() {
        match sys::attach(dir, program, Some(only)) {
            // Before Linux 5.6 there is no replacing.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            done => return done.map_err(|error| failed("replace device program of", error)),
        }
    } else if old.len() > 1 {
        log::debug!(
            "{}: {} device programs to replace",
            dir.path().display(),
            old.len()
        );
    }
    sys::attach(dir, program, None).map_err(|error| failed("attach device program to", error))?;
    for old in &old {
        sys::detach(dir, old).map_err(|error| failed("detach old device program of", error))?;
    }
    Ok(())
}

/// The programs attached to the cgroup itself.
fn attached(dir: &Dir) -> io::Result<Vec<OwnedFd>> {
    const ATTEMPTS: u32 = 10;
    let mut ids = vec![0; 64];
    let mut attempt = 0;
    let count = loop {
        match sys::query(dir, &mut ids) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && attempt < ATTEMPTS => {
                attempt += 1;
                ids.resize(ids.len() * 2, 0);
            }
            count => break count?,
        }
    };
    let mut programs = Vec::new();
    for id in ids.into_iter().take(count) {
        match sys::program_by_id(id) {
            Ok(program) => programs.push(program),
            // A security module hides it, or it is gone already.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EPERM | libc::EACCES | libc::ENOENT)
                ) =>
            {
                log::debug!("device program {id}: {error}");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errnos_of_the_verifier() {
        let is = |errno| is_of_the_verifier(&io::Error::from_raw_os_error(errno));
        assert!(is(libc::EACCES) && is(libc::EINVAL) && is(libc::E2BIG));
        assert!(!is(libc::EPERM) && !is(libc::ENOSYS));
    }

    #[test]
    fn the_limit_of_locked_memory_is_given_back() {
        let now = || {
            let limit = getrlimit(Resource::Memlock);
            (limit.current, limit.maximum)
        };
        let before = now();
        match UnlimitedMemlock::new() {
            Ok(guard) => {
                assert_eq!(now(), (None, None));
                drop(guard);
            }
            // Raising it takes CAP_SYS_RESOURCE.
            Err(errno) => assert_eq!(errno, Errno::PERM),
        }
        assert_eq!(now(), before);
    }

    #[test]
    fn only_a_map_tells_of_a_user_namespace() {
        assert!(!maps_ids("         0          0 4294967295\n"));
        assert!(maps_ids("") && maps_ids("0 1000 1\n") && maps_ids("0 0 1\n0 0 4294967295\n"));
        assert!(!maps_ids("what is this\n") && !maps_ids("0 0\n"));
    }
}
