//! `exec`: runs another process in a container.

use std::mem::ManuallyDrop;
use std::path::Path;

use configs::{json, oci};

use crate::Status;
use crate::bundle;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::{EXEC_FAILED, Failure, describe};
use crate::cli::flag::{Completion, Flag, Order};
use crate::cli::process_flags::{self as flags, Presence};
use crate::cli::sub_cgroup;
use crate::container::Container;
use crate::process::Process;
use crate::process::foreground::Foreground;

pub(crate) static COMMAND: Command = Command {
    name: "exec",
    about: "run another process in a container",
    arguments: "<container-id> <command> [argument...] | --process process.json <container-id>",
    completions: &[Completion::Container],
    description: "What is not given with a flag is taken from the process object of the bundle's config.json. With\n\
                  --process the file says everything. The exit code is that of the process, or 255 if it could not run.",
    flags: &[
        flags::CONSOLE_SOCKET,
        flags::PIDFD_SOCKET,
        Flag::text("cwd", "working directory in the container"),
        Flag::texts("env", "add NAME=value to the environment; may be repeated").letter("e"),
        Flag::switch("tty", "give the process a terminal").letter("t"),
        Flag::text("user", "numeric user, and group after a colon: uid[:gid]").letter("u"),
        Flag::texts(
            "additional-gids",
            "add a supplementary group id; may be repeated",
        )
        .letter("g"),
        Flag::text("process", "read the process object from this JSON file")
            .file()
            .letter("p"),
        flags::DETACH,
        flags::PID_FILE,
        Flag::text("process-label", "SELinux label of the process"),
        Flag::text("apparmor", "AppArmor profile of the process"),
        Flag::switch("no-new-privs", "set no_new_privs for the process"),
        Flag::texts("cap", "add a capability; may be repeated").letter("c"),
        flags::PRESERVE_FDS,
        Flag::texts(
            "cgroup",
            "run the process in an existing sub-cgroup: [<controller>[,<controller>]:]<path>; may be repeated",
        ),
        Flag::switch("ignore-paused", "also into a paused container"),
        #[cfg(feature = "explain")]
        Flag::switch(
            "plan",
            "show the steps that the process would take, and why, and run nothing",
        ),
        #[cfg(feature = "explain")]
        super::plan::FORMAT_OF_EXEC,
    ],
    count: Count::AtLeast(1),
    order: Order::FlagsFirst,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    exec(invocation).map_err(|failure| failure.prefixed("exec failed: ").code(EXEC_FAILED))
}

fn exec(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let parsed = invocation.parsed;
    #[cfg(feature = "explain")]
    if parsed.given("format") && !parsed.switch("plan") {
        return Err(Failure::new("--format is for --plan"));
    }
    let pid_file = flags::pid_file(invocation)?;
    let container = super::container(invocation)?;
    let ignore_paused = parsed.switch("ignore-paused");
    let status = container.status()?;
    match status {
        Status::Stopped => return Err(Failure::new("cannot exec in a stopped container")),
        Status::Paused if !ignore_paused => {
            return Err(Failure::new(
                "cannot exec in a paused container (use --ignore-paused to override)",
            ));
        }
        _ => {}
    }
    let described = match parsed.text("process") {
        Some(path) => read_process(Path::new(path))?,
        None => from_flags(invocation, &container)?,
    };
    let mut process = Process::from_oci(&described)?;
    process.ignore_paused(ignore_paused);
    process.inherited_umask = Some(umask());
    for (controller, path) in
        sub_cgroup::read(parsed.texts("cgroup").map(|value| value.to_string_lossy()))?
    {
        process.sub_cgroup(controller, path);
    }
    #[cfg(feature = "explain")]
    if parsed.switch("plan") {
        return show_plan(invocation, &container, process);
    }
    let detach = parsed.switch("detach");
    let presence = if detach {
        Presence::Detached
    } else {
        Presence::Foreground
    };
    flags::connect(invocation, &mut process, described.terminal, presence, 0)?;
    let mut foreground = if detach {
        None
    } else {
        // As for run, until this process ends.
        Some(ManuallyDrop::new(Foreground::prepare(false)?))
    };
    let mut child = container.exec_in(Some(status), process)?;
    for warning in child.warnings() {
        invocation.log.warn(warning);
    }
    if let Err(failure) = flags::record_pid(pid_file.as_deref(), child.pid()) {
        let _ = child.signal(crate::process::signal::Signal::KILL);
        child.wait_after_kill();
        return Err(failure);
    }
    match &mut foreground {
        Some(foreground) => {
            let waited = foreground.wait(&mut child);
            if waited.is_err() {
                // As for run: without its streams the process is of no use. The error is
                // reported.
                let _ = child.signal(crate::process::signal::Signal::KILL);
            }
            let status = waited?;
            invocation.warn_of(foreground.warnings());
            Ok(status.code())
        }
        None => Ok(0),
    }
}

/// The mask of this process, which has one thread: it is another for a moment.
fn umask() -> u32 {
    let mask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(mask);
    mask.bits()
}

/// What the process would do; not inlined, so that what runs one does not grow.
#[cfg(feature = "explain")]
#[cold]
#[inline(never)]
fn show_plan(
    invocation: &Invocation<'_>,
    container: &Container,
    mut process: Process,
) -> Result<u8, Failure> {
    let mut warnings = std::mem::take(&mut process.warnings);
    let (built, config) = container.preview_exec(&mut process, &mut warnings)?;
    super::plan::of_exec(invocation, container.id(), &built, &config, &warnings)
}

fn read_process(path: &Path) -> Result<oci::Process, Failure> {
    let text = json::read_file(path).map_err(|error| Failure::new(describe(&error)))?;
    oci::Process::from_slice(&text)
        .map_err(|error| Failure::new(format!("{}: {}", path.display(), describe(&error))))
}

/// The process of the bundle as it is now, changed as the flags say.
fn from_flags(invocation: &Invocation<'_>, container: &Container) -> Result<oci::Process, Failure> {
    let parsed = invocation.parsed;
    let mut process = bundle::read(container.bundle())?
        .process
        .ok_or_else(|| Failure::new("process property must not be empty"))?;
    process.args = invocation
        .after_id()
        .iter()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    if process.args.is_empty() {
        return Err(Failure::new("exec args cannot be empty"));
    }
    if let Some(cwd) = parsed.string("cwd") {
        process.cwd = cwd;
    }
    if let Some(profile) = parsed.string("apparmor") {
        process.apparmor_profile = profile;
    }
    if let Some(label) = parsed.string("process-label") {
        process.selinux_label = label;
    }
    add_capabilities(
        &mut process,
        parsed
            .texts("cap")
            .map(|value| value.to_string_lossy().into_owned()),
    );
    let env = parsed
        .texts("env")
        .map(|value| value.to_string_lossy().into_owned());
    process.env.get_or_insert_default().extend(env);
    process.terminal = parsed.switch("tty");
    if parsed.given("no-new-privs") {
        process.no_new_privileges = parsed.switch("no-new-privs");
    }
    if let Some(user) = parsed.string("user") {
        (process.user.uid, process.user.gid) = read_user(&user, process.user.gid)?;
    }
    for gid in parsed.texts("additional-gids") {
        process
            .user
            .additional_gids
            .push(read_id("additional-gids", &gid.to_string_lossy())?);
    }
    Ok(process)
}

/// Reads `uid` or `uid:gid`; without a group the container's stays.
fn read_user(text: &str, gid: u32) -> Result<(u32, u32), Failure> {
    match text.split_once(':') {
        Some((uid, gid)) => Ok((read_id("uid", uid)?, read_id("gid", gid)?)),
        None => Ok((read_id("uid", text)?, gid)),
    }
}

fn read_id(what: &str, text: &str) -> Result<u32, Failure> {
    text.parse()
        .map_err(|error| Failure::new(format!("parsing {text} as int for {what} failed: {error}")))
}

/// Adds capabilities to the bounding, effective and permitted sets; to the ambient set only of a
/// process that has an inheritable one, because the kernel takes them nowhere else. The inheritable
/// set itself is never touched.
fn add_capabilities(process: &mut oci::Process, names: impl Iterator<Item = String>) {
    for name in names {
        let sets = process.capabilities.get_or_insert_default();
        let ambient = sets.inheritable.is_some().then_some(&mut sets.ambient);
        let others = [&mut sets.bounding, &mut sets.effective, &mut sets.permitted];
        for set in others.into_iter().chain(ambient) {
            set.get_or_insert_default().push(name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_keeps_the_group_it_does_not_name() {
        assert_eq!(read_user("1000", 7).unwrap(), (1000, 7));
        assert_eq!(read_user("1000:8", 7).unwrap(), (1000, 8));
        for text in ["", "root", "1000:", ":1", "-1", "1:2:3", "4294967296"] {
            assert!(read_user(text, 0).is_err(), "{text}");
        }
    }

    #[test]
    fn capabilities_are_never_made_inheritable() {
        let mut process = oci::Process::default();
        add_capabilities(&mut process, ["CAP_KILL".to_owned()].into_iter());
        let sets = process.capabilities.clone().unwrap();
        assert_eq!(sets.bounding.as_deref(), Some(&["CAP_KILL".to_owned()][..]));
        assert_eq!(
            (sets.effective, sets.permitted),
            (sets.bounding.clone(), sets.bounding)
        );
        assert_eq!((sets.inheritable, sets.ambient), (None, None));

        let sets = process.capabilities.as_mut().unwrap();
        sets.inheritable = Some(vec!["CAP_CHOWN".to_owned()]);
        add_capabilities(&mut process, ["CAP_SYS_TIME".to_owned()].into_iter());
        let sets = process.capabilities.unwrap();
        assert_eq!(sets.ambient, Some(vec!["CAP_SYS_TIME".to_owned()]));
        assert_eq!(sets.inheritable, Some(vec!["CAP_CHOWN".to_owned()]));
    }
}
