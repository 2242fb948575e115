//! Creating and joining namespaces, and when the second stage starts.

use std::ffi::CStr;

use configs::config::{Namespace, NamespaceType};
use nsenter::NamespaceSet;
use nsenter::plan::{Dir, Op, Slot};

use super::cgroup;
use super::output::Input;
use super::params::ProcessParams;
use super::steps::{Steps, c_string};
use crate::{Error, ErrorKind, Result};

/// When the stub clones itself; the child goes on as the container's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecondStage {
    /// Never: the process of the host's clone becomes the container's.
    None,
    /// As soon as the namespaces exist.
    Early,
    /// At the very end, with the container's credentials on: others live in the pid namespace and
    /// could look into a process that still holds something of the host.
    Late,
}

/// Which process makes or joins which namespace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout<'a> {
    /// What the host's clone makes.
    pub(super) clone: NamespaceSet,
    /// The stub makes a user namespace.
    pub(super) new_user: bool,
    /// Namespaces that are joined, in canonical order.
    pub(super) joined: Vec<&'a Namespace>,
    /// What the stub makes besides the user namespace.
    pub(super) unshare: NamespaceSet,
    pub(super) second_stage: SecondStage,
}

impl<'a> Layout<'a> {
    /// The layout for a container's init.
    pub(super) fn of(params: &ProcessParams<'a>) -> Self {
        let namespaces = &params.config.namespaces;
        let joined: Vec<_> = namespaces
            .iter_canonical()
            .filter(|ns| !ns.path.is_empty())
            .collect();
        let made = namespaces.created() - NamespaceType::User;
        // A user namespace and a time namespace with offsets cannot be made by a clone that is
        // followed by an exec, and an existing pid or user namespace must not see a process
        // that shares the host program's memory.
        let two_stages = namespaces.contains(NamespaceType::User)
            || namespaces.path_of(NamespaceType::Pid).is_some()
            || namespaces.is_private(NamespaceType::Time);
        let clone = if two_stages {
            NamespaceSet::EMPTY
        } else {
            // The cgroup namespace takes its root from the cgroup the process is in, so it comes
            // after the placement.
            made - NamespaceType::Cgroup
        };
        let second_stage = match (two_stages, starts_late(params)) {
            (false, _) => SecondStage::None,
            (true, false) => SecondStage::Early,
            (true, true) => SecondStage::Late,
        };
        Self {
            clone,
            new_user: namespaces.is_private(NamespaceType::User),
            joined,
            unshare: made - clone,
            second_stage,
        }
    }
}

/// Whether the process that joins a populated pid namespace can do all its work outside of it:
/// unless it has to mount a procfs that shows the joined namespace, and the kernel has no option
/// for that.
fn starts_late(params: &ProcessParams<'_>) -> bool {
    joins_pid_namespace(params) && (params.host.procfs_pidns || !mounts_procfs(params))
}

fn joins_pid_namespace(params: &ProcessParams<'_>) -> bool {
    let namespaces = &params.config.namespaces;
    namespaces.path_of(NamespaceType::Pid).is_some()
}

fn mounts_procfs(params: &ProcessParams<'_>) -> bool {
    let mounts = &params.config.mounts;
    mounts
        .iter()
        .any(|mount| !mount.is_bind() && mount.device == "proc")
}

/// From the first step to the point where all namespaces exist, and the second stage runs if it is
/// an early one.
///
/// Gives back the joined pid namespace if a procfs for it is mounted from outside.
pub(super) fn enter(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    layout: &Layout<'_>,
) -> Result<Option<Slot>> {
    let joined: Vec<(Slot, NamespaceType)> = layout
        .joined
        .iter()
        .map(|ns| {
            (
                steps.input(Input::Namespace {
                    kind: ns.kind,
                    path: ns.path.clone(),
                }),
                ns.kind,
            )
        })
        .collect();
    name(
        steps,
        if layout.second_stage == SecondStage::None {
            FINAL_NAME
        } else {
            STAGE_NAME
        },
    );
    oom_score_adj(steps, params)?;
    cgroup::place(steps, params)?;
    let offsets = open_time_offsets(steps, params)?;
    let late = layout.second_stage == SecondStage::Late;
    let mut pid_namespace = None;
    if !joined.is_empty() {
        steps.push("join namespaces", Op::Join(joined.clone()));
        for (slot, kind) in &joined {
            if late && mounts_procfs(params) && *kind == NamespaceType::Pid {
                pid_namespace = Some(*slot);
            } else {
                steps.close(*slot);
            }
        }
    }
    if layout.new_user {
        new_user_namespace(steps, params);
    }
    if !layout.unshare.is_empty() {
        steps.push("make namespaces", Op::Unshare(layout.unshare));
    }
    if let Some(offsets) = offsets {
        steps.push(
            "set the clocks of the time namespace",
            Op::Write {
                fd: offsets,
                bytes: time_offsets(params)?,
            },
        );
        steps.close(offsets);
    }
    if layout.second_stage == SecondStage::Early {
        if joins_pid_namespace(params) {
            steps.warn(
                "joining a pid namespace: before Linux 6.17 its procfs must be mounted from inside, where processes with \
                 CAP_SYS_PTRACE can look into the init process while it prepares the container",
            );
        }
        start_second_stage(steps);
    }
    Ok(pid_namespace)
}

/// Makes the user namespace: alone, so that everything made afterwards belongs to it.
fn new_user_namespace(steps: &mut Steps, params: &ProcessParams<'_>) {
    steps.push(
        "make user namespace",
        Op::Unshare(NamespaceType::User.into()),
    );
    // The maps are files in this process' /proc directory, which only belong to it while it is
    // dumpable.
    steps.push("let the supervisor write the id maps", Op::Dumpable(true));
    steps.push("write id maps", Op::AskIdMaps);
    steps.push("stop being dumpable", Op::Dumpable(false));
    if !setgroups_denied(params) {
        steps.push("drop supplementary groups", Op::SetGroups(Vec::new()));
    }
    steps.push("become root of the user namespace", Op::SetGid(0));
    steps.push("become root of the user namespace", Op::SetUid(0));
}

/// Whether `setgroups(2)` is known to be refused where the process runs.
pub(super) fn setgroups_denied(params: &ProcessParams<'_>) -> bool {
    params.config.rootless_euid || params.host.setgroups_denied
}

/// Clones the stub: the child goes on with the next step.
pub(super) fn start_second_stage(steps: &mut Steps) {
    // In the cgroup of the first, which is the right one by now.
    steps.push("start the second stage", Op::SecondStage);
    name(steps, FINAL_NAME);
}

/// Names the process, as it is shown by ps(1). Programs look for these names.
pub(super) fn name(steps: &mut Steps, name: &CStr) {
    steps.push("name the process", Op::Name(name.to_owned()));
}

/// Of a process that makes way for another one.
pub(super) const STAGE_NAME: &CStr = c"runc:[1:CHILD]";
/// Of the process that becomes the user's program.
const FINAL_NAME: &CStr = c"runc:[2:INIT]";

/// Joins the namespaces of a running container's init: those its configuration names, in one call.
pub(super) fn join_container(steps: &mut Steps, params: &ProcessParams<'_>) {
    let namespaces: NamespaceSet = params.config.namespaces.iter().map(|ns| ns.kind).collect();
    if namespaces.is_empty() {
        return;
    }
    let pidfd = steps.input(Input::InitPidfd);
    steps.push(
        "join the namespaces of the container",
        Op::JoinProcess { pidfd, namespaces },
    );
    steps.close(pidfd);
}

/// The step that writes `oom_score_adj`, by which its failure is known.
pub(crate) const OOM_SCORE_STEP: &str = "set oom_score_adj";

/// Writes `oom_score_adj` while the process is still in the host's namespaces: lowering it later
/// would need a capability of the initial user namespace.
pub(super) fn oom_score_adj(steps: &mut Steps, params: &ProcessParams<'_>) -> Result<()> {
    let Some(value) = params.config.oom_score_adj else {
        return Ok(());
    };
    if !(-1000..=1000).contains(&value) {
        return Err(Error::config(format!(
            "process.oomScoreAdj {value} is not within -1000..=1000"
        )));
    }
    let file = open_own(steps, params, "oom_score_adj")?;
    steps.push(
        OOM_SCORE_STEP,
        Op::Write {
            fd: file,
            bytes: value.to_string().into_bytes(),
        },
    );
    steps.close(file);
    Ok(())
}

fn open_time_offsets(steps: &mut Steps, params: &ProcessParams<'_>) -> Result<Option<Slot>> {
    if params.config.time_offsets.is_empty() {
        return Ok(None);
    }
    if !params.config.namespaces.is_private(NamespaceType::Time) {
        return Err(Error::config(
            "time namespace offsets specified, but time namespace isn't enabled in the config",
        ));
    }
    // Opened now, for later: whether the offsets may be written is decided by the credentials of
    // this open.
    open_own(steps, params, "timens_offsets").map(Some)
}

/// Opens a file in this process' `/proc` directory for writing. The directory of a process that is
/// not dumpable belongs to root, so another user becomes dumpable for the moment; no process in the
/// container can see the process yet.
fn open_own(steps: &mut Steps, params: &ProcessParams<'_>, name: &str) -> Result<Slot> {
    let unprivileged = params.host.effective_uid != 0;
    let into = steps.slot();
    if unprivileged {
        steps.push("become dumpable", Op::Dumpable(true));
    }
    steps.push(
        format!("open /proc/self/{name}"),
        Op::Open {
            dir: Dir::Cwd,
            path: c_string("path", format!("/proc/self/{name}"))?,
            flags: libc::O_WRONLY.cast_unsigned(),
            mode: 0,
            resolve: libc::RESOLVE_NO_MAGICLINKS,
            into,
        },
    );
    if unprivileged {
        steps.push("stop being dumpable", Op::Dumpable(false));
    }
    Ok(into)
}

/// The content of `timens_offsets`: a line a clock, `time_namespaces(7)`.
fn time_offsets(params: &ProcessParams<'_>) -> Result<Vec<u8>> {
    let mut text = String::new();
    for (clock, offset) in &params.config.time_offsets {
        if clock.is_empty()
            || !clock
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            return Err(Error::config(format!(
                "linux.timeOffsets: {clock:?} is no clock"
            )));
        }
        text.push_str(&format!("{clock} {} {}\n", offset.secs, offset.nanosecs));
    }
    Ok(text.into_bytes())
}

/// What cannot be made of the namespaces of a configuration.
pub(super) fn refuse(params: &ProcessParams<'_>) -> Result<()> {
    let config = params.config;
    if params.exec {
        return Ok(());
    }
    if config.namespaces.is_private(NamespaceType::User)
        && (config.uid_mappings.is_empty() || config.gid_mappings.is_empty())
    {
        return Err(Error::config(
            "linux.uidMappings and linux.gidMappings are needed by a new user namespace",
        ));
    }
    if params.host.effective_uid != 0 && !config.namespaces.contains(NamespaceType::User) {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            "rootless container requires user namespaces",
        ));
    }
    Ok(())
}
