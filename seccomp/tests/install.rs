//! Compiled filters on the running kernel. A filter holds for the thread that loads it, so each
//! test loads its own in a thread of its own.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::File;
use std::os::fd::OwnedFd;
use std::thread;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, SeekFrom, mkdirat, openat2, seek};
use rustix::io::{Errno, FdFlags, fcntl_getfd};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

use cofferdam_seccomp::{
    Action, ActionName, Arg, Backend, ErrorKind, FilterFlags, Instruction, MAX_INSTRUCTIONS,
    Operator, Profile, Program, Rule, compile, install,
};

fn rule(name: &str, action: &str) -> Rule {
    Rule {
        names: vec![name.to_owned()],
        action: ActionName::from_name(action).unwrap(),
        errno_ret: None,
        args: Vec::new(),
    }
}

fn profile(syscalls: Vec<Rule>) -> Profile {
    Profile {
        syscalls,
        ..Profile::new(Action::Allow)
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
        set_no_new_privs(true).unwrap();
        test(install(&program).unwrap());
    })
    .join()
    .unwrap();
}

/// A call that no test needs: it fails with `EEXIST` when it is let through.
fn mkdir() -> Result<(), Errno> {
    mkdirat(CWD, "/", Mode::RWXU)
}

#[test]
fn a_denied_call_fails_with_its_error_number() {
    for backend in backends() {
        for flags in [None, Some(Vec::new())] {
            let mut denied = rule("mkdirat", "SCMP_ACT_ERRNO");
            denied.errno_ret = Some(77);
            let mut conditional = rule("lseek", "SCMP_ACT_ERRNO");
            conditional.args = vec![Arg {
                index: 1,
                value: 1 << 40,
                value_two: 0,
                op: Operator::GreaterOrEqual,
            }];
            let mut profile = profile(vec![denied, conditional]);
            profile.flags = flags;
            let program = compile(&profile, backend).unwrap().program;
            let file = File::open("/proc/self/exe").unwrap();
            with_filter(program, move |listener| {
                assert!(listener.is_none());
                assert_eq!(mkdir(), Err(Errno::from_raw_os_error(77)));
                assert_eq!(seek(&file, SeekFrom::Start(1 << 40)), Err(Errno::PERM));
                assert_eq!(
                    seek(&file, SeekFrom::Start((1 << 40) - 1)),
                    Ok((1 << 40) - 1)
                );
            });
        }
    }
    // The filters held for their threads alone.
    assert_eq!(mkdir(), Err(Errno::EXIST));
}

#[test]
fn a_call_newer_than_the_profile_is_enosys() {
    let open = || {
        openat2(
            CWD,
            "/",
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::empty(),
        )
    };
    open().unwrap();
    for backend in backends() {
        // close_range has the number before openat2's. The thread needs some calls to end.
        let allowed = [
            "close_range",
            "close",
            "exit",
            "exit_group",
            "futex",
            "madvise",
            "mmap",
            "mprotect",
            "munmap",
            "rt_sigprocmask",
            "sigaltstack",
            "write",
            "brk",
            "gettid",
            "getpid",
            "rseq",
            "set_robust_list",
        ];
        let mut profile = profile(allowed.map(|name| rule(name, "SCMP_ACT_ALLOW")).to_vec());
        profile.default_action = ActionName::Errno;
        profile.default_errno_ret = Some(77);
        let program = compile(&profile, backend).unwrap().program;
        with_filter(program, move |_| {
            assert_eq!(open().map(drop), Err(Errno::NOSYS));
            assert_eq!(mkdir(), Err(Errno::from_raw_os_error(77)));
        });
    }
}

#[test]
fn notify_gives_a_listener_that_is_closed_on_exec() {
    let program = compile(
        &profile(vec![rule("mkdirat", "SCMP_ACT_NOTIFY")]),
        Backend::Native,
    )
    .unwrap()
    .program;
    assert!(program.flags().contains(FilterFlags::NEW_LISTENER));
    with_filter(program, |listener| {
        let listener = listener.unwrap();
        assert_eq!(fcntl_getfd(&listener), Ok(FdFlags::CLOEXEC));
        // Without a supervisor the call cannot be answered.
        drop(listener);
        assert_eq!(mkdir(), Err(Errno::NOSYS));
    });
}

#[test]
fn the_longest_program_can_be_loaded() {
    let allow = Instruction {
        code: 0x06,
        jt: 0,
        jf: 0,
        k: Action::Allow.return_value(),
    }
    .to_bytes();
    let longest = allow.repeat(MAX_INSTRUCTIONS);
    with_filter(
        Program::from_bytes(longest, FilterFlags::empty()).unwrap(),
        |_| {
            assert_eq!(mkdir(), Err(Errno::EXIST));
        },
    );
}

#[test]
fn what_the_kernel_refuses_is_an_error() {
    // A jump to nowhere.
    let program =
        Program::from_bytes(vec![0x05, 0, 0, 0, 9, 0, 0, 0], FilterFlags::empty()).unwrap();
    let error = thread::spawn(move || {
        set_no_new_privs(true).unwrap();
        install(&program).unwrap_err()
    })
    .join()
    .unwrap();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.to_string(), "load the seccomp filter");
}

/// A thread that could gain privileges, and has none.
#[test]
fn what_is_missing_to_load_a_filter_is_said() {
    let program = compile(&Profile::new(Action::Allow), Backend::Native)
        .unwrap()
        .program;
    let error = thread::spawn(move || {
        let none = CapabilitySet::empty();
        set_capabilities(
            None,
            CapabilitySets {
                effective: none,
                permitted: none,
                inheritable: none,
            },
        )
        .unwrap();
        install(&program).err()
    })
    .join()
    .unwrap();
    // A thread that has no_new_privs from its parent may.
    if rustix::thread::no_new_privs().unwrap() {
        assert!(error.is_none());
        return;
    }
    let error = error.unwrap();
    assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    assert_eq!(
        error.to_string(),
        "load the seccomp filter without no_new_privs and without CAP_SYS_ADMIN"
    );
}
