//! What a test needs of the machine.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::{cgroup, networks, program, subordinate_ids, traced};

/// Where Debian has the plugins of [`Need::NetworkPlugins`].
pub const NETWORK_PLUGINS: &str = "/usr/lib/cni";

/// One need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The effective user id is 0.
    Root,
    /// It is not.
    OrdinaryUser,
    /// This user may make containers with limits and with any ids inside: root, or an ordinary user
    /// with subordinate ids and a delegated cgroup.
    Containers,
    /// `/etc/subuid` and `/etc/subgid` give this user ids, and `newuidmap` maps them.
    SubordinateIds,
    /// This program is in a cgroup v2 beside which this user may make others.
    DelegatedCgroup,
    /// `/sys/fs/cgroup` has cgroup v1 controllers.
    CgroupV1,
    /// There is a cgroup v2 tree, alone or beside v1.
    CgroupV2,
    /// `/sys/fs/cgroup` is cgroup v2 with its controllers.
    Unified,
    /// Limits can be set: v1 controllers are mounted, or cgroup v2 is the only hierarchy.
    Controllers,
    /// `CAP_SYS_RESOURCE`: raising hard limits.
    CapSysResource,
    /// `CAP_SYS_TIME` is of no interest, but time namespaces are: `/proc/self/ns/time` exists.
    TimeNamespace,
    /// The statically linked busybox of Debian's `busybox-static`.
    Busybox,
    /// Debian's runc, to compare answers with.
    Runc,
    /// The `ps` program of procps.
    Ps,
    /// A user without privileges may make a user namespace.
    UserNamespaces,
    /// `newuidmap` and `newgidmap` of the package `uidmap`.
    Uidmap,
    /// `script` of util-linux, which gives a command a terminal.
    Script,
    /// `strace`, which makes system calls fail.
    Strace,
    /// The kernel lets this process trace another one (ptrace(2)).
    Ptrace,
    /// `dockerd` and `docker`.
    Docker,
    /// `containerd` and `ctr`.
    Containerd,
    /// `podman`.
    Podman,
    /// The plugins that give pods a network, of Debian's `containernetworking-plugins`.
    NetworkPlugins,
    /// The Z shell.
    Zsh,
    /// fish, the shell.
    Fish,
    /// `mandoc`, which checks manual pages.
    Mandoc,
    /// What makes packages: `dpkg-deb`, `jq`, `xz`.
    PackagingTools,
    /// `ip`, and a kernel that makes bridges and veth pairs.
    VirtualNetworks,
    /// CRIU is there, and can do on this kernel what it needs to (`criu check`).
    Checkpoints,
    /// The program under test is ours, not another runtime that tests the tests.
    Cofferdam,
    /// systemd is the init of this machine, and answers.
    Systemd,
    /// AppArmor is on, and `apparmor_parser` is there to load profiles.
    AppArmor,
    /// SELinux is on and enforces a policy.
    SeLinux,
}

impl Need {
    /// Why it is not met; `None` when it is.
    pub fn missing(self) -> Option<String> {
        let absent = |condition: bool, text: &str| (!condition).then(|| text.to_owned());
        let installed = |name: &str| {
            absent(
                program::find(name).is_some(),
                &format!("{name} is not installed"),
            )
        };
        match self {
            Self::Root => absent(rustix::process::geteuid().is_root(), "needs root"),
            Self::OrdinaryUser => absent(
                !rustix::process::geteuid().is_root(),
                "needs an ordinary user",
            ),
            Self::Containers => Self::Root.missing().and_then(|_| {
                Self::SubordinateIds
                    .missing()
                    .or_else(|| Self::DelegatedCgroup.missing())
            }),
            Self::SubordinateIds => installed("newuidmap").or_else(|| {
                absent(
                    subordinate_ids::of_this_user().is_some(),
                    "no subordinate ids",
                )
            }),
            Self::DelegatedCgroup => absent(cgroup::delegated().is_some(), "no delegated cgroup"),
            Self::CgroupV1 => absent(cgroup::has_v1(), "no cgroup v1 controllers"),
            Self::CgroupV2 => absent(cgroup::v2_mount().is_some(), "no cgroup v2"),
            Self::Unified => absent(cgroup::is_unified(), "cgroup v2 is not the only hierarchy"),
            Self::Controllers => absent(
                cgroup::has_v1() || cgroup::is_unified(),
                "no cgroup controllers",
            ),
            Self::CapSysResource => absent(effective_capability(24), "no CAP_SYS_RESOURCE"),
            Self::TimeNamespace => absent(
                Path::new("/proc/self/ns/time").exists(),
                "no time namespaces in this kernel",
            ),
            Self::Busybox => absent(
                crate::bundle::static_busybox().is_some(),
                "no static busybox",
            ),
            Self::Runc => installed("runc"),
            Self::Ps => installed("ps"),
            Self::UserNamespaces => absent(
                unprivileged_user_namespaces(),
                "user namespaces are for root only",
            ),
            Self::Uidmap => installed("newuidmap").or_else(|| installed("newgidmap")),
            Self::Script => installed("script"),
            Self::Strace => installed("strace"),
            Self::Ptrace => traced::not_permitted(),
            Self::Docker => installed("dockerd").or_else(|| installed("docker")),
            Self::Containerd => installed("containerd").or_else(|| installed("ctr")),
            Self::Podman => installed("podman"),
            Self::NetworkPlugins => absent(
                Path::new(NETWORK_PLUGINS).join("bridge").is_file(),
                "containernetworking-plugins is not installed",
            ),
            Self::Zsh => installed("zsh"),
            Self::Fish => installed("fish"),
            Self::Mandoc => installed("mandoc").or_else(|| installed("man")),
            Self::PackagingTools => installed("dpkg-deb")
                .or_else(|| installed("jq"))
                .or_else(|| installed("xz")),
            Self::VirtualNetworks => installed("ip")
                .or_else(|| absent(networks::can_be_made(), "no bridges or veth pairs")),
            Self::Checkpoints => {
                installed("criu").or_else(|| absent(criu_works(), "criu check fails"))
            }
            Self::Cofferdam => absent(
                program::is_cofferdam(),
                "the program under test is another runtime",
            ),
            Self::Systemd => absent(systemd_answers(), "no systemd answers"),
            Self::AppArmor => absent(
                first_word("/sys/module/apparmor/parameters/enabled").as_deref() == Some("Y"),
                "AppArmor is off",
            )
            .or_else(|| installed("apparmor_parser")),
            Self::SeLinux => absent(
                first_word("/sys/fs/selinux/enforce").as_deref() == Some("1"),
                "SELinux does not enforce a policy",
            ),
        }
    }
}

/// Whether CRIU finds all that it needs of this kernel.
fn criu_works() -> bool {
    let checked = program::find("criu").map(|criu| Command::new(criu).arg("check").output());
    checked.is_some_and(|output| output.is_ok_and(|output| output.status.success()))
}

/// What a file of a kernel file system holds, if it is there.
fn first_word(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.split_whitespace().next().map(str::to_owned)
}

/// Whether this process has a capability, by its number in `linux/capability.h`, in its effective
/// set.
fn effective_capability(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("read /proc/self/status");
    let set = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .expect("CapEff");
    u64::from_str_radix(set.trim(), 16).is_ok_and(|bits| bits >> number & 1 == 1)
}

/// Whether the manager of this machine answers. Its directory alone proves nothing: other programs
/// leave one behind.
fn systemd_answers() -> bool {
    Path::new("/run/systemd/system").is_dir()
        && Command::new("systemctl")
            .args(["show", "--property=Version", "--value"])
            .output()
            .is_ok_and(|output| output.status.success() && !output.stdout.trim_ascii().is_empty())
}

/// Whether an ordinary user may make a user namespace; some distributions forbid it.
fn unprivileged_user_namespaces() -> bool {
    let id = crate::ordinary_user::ID;
    Command::new("setpriv")
        .args([format!("--reuid={id}"), "--clear-groups".to_owned()])
        .args(["unshare", "--user", "true"])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Whether `COFFERDAM_MUST_HAVE`, a list of needs by their names and separated by blanks, names
/// this one.
pub fn is_promised(need: Need) -> bool {
    let promised = std::env::var("COFFERDAM_MUST_HAVE").unwrap_or_default();
    let name = format!("{need:?}");
    promised.split_whitespace().any(|word| word == name)
}

/// Reports a skip: on standard error, and in the file that `COFFERDAM_SKIPS` names, from which the
/// summary counts.
pub fn skip(test: &str, reason: &str) {
    let line = format!("SKIP {test}: {reason}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("COFFERDAM_SKIPS") {
        let file = fs::OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("write the list of skips");
    }
}

/// Returns from the test, counted as a skip, unless the machine has everything that is named.
///
/// # Panics
/// The machine lacks something that it was promised to have.
#[macro_export]
macro_rules! need {
    ($($need:ident),+ $(,)?) => {
        for need in [$($crate::needs::Need::$need),+] {
            if let Some(reason) = need.missing() {
                assert!(!$crate::needs::is_promised(need), "must not be skipped here: {reason}");
                let test = std::thread::current().name().unwrap_or(module_path!()).to_owned();
                $crate::needs::skip(&test, &reason);
                return;
            }
        }
    };
}
