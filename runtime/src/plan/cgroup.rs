//! Getting into the cgroup, and the CPUs to run on before and after.

use configs::config::CpuSet;
use nsenter::plan::{Dir, Expect, Op};

use super::output::{Gate, Input};
use super::params::ProcessParams;
use super::steps::{Steps, c_path};
use crate::Result;

/// `CGROUP_SUPER_MAGIC`: cgroup v1, `statfs(2)`.
const CGROUP_MAGIC: u64 = 0x27_e0eb;

/// Whether the host's clone places the process in its v2 cgroup (`CLONE_INTO_CGROUP`).
pub(super) fn spawns_inside(params: &ProcessParams<'_>) -> bool {
    params.cgroup.unified && !starts_outside(params)
}

/// Whether the process must start outside of its cgroup: the cgroup may be frozen, which would
/// block the caller, or the affinity asked for may not be in its cpuset.
fn starts_outside(params: &ProcessParams<'_>) -> bool {
    params.exec && (params.cgroup.outside || params.initial_cpus().is_some())
}

/// The steps up to the membership in every hierarchy.
pub(super) fn place(steps: &mut Steps, params: &ProcessParams<'_>) -> Result<()> {
    if let Some(initial) = params.initial_cpus() {
        steps.push(
            "set the initial CPU affinity",
            Op::Affinity(Some(mask(initial))),
        );
    }
    for controller in &params.cgroup.tasks {
        let tasks = steps.input(Input::CgroupTasks(controller.clone()));
        let context = ["join the ", controller, " cgroup"].concat();
        // "0" is the writing thread itself, whose move needs no global lock in the kernel.
        let op = Op::Write {
            fd: tasks,
            bytes: b"0".to_vec(),
        };
        if params.config.rootless_cgroups {
            steps.push_tolerating(context, op, &[libc::EPERM, libc::EACCES]);
        } else {
            steps.push(context, op);
        }
        steps.close(tasks);
    }
    open_and_join(steps, params)?;
    // Not by a clone into it later on: from within the container's cgroup namespace the kernel lets
    // no process in that is not in there already (mount option nsdelegate).
    if params.cgroup.gate || (params.cgroup.unified && starts_outside(params)) {
        steps.push(
            "wait for the placement in the cgroup",
            Op::AskGate(Gate::Cgroup.number()),
        );
    }
    settle_affinity(steps, params);
    Ok(())
}

/// Joins cgroup v1 hierarchies by the names of their `tasks` files: one descriptor for all of them,
/// where each descriptor of the supervisor takes two places of its limit until the process has it.
fn open_and_join(steps: &mut Steps, params: &ProcessParams<'_>) -> Result<()> {
    if params.cgroup.task_paths.is_empty() {
        return Ok(());
    }
    let root = steps.input(Input::CgroupRoot);
    for (controller, path) in &params.cgroup.task_paths {
        let tasks = steps.slot();
        let context = ["join the ", controller, " cgroup"].concat();
        steps.push(
            context.clone(),
            Op::Open {
                dir: Dir::Slot(root),
                path: c_path("linux.cgroupsPath", path)?,
                flags: libc::O_WRONLY.cast_unsigned(),
                mode: 0,
                resolve: libc::RESOLVE_NO_MAGICLINKS,
                into: tasks,
            },
        );
        if params.exec {
            // The cgroup has been there for a while: something may have been mounted over it.
            steps.push(
                context.clone(),
                Op::Verify {
                    fd: tasks,
                    expect: Expect {
                        magic: Some(CGROUP_MAGIC),
                        ..Expect::default()
                    },
                },
            );
        }
        steps.push(
            context,
            Op::Write {
                fd: tasks,
                bytes: b"0".to_vec(),
            },
        );
        steps.close(tasks);
    }
    steps.close(root);
    Ok(())
}

/// The description of the step that takes off what the process has inherited.
pub(crate) const AFFINITY_STEP: &str = "reset the CPU affinity";

/// The affinity once the process is in its cgroup: the final one, or all CPUs of the cgroup instead
/// of what was inherited from the caller.
fn settle_affinity(steps: &mut Steps, params: &ProcessParams<'_>) {
    match (params.initial_cpus(), params.final_cpus()) {
        (_, Some(cpus)) => steps.push("set the final CPU affinity", Op::Affinity(Some(mask(cpus)))),
        (Some(_), None) => {}
        // Not being able to get rid of an inherited restriction is a warning only.
        (None, None) => steps.push_tolerating(
            AFFINITY_STEP,
            Op::Affinity(None),
            &[libc::EINVAL, libc::EPERM, libc::EACCES, libc::ENOSYS],
        ),
    }
}

fn mask(cpus: &CpuSet) -> Vec<u8> {
    cpus.mask()
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect()
}
