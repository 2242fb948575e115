//! Hooks that run in the runtime's own namespaces: `prestart`, `createRuntime`, `poststart` and `poststop`.
//! (`createContainer` and `startContainer` hooks are steps of the plan.)

use std::path::Path;

use configs::config::{HookPoint, Hooks};
use configs::oci::{self, ContainerStatus as Status};

use crate::error::{Error, ErrorKind, Result};
use crate::hook_runner::HookRun;
use crate::id::ContainerId;

/// The state of a container in the words of the specification; `labels` hold the annotations and the bundle.
pub(crate) fn oci_state(
    id: &ContainerId,
    labels: &[String],
    status: Status,
    pid: i32,
) -> oci::State {
    let pairs = || labels.iter().filter_map(|label| label.split_once('='));
    oci::State {
        version: oci::VERSION.to_owned(),
        id: id.to_string(),
        status,
        pid,
        bundle: pairs()
            .rev()
            .find(|(key, _)| *key == "bundle")
            .map(|(_, path)| path.to_owned())
            .unwrap_or_default(),
        annotations: pairs()
            .filter(|(key, _)| *key != "bundle")
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    }
}

/// Runs the hooks of one point in their order; the first that fails ends it.
pub(crate) fn run(hooks: &Hooks, point: HookPoint, state: &oci::State) -> Result<()> {
    let hooks = hooks.at(point);
    if hooks.is_empty() {
        return Ok(());
    }
    let stdin = serde_json::to_vec(state)
        .map_err(|error| Error::system("encode the state for hooks", error))?;
    for (index, hook) in hooks.iter().enumerate() {
        let directory = Some(hook.dir.as_str())
            .filter(|dir| !dir.is_empty())
            .unwrap_or(&state.bundle);
        let run = HookRun {
            path: &hook.path,
            args: &hook.args,
            env: hook.env.as_deref(),
            directory: Some(Path::new(directory)).filter(|directory| directory.is_dir()),
            timeout: hook.timeout,
            stdin: &stdin,
        };
        run.run()
            .map_err(|failure| failed(point, index, &failure))?;
    }
    Ok(())
}

/// The error of a failed hook.
pub(crate) fn failed(point: HookPoint, index: usize, failure: &str) -> Error {
    Error::new(
        ErrorKind::Hook,
        format!("error running {} hook #{index}: {failure}", point.name()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        ["bundle=annotation", "a=b=c", "bundle=/the bundle"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn the_state_names_the_real_bundle() {
        let id = "x".parse().unwrap();
        let state = oci_state(&id, &labels(), Status::Creating, 0);
        assert_eq!(
            serde_json::to_string(&state).unwrap(),
            r#"{"ociVersion":"1.3.0","id":"x","status":"creating","bundle":"/the bundle","annotations":{"a":"b=c"}}"#
        );
    }

    #[test]
    fn the_first_failure_stops_the_rest_and_is_numbered() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("third");
        let command = |script: &str| configs::config::Command {
            path: "/bin/sh".to_owned(),
            args: ["sh", "-c", script].map(str::to_owned).to_vec(),
            ..configs::config::Command::default()
        };
        let hooks = Hooks {
            create_runtime: vec![
                command("exit 0"),
                command("echo bad >&2; exit 2"),
                command(&format!("> {}", mark.display())),
            ],
            ..Hooks::default()
        };
        let state = oci_state(&"x".parse().unwrap(), &[], Status::Creating, 1);
        let error = run(&hooks, HookPoint::CreateRuntime, &state).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Hook);
        assert_eq!(
            error.to_string(),
            "error running createRuntime hook #1: exit status 2, stdout: , stderr: bad"
        );
        assert!(!mark.exists());
        run(&hooks, HookPoint::Poststop, &state).unwrap();
    }
}
