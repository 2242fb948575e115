//! From a configuration to a plan: every decision about what the init process does is taken here,
//! by pure functions.
//!
//! [`init`] and [`exec`] turn a request into a [`BuiltPlan`]: the list of steps that the stub of
//! `nsenter` executes, and the descriptors that the supervisor has to open for it. Nothing here
//! reads or changes the system, except [`HostFacts::read`], whose result is part of a request. The
//! same request gives the same plan, byte for byte.
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
mod cgroup;
mod devices;
mod environment;
#[cfg(feature = "explain")]
pub(crate) mod explain;
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
mod procfs;
mod request;
mod rootfs;
mod seccomp;
mod steps;
mod sysctl;
mod terminal;
#[cfg(test)]
mod tests;

use nsenter::plan::{Dir, Leaf, Op};

pub use host::HostFacts;
pub(crate) use host::in_user_namespace;
pub(crate) use host::unescape;
pub use output::{BuiltPlan, Gate, Input, Tag};
pub use request::{
    CgroupPlacement, CgroupView, Filter, InitRequest, LegacyHierarchy, ProcessRequest,
};

pub(crate) use cgroup::AFFINITY_STEP;
pub(crate) use devices::is_made_by_parent;
pub(crate) use hooks::START_HOOKS_STEP;
pub(crate) use identity::capability_name;
pub(crate) use lsm::{APPARMOR_STEP, KEYRING_STEP};
pub(crate) use masks::paths as placed_paths;
pub(crate) use mounts::attach::PLAIN_DIRECTORY;
pub(crate) use mounts::bind::LOCKED_FLAGS;
pub(crate) use mounts::entry::{MOUNT_STEP, inside as inside_of_rootfs, is_remount};
pub(crate) use namespaces::OOM_SCORE_STEP;
pub(crate) use rootfs::ROOT_PROPAGATION_STEP;
pub(crate) use steps::clean as cleaned_path;

use self::finish::Pending;
use self::namespaces::{Layout, SecondStage};
use self::params::ProcessParams;
use self::procfs::ProcSelf;
use self::rootfs::Rootfs;
use self::steps::{Steps, c_string, clean};
use crate::Result;

/// The plan of a container's init process.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) names the field that cannot be
/// used, [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) what this version does not
/// offer.
pub fn init(request: &InitRequest<'_>) -> Result<BuiltPlan> {
    let params = ProcessParams::of_init(request);
    namespaces::refuse(&params)?;
    rootfs::refuse(&params)?;
    let layout = Layout::of(&params);
    let environment = environment::prepare(params.process.env.as_deref())?;

    let mut steps = Steps::new();
    steps.clone_namespaces(layout.clone);
    // Before any namespace is entered: later another /proc may be in sight.
    let mut proc = ProcSelf::open(&mut steps, &params, sysctl::needs_host(&params));
    let pid_namespace = namespaces::enter(&mut steps, &params, &layout)?;
    if layout.second_stage != SecondStage::Late {
        steps.push("start a session", Op::NewSession);
    }
    let keycreate = lsm::open_keycreate(&mut steps, &params, &proc)?;
    lsm::keyring(&mut steps, &params, keycreate)?;
    network::configure(&mut steps, &params);

    let mut root = rootfs::prepare(&mut steps, &params, pid_namespace)?;
    mounts::all(&mut steps, &params, request.cgroup_view, &mut root)?;
    if let Some(namespace) = root.pid_namespace.take() {
        steps.close(namespace);
    }
    devices::make(&mut steps, &params, &mut root)?;
    sysctl::prepare(&mut steps, &params, &mut root, &proc);
    hooks::before_the_switch(&mut steps, &params, &root, request.late_limits)?;
    let apparmor = lsm::open_apparmor(&mut steps, &params, &proc)?;
    let selinux = lsm::open_selinux(&mut steps, &params, &proc)?;
    rootfs::switch(&mut steps, &params, &root)?;
    if params.process.terminal.is_none() {
        steps.push("reopen /dev/null", Op::ReopenNull);
    }
    working_directory(&mut steps, &params, &root)?;

    let mut terminal = terminal::open(&mut steps, &params, Some(&root));
    if layout.second_stage != SecondStage::Late {
        terminal::control(&mut steps, terminal.take());
    }
    rootfs::make_readonly(&mut steps, &params, &mut root);
    steps.push("set the file mode creation mask", Op::Umask(params.umask()));
    names(&mut steps, &params)?;
    lsm::write_apparmor(&mut steps, &params, apparmor)?;
    sysctl::write(&mut steps, &params, &root, &proc)?;
    proc.close(&mut steps);
    masks::apply(&mut steps, &params, &root)?;
    rootfs::close(&mut steps, root);
    attributes::set(&mut steps, &params, layout.second_stage)?;
    home(&mut steps, &environment);

    let pending = Pending {
        selinux,
        apparmor: None,
        terminal,
    };
    finish::finish(
        &mut steps,
        &params,
        environment,
        layout.second_stage,
        pending,
    )?;
    steps.build(
        cgroup::spawns_inside(&params),
        layout.second_stage != SecondStage::None,
    )
}

/// The plan of a process added to a running container.
///
/// Always two processes: the first does everything that needs privileges while no process in the
/// container can see it, and the second starts with the credentials of the user's program.
///
/// # Errors
/// As [`init`].
pub fn exec(request: &ProcessRequest<'_>) -> Result<BuiltPlan> {
    let params = ProcessParams::of_exec(request);
    let environment = environment::prepare(params.process.env.as_deref())?;

    let mut steps = Steps::new();
    let mut proc = ProcSelf::open(&mut steps, &params, false);
    namespaces::name(&mut steps, namespaces::STAGE_NAME);
    namespaces::oom_score_adj(&mut steps, &params)?;
    cgroup::place(&mut steps, &params)?;
    let apparmor = lsm::open_apparmor(&mut steps, &params, &proc)?;
    let selinux = lsm::open_selinux(&mut steps, &params, &proc)?;
    let keycreate = lsm::open_keycreate(&mut steps, &params, &proc)?;
    proc.close(&mut steps);
    namespaces::join_container(&mut steps, &params);
    // Keyrings are found by name within a user namespace, so not before the container's.
    lsm::keyring(&mut steps, &params, keycreate)?;
    enter_root(&mut steps, &params)?;

    let terminal = terminal::open(&mut steps, &params, None);
    steps.push("set the file mode creation mask", Op::Umask(params.umask()));
    attributes::set(&mut steps, &params, SecondStage::Late)?;
    home(&mut steps, &environment);

    let pending = Pending {
        selinux,
        apparmor,
        terminal,
    };
    finish::finish(&mut steps, &params, environment, SecondStage::Late, pending)?;
    steps.build(cgroup::spawns_inside(&params), true)
}

/// A container without a mount namespace has its root by `chroot(2)` alone; joining namespaces does
/// not lead there.
fn enter_root(steps: &mut Steps, params: &ProcessParams<'_>) -> Result<()> {
    if params.has(configs::config::NamespaceType::Mount) {
        return Ok(());
    }
    let into = steps.slot();
    steps.push(
        "open the root file system",
        Op::Open {
            dir: Dir::Cwd,
            path: c_string("root.path", params.config.rootfs.as_str())?,
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
fn working_directory(steps: &mut Steps, params: &ProcessParams<'_>, root: &Rootfs) -> Result<()> {
    let cwd = clean(&params.process.cwd);
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
fn names(steps: &mut Steps, params: &ProcessParams<'_>) -> Result<()> {
    let config = params.config;
    for (field, name) in [
        ("hostname", &config.hostname),
        ("domainname", &config.domainname),
    ] {
        if !name.is_empty() && !params.has(configs::config::NamespaceType::Uts) {
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
            Op::AskHome {
                path: c"/etc/passwd".to_owned(),
                otherwise: c"/".to_owned(),
            },
        );
    }
}
