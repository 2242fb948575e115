//! Hooks that run in the runtime's own namespaces: `prestart`, `createRuntime`, `poststart` and
//! `poststop`. (`createContainer` and `startContainer` hooks are steps of the plan.)

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use configs::config::{Command, HookPoint, Hooks};
use configs::oci::{self, ContainerStatus as Status};
use nsenter::Program;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;

/// The state of a container as the specification defines it; `labels` hold the annotations and
/// the bundle.
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

/// Runs the hooks of one point in their order. The first that fails ends it, except for `poststop`
/// hooks: these clean up, so all of them run, and the error names all that failed. A hook does not
/// outlive `init`, the pidfd of the init process, where it prepares something for that.
pub(crate) fn run(
    hooks: &Hooks,
    point: HookPoint,
    state: &oci::State,
    init: Option<BorrowedFd<'_>>,
) -> Result<()> {
    let hooks = hooks.at(point);
    if hooks.is_empty() {
        return Ok(());
    }
    let stdin = serde_json::to_vec(state)
        .map_err(|error| Error::system("encode the state for hooks", error))?;
    let mut failures = Vec::new();
    for (index, hook) in hooks.iter().enumerate() {
        if let Err(failure) = run_one(hook, &state.bundle, &stdin, init) {
            let failure = format!("error running {} hook #{index}: {failure}", point.name());
            failures.push(failure);
            if point != HookPoint::Poststop {
                break;
            }
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Hook, failures.join("; ")))
    }
}

/// The error is the part of the message that follows the name of the hook.
fn run_one(
    hook: &Command,
    bundle: &str,
    stdin: &[u8],
    init: Option<BorrowedFd<'_>>,
) -> Result<(), String> {
    let path = c_string("path", &hook.path)?;
    let args = c_strings("args", &hook.args)?;
    let env = match &hook.env {
        Some(env) => Some(c_strings("env", &last_of_each_name(env))?),
        None => None,
    };
    let directory = working_directory(&hook.dir, bundle)?;
    let program = Program {
        path: &path,
        args: &args,
        env: env.as_deref(),
        directory: directory.as_ref().map(AsFd::as_fd),
        stdin,
        timeout: hook.timeout,
        lives_with: init,
    };
    let outcome = program.run().map_err(|error| {
        let errno = error.raw_os_error().map(io::Error::from_raw_os_error);
        let reason = errno.map_or_else(String::new, |errno| format!(": {}", plain(&errno)));
        format!("{error}{reason}")
    })?;
    if outcome.success() {
        Ok(())
    } else {
        Err(outcome.to_string())
    }
}

fn c_string(field: &str, text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("{field}: {text:?} has a NUL in it"))
}

fn c_strings<T: AsRef<str>>(field: &str, texts: &[T]) -> Result<Vec<CString>, String> {
    let texts = texts.iter();
    texts.map(|text| c_string(field, text.as_ref())).collect()
}

/// Of several variables with one name the last one counts; which of them a program would find is
/// its C library's choice.
fn last_of_each_name(env: &[String]) -> Vec<&str> {
    let name = |entry: &str| entry.split_once('=').map(|(name, _)| name.to_owned());
    let mut kept: Vec<&str> = Vec::with_capacity(env.len());
    for (index, entry) in env.iter().enumerate() {
        let again = name(entry).is_some_and(|wanted| {
            let later = env.iter().skip(index + 1);
            later
                .filter_map(|entry| name(entry))
                .any(|name| name == wanted)
        });
        if !again {
            kept.push(entry);
        }
    }
    kept
}

/// The directory that the configuration names, or the bundle as long as there is one.
fn working_directory(named: &str, bundle: &str) -> Result<Option<OwnedFd>, String> {
    let path = if named.is_empty() { bundle } else { named };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(directory) => Ok(Some(directory)),
        // A bundle may be removed before its container is.
        Err(Errno::NOENT | Errno::NOTDIR) if named.is_empty() => Ok(None),
        Err(errno) => Err(format!("chdir {path}: {}", plain(&errno.into()))),
    }
}

/// The error text without Rust's "(os error N)".
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_lowercase(),
        None => text,
    }
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
        let hooks = Hooks {
            create_runtime: vec![
                shell("exit 0"),
                shell("echo bad >&2; exit 2"),
                shell(&format!("> {}", mark.display())),
            ],
            ..Hooks::default()
        };
        let state = oci_state(&"x".parse().unwrap(), &[], Status::Creating, 1);
        let error = run(&hooks, HookPoint::CreateRuntime, &state, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Hook);
        assert_eq!(
            error.to_string(),
            "error running createRuntime hook #1: exit status 2, stdout: , stderr: bad"
        );
        assert!(!mark.exists());
        run(&hooks, HookPoint::Poststop, &state, None).unwrap();
    }

    fn shell(script: &str) -> Command {
        Command {
            path: "/bin/sh".to_owned(),
            args: ["sh", "-c", script].map(str::to_owned).to_vec(),
            ..Command::default()
        }
    }

    #[test]
    fn all_poststop_hooks_run_and_all_that_fail_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("second");
        let hooks = Hooks {
            poststop: vec![
                shell("exit 2"),
                shell(&format!("> {}", mark.display())),
                Command {
                    path: "/nonexistent/hook".to_owned(),
                    ..Command::default()
                },
            ],
            ..Hooks::default()
        };
        let state = oci_state(&"x".parse().unwrap(), &[], Status::Stopped, 0);
        let error = run(&hooks, HookPoint::Poststop, &state, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Hook);
        assert_eq!(
            error.to_string(),
            "error running poststop hook #0: exit status 2, stdout: , stderr: ; \
             error running poststop hook #2: fork/exec /nonexistent/hook: no such file or directory"
        );
        assert!(mark.exists());
    }

    #[test]
    fn the_last_variable_of_a_name_counts_and_the_rest_is_verbatim() {
        let hook = Command {
            env: Some(["A=1", "odd", "B=x=y", "A=2"].map(str::to_owned).to_vec()),
            ..shell(r#"test "$A" = 2 && test "$B" = x=y"#)
        };
        assert_eq!(run_one(&hook, "/", b"", None), Ok(()));
        let env = hook.env.unwrap();
        assert_eq!(last_of_each_name(&env), ["odd", "B=x=y", "A=2"]);
    }

    #[test]
    fn it_runs_in_the_bundle_or_where_it_is_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let path = path.to_str().unwrap();
        let here = shell(&format!("test $(pwd) = {path}"));
        assert_eq!(run_one(&here, path, b"", None), Ok(()));
        let limited = Command {
            dir: path.to_owned(),
            ..here.clone()
        };
        assert_eq!(run_one(&limited, "/", b"", None), Ok(()));
        // Only the bundle may be gone.
        let gone = format!("{path}/gone");
        assert_eq!(run_one(&shell("exit 0"), &gone, b"", None), Ok(()));
        let limited = Command {
            dir: gone.clone(),
            ..here
        };
        assert_eq!(
            run_one(&limited, path, b"", None),
            Err(format!("chdir {gone}: no such file or directory"))
        );
    }

    #[test]
    fn what_cannot_be_handed_over_is_named() {
        let hook = Command {
            env: Some(vec!["A=\0".to_owned()]),
            ..shell("exit 0")
        };
        assert_eq!(
            run_one(&hook, "/", b"", None),
            Err(r#"env: "A=\0" has a NUL in it"#.to_owned())
        );
    }
}
