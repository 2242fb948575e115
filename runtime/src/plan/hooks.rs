//! Hooks that run in the container's namespaces.

use configs::config::{Command, HookPoint};
use configs::oci::{ContainerStatus, State};
use nsenter::plan::{HookCommand, Op};

use super::output::Gate;
use super::params::{DEFAULT_UMASK, ProcessParams};
use super::rootfs::Rootfs;
use super::steps::{Steps, c_string};
use crate::{Error, ErrorKind, Result};

/// The description of the step that runs the `startContainer` hooks: the stub reports by it which
/// of them has failed, since the supervisor has gone by then.
pub(crate) const START_HOOKS_STEP: &str = "startContainer hook";

/// Once the mounts are made: what the supervisor has to do, then the `createContainer` hooks, in
/// the new root directory.
pub(super) fn before_the_switch(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    root: &Rootfs,
    late_limits: bool,
) -> Result<()> {
    let hooks = &params.config.hooks;
    if late_limits || !hooks.prestart.is_empty() || !hooks.create_runtime.is_empty() {
        steps.push(
            "run prestart and createRuntime hooks",
            Op::AskGate(Gate::Hooks.number()),
        );
    }
    if hooks.create_container.is_empty() {
        return Ok(());
    }
    steps.push(
        "change to the root file system for hooks",
        Op::ChangeDirectoryTo(root.slot),
    );
    // Like the hooks that the supervisor runs; the mounts are made without a mask.
    let mask = params.host.umask.unwrap_or(DEFAULT_UMASK);
    steps.push("set the file mode mask for hooks", Op::Umask(mask));
    for (index, command) in hooks.create_container.iter().enumerate() {
        let hook = hook(params, HookPoint::CreateContainer, index, command)?;
        steps.push(
            format!("running createContainer hook #{index}"),
            Op::Hook(hook),
        );
    }
    steps.push("take the file mode mask off", Op::Umask(0));
    Ok(())
}

/// The `startContainer` hooks, after the wait for `start`.
pub(super) fn late(steps: &mut Steps, params: &ProcessParams<'_>) -> Result<()> {
    let commands = params
        .config
        .hooks
        .start_container
        .iter()
        .enumerate()
        .map(|(index, command)| hook(params, HookPoint::StartContainer, index, command))
        .collect::<Result<Vec<_>>>()?;
    if !commands.is_empty() {
        steps.push(START_HOOKS_STEP, Op::LateHooks(commands));
    }
    Ok(())
}

fn hook(
    params: &ProcessParams<'_>,
    point: HookPoint,
    index: usize,
    command: &Command,
) -> Result<HookCommand> {
    let field = || format!("hooks.{}[{index}]", point.name());
    if !command.dir.is_empty() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("{}: a working directory", field()),
        ));
    }
    if !command.path.starts_with('/') {
        return Err(Error::config(format!(
            "{}: path {:?} is not absolute",
            field(),
            command.path
        )));
    }
    let strings = |list: &[String]| {
        list.iter()
            .map(|text| c_string(&field(), text.as_str()))
            .collect::<Result<Vec<_>>>()
    };
    let path = c_string(&field(), command.path.as_str())?;
    let args = if command.args.is_empty() {
        vec![path.clone()]
    } else {
        strings(&command.args)?
    };
    let (status, env) = match (point, &command.env) {
        (HookPoint::StartContainer, Some(env)) => (ContainerStatus::Created, Some(strings(env)?)),
        // Without a list of its own the hook gets the environment of the user's program.
        (HookPoint::StartContainer, None) => (ContainerStatus::Created, None),
        (_, env) => (
            ContainerStatus::Creating,
            Some(strings(env.as_deref().unwrap_or_default())?),
        ),
    };
    let timeout_ms = match command.timeout {
        // 0 means without bound to the stub; a time that has run out ends the hook at once.
        Some(timeout) => u32::try_from(timeout.as_millis())
            .unwrap_or(u32::MAX)
            .max(1),
        None => 0,
    };
    Ok(HookCommand {
        path,
        args,
        env,
        stdin: state(params, status)?,
        timeout_ms,
    })
}

/// The state as JSON, in two halves around the process id, which only the stub knows.
fn state(params: &ProcessParams<'_>, status: ContainerStatus) -> Result<(Vec<u8>, Vec<u8>)> {
    const PID: &str = "\"pid\":";
    let config = params.config;
    let state = State {
        version: config.version.clone(),
        id: params.id.to_owned(),
        status,
        pid: 1,
        bundle: config.bundle().unwrap_or_default().to_owned(),
        annotations: config.annotations(),
    };
    let json = serde_json::to_string(&state)
        .map_err(|error| Error::system("encode the state for hooks", error))?;
    // The keys before it have no free text: this is the key, and the number follows it.
    json.split_once(PID)
        .and_then(|(before, after)| {
            Some((
                format!("{before}{PID}").into_bytes(),
                after.strip_prefix('1')?.as_bytes().to_vec(),
            ))
        })
        .ok_or_else(|| Error::config("the state for hooks has no pid"))
}
