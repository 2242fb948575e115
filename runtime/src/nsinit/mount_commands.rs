//! Commands that a file of 2015 has around its mounts.
//!
//! They run with the rights of this program and see the host's files. Those before a mount run
//! before the container is made, in a mount namespace between the host's and the container's: what
//! they mount is seen there and not on the host. Those after a mount run when all mounts are made,
//! in the container's namespaces, before it gets its own root directory.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{self, Stdio};

use configs::Config;
use configs::config::{Command, NamespaceType};
use configs::legacy::MountCommands;

use crate::cli::failure::Failure;

/// Runs what comes before the mounts, and makes hooks of what comes after them.
pub(crate) fn prepare(commands: &[MountCommands], config: &mut Config) -> Result<(), Failure> {
    if commands.is_empty() {
        return Ok(());
    }
    if !config.namespaces.is_private(NamespaceType::Mount) {
        return Err(Failure::new(
            "commands around mounts need a mount namespace of the container's own",
        ));
    }
    crate::sys::unshare_mounts()
        .and_then(|()| Ok(keep_mounts_inside()?))
        .map_err(|error| Failure::io("make a mount namespace", error))?;
    for around in commands {
        for command in &around.before {
            run(command)?;
        }
        for command in &around.after {
            config.hooks.create_container.push(hook(command)?);
        }
    }
    Ok(())
}

/// The host's mounts appear in this namespace, but not the other way round.
fn keep_mounts_inside() -> rustix::io::Result<()> {
    use rustix::mount::{MountPropagationFlags, mount_change};
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", flags)
}

fn run(command: &Command) -> Result<(), Failure> {
    let program = find(&command.path)?;
    let mut child = process::Command::new(&program);
    child.args(&command.args).stdin(Stdio::null());
    if let Some(env) = &command.env {
        let variables = env.iter().filter_map(|entry| entry.split_once('='));
        child
            .env_clear()
            .envs(variables.collect::<BTreeMap<_, _>>());
    }
    if !command.dir.is_empty() {
        child.current_dir(&command.dir);
    }
    let line = || format!("{} {}", command.path, command.args.join(" "));
    let output = child
        .output()
        .map_err(|error| Failure::io(format!("run {}", line()), error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Failure::new(format!(
        "{}: {}: {}",
        line(),
        output.status,
        String::from_utf8_lossy(&said).trim_end()
    )))
}

/// A hook that does the same. The arguments of a hook begin with its name.
fn hook(command: &Command) -> Result<Command, Failure> {
    let program = find(&command.path)?;
    let own = || std::env::vars_os();
    let env = command.env.clone().unwrap_or_else(|| {
        own()
            .filter_map(|(name, value)| Some(format!("{}={}", name.to_str()?, value.to_str()?)))
            .collect()
    });
    let arguments = std::iter::once(program.clone()).chain(command.args.iter().cloned());
    let (path, args) = if command.dir.is_empty() {
        (program, arguments.collect())
    } else {
        // A hook has no working directory.
        let shell = ["sh", "-c", "cd \"$0\" && exec \"$@\"", &command.dir];
        let shell = shell.into_iter().map(str::to_owned);
        ("/bin/sh".to_owned(), shell.chain(arguments).collect())
    };
    Ok(Command {
        path,
        args,
        env: Some(env),
        dir: String::new(),
        ..command.clone()
    })
}

/// The path of a program that is named or looked up in `PATH`.
fn find(name: &str) -> Result<String, Failure> {
    if name.contains('/') {
        let path = std::path::absolute(name)
            .map_err(|error| Failure::io(format!("find {name}"), error))?;
        return Ok(path.to_string_lossy().into_owned());
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let mut candidates = path
        .split(':')
        .map(|directory| Path::new(directory).join(name));
    let found = candidates.find(|path| path.is_absolute() && path.is_file());
    match found {
        Some(path) => Ok(path.to_string_lossy().into_owned()),
        None => Err(Failure::new(format!("{name}: not found in PATH"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(path: &str, args: &[&str]) -> Command {
        Command {
            path: path.to_owned(),
            args: args.iter().map(ToString::to_string).collect(),
            ..Command::default()
        }
    }

    #[test]
    fn a_command_that_fails_is_reported_with_what_it_said() {
        run(&command("true", &[])).unwrap();
        let failure = run(&command("sh", &["-c", "echo no; exit 3"])).unwrap_err();
        assert_eq!(failure.message, "sh -c echo no; exit 3: exit status: 3: no");
        let failure = run(&command("no-such-program", &[])).unwrap_err();
        assert_eq!(failure.message, "no-such-program: not found in PATH");
    }

    #[test]
    fn a_hook_has_its_name_as_first_argument_and_a_shell_for_its_directory() {
        let plain = hook(&command("/bin/cp", &["a", "b"])).unwrap();
        assert_eq!(plain.args, ["/bin/cp", "a", "b"]);
        assert!(plain.env.is_some_and(|env| !env.is_empty()));
        let mut moved = command("/bin/cp", &["a", "b"]);
        moved.dir = "/tmp".to_owned();
        moved.env = Some(vec!["A=1".to_owned()]);
        let moved = hook(&moved).unwrap();
        assert_eq!(moved.path, "/bin/sh");
        assert_eq!(moved.args[3..], ["/tmp", "/bin/cp", "a", "b"]);
        assert_eq!(
            (moved.env.unwrap(), moved.dir),
            (vec!["A=1".to_owned()], String::new())
        );
    }
}
