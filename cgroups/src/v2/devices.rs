//! The device rules of a cgroup v2: an eBPF program attached to its directory.
//!
//! Programs of the ancestors stay in force. There is never a moment without a program: the new one
//! is attached before, or in the same step as, the old one is taken away.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use devices::bpf::Insn;
use devices::{Access, Emulator, Rule};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::dir::Dir;
use crate::{Error, ErrorKind, Hierarchy, Result, sys};

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
pub(crate) fn apply(
    hierarchy: &Hierarchy,
    dir: &Dir,
    rules: &[Rule],
    attachment: Attachment,
) -> Result<Option<String>> {
    let invalid = |error: devices::Error| Error::because(ErrorKind::Devices, "device rules", error);
    let state = Emulator::from_rules(rules).map_err(invalid)?;
    let program = devices::bpf::assemble(&state).map_err(invalid)?;
    match load(&program).and_then(|program| attach(dir, &program, attachment)) {
        Ok(()) => Ok(None),
        Err(error) if denies_nothing(rules) || hierarchy.in_user_namespace() => {
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

pub(crate) fn load(program: &[Insn]) -> Result<OwnedFd> {
    load_by(&mut |log| sys::load(program, log))
}

/// [`load`], by a function that loads the program once. With room in its argument the verifier
/// writes there what it objects to.
fn load_by(once: &mut dyn FnMut(&mut [u8]) -> io::Result<OwnedFd>) -> Result<OwnedFd> {
    let failed = |what: &str, error| Error::because(ErrorKind::Devices, what, error);
    let mut attempts = 0;
    let mut unlimited = None;
    let error = loop {
        match once(&mut []) {
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
    Err(failed(
        &format!("load device program: {}", verifier_log(once)),
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
fn verifier_log(once: &mut dyn FnMut(&mut [u8]) -> io::Result<OwnedFd>) -> String {
    const MAX: usize = (1 << 24) - 1;
    let mut size = 64 << 10;
    loop {
        let mut log = vec![0_u8; size];
        match once(&mut log) {
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

/// How many ids of programs are asked for at first.
const ROOM: usize = 64;

fn attach(dir: &Dir, program: &OwnedFd, attachment: Attachment) -> Result<()> {
    let old = match attachment {
        Attachment::First => Vec::new(),
        Attachment::Replace => {
            attached(dir, ROOM).map_err(|error| failed(dir, "query device programs of", error))?
        }
    };
    attach_instead(dir, program, &old, |old| {
        sys::attach(dir, program, Some(old))
    })
}

/// Attaches the program and detaches `old`. `replace` does both for one old program.
fn attach_instead(
    dir: &Dir,
    program: &OwnedFd,
    old: &[OwnedFd],
    replace: impl FnOnce(&OwnedFd) -> io::Result<()>,
) -> Result<()> {
    if let [only] = old {
        match replace(only) {
            // Linux has BPF_F_REPLACE since 5.6.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            done => return done.map_err(|error| failed(dir, "replace device program of", error)),
        }
    } else if old.len() > 1 {
        log::debug!(
            "{}: {} device programs to replace",
            dir.path().display(),
            old.len()
        );
    }
    sys::attach(dir, program, None)
        .map_err(|error| failed(dir, "attach device program to", error))?;
    for old in old {
        sys::detach(dir, old)
            .map_err(|error| failed(dir, "detach old device program of", error))?;
    }
    Ok(())
}

fn failed(dir: &Dir, what: &str, error: io::Error) -> Error {
    Error::because(
        ErrorKind::Devices,
        format_args!("{what} {}", dir.path().display()),
        error,
    )
}

/// The programs attached to the cgroup itself. The kernel is asked for `room` ids first, and for
/// more if there are more.
fn attached(dir: &Dir, room: usize) -> io::Result<Vec<OwnedFd>> {
    const ATTEMPTS: u32 = 10;
    let mut ids = vec![0; room];
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
    use std::fs::{self, File};
    use std::path::{Path, PathBuf};

    use devices::Kind;

    use super::*;
    use crate::Resources;
    use crate::fake::Fake;

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
    fn a_load_that_a_signal_interrupts_is_tried_thirty_times() {
        for refusals in [29, 30] {
            let mut attempts = 0;
            let loaded = load_by(&mut |_| {
                attempts += 1;
                if attempts <= refusals {
                    Err(io::Error::from_raw_os_error(libc::EAGAIN))
                } else {
                    Ok(File::open("/dev/null").unwrap().into())
                }
            });
            assert_eq!(attempts, 30);
            match loaded {
                Ok(_) => assert_eq!(refusals, 29),
                Err(error) => assert_eq!((refusals, errno_of(&error)), (30, libc::EAGAIN)),
            }
        }
    }

    #[test]
    fn a_refused_program_is_reported_with_the_log_of_the_verifier() {
        // The kernel says ENOSPC where the log does not fit, and nothing without room for one.
        let mut rooms = Vec::new();
        let refused = load_by(&mut |log| {
            rooms.push(log.len());
            let Some(log) = log.get_mut(..100_000) else {
                let errno = if log.is_empty() {
                    libc::EACCES
                } else {
                    libc::ENOSPC
                };
                return Err(io::Error::from_raw_os_error(errno));
            };
            log[..12].copy_from_slice(b"0: (95) exit");
            log[12..24].copy_from_slice(b"\nR0 !read_ok");
            Err(io::Error::from_raw_os_error(libc::EACCES))
        });
        let error = refused.unwrap_err();
        let text = "load device program: 0: (95) exit R0 !read_ok";
        assert!(error.to_string().starts_with(text), "{error}");
        assert_eq!(errno_of(&error), libc::EACCES);
        assert_eq!(rooms, [0, 64 << 10, 512 << 10]);
        // Without permission the verifier has not seen it.
        let mut attempts = 0;
        let error = load_by(&mut |log| {
            attempts += u32::from(!log.is_empty());
            Err(io::Error::from_raw_os_error(libc::ENOSYS))
        });
        assert!(error.is_err() && attempts == 0);
    }

    fn errno_of(error: &Error) -> i32 {
        let source = std::error::Error::source(error).unwrap();
        let source = source.downcast_ref::<io::Error>().unwrap();
        source.raw_os_error().unwrap()
    }

    #[test]
    fn failures_are_forgiven_where_nothing_is_denied_and_in_a_user_namespace() {
        let own = Rule::allow(Kind::Char, Some(1), Some(3), Access::ALL);
        let read = Rule::allow(Kind::Char, Some(1), Some(3), Access::READ);
        // No program can be attached to a plain directory.
        for (map, rules, forgiven) in [
            ("0 0 4294967295\n", vec![Rule::everything(true), own], true),
            (
                "0 0 4294967295\n",
                vec![Rule::everything(true), read],
                false,
            ),
            ("0 0 4294967295\n", vec![Rule::everything(false)], false),
            ("0 1000 65536\n", vec![Rule::everything(false)], true),
        ] {
            let fake = Fake::v2("", "/");
            fake.file("c/cgroup.controllers", "");
            fake.process_file("uid_map", map);
            let resources = Resources {
                devices: rules,
                ..Resources::default()
            };
            match fake.cgroup("c").set(&resources) {
                Ok(applied) => {
                    assert!(forgiven, "{map}");
                    let settings = applied.warnings.iter().map(|one| one.setting.as_str());
                    assert_eq!(settings.collect::<Vec<_>>(), ["devices"]);
                }
                Err(error) => {
                    assert!(!forgiven, "{map}: {error}");
                    assert_eq!(error.kind(), ErrorKind::Devices);
                }
            }
        }
    }

    /// A cgroup of the kernel's, removed at the end.
    struct Scratch {
        dir: Dir,
        path: PathBuf,
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir(&self.path).unwrap();
        }
    }

    #[allow(clippy::print_stdout, reason = "a test that does nothing says so")]
    fn scratch(name: &str) -> Option<Scratch> {
        let place = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
        let top = place
            .into_iter()
            .find(|top| top.join("cgroup.procs").exists());
        let (Some(top), true) = (top, rustix::process::geteuid().is_root()) else {
            println!("skipped: needs root and cgroup v2");
            return None;
        };
        let path = top.join(format!("cofferdam-test-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let dir = Dir::new(File::open(&path).unwrap().into(), &path);
        Some(Scratch { dir, path })
    }

    fn program() -> OwnedFd {
        let state = Emulator::from_rules(&[Rule::everything(false)]).unwrap();
        load(&devices::bpf::assemble(&state).unwrap()).unwrap()
    }

    fn ids(dir: &Dir) -> Vec<u32> {
        let mut ids = vec![0; ROOM];
        let count = sys::query(dir, &mut ids).unwrap();
        ids.truncate(count);
        ids
    }

    #[test]
    fn several_old_programs_are_all_replaced() {
        let Some(Scratch { ref dir, .. }) = scratch("several") else {
            return;
        };
        for _ in 0..3 {
            attach(dir, &program(), Attachment::First).unwrap();
        }
        let old = ids(dir);
        assert_eq!(old.len(), 3);
        // The list is read whole, whatever it is asked for with.
        for room in [1, 2, 3, ROOM] {
            assert_eq!(attached(dir, room).unwrap().len(), 3, "{room}");
        }
        attach(dir, &program(), Attachment::Replace).unwrap();
        let new = ids(dir);
        assert!(new.len() == 1 && !old.contains(&new[0]), "{old:?} {new:?}");
        attach(dir, &program(), Attachment::Replace).unwrap();
        assert!(ids(dir).len() == 1 && ids(dir) != new);
    }

    #[test]
    fn a_program_is_replaced_by_a_kernel_that_cannot_do_it_at_once() {
        let Some(Scratch { ref dir, .. }) = scratch("replace") else {
            return;
        };
        attach(dir, &program(), Attachment::First).unwrap();
        let (before, old) = (ids(dir), attached(dir, ROOM).unwrap());
        let refuse = |errno| move |_: &OwnedFd| Err(io::Error::from_raw_os_error(errno));
        // Any other failure leaves what is in force.
        attach_instead(dir, &program(), &old, refuse(libc::EPERM)).unwrap_err();
        assert_eq!(ids(dir), before);
        attach_instead(dir, &program(), &old, refuse(libc::EINVAL)).unwrap();
        assert!(ids(dir).len() == 1 && ids(dir) != before);
    }
}
