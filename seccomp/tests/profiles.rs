//! What profiles mean, whichever backend compiles them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use cofferdam_seccomp::{
    Action, ActionName, Architecture, Arg, Backend, ErrorKind, FilterFlag, FilterFlags, Operator,
    Profile, Program, Rule, Warning, compile, evaluate,
};

fn rule(names: &[&str], action: &str) -> Rule {
    Rule {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        action: ActionName::from_name(action).unwrap(),
        errno_ret: None,
        args: Vec::new(),
    }
}

fn arg(index: u32, op: &str, value: u64) -> Arg {
    Arg {
        index,
        value,
        value_two: 0,
        op: Operator::from_name(op).unwrap(),
    }
}

fn profile(default_action: &str, syscalls: Vec<Rule>) -> Profile {
    Profile {
        default_action: ActionName::from_name(default_action).unwrap(),
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

fn program(profile: &Profile, backend: Backend) -> Program {
    compile(profile, backend).unwrap().program
}

/// The number of a call on the architecture of this build.
fn nr(number: libc::c_long) -> u32 {
    u32::try_from(number).unwrap()
}

fn native() -> Architecture {
    Architecture::native().unwrap()
}

fn answer(program: &Program, number: u32, args: [u64; 6]) -> Action {
    Action::from_return_value(evaluate(program, native(), number, args).unwrap())
}

/// The error that every backend gives.
fn error(profile: &Profile) -> (ErrorKind, String) {
    let mut errors = backends().into_iter().map(|backend| {
        let error = compile(profile, backend).unwrap_err();
        (error.kind(), error.to_string())
    });
    let first = errors.next().unwrap();
    assert!(errors.all(|other| other == first));
    first
}

#[test]
fn rules_decide_and_the_rest_gets_the_default_action() {
    for backend in backends() {
        let mut rules = vec![
            rule(&["read"], "SCMP_ACT_ALLOW"),
            rule(&["getppid"], "SCMP_ACT_ERRNO"),
        ];
        rules[1].errno_ret = Some(13);
        rules.push(rule(&["uname"], "SCMP_ACT_ERRNO"));
        rules.push(rule(&["getpid"], "SCMP_ACT_KILL"));
        // Above everything asked for here, so that no ENOSYS is in the way.
        rules.push(rule(&["futex_waitv"], "SCMP_ACT_ALLOW"));
        let program = program(&profile("SCMP_ACT_TRAP", rules), backend);
        assert_eq!(answer(&program, nr(libc::SYS_read), [0; 6]), Action::Allow);
        assert_eq!(
            answer(&program, nr(libc::SYS_getppid), [0; 6]),
            Action::Errno(13)
        );
        assert_eq!(
            answer(&program, nr(libc::SYS_uname), [0; 6]),
            Action::Errno(1)
        );
        assert_eq!(
            answer(&program, nr(libc::SYS_getpid), [0; 6]),
            Action::KillThread
        );
        assert_eq!(answer(&program, nr(libc::SYS_write), [0; 6]), Action::Trap);
        let other = if native() == Architecture::Aarch64 {
            Architecture::X86
        } else {
            Architecture::Aarch64
        };
        let unknown = evaluate(&program, other, 0, [0; 6]).unwrap();
        assert_eq!(Action::from_return_value(unknown), Action::KillThread);
    }
}

#[test]
fn calls_above_the_largest_mentioned_one_are_enosys_unless_the_default_lets_through() {
    const ENOSYS: u16 = 38;
    for backend in backends() {
        for (default, errno, expected) in [
            ("SCMP_ACT_ERRNO", None, Action::Errno(ENOSYS)),
            // Another number does not turn the rule off, nor does ENOSYS itself.
            ("SCMP_ACT_ERRNO", Some(6), Action::Errno(ENOSYS)),
            ("SCMP_ACT_ERRNO", Some(38), Action::Errno(ENOSYS)),
            ("SCMP_ACT_KILL_PROCESS", None, Action::Errno(ENOSYS)),
            ("SCMP_ACT_TRAP", None, Action::Errno(ENOSYS)),
            ("SCMP_ACT_ALLOW", None, Action::Allow),
            ("SCMP_ACT_LOG", None, Action::Log),
            ("SCMP_ACT_TRACE", Some(3), Action::Trace(3)),
        ] {
            // A rule that does nothing and one with conditions count as well.
            let mut last = rule(&["statx"], "SCMP_ACT_ERRNO");
            last.errno_ret = errno;
            last.args.push(arg(0, "SCMP_CMP_EQ", 77));
            let mut profile = profile(default, vec![rule(&["read"], "SCMP_ACT_KILL"), last]);
            profile.default_errno_ret = errno;
            let program = program(&profile, backend);
            let statx = nr(libc::SYS_statx);
            assert_eq!(
                answer(&program, statx + 1, [0; 6]),
                expected,
                "{backend:?} {default}"
            );
            // Below the threshold the default action is what it says.
            let default = ActionName::from_name(default).unwrap();
            let default = default.action(errno).unwrap();
            assert_eq!(
                answer(&program, statx - 1, [0; 6]),
                default,
                "{backend:?} {default:?}"
            );
        }
    }
}

#[test]
fn thresholds_are_per_architecture() {
    for backend in backends() {
        let mut profile = profile(
            "SCMP_ACT_ERRNO",
            vec![rule(&["read", "openat2"], "SCMP_ACT_ALLOW")],
        );
        profile.architectures = vec![Architecture::X86_64, Architecture::Aarch64];
        profile.syscalls.push(rule(&["set_tls"], "SCMP_ACT_ALLOW"));
        let without_arm = program(&profile, backend);
        let openat2 = 437;
        for arch in [Architecture::X86_64, Architecture::Aarch64] {
            assert_eq!(
                evaluate(&without_arm, arch, openat2 - 1, [0; 6]).unwrap(),
                0x0005_0001
            );
            assert_eq!(
                evaluate(&without_arm, arch, openat2 + 1, [0; 6]).unwrap(),
                0x0005_0026
            );
        }
        profile.architectures.push(Architecture::Arm);
        let with_arm = program(&profile, backend);
        // ARM's private calls lie far above; the one mentioned moves ARM's threshold alone.
        assert_eq!(
            evaluate(&with_arm, Architecture::Arm, openat2 + 1, [0; 6]).unwrap(),
            0x0005_0001
        );
        assert_eq!(
            evaluate(&with_arm, Architecture::Arm, 0x000f_0006, [0; 6]).unwrap(),
            0x0005_0026
        );
        assert_eq!(
            evaluate(&with_arm, Architecture::Aarch64, openat2 + 1, [0; 6]).unwrap(),
            0x0005_0026
        );
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn x32_is_an_architecture_of_its_own() {
    const X32: u32 = 0x4000_0000;
    for backend in backends() {
        let mut profile = profile(
            "SCMP_ACT_ERRNO",
            vec![rule(&["read", "openat2"], "SCMP_ACT_ALLOW")],
        );
        let one = program(&profile, backend);
        assert_eq!(answer(&one, X32, [0; 6]), Action::KillThread);
        assert_eq!(answer(&one, u32::MAX, [0; 6]), Action::Errno(1));
        profile.architectures = vec![Architecture::X32];
        let both = program(&profile, backend);
        assert_eq!(answer(&both, X32, [0; 6]), Action::Allow);
        assert_eq!(answer(&both, X32 | 1, [0; 6]), Action::Errno(1));
        assert_eq!(answer(&both, X32 | 438, [0; 6]), Action::Errno(38));
        assert_eq!(answer(&both, 438, [0; 6]), Action::Errno(38));
    }
}

/// `read` is call number 0 of x86_64.
#[test]
fn a_profile_of_call_number_0_has_a_threshold() {
    for backend in backends() {
        let mut profile = profile("SCMP_ACT_ERRNO", vec![rule(&["read"], "SCMP_ACT_ALLOW")]);
        profile.architectures = vec![Architecture::X86_64];
        let program = program(&profile, backend);
        let answer = |number| evaluate(&program, Architecture::X86_64, number, [0; 6]).unwrap();
        assert_eq!(answer(0), Action::Allow.return_value(), "{backend:?}");
        assert_eq!(answer(1), Action::Errno(38).return_value(), "{backend:?}");
    }
}

#[test]
fn an_architecture_without_calls_has_no_threshold_and_says_so() {
    for backend in backends() {
        let mut profile = profile(
            "SCMP_ACT_ERRNO",
            vec![rule(&["riscv_flush_icache"], "SCMP_ACT_ALLOW")],
        );
        profile.architectures = vec![Architecture::Riscv64, Architecture::Aarch64];
        let compiled = compile(&profile, backend).unwrap();
        let warning = Warning::ArchitectureWithoutSyscalls(Architecture::Aarch64);
        assert!(compiled.warnings.contains(&warning), "{backend:?}");
        assert_eq!(
            warning.to_string(),
            "could not find any syscalls for arch SCMP_ARCH_AARCH64"
        );
        let answer = evaluate(&compiled.program, Architecture::Aarch64, 5000, [0; 6]).unwrap();
        assert_eq!(Action::from_return_value(answer), Action::Errno(1));
    }
}

#[test]
fn conditions_on_different_arguments_are_anded_and_on_the_same_ored() {
    for backend in backends() {
        let write = nr(libc::SYS_write);
        let mut both = rule(&["write"], "SCMP_ACT_ERRNO");
        both.args = vec![arg(0, "SCMP_CMP_EQ", 1), arg(2, "SCMP_CMP_GT", 10)];
        let anded = program(&profile("SCMP_ACT_ALLOW", vec![both]), backend);
        assert_eq!(answer(&anded, write, [1, 0, 11, 0, 0, 0]), Action::Errno(1));
        assert_eq!(answer(&anded, write, [1, 0, 10, 0, 0, 0]), Action::Allow);
        assert_eq!(answer(&anded, write, [2, 0, 11, 0, 0, 0]), Action::Allow);

        let mut either = rule(&["write"], "SCMP_ACT_ERRNO");
        either.args = vec![
            arg(0, "SCMP_CMP_EQ", 1),
            arg(0, "SCMP_CMP_EQ", 2),
            arg(2, "SCMP_CMP_GT", 10),
        ];
        let ored = program(&profile("SCMP_ACT_ALLOW", vec![either]), backend);
        assert_eq!(answer(&ored, write, [1, 0, 0, 0, 0, 0]), Action::Errno(1));
        assert_eq!(answer(&ored, write, [2, 0, 0, 0, 0, 0]), Action::Errno(1));
        assert_eq!(answer(&ored, write, [3, 0, 11, 0, 0, 0]), Action::Errno(1));
        assert_eq!(answer(&ored, write, [3, 0, 10, 0, 0, 0]), Action::Allow);
    }
}

#[test]
fn redundant_rules_and_unknown_names_are_skipped() {
    for backend in backends() {
        let rules = vec![
            rule(&["read"], "SCMP_ACT_ALLOW"),
            rule(&["not_a_syscall"], "SCMP_ACT_ALLOW"),
            rule(&["neither_a_syscall", "write"], "SCMP_ACT_ERRNO"),
        ];
        let compiled = compile(&profile("SCMP_ACT_ALLOW", rules), backend).unwrap();
        let unknown = Warning::UnknownSyscall("neither_a_syscall".to_owned());
        assert_eq!(
            unknown.to_string(),
            "unknown seccomp syscall \"neither_a_syscall\" ignored"
        );
        assert_eq!(compiled.warnings, [unknown]);
        assert_eq!(
            answer(&compiled.program, nr(libc::SYS_read), [0; 6]),
            Action::Allow
        );
        assert_eq!(
            answer(&compiled.program, nr(libc::SYS_write), [0; 6]),
            Action::Errno(1)
        );
    }
}

#[test]
fn nonsense_is_refused() {
    let (kind, message) = error(&profile(
        "SCMP_ACT_ALLOW",
        vec![rule(&[""], "SCMP_ACT_ALLOW")],
    ));
    assert_eq!(
        (kind, &*message),
        (
            ErrorKind::InvalidProfile,
            "empty string is not a valid syscall"
        )
    );
    let mut index = rule(&["read"], "SCMP_ACT_KILL");
    index.args = vec![arg(6, "SCMP_CMP_EQ", 0)];
    assert_eq!(
        error(&profile("SCMP_ACT_ALLOW", vec![index])).0,
        ErrorKind::InvalidProfile
    );
}

#[test]
fn notify_works_only_where_the_supervisor_can_still_be_reached() {
    for backend in backends() {
        let compiled = compile(
            &profile("SCMP_ACT_ALLOW", vec![rule(&["mkdir"], "SCMP_ACT_NOTIFY")]),
            backend,
        );
        let program = compiled.unwrap().program;
        assert!(program.notify());
        assert!(program.flags().contains(FilterFlags::NEW_LISTENER));
    }
    let write = profile(
        "SCMP_ACT_NOTIFY",
        vec![rule(&["read", "write"], "SCMP_ACT_NOTIFY")],
    );
    assert_eq!(
        error(&write).1,
        "SCMP_ACT_NOTIFY cannot be used for the write syscall"
    );
    let default = profile("SCMP_ACT_NOTIFY", vec![rule(&["write"], "SCMP_ACT_ALLOW")]);
    assert_eq!(
        error(&default).1,
        "SCMP_ACT_NOTIFY cannot be used as default action"
    );
}

#[test]
fn a_listener_path_is_needed_exactly_when_there_is_a_listener() {
    let mut profile = profile("SCMP_ACT_ALLOW", vec![rule(&["mkdir"], "SCMP_ACT_NOTIFY")]);
    let notify = program(&profile, Backend::Native);
    for (path, said) in [
        (None, "is not set"),
        (Some(""), "is not set"),
        (Some("@"), "names no abstract socket"),
    ] {
        profile.listener_path = path.map(str::to_owned);
        let error = profile.listener_for(&notify).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidProfile);
        assert!(
            error.to_string().contains("listenerPath"),
            "{path:?}: {error}"
        );
        assert!(error.to_string().ends_with(said), "{path:?}: {error}");
    }
    for path in ["/run/agent.sock", "@agent"] {
        profile.listener_path = Some(path.to_owned());
        assert_eq!(profile.listener_for(&notify).unwrap(), Some(path));
    }
    profile.syscalls.clear();
    let silent = program(&profile, Backend::Native);
    assert_eq!(profile.listener_for(&silent).unwrap(), None);
}

#[test]
fn flags_default_to_spec_allow() {
    for backend in backends() {
        let mut profile = profile("SCMP_ACT_ALLOW", vec![rule(&["mkdir"], "SCMP_ACT_ERRNO")]);
        let flags = |profile: &Profile| program(profile, backend).flags();
        assert_eq!(flags(&profile).bits(), 4);
        profile.flags = Some(Vec::new());
        assert_eq!(flags(&profile).bits(), 0);
        profile.flags = Some(vec![FilterFlag::Log, FilterFlag::Tsync]);
        assert_eq!(flags(&profile).bits(), 2);
        profile.flags = Some(vec![FilterFlag::WaitKillableRecv]);
        let compiled = compile(&profile, backend).unwrap();
        assert_eq!(compiled.program.flags().bits(), 0);
        assert_eq!(
            compiled.warnings,
            [Warning::FlagWithoutListener(
                "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
            )]
        );
        profile.syscalls[0].action = ActionName::Notify;
        assert_eq!(flags(&profile).bits(), 32 | 8);
    }
}

#[test]
#[cfg(all(feature = "libseccomp", target_arch = "x86_64"))]
fn architectures_without_numbers_are_left_to_libseccomp() {
    let mut profile = profile(
        "SCMP_ACT_ERRNO",
        vec![rule(&["read", "openat2"], "SCMP_ACT_ALLOW")],
    );
    profile.architectures = vec![Architecture::Ppc64Le];
    let refused = compile(&profile, Backend::Native).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(refused.to_string().contains("libseccomp"), "{refused}");
    let compiled = compile(&profile, Backend::Auto).unwrap();
    assert_eq!(
        compiled.warnings,
        [Warning::LibseccompUsed(Architecture::Ppc64Le)]
    );
    assert_eq!(
        evaluate(&compiled.program, Architecture::Ppc64Le, 3, [0; 6]).unwrap(),
        0x7fff_0000
    );
    assert_eq!(
        evaluate(&compiled.program, Architecture::Ppc64Le, 438, [0; 6]).unwrap(),
        0x0005_0026
    );
    // libseccomp does not mix byte orders.
    profile.architectures = vec![Architecture::S390x];
    assert_eq!(
        compile(&profile, Backend::Auto).unwrap_err().kind(),
        ErrorKind::Library
    );
}

/// A system call that this crate knows and the libseccomp of this machine does not.
#[cfg(feature = "libseccomp")]
fn newer_than_libseccomp() -> Option<&'static str> {
    ["mseal", "setxattrat", "file_getattr"]
        .into_iter()
        .find(|name| libseccomp::ScmpSyscall::from_name(name).is_err())
}

#[cfg(feature = "libseccomp")]
#[test]
fn libseccomp_refuses_to_leave_out_what_restricts() {
    let Some(name) = newer_than_libseccomp() else {
        return;
    };
    let rules = |action| vec![rule(&["mkdir"], action), rule(&[name, name], action)];
    for (default, action) in [
        ("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"),
        ("SCMP_ACT_ERRNO", "SCMP_ACT_KILL"),
        ("SCMP_ACT_LOG", "SCMP_ACT_TRAP"),
    ] {
        let profile = profile(default, rules(action));
        let error = compile(&profile, Backend::Libseccomp).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(name), "{error}");
        assert!(compile(&profile, Backend::Native).is_ok());
    }
    for (default, action) in [
        ("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW"),
        ("SCMP_ACT_KILL", "SCMP_ACT_ERRNO"),
    ] {
        let profile = profile(default, rules(action));
        let compiled = compile(&profile, Backend::Libseccomp).unwrap();
        let warning = Warning::NewerThanLibseccomp(vec![name.to_owned()]);
        assert_eq!(compiled.warnings, [warning]);
    }
}

/// On 32-bit x86 accept(2) is entered through socketcall(2) alone.
#[cfg(feature = "libseccomp")]
#[test]
fn libseccomp_refuses_what_it_cannot_restrict_on_an_architecture() {
    let restricted = |default, action| {
        let mut profile = profile(default, vec![rule(&["accept"], action)]);
        profile.architectures = vec![Architecture::X86_64, Architecture::X86];
        profile
    };
    // socketcall(2) with the number of accept(2).
    let accept = [5, 0, 0, 0, 0, 0];
    let strict = restricted("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO");
    let native = program(&strict, Backend::Native);
    let answer = evaluate(&native, Architecture::X86, 102, accept).unwrap();
    assert_eq!(Action::from_return_value(answer), Action::Errno(1));
    match compile(&strict, Backend::Libseccomp) {
        Ok(compiled) => {
            let theirs = evaluate(&compiled.program, Architecture::X86, 102, accept);
            assert_eq!(theirs.unwrap(), answer);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let text = error.to_string();
            assert!(text.contains("accept") && text.contains("X86"), "{text}");
        }
    }
    let lenient = restricted("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW");
    assert!(compile(&lenient, Backend::Libseccomp).is_ok());
}

#[test]
fn a_backend_that_this_build_lacks_is_refused() {
    assert!(Backend::Native.is_available() && Backend::Auto.is_available());
    let available = Backend::Libseccomp.is_available();
    assert_eq!(available, cfg!(feature = "libseccomp"));
    let profile = profile("SCMP_ACT_ALLOW", vec![rule(&["mkdir"], "SCMP_ACT_ERRNO")]);
    match compile(&profile, Backend::Libseccomp) {
        Ok(_) => assert!(available),
        Err(error) => {
            assert!(!available, "{error}");
            assert_eq!(error.kind(), ErrorKind::Unsupported);
        }
    }
}

#[test]
fn hundreds_of_rules_with_conditions_need_long_jumps() {
    for backend in backends() {
        let mut rules = vec![rule(&["futex_waitv"], "SCMP_ACT_ALLOW")];
        for value in 0..300 {
            let mut one = rule(&["ioctl"], "SCMP_ACT_ALLOW");
            one.args = vec![arg(1, "SCMP_CMP_EQ", value << 33)];
            rules.push(one);
        }
        let program = program(&profile("SCMP_ACT_ERRNO", rules), backend);
        for value in 0..300 {
            assert_eq!(
                answer(&program, nr(libc::SYS_ioctl), [0, value << 33, 0, 0, 0, 0]),
                Action::Allow
            );
            assert_eq!(
                answer(
                    &program,
                    nr(libc::SYS_ioctl),
                    [0, (value << 33) + 1, 0, 0, 0, 0]
                ),
                Action::Errno(1)
            );
        }
        assert_eq!(
            answer(&program, nr(libc::SYS_futex_waitv), [0; 6]),
            Action::Allow
        );
    }
}

/// Four instructions for each condition would be more than the kernel takes.
#[test]
fn conditions_on_the_same_argument_share_their_loads() {
    let when = |args: Vec<Arg>| Rule {
        args,
        ..rule(&["ioctl"], "SCMP_ACT_ERRNO")
    };
    let scattered = |n: u64| n.wrapping_mul(0x9e37_79b1) & 0xffff_ffff;
    let masked = |value| Arg {
        value_two: value,
        ..arg(2, "SCMP_CMP_MASKED_EQ", 0x00ff_ffff)
    };
    type Made<'a> = (&'a str, u64, Box<dyn Fn(u64) -> (Vec<Arg>, [u64; 6]) + 'a>);
    let kinds: [Made<'_>; 6] = [
        (
            "neighbours",
            1030,
            Box::new(|n| {
                (
                    vec![arg(1, "SCMP_CMP_EQ", n + 1000)],
                    [0, n + 1000, 0, 0, 0, 0],
                )
            }),
        ),
        (
            "scattered values",
            3000,
            Box::new(|n| {
                let value = scattered(n);
                (vec![arg(1, "SCMP_CMP_EQ", value)], [0, value, 0, 0, 0, 0])
            }),
        ),
        (
            "a mask",
            2000,
            Box::new(|n| {
                let value = n * 3 + 1;
                (
                    vec![masked(value)],
                    [0, 0, value | 0xff00_0000_0000, 0, 0, 0],
                )
            }),
        ),
        (
            "a second argument of each",
            1030,
            Box::new(|n| {
                let both = vec![arg(0, "SCMP_CMP_EQ", 5), arg(3, "SCMP_CMP_EQ", n * 2)];
                (both, [5, 0, 0, n * 2, 0, 0])
            }),
        ),
        (
            "the same bits of another one of each",
            1030,
            Box::new(|n| {
                let both = vec![
                    arg(3, "SCMP_CMP_EQ", n * 2),
                    arg(0, "SCMP_CMP_MASKED_EQ", 7),
                ];
                (both, [8, 0, 0, n * 2, 0, 0])
            }),
        ),
        (
            "an order",
            1030,
            Box::new(|n| (vec![arg(1, "SCMP_CMP_GT", n + 7)], [0, n + 8, 0, 0, 0, 0])),
        ),
    ];
    for (name, count, make) in kinds {
        let rules = (0..count).map(|n| when(make(n).0)).collect();
        let program = program(&profile("SCMP_ACT_ALLOW", rules), Backend::Native);
        for n in 0..count {
            let (_, args) = make(n);
            let refused = answer(&program, nr(libc::SYS_ioctl), args);
            assert_eq!(refused, Action::Errno(1), "{name}: {n}");
        }
        for other in [
            [u64::MAX; 6],
            [0; 6],
            [5, 0, 0, 1, 0, 0],
            [9, 7, 0, 2, 0, 0],
        ] {
            let refused = match name {
                "an order" => other[1] > 7,
                "scattered values" => other[1] == 0,
                "the same bits of another one of each" => other == [0; 6],
                _ => false,
            };
            let expected = if refused {
                Action::Errno(1)
            } else {
                Action::Allow
            };
            let answer = answer(&program, nr(libc::SYS_ioctl), other);
            assert_eq!(answer, expected, "{name}: {other:?}");
        }
    }
}

/// The largest value of a field has nothing above it.
#[test]
fn a_rule_for_the_largest_value_holds() {
    const MASK: u64 = 0xffff_ffff;
    for (arch, call, number) in [
        (Architecture::Arm, "set_tls", 0x000f_0005),
        (
            Architecture::native().unwrap(),
            "getpid",
            nr(libc::SYS_getpid),
        ),
    ] {
        let mut one = rule(&[call], "SCMP_ACT_ERRNO");
        one.args = vec![Arg::masked(0, MASK, MASK), Arg::masked(0, MASK, 0)];
        let mut profile = profile("SCMP_ACT_ALLOW", vec![one]);
        profile.architectures.push(arch);
        let program = program(&profile, Backend::Native);
        for (value, expected) in [
            (0, Action::Errno(1)),
            (1, Action::Allow),
            (MASK - 1, Action::Allow),
            (MASK, Action::Errno(1)),
        ] {
            let answer = evaluate(&program, arch, number, [value, 0, 0, 0, 0, 0]).unwrap();
            assert_eq!(
                Action::from_return_value(answer),
                expected,
                "{arch:?} {value:#x}"
            );
        }
    }
}
