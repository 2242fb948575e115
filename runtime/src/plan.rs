//! From a configuration to a plan: every decision about what the init process does is taken here,
//! by pure functions.
//!
//! [`init`] and [`exec`] turn a request into a [`BuiltPlan`]: the list of steps that the stub of
//! `nsenter` executes, and the descriptors that the parent has to open for it. Nothing here reads
//! or changes the system, except [`HostFacts::read`], whose result is part of a request. The same
//! request gives the same plan, byte for byte.
//!
//! The order of the steps is what keeps a container closed. One file a subject:
//!
//! * `namespaces`, `cgroup`: where the process is, and which of the two processes does what;
//! * `rootfs`, `mounts`, `mounted`, `binds`, `sources`, `remounts`, `file_systems`,
//!   `cgroup_mounts`, `mount_options`, `devices`, `masks`, `sysctl`: what it sees;
//! * `terminal`, `network`, `labels`, `attributes`, `environment`, `identity`, `filter`: what it
//!   is;
//! * `hooks`, `tail`: how it goes over to the user's program.

mod attributes;
mod builder;
mod cgroup;
mod devices;
mod environment;
mod finish;
mod hooks;
mod host;
mod identity;
mod lsm;
mod masks;
mod mounts;
mod namespaces;
mod network;
mod output;
mod params;
mod request;
mod rootfs;
mod seccomp;
mod sysctl;
mod terminal;
#[cfg(test)]
mod tests;

use nsenter::plan::{Dir, Leaf, Op};

pub use host::HostFacts;
pub use output::{BuiltPlan, Gate, Input, Tag};
pub use request::{
    CgroupPlacement, CgroupView, Filter, InitRequest, LegacyHierarchy, ProcessRequest,
};

pub(crate) use devices::is_made_by_parent;
pub(crate) use identity::capability_name;
pub(crate) use lsm::APPARMOR_STEP;
pub(crate) use masks::paths as placed_paths;
pub(crate) use namespaces::OOM_SCORE_STEP;

use self::builder::{Steps, c_string, clean};
use self::finish::Pending;
use self::lsm::ProcSelf;
use self::namespaces::{Birth, Layout};
use self::params::Requested;
use self::rootfs::Rootfs;
use crate::Result;

/// The plan of a container's init process.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) names the field that cannot be
/// used, [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) what this version does not
/// offer.
pub fn init(request: &InitRequest<'_>) -> Result<BuiltPlan> {
    let requested = Requested::of_init(request);
    namespaces::refuse(&requested)?;
    rootfs::refuse(&requested)?;
    let layout = Layout::of(&requested);
    let environment = environment::prepare(requested.process.env.as_deref())?;

    let mut steps = Steps::new();
    steps.clone_namespaces(layout.host_clone);
    // Before any namespace is entered: later another /proc may be in sight.
    let mut proc = ProcSelf::open(&mut steps, &requested, sysctl::needs_host(&requested));
    let pid_namespace = namespaces::enter(&mut steps, &requested, &layout)?;
    if layout.birth != Birth::Late {
        steps.push("start a session", Op::NewSession);
    }
    let keycreate = lsm::open_keycreate(&mut steps, &requested, &proc)?;
    lsm::keyring(&mut steps, &requested, keycreate)?;
    network::configure(&mut steps, &requested);

    let mut root = rootfs::prepare(&mut steps, &requested, pid_namespace)?;
    mounts::all(&mut steps, &requested, request.cgroup_view, &mut root)?;
    if let Some(namespace) = root.pid_namespace.take() {
        steps.close(namespace);
    }
    devices::make(&mut steps, &requested, &mut root)?;
    sysctl::prepare(&mut steps, &requested, &mut root, &proc);
    hooks::before_the_switch(&mut steps, &requested, &root, request.late_limits)?;
    let apparmor = lsm::open_apparmor(&mut steps, &requested, &proc)?;
    let selinux = lsm::open_selinux(&mut steps, &requested, &proc)?;
    rootfs::switch(&mut steps, &requested, &root)?;
    if requested.process.terminal.is_none() {
        steps.push("reopen /dev/null", Op::ReopenNull);
    }
    working_directory(&mut steps, &requested, &root)?;

    let mut terminal = terminal::open(&mut steps, &requested, Some(&root));
    if layout.birth != Birth::Late {
        terminal::control(&mut steps, terminal.take());
    }
    rootfs::make_readonly(&mut steps, &requested, &mut root);
    steps.push(
        "set the file mode creation mask",
        Op::Umask(requested.umask()),
    );
    names(&mut steps, &requested)?;
    lsm::write_apparmor(&mut steps, &requested, apparmor)?;
    sysctl::write(&mut steps, &requested, &root, &proc)?;
    proc.close(&mut steps);
    masks::apply(&mut steps, &requested, &root)?;
    rootfs::close(&mut steps, root);
    attributes::set(&mut steps, &requested, layout.birth)?;
    home(&mut steps, &environment);

    let pending = Pending {
        selinux,
        apparmor: None,
        terminal,
    };
    finish::finish(&mut steps, &requested, environment, layout.birth, pending)?;
    steps.build(cgroup::born_inside(&requested), layout.birth != Birth::None)
}

/// The plan of a process added to a running container.
///
/// Always two processes: the first does everything that needs privileges while nobody in the
/// container can see it, and the second is born with the credentials of the user's program.
///
/// # Errors
/// As [`init`].
pub fn exec(request: &ProcessRequest<'_>) -> Result<BuiltPlan> {
    let requested = Requested::of_exec(request);
    let environment = environment::prepare(requested.process.env.as_deref())?;

    let mut steps = Steps::new();
    let mut proc = ProcSelf::open(&mut steps, &requested, false);
    namespaces::name(&mut steps, namespaces::STAGE_NAME);
    namespaces::oom_score_adj(&mut steps, &requested)?;
    cgroup::place(&mut steps, &requested)?;
    let apparmor = lsm::open_apparmor(&mut steps, &requested, &proc)?;
    let selinux = lsm::open_selinux(&mut steps, &requested, &proc)?;
    let keycreate = lsm::open_keycreate(&mut steps, &requested, &proc)?;
    proc.close(&mut steps);
    namespaces::join_container(&mut steps, &requested);
    // Keyrings are found by name within a user namespace, so not before the container's.
    lsm::keyring(&mut steps, &requested, keycreate)?;
    enter_root(&mut steps, &requested)?;

    let terminal = terminal::open(&mut steps, &requested, None);
    steps.push(
        "set the file mode creation mask",
        Op::Umask(requested.umask()),
    );
    attributes::set(&mut steps, &requested, Birth::Late)?;
    home(&mut steps, &environment);

    let pending = Pending {
        selinux,
        apparmor,
        terminal,
    };
    finish::finish(&mut steps, &requested, environment, Birth::Late, pending)?;
    steps.build(cgroup::born_inside(&requested), true)
}

/// A container without a mount namespace has its root by `chroot(2)` alone; joining namespaces does
/// not lead there.
fn enter_root(steps: &mut Steps, requested: &Requested<'_>) -> Result<()> {
    if requested.has(configs::config::NamespaceType::Mount) {
        return Ok(());
    }
    let into = steps.slot();
    steps.push(
        "open the root file system",
        Op::Open {
            dir: Dir::Cwd,
            path: c_string("root.path", requested.config.rootfs.as_str())?,
            flags: (libc::O_PATH | libc::O_DIRECTORY).cast_unsigned(),
            mode: 0,
            resolve: libc::RESOLVE_NO_SYMLINKS,
            into,
        },
    );
    steps.push("change the root", Op::Chroot(into));
    steps.close(into);
    Ok(())
}

/// Makes the working directory if it is missing.
fn working_directory(steps: &mut Steps, requested: &Requested<'_>, root: &Rootfs) -> Result<()> {
    let cwd = clean(&requested.process.cwd);
    if cwd == "/" {
        return Ok(());
    }
    let into = steps.slot();
    // Whether the directory can be entered is found out later, by whom it belongs to.
    steps.push_tolerating(
        format!("create the working directory {cwd:?}"),
        Op::MakePath {
            root: root.slot,
            path: c_string("process.cwd", cwd)?,
            leaf: Leaf::Directory,
            into,
        },
        &[libc::EACCES, libc::EPERM, libc::ELOOP],
    );
    steps.close(into);
    Ok(())
}

/// Host and domain name.
fn names(steps: &mut Steps, requested: &Requested<'_>) -> Result<()> {
    let config = requested.config;
    for (field, name) in [
        ("hostname", &config.hostname),
        ("domainname", &config.domainname),
    ] {
        if !name.is_empty() && !requested.has(configs::config::NamespaceType::Uts) {
            return Err(crate::Error::config(format!(
                "unable to set {field} without a private UTS namespace"
            )));
        }
    }
    if !config.hostname.is_empty() {
        steps.push(
            format!("sethostname {:?}", config.hostname),
            Op::HostName(config.hostname.clone().into_bytes()),
        );
    }
    if !config.domainname.is_empty() {
        steps.push(
            format!("setdomainname {:?}", config.domainname),
            Op::DomainName(config.domainname.clone().into_bytes()),
        );
    }
    Ok(())
}

/// Asks for the home directory if the environment lacks one.
fn home(steps: &mut Steps, environment: &environment::Environment) {
    if environment.wants_home {
        steps.push(
            "look up the home directory",
            Op::AskHome(c"/etc/passwd".to_owned()),
        );
    }
}
