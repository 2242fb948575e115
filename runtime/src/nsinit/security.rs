//! The profiles of `--security`.

use configs::Config;
use configs::config::{ActionName, Arg, Operator, Rlimit, RlimitType, Seccomp, SeccompSyscall};

use super::template::capabilities;
use crate::cli::failure::Failure;

/// A profile: capabilities that are kept, and system calls that fail with `EPERM`.
struct Profile {
    name: &'static str,
    capabilities: &'static [&'static str],
    denied: &'static [&'static str],
}

const LOW: &[&str] = &[
    "unshare",
    "setns",
    "mount",
    "umount2",
    "create_module",
    "delete_module",
    "kexec_load",
];

static PROFILES: [Profile; 3] = [
    Profile {
        name: "low",
        capabilities: &[
            "CHOWN",
            "DAC_OVERRIDE",
            "FSETID",
            "FOWNER",
            "SETGID",
            "SETUID",
            "SYS_CHROOT",
            "SETFCAP",
            "SETPCAP",
            "NET_BIND_SERVICE",
            "KILL",
            "AUDIT_WRITE",
        ],
        denied: &[],
    },
    Profile {
        name: "medium",
        capabilities: &[
            "CHOWN",
            "DAC_OVERRIDE",
            "FSETID",
            "FOWNER",
            "SETGID",
            "SETUID",
            "SETFCAP",
            "SETPCAP",
            "NET_BIND_SERVICE",
            "KILL",
            "AUDIT_WRITE",
        ],
        denied: &["chroot", "setdomainname", "sethostname"],
    },
    Profile {
        name: "high",
        capabilities: &["NET_BIND_SERVICE", "KILL", "AUDIT_WRITE"],
        denied: &[
            "chroot",
            "setdomainname",
            "sethostname",
            "capset",
            "chmod",
            "chown",
            "link",
            "linkat",
            "unlink",
            "unlinkat",
        ],
    },
];

/// `CLONE_NEWUSER` of `clone(2)`.
const NEW_USER: u64 = 0x1000_0000;
const EPERM: u32 = libc::EPERM.unsigned_abs();
const ENOSYS: u32 = libc::ENOSYS.unsigned_abs();
const OPEN_FILES: u64 = 1024;

/// Gives a container the capabilities, the filter and the limit of open files of a profile.
pub(crate) fn apply(name: &str, config: &mut Config) -> Result<(), Failure> {
    let profile = PROFILES
        .iter()
        .find(|profile| profile.name == name)
        .ok_or_else(|| Failure::new(format!("invalid profile name {name:?}")))?;
    config.capabilities = Some(capabilities(profile.capabilities));
    config.rlimits = vec![Rlimit {
        kind: RlimitType::Nofile,
        hard: OPEN_FILES,
        soft: OPEN_FILES,
    }];
    config.seccomp = Some(filter(profile));
    // With it the filter can come last: one that denies capset(2) must not be there before the
    // capabilities are set.
    config.no_new_privileges = true;
    Ok(())
}

fn filter(profile: &Profile) -> Seccomp {
    let rule = |name: &str, errno, args| SeccompSyscall {
        name: name.to_owned(),
        action: ActionName::Errno,
        errno_ret: Some(errno),
        args,
    };
    // The raw system call has its flags in the first argument.
    let new_user = Arg {
        index: 0,
        value: NEW_USER,
        value_two: NEW_USER,
        op: Operator::MaskedEqual,
    };
    let simple = LOW.iter().chain(profile.denied);
    let mut rules: Vec<_> = simple.map(|name| rule(name, EPERM, Vec::new())).collect();
    rules.push(rule("clone", EPERM, vec![new_user]));
    // A filter cannot see the flags of this one. C libraries go on with clone(2).
    rules.push(rule("clone3", ENOSYS, Vec::new()));
    Seccomp {
        default_action: ActionName::Allow,
        architectures: Vec::new(),
        flags: Vec::new(),
        syscalls: rules,
        default_errno_ret: None,
        listener_path: String::new(),
        listener_metadata: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_denies_what_the_one_below_it_denies() {
        let mut before: Vec<String> = Vec::new();
        for (name, kept) in [("low", 12), ("medium", 11), ("high", 3)] {
            let mut config = Config::default();
            apply(name, &mut config).unwrap();
            assert_eq!(config.capabilities.unwrap().bounding.len(), kept, "{name}");
            let filter = config.seccomp.unwrap();
            let denied: Vec<String> = filter
                .syscalls
                .iter()
                .map(|rule| rule.name.clone())
                .collect();
            assert!(before.iter().all(|call| denied.contains(call)), "{name}");
            before = denied;
            seccomp::compile(&filter.profile(), seccomp::Backend::default()).unwrap();
        }
        assert!(before.contains(&"unlinkat".to_owned()));
    }

    #[test]
    fn an_unknown_profile_is_named() {
        let failure = apply("top", &mut Config::default()).unwrap_err();
        assert_eq!(failure.message, "invalid profile name \"top\"");
    }
}
