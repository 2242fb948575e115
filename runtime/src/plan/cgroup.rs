//! Getting into the cgroup, and the CPUs to run on before and after.

use configs::config::CpuSet;
use nsenter::plan::Op;

use super::requested::Requested;
use super::steps::Steps;
use super::{Gate, Input};

/// Whether the host's clone makes the process a member of its v2 cgroup from birth.
pub(super) fn born_inside(requested: &Requested<'_>) -> bool {
    requested.cgroup.unified && !starts_outside(requested)
}

/// Whether the process must start outside of its cgroup: the cgroup may be frozen, which would block the caller, or the
/// affinity asked for may not be in its cpuset.
fn starts_outside(requested: &Requested<'_>) -> bool {
    requested.exec && (requested.cgroup.outside || requested.initial_cpus().is_some())
}

/// The steps up to the membership in every hierarchy.
pub(super) fn place(steps: &mut Steps, requested: &Requested<'_>) {
    if let Some(initial) = requested.initial_cpus() {
        steps.push(
            "set the initial CPU affinity",
            Op::Affinity(Some(mask(initial))),
        );
    }
    for controller in &requested.cgroup.tasks {
        let tasks = steps.input(Input::CgroupTasks(controller.clone()));
        let context = format!("join the {controller} cgroup");
        // "0" is the writing thread itself, whose move needs no global lock in the kernel.
        let op = Op::Write {
            fd: tasks,
            bytes: b"0".to_vec(),
        };
        if requested.config.rootless_cgroups {
            steps.push_tolerating(context, op, &[libc::EPERM, libc::EACCES]);
        } else {
            steps.push(context, op);
        }
        steps.close(tasks);
    }
    // Not by a birth inside later on: from within the container's cgroup namespace the kernel lets nobody in who is not
    // in there already (mount option nsdelegate).
    if requested.cgroup.gate || (requested.cgroup.unified && starts_outside(requested)) {
        steps.push(
            "wait for the placement in the cgroup",
            Op::AskGate(Gate::Cgroup.number()),
        );
    }
    settle_affinity(steps, requested);
}

/// The affinity once the process is in its cgroup: the final one, or all CPUs of the cgroup instead of what was inherited
/// from the caller.
fn settle_affinity(steps: &mut Steps, requested: &Requested<'_>) {
    match (requested.initial_cpus(), requested.final_cpus()) {
        (_, Some(cpus)) => steps.push("set the final CPU affinity", Op::Affinity(Some(mask(cpus)))),
        (Some(_), None) => {}
        // Not being able to get rid of an inherited restriction is told, and no more.
        (None, None) => steps.push_tolerating(
            "reset the CPU affinity",
            Op::Affinity(None),
            &[libc::EINVAL, libc::EPERM, libc::EACCES, libc::ENOSYS],
        ),
    }
}

fn mask(cpus: &CpuSet) -> Vec<u8> {
    cpus.words()
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect()
}
