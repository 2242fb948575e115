#![allow(
    unsafe_code,
    reason = "starting the stub, and the system calls that neither std nor rustix has"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "registers have 64 bits: a descriptor, a flag or a length is widened on the way in and narrowed on the way out"
)]
//! The unsafe part of the crate.

// The stub's own way into the kernel: what runs between clone and execution must not touch the C
// library.
#[cfg(target_arch = "aarch64")]
#[path = "../stub/sys/aarch64.rs"]
#[allow(
    dead_code,
    clippy::duplicate_mod,
    reason = "the stub uses the rest; tests compile it once more"
)]
mod arch;
#[cfg(target_arch = "x86_64")]
#[path = "../stub/sys/x86_64.rs"]
#[allow(
    dead_code,
    clippy::duplicate_mod,
    reason = "the stub uses the rest; tests compile it once more"
)]
mod arch;

mod program;
pub(crate) mod signal;

use std::ffi::{CStr, c_char};
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit, size_of, size_of_val};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use arch::number;
pub(crate) use program::{NotStarted, Start as ProgramStart, start as start_program};

/// `ioctl(NS_GET_NSTYPE)`, `ioctl_nsfs(2)`.
pub(crate) fn namespace_type(namespace: BorrowedFd<'_>) -> io::Result<u32> {
    const NS_GET_NSTYPE: libc::Ioctl = 0xb703;
    // SAFETY: the descriptor is open; this request takes no argument and writes no memory.
    let kind = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_NSTYPE) };
    u32::try_from(kind).map_err(|_| io::Error::last_os_error())
}

/// The number of the terminal that a descriptor is the master of (`TIOCGPTN`, `ioctl_tty(2)`).
pub(crate) fn terminal_number(master: BorrowedFd<'_>) -> io::Result<u32> {
    let mut number: libc::c_uint = 0;
    // SAFETY: the descriptor is open; the request writes one unsigned int.
    let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN, &raw mut number) };
    if result == 0 {
        Ok(number)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Seconds and nanoseconds since boot (`CLOCK_BOOTTIME`, `clock_gettime(2)`). By the C library,
/// whose clock is at hand: the one of `rustix` first asks the kernel where the vDSO is, and reads
/// its tables.
pub(crate) fn since_boot() -> (u64, u64) {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the call fills a structure for which zeroes are a valid value, too.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_BOOTTIME, time.as_mut_ptr());
        time.assume_init()
    };
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    (number(time.tv_sec), number(time.tv_nsec))
}

/// A child that is killed and reaped when this value is dropped, unless it was released.
#[derive(Debug)]
pub(crate) struct OwnedProcess {
    pidfd: ManuallyDrop<OwnedFd>,
    reaped: bool,
}

impl OwnedProcess {
    pub(crate) fn new(pidfd: OwnedFd) -> Self {
        Self {
            pidfd: ManuallyDrop::new(pidfd),
            reaped: false,
        }
    }

    /// The process has been reaped: there is nothing left to kill.
    pub(crate) fn set_reaped(&mut self) {
        self.reaped = true;
    }

    /// Kills and reaps. A process that the kernel does not let go within five seconds, such as one
    /// that a cgroup v1 freezer holds, is reaped later: a zombie would keep the pid namespace
    /// it is in from ending.
    pub(crate) fn kill(&mut self) {
        if !self.reaped {
            self.reaped = true;
            let _ = crate::pidfd::send_signal(self.as_fd(), libc::SIGKILL);
            if crate::pidfd::wait_timeout(self.as_fd(), Some(Duration::from_secs(5)))
                .unwrap_or(false)
            {
                let _ = crate::pidfd::try_wait(self.as_fd());
            } else {
                crate::pidfd::reap_later(self.as_fd());
            }
        }
    }

    /// Lets the process go; its pidfd is the caller's.
    pub(crate) fn release(self) -> OwnedFd {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped and not used again, so the descriptor is taken once.
        unsafe { ManuallyDrop::take(&mut this.pidfd) }
    }
}

impl AsFd for OwnedProcess {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for OwnedProcess {
    fn drop(&mut self) {
        self.kill();
        // SAFETY: dropped here and nowhere else: `release` prevents this function.
        unsafe { ManuallyDrop::drop(&mut self.pidfd) }
    }
}

/// What the child needs between clone and execution. It shares the memory of its parent, and this
/// is on the parent's stack while the kernel suspends the parent.
#[repr(C)]
struct Start {
    /// The descriptors, in the order of the numbers they shall have; the executable is the last.
    sources: *mut i32,
    count: usize,
    argv: *const *const c_char,
    envp: *const *const c_char,
    /// The `cgroup.procs` of the cgroup to enter, if the clone has not done that; or -1.
    procs: i32,
    /// 0, or why the stub is not running.
    errno: i32,
    /// Which call failed.
    call: usize,
}

/// The stack of the child until it executes the stub.
#[repr(C, align(16))]
struct Stack([MaybeUninit<u8>; 16 << 10]);

const CLONE_VM: u64 = 0x100;
const CLONE_PIDFD: u64 = 0x1000;
const CLONE_VFORK: u64 = 0x4000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// The child: descriptors to their numbers, everything else closed, then the stub. Only system
/// calls.
///
/// # Safety
/// `start` is the address of a valid [`Start`] that has no other user meanwhile.
unsafe extern "C" fn child(start: usize) -> ! {
    let start = start as *mut Start;
    // SAFETY: system calls with valid arguments: descriptors, flags, and the strings that the
    // parent prepared. The pointers stay within the array of `count` numbers. Nothing is
    // allocated, locked, or left behind in the memory that is the parent's too.
    unsafe {
        let (sources, count) = ((*start).sources, (*start).count);
        let call = |number: usize, args: [usize; 6]| -> usize {
            let result = arch::syscall(number, args);
            if (-4095..0).contains(&result) {
                (&raw mut (*start).errno).write_volatile(result.wrapping_neg() as i32);
                (&raw mut (*start).call).write_volatile(number);
                loop {
                    arch::syscall(number::EXIT_GROUP, [127, 0, 0, 0, 0, 0]);
                }
            }
            result as usize
        };
        if (*start).procs >= 0 {
            // "0" is the writer. Nothing of the stub has run yet.
            let (procs, own) = ((*start).procs as usize, c"0".as_ptr() as usize);
            call(number::WRITE, [procs, own, 1, 0, 0, 0]);
        }
        // Out of the way first: a source that lies where another goes before it. F_DUPFD_CLOEXEC.
        let mut index = 0;
        while index < count {
            let source = *sources.wrapping_add(index) as usize;
            if source < index {
                let lifted = call(number::FCNTL, [source, 1030, count, 0, 0, 0]);
                *sources.wrapping_add(index) = lifted as i32;
            }
            index = index.wrapping_add(1);
        }
        index = 0;
        while index < count {
            let source = *sources.wrapping_add(index) as usize;
            // The executable is closed when it is executed; the others stay.
            let last = index.wrapping_add(1) == count;
            if source == index {
                call(number::FCNTL, [source, 2, usize::from(last), 0, 0, 0]);
            } else {
                call(
                    number::DUP3,
                    [source, index, if last { 0o2_000_000 } else { 0 }, 0, 0, 0],
                );
            }
            index = index.wrapping_add(1);
        }
        // The host's descriptors are closed by the stub, before its first step.
        // AT_EMPTY_PATH.
        let (argv, envp) = ((*start).argv as usize, (*start).envp as usize);
        call(
            number::EXECVEAT,
            [
                count.wrapping_sub(1),
                c"".as_ptr() as usize,
                argv,
                envp,
                0x1000,
                0,
            ],
        );
        loop {
            arch::syscall(number::EXIT_GROUP, [127, 0, 0, 0, 0, 0]);
        }
    }
}

/// Blocks every signal, also those that the C library keeps for itself, until dropped: a handler
/// that ran in the child would run in the parent's memory.
struct SignalsBlocked(u64);

impl SignalsBlocked {
    /// # Errors
    /// Only a filter of the host program makes this fail.
    fn new() -> io::Result<Self> {
        let all = u64::MAX;
        let mut before = 0_u64;
        let masks = (&raw const all as usize, &raw mut before as usize);
        // SAFETY: two masks of 8 bytes; SIG_SETMASK is 2.
        let result =
            unsafe { arch::syscall(number::RT_SIGPROCMASK, [2, masks.0, masks.1, 8, 0, 0]) };
        if result == 0 {
            Ok(Self(before))
        } else {
            Err(io::Error::from_raw_os_error(result.wrapping_neg() as i32))
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe {
            arch::syscall(
                number::RT_SIGPROCMASK,
                [2, &raw const self.0 as usize, 0, 8, 0, 0],
            );
        }
    }
}

/// Why the stub did not start.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The clone failed.
    Clone(io::Error),
    /// The child could not arrange its descriptors or execute the stub.
    Child(&'static str, io::Error),
    /// Nothing runs in the cgroup, so no child was made.
    Frozen,
}

/// The file of a cgroup v2 directory that takes processes.
fn open_procs(cgroup: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags, openat};
    openat(
        cgroup,
        "cgroup.procs",
        OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
    )
}

/// Whether the kernel says that a cgroup v2 directory is frozen, by itself or from above. The root
/// cgroup cannot be, and has no such file; what is not a directory is refused by the clone.
fn is_frozen(cgroup: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    use rustix::fs::{Mode, OFlags, openat};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let events = match openat(cgroup, "cgroup.events", flags, Mode::empty()) {
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(false),
        events => events?,
    };
    let mut text = [0; 256];
    let count = rustix::io::read(&events, &mut text)?;
    let text = text.get(..count).unwrap_or(&[]);
    Ok(text
        .split(|byte| *byte == b'\n')
        .any(|line| line == b"frozen 1"))
}

/// Starts `image` with these descriptors as 0, 1, 2, … and this argument. Returns its process id
/// and pidfd. A filter that refuses `clone3(2)` is met with `clone(2)`.
pub(crate) fn start_stub(
    image: BorrowedFd<'_>,
    descriptors: &[BorrowedFd<'_>],
    argument: &CStr,
    namespaces: u32,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<(u32, OwnedFd), StartError> {
    let mut sources: Vec<i32> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    sources.push(image.as_raw_fd());
    let argv = [
        c"cofferdam-init".as_ptr(),
        argument.as_ptr(),
        std::ptr::null(),
    ];
    let envp = [std::ptr::null::<c_char>()];
    let mut start = Start {
        sources: sources.as_mut_ptr(),
        count: sources.len(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        procs: -1,
        errno: 0,
        call: 0,
    };
    if let Some(cgroup) = cgroup {
        require_thawed(cgroup)?;
    }
    let (pid, pidfd) = clone_child(&mut start, namespaces, cgroup)?;
    // SAFETY: the child, which wrote these, has executed the stub or ended.
    let (errno, call) = unsafe {
        (
            (&raw const start.errno).read_volatile(),
            (&raw const start.call).read_volatile(),
        )
    };
    if errno != 0 {
        let _ = crate::pidfd::wait(&pidfd);
        let what = match call {
            number::EXECVEAT => "execute the init stub",
            number::WRITE => "enter the cgroup of the init process",
            _ => "arrange the descriptors of the init stub",
        };
        return Err(StartError::Child(what, io::Error::from_raw_os_error(errno)));
    }
    Ok((pid, pidfd))
}

/// A child in a frozen cgroup would suspend this thread until a thaw, with all signals blocked. The
/// kernel has no way to limit that wait, and another way to wait is not possible: only a child of
/// `CLONE_VFORK` is exempt from the OOM killer (`in_vfork` in `mm/oom_kill.c`), which would kill
/// this process too, as it shares the memory of the victim.
fn require_thawed(cgroup: BorrowedFd<'_>) -> Result<(), StartError> {
    match is_frozen(cgroup) {
        Ok(false) => Ok(()),
        Ok(true) => Err(StartError::Frozen),
        Err(errno) => Err(StartError::Child("look at the init's cgroup", errno.into())),
    }
}

/// Clones a child that executes the stub, or ends with an errno in `start`. Returns when it has
/// done either.
fn clone_child(
    start: &mut Start,
    namespaces: u32,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<(u32, OwnedFd), StartError> {
    let start_at = &raw mut *start;
    let mut stack = Stack([MaybeUninit::uninit(); 16 << 10]);
    let mut pidfd: i32 = -1;
    let into = cgroup.map_or(0, |_| CLONE_INTO_CGROUP);
    let flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | u64::from(namespaces);
    // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
    // set_tid_size, cgroup.
    let args: [u64; 11] = [
        flags | into,
        &raw mut pidfd as u64,
        0,
        0,
        libc::SIGCHLD as u64,
        &raw mut stack as u64,
        size_of::<Stack>() as u64,
        0,
        0,
        0,
        cgroup.map_or(0, |fd| fd.as_raw_fd() as u64),
    ];
    let mut result;
    {
        let _blocked = SignalsBlocked::new().map_err(StartError::Clone)?;
        // SAFETY: clone_args of that size, with a stack of 16 KiB that is used for nothing else.
        // CLONE_VFORK suspends this thread until the child has executed the stub or ended,
        // so everything the child reads and writes outlives it.
        result = unsafe {
            arch::clone3(
                &raw const args as usize,
                size_of_val(&args),
                child,
                start_at as usize,
            )
        };
        if result == -(libc::ENOSYS as isize) || result == -(libc::EPERM as isize) {
            // The older call has no flag for the cgroup: the child enters it by itself.
            let procs = cgroup.map(open_procs).transpose();
            let procs = procs.map_err(|errno| StartError::Clone(errno.into()))?;
            if let Some(procs) = &procs {
                // SAFETY: the struct is ours alone: no child was made.
                unsafe { (&raw mut (*start_at).procs).write(procs.as_raw_fd()) };
            }
            let top = (&raw mut stack as usize).wrapping_add(size_of::<Stack>());
            let flags = flags | libc::SIGCHLD as u64;
            // SAFETY: as above, with the older call.
            result = unsafe {
                arch::clone(
                    flags as usize,
                    top,
                    &raw mut pidfd as usize,
                    child,
                    start_at as usize,
                )
            };
        }
    }
    if result < 0 {
        return Err(StartError::Clone(io::Error::from_raw_os_error(
            result.wrapping_neg() as i32,
        )));
    }
    // SAFETY: the kernel has stored a new descriptor there, which is ours alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok((result as u32, pidfd))
}
