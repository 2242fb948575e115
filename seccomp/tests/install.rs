//! Compiled filters on the running kernel. A filter holds for the thread that loads it, so each test loads its own in
//! a thread of its own.
#![allow(
    unsafe_code,
    reason = "the tests make system calls and set no_new_privs by hand"
)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;

use cofferdam_seccomp::{Arg, Backend, FilterFlags, Profile, Program, Rule, compile, install};

fn rule(name: &str, action: &str) -> Rule {
    Rule {
        names: vec![name.to_owned()],
        action: action.to_owned(),
        ..Rule::default()
    }
}

fn profile(syscalls: Vec<Rule>) -> Profile {
    Profile {
        default_action: "SCMP_ACT_ALLOW".to_owned(),
        syscalls,
        ..Profile::default()
    }
}

fn backends() -> Vec<Backend> {
    let mut backends = vec![Backend::Native];
    if cfg!(feature = "libseccomp") {
        backends.push(Backend::Libseccomp);
    }
    backends
}

/// Loads the filter in a new thread and runs `test` there.
fn with_filter(program: Program, test: impl FnOnce(Option<OwnedFd>) + Send + 'static) {
    thread::spawn(move || {
        // SAFETY: no pointers.
        let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        assert_eq!(result, 0);
        test(install(&program).expect("load the filter"));
    })
    .join()
    .unwrap();
}

/// Makes a system call with small integers as arguments and gives its error number.
fn errno(number: libc::c_long, args: [libc::c_long; 2]) -> Option<i32> {
    // SAFETY: the callers use calls that take no pointers, or null ones.
    let result = unsafe { libc::syscall(number, args[0], args[1], 0, 0, 0, 0) };
    (result < 0).then(|| io::Error::last_os_error().raw_os_error().unwrap())
}

#[test]
fn a_denied_call_fails_with_its_error_number() {
    for backend in backends() {
        for flags in [None, Some(Vec::new())] {
            let mut denied = rule("getppid", "SCMP_ACT_ERRNO");
            denied.errno_ret = Some(77);
            let mut conditional = rule("getpriority", "SCMP_ACT_ERRNO");
            conditional.args = vec![Arg {
                index: 0,
                value: 1 << 40,
                value_two: 0,
                op: "SCMP_CMP_GE".to_owned(),
            }];
            let mut profile = profile(vec![denied, conditional]);
            profile.flags = flags;
            let program = compile(&profile, backend).unwrap().program;
            with_filter(program, |listener| {
                assert!(listener.is_none());
                assert_eq!(errno(libc::SYS_getppid, [0, 0]), Some(77));
                assert_eq!(
                    errno(libc::SYS_getpriority, [1 << 40, 0]),
                    Some(libc::EPERM)
                );
                assert_eq!(errno(libc::SYS_getpriority, [0, 0]), None);
                assert_eq!(errno(libc::SYS_getpid, [0, 0]), None);
            });
        }
    }
    // The filter held for its threads alone.
    assert_eq!(errno(libc::SYS_getppid, [0, 0]), None);
}

#[test]
fn a_call_newer_than_the_profile_is_enosys() {
    // The largest number of the generic table that the profile mentions is landlock_restrict_self's.
    let names = ["landlock_restrict_self"];
    for backend in backends() {
        // All others get the default action, so the profile must not deny by it what the thread needs to end.
        let mut profile = profile(
            names
                .iter()
                .map(|name| rule(name, "SCMP_ACT_ALLOW"))
                .collect(),
        );
        profile.default_action = "SCMP_ACT_ERRNO".to_owned();
        profile.default_errno_ret = Some(0);
        let allowed = [
            "exit",
            "exit_group",
            "futex",
            "munmap",
            "madvise",
            "rt_sigprocmask",
            "sigaltstack",
            "write",
            "writev",
            "mmap",
            "mprotect",
            "brk",
            "gettid",
            "getpid",
            "sched_yield",
            "close",
            "set_robust_list",
            "rseq",
        ];
        profile
            .syscalls
            .extend(allowed.iter().map(|name| rule(name, "SCMP_ACT_ALLOW")));
        let program = compile(&profile, backend).unwrap().program;
        with_filter(program, |_| {
            let process_mrelease = 448;
            assert_eq!(errno(process_mrelease, [-1, 0]), Some(libc::ENOSYS));
            // Error number 0 is success: the call does not happen.
            assert_eq!(errno(libc::SYS_close_range, [-1, -2]), None);
        });
    }
}

#[test]
fn notify_gives_a_listener_that_is_closed_on_exec() {
    let program = compile(
        &profile(vec![rule("mkdir", "SCMP_ACT_NOTIFY")]),
        Backend::Native,
    )
    .unwrap()
    .program;
    assert!(program.flags().contains(FilterFlags::NEW_LISTENER));
    with_filter(program, |listener| {
        let listener = listener.expect("listener");
        // SAFETY: F_GETFD takes no pointer.
        let flags = unsafe { libc::fcntl(listener.as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
        // Without a supervisor the call cannot be answered.
        drop(listener);
        assert_eq!(errno(libc::SYS_mkdir, [0, 0]), Some(libc::ENOSYS));
    });
}

#[test]
fn what_the_kernel_refuses_is_an_error() {
    // A jump to nowhere.
    let program =
        Program::from_bytes(vec![0x05, 0, 0, 0, 9, 0, 0, 0], FilterFlags::empty()).unwrap();
    let error = thread::spawn(move || {
        // SAFETY: no pointers.
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        install(&program).unwrap_err()
    })
    .join()
    .unwrap();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
}
