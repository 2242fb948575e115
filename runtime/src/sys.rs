//! The system calls that need `unsafe` or that the safe wrapper crates lack.
#![allow(
    unsafe_code,
    reason = "the one file of this crate that talks to the kernel without a safe wrapper"
)]

#[cfg(test)]
pub(crate) mod allocations;

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Opens standard streams that are closed as `/dev/null`, ignores `SIGPIPE` and `SIGXFSZ`, says why
/// when `SIGXCPU` ends the program, and lets ended children be waited for.
#[cfg(feature = "cli")]
pub(crate) fn prepare_process() -> io::Result<()> {
    let mut streams = [0, 1, 2].map(|fd| libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    });
    // SAFETY: three initialised entries, which stay as long as the call.
    while unsafe { libc::poll(streams.as_mut_ptr(), 3, 0) } < 0 {
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            // poll(2): more entries than RLIMIT_NOFILE.
            io::ErrorKind::InvalidInput => {
                return Err(io::Error::other(
                    "the limit of open files (RLIMIT_NOFILE) is less than 3",
                ));
            }
            _ => return Err(error),
        }
    }
    for stream in streams {
        if stream.revents & libc::POLLNVAL == 0 {
            continue;
        }
        // SAFETY: a string that ends with NUL.
        let opened = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        // The lowest number that is free is that of the stream.
        if opened != stream.fd {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
    }
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        // SAFETY: SIG_IGN runs no code of this process.
        if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    explain_cpu_limit()?;
    default_sigchld().map(drop)
}

/// Lets the program say that its limit of CPU time is reached before that ends it, unless its
/// caller lets it go on.
#[cfg(feature = "cli")]
fn explain_cpu_limit() -> io::Result<()> {
    extern "C" fn explain(signal: libc::c_int) {
        const TEXT: &[u8] = b"the limit of CPU time (RLIMIT_CPU) of this command is reached\n";
        // SAFETY: both may be called in a handler (signal-safety(7)); the text lives for ever. The
        // signal is blocked until this returns, and has its default action then.
        unsafe {
            libc::write(2, TEXT.as_ptr().cast(), TEXT.len());
            libc::raise(signal);
        }
    }
    let handler: extern "C" fn(libc::c_int) = explain;
    // SAFETY: all-zero is a valid sigaction.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESETHAND | libc::SA_RESTART;
    // SAFETY: all-zero is a valid sigaction.
    let mut before: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: a handler that makes only calls which are allowed in one; the pointers refer to live
    // structures.
    let result = unsafe { libc::sigaction(libc::SIGXCPU, &raw const action, &raw mut before) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    if before.sa_sigaction == libc::SIG_IGN {
        let ignored = Disposition {
            signal: libc::SIGXCPU,
            action: before,
        };
        ignored.set()?;
    }
    Ok(())
}

/// A set of signals.
#[derive(Clone)]
pub(crate) struct SignalSet(libc::sigset_t);

impl std::fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignalSet")
    }
}

impl SignalSet {
    /// Every signal but those a program gets for its own mistakes: blocking these would end it when
    /// they occur.
    pub(crate) fn forwardable() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigfillset initialises the whole set; sigdelset works on an initialised one and
        // valid signal numbers.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            for signal in [
                libc::SIGSEGV,
                libc::SIGBUS,
                libc::SIGILL,
                libc::SIGFPE,
                libc::SIGABRT,
                libc::SIGTRAP,
                libc::SIGSYS,
            ] {
                libc::sigdelset(set.as_mut_ptr(), signal);
            }
            Self(set.assume_init())
        }
    }

    /// These signals.
    #[cfg(all(feature = "cli", feature = "top"))]
    pub(crate) fn of(signals: impl IntoIterator<Item = i32>) -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the whole set; sigaddset works on an initialised one, and
        // leaves it as it is for a number that is no signal.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in signals {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            Self(set.assume_init())
        }
    }

    /// Blocks these signals in the calling thread and returns what was blocked before.
    pub(crate) fn block(&self) -> io::Result<Self> {
        self.change_mask(libc::SIG_BLOCK)
    }

    /// Makes this the mask of the calling thread.
    pub(crate) fn set_mask(&self) -> io::Result<()> {
        self.change_mask(libc::SIG_SETMASK).map(drop)
    }

    fn change_mask(&self, how: i32) -> io::Result<Self> {
        let mut before = MaybeUninit::uninit();
        // SAFETY: both pointers refer to live sets; pthread_sigmask fills the second one when it
        // returns 0.
        match unsafe { libc::pthread_sigmask(how, &raw const self.0, before.as_mut_ptr()) } {
            // SAFETY: filled, see above.
            0 => Ok(Self(unsafe { before.assume_init() })),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// A descriptor that delivers these signals (`signalfd(2)`); they must be blocked.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        // SAFETY: the pointer refers to a live set; -1 asks for a new descriptor.
        let fd = unsafe {
            libc::signalfd(
                -1,
                &raw const self.0,
                libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nothing else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// A signal read from a signalfd.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivered {
    /// Its number.
    pub(crate) signal: i32,
    /// The process that sent it, 0 for the kernel.
    pub(crate) sender: i32,
}

/// Takes so many signals off a non-blocking signalfd at most, with one call. It stays readable if
/// there are more.
pub(crate) fn read_signals<const MOST: usize>(
    descriptor: BorrowedFd<'_>,
) -> io::Result<Vec<Delivered>> {
    let mut infos = [const { MaybeUninit::<libc::signalfd_siginfo>::zeroed() }; MOST];
    let (one, size) = (size_of::<libc::signalfd_siginfo>(), size_of_val(&infos));
    // SAFETY: the buffer is as large as said and any bytes are a valid value of the structure.
    let read = unsafe { libc::read(descriptor.as_raw_fd(), infos.as_mut_ptr().cast(), size) };
    match usize::try_from(read) {
        Err(_) => match io::Error::last_os_error() {
            error
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(Vec::new())
            }
            error => Err(error),
        },
        Ok(length) if length > 0 && length % one == 0 => {
            let read = infos.iter().take(length / one).map(|info| {
                // SAFETY: zeroed and then filled by the kernel.
                let info = unsafe { info.assume_init_ref() };
                let number = |value: u32| i32::try_from(value).unwrap_or(0);
                Delivered {
                    signal: number(info.ssi_signo),
                    sender: number(info.ssi_pid),
                }
            });
            Ok(read.collect())
        }
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Watches a descriptor with the runtime of tokio that this thread is in: whether it is readable.
#[cfg(feature = "tokio")]
pub(crate) fn watch(descriptor: OwnedFd) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    let interest = tokio::io::Interest::READABLE;
    // SAFETY: an OwnedFd always gives the same descriptor, which is open as long as it lives, and
    // nothing but the AsyncFd has this one.
    let watched = unsafe { tokio::io::unix::AsyncFd::register_with_interest(descriptor, interest) };
    watched.map_err(|error| error.into_parts().1)
}

/// What a process does when it gets a signal.
#[derive(Clone)]
pub(crate) struct Disposition {
    signal: i32,
    action: libc::sigaction,
}

impl std::fmt::Debug for Disposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disposition")
            .field("signal", &self.signal)
            .finish_non_exhaustive()
    }
}

impl Disposition {
    /// Makes it the disposition of this process.
    pub(crate) fn set(&self) -> io::Result<()> {
        // SAFETY: the action is one that this process had before, or the default; the old one is
        // not asked for.
        let result =
            unsafe { libc::sigaction(self.signal, &raw const self.action, std::ptr::null_mut()) };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// Gives `SIGCHLD` its default disposition if it is ignored, so that ended children can be waited
/// for; returns what it was then.
pub(crate) fn default_sigchld() -> io::Result<Option<Disposition>> {
    let mut before = MaybeUninit::uninit();
    // SAFETY: reads the old action only; the pointer refers to room for it.
    if unsafe { libc::sigaction(libc::SIGCHLD, std::ptr::null(), before.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: sigaction returned 0, so it filled the structure.
    let before: libc::sigaction = unsafe { before.assume_init() };
    let ignored = before.sa_sigaction == libc::SIG_IGN || before.sa_flags & libc::SA_NOCLDWAIT != 0;
    if !ignored {
        return Ok(None);
    }
    let default = Disposition {
        signal: libc::SIGCHLD,
        // SAFETY: all-zero is a valid sigaction: the default disposition, no flags, an empty mask.
        action: unsafe { MaybeUninit::zeroed().assume_init() },
    };
    default.set()?;
    Ok(Some(Disposition {
        signal: libc::SIGCHLD,
        action: before,
    }))
}

/// The longest path with its NUL (`linux/limits.h`).
const PATH_MAX: usize = 4096;

/// The absolute path without symbolic links (realpath(3)), as [`Path::canonicalize`] gives it. That
/// has the C library allocate the answer, for which a static program has to set up a second heap.
pub(crate) fn real_path(path: &Path) -> io::Result<PathBuf> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut buffer = [MaybeUninit::<u8>::uninit(); PATH_MAX];
    // SAFETY: a string that ends with NUL, and PATH_MAX bytes, which are what the call needs.
    let found = unsafe { libc::realpath(path.as_ptr(), buffer.as_mut_ptr().cast()) };
    if found.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has written a string that ends with NUL into the buffer.
    let found = unsafe { CStr::from_ptr(found) };
    Ok(PathBuf::from(OsStr::from_bytes(found.to_bytes())))
}

/// A standard stream of this process (0, 1 or 2), which is not closed when this is dropped.
pub(crate) fn standard_stream(number: RawFd) -> ManuallyDrop<File> {
    // SAFETY: never closed by this, and used as the standard library itself uses it: whatever is
    // open there by now, or EBADF.
    ManuallyDrop::new(unsafe { File::from_raw_fd(number) })
}

/// Duplicates a descriptor given by number, close-on-exec. `None` if it is not open.
pub(crate) fn duplicate(number: RawFd) -> io::Result<Option<OwnedFd>> {
    // SAFETY: F_DUPFD_CLOEXEC takes any number and fails with EBADF for one that is not open.
    let fd = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if fd < 0 {
        let error = io::Error::last_os_error();
        return if error.raw_os_error() == Some(libc::EBADF) {
            Ok(None)
        } else {
            Err(error)
        };
    }
    // SAFETY: a new descriptor that nothing else owns.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Duplicates a descriptor that the program was started with, as [`duplicate`] does, and closes the
/// original: the duplicate is the only one of this process.
#[cfg(feature = "cli")]
pub(crate) fn take_inherited(number: RawFd) -> io::Result<Option<OwnedFd>> {
    let Some(copy) = duplicate(number)? else {
        return Ok(None);
    };
    if number > libc::STDERR_FILENO {
        // SAFETY: it is open, and nothing in this process owns it: it was there before the program.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }
    Ok(Some(copy))
}

/// The pid of some ended child, whose status stays to be taken (`waitid(2)` with `WNOWAIT`); `None`
/// without one.
pub(crate) fn ended_child() -> io::Result<Option<i32>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the pointer refers to room for one siginfo_t.
    if unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options) } != 0 {
        return match io::Error::last_os_error() {
            error if matches!(error.raw_os_error(), Some(libc::ECHILD | libc::EINTR)) => Ok(None),
            error => Err(error),
        };
    }
    // SAFETY: zeroed and then, if a child has ended, filled by the kernel; all-zero is a valid
    // siginfo_t.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid fills the fields of a SIGCHLD, of which si_pid is one; it stays 0 if no child
    // has ended.
    let pid = unsafe { info.si_pid() };
    Ok((pid > 0).then_some(pid))
}

/// Makes all descriptors of this process but the standard streams close-on-exec: `close_range(2)`
/// with `CLOSE_RANGE_CLOEXEC` (Linux 5.11), before that one by one. Only system calls are made.
pub(crate) fn keep_descriptors() {
    // SAFETY: numbers only; descriptors that are not open are skipped.
    let marked = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if marked == 0 {
        return;
    }
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer refers to room for one struct rlimit.
    let _ = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    // What is open beyond was opened under another limit, by a host that has more than any
    // container manager.
    for number in 3..RawFd::try_from(limit.rlim_cur).map_or(65_536, |end| end.min(65_536)) {
        // SAFETY: F_SETFD takes any number and fails with EBADF for one that is not open.
        let _ = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Gives the calling thread a mount namespace of its own, and with it a working directory, a root
/// directory and a umask of its own.
pub(crate) fn unshare_mounts() -> io::Result<()> {
    // SAFETY: the table of descriptors stays shared, which is what other threads could be hurt by.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) }
        .map_err(io::Error::from)
}

/// `struct mount_attr` of `mount_setattr(2)`.
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Gives a detached mount the id mapping of a user namespace.
pub(crate) fn map_ids(
    tree: BorrowedFd<'_>,
    user_namespace: BorrowedFd<'_>,
    recursive: bool,
) -> io::Result<()> {
    const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
    let namespace = u64::try_from(user_namespace.as_raw_fd()).map_err(io::Error::other)?;
    let attributes = MountAttr {
        attr_set: MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: namespace,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a C string, the structure is as large as said, both live through the
    // call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<MountAttr>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether the kernel, or a filter around this program, answers `ENOSYS` to a system call.
pub(crate) fn is_missing(call: libc::c_long) -> bool {
    call_in_vain(call).is_err_and(|error| error.raw_os_error() == Some(libc::ENOSYS))
}

/// Makes a system call with a descriptor, flags and sizes that none of those takes that this is
/// used for (`NEEDED` of `missing_calls`, `PROTECTING` of `pretending_filter`), so that it does
/// nothing.
pub(crate) fn call_in_vain(call: libc::c_long) -> io::Result<()> {
    // SAFETY: the pointers are null or invalid, with a size of 0: nothing is read or written.
    let result = unsafe { libc::syscall(call, -1_isize, 0_usize, -1_isize, 0_usize, 0_usize) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Sends a signal to the calling thread alone: a test's process has other threads, which do not
/// block it.
#[cfg(test)]
pub(crate) fn signal_this_thread(signal: i32) {
    // SAFETY: the calling thread exists.
    let result = unsafe { libc::pthread_kill(libc::pthread_self(), signal) };
    assert_eq!(result, 0);
}
