//! From a failure of the init process to an error that says what could not be done.

use configs::Config;
use nsenter::Failure;
use nsenter::plan::Op;

use super::mount_messages;
use super::step_texts::{APPARMOR_ERROR, error_text};
use crate::error::{Error, ErrorKind, Subject};
use crate::plan::{APPARMOR_STEP, KEYRING_STEP, OOM_SCORE_STEP, ROOT_PROPAGATION_STEP};

/// What failed when a process was started: our own refusal as it was, a step by its name, anything
/// else as it came.
pub(crate) fn init_error(error: nsenter::Error, args: &[String], config: &Config) -> Error {
    if error.kind() == nsenter::ErrorKind::Refused {
        return match error.into_source().map(|source| source.downcast::<Error>()) {
            Some(Ok(own)) => *own,
            Some(Err(other)) => Error::with(
                ErrorKind::Init,
                "the init process was refused an answer",
                other,
            ),
            None => Error::new(ErrorKind::Init, "the init process was refused an answer"),
        };
    }
    if let Some(failure) = error.failure() {
        return mount_messages::error(failure, config).unwrap_or_else(|| step(failure, args));
    }
    let kind = match error.kind() {
        nsenter::ErrorKind::Timeout => ErrorKind::Timeout,
        nsenter::ErrorKind::System => ErrorKind::System,
        _ => ErrorKind::Init,
    };
    Error::with(kind, "start the init process", error)
}

/// A failed step. Programs and engines match on some of these texts.
fn step(failure: &Failure, args: &[String]) -> Error {
    let errno = failure.errno();
    let cause = std::io::Error::from_raw_os_error(errno);
    let message = match failure.op() {
        Op::Lookup(_) => {
            let program = args.first().map(String::as_str).unwrap_or_default();
            return not_found(program, errno).about(Subject::Program);
        }
        // The kernel has no path for it, or one that does not begin at the root. No other errno
        // means that.
        Op::VerifyDirectory if errno == libc::ENOENT => {
            return Error::new(
                ErrorKind::Init,
                "current working directory is outside of container mount namespace root -- possible container breakout detected",
            );
        }
        Op::VerifyDirectory => "failed to verify if current working directory is safe".to_owned(),
        Op::ChangeDirectory { path, .. } | Op::RetryDirectory(path) => {
            format!(
                "chdir to cwd ({:?}) set in config.json failed",
                path.to_string_lossy()
            )
        }
        Op::Sysctl { path, value, .. } => sysctl(&path.to_string_lossy(), value, failure.detail()),
        // Without AppArmor the file takes no such text, or does not exist.
        _ if failure.context().starts_with(APPARMOR_STEP) && !apparmor_is_enabled() => {
            return Error::new(
                ErrorKind::Init,
                format!("{APPARMOR_ERROR}: AppArmor is not enabled on this host"),
            );
        }
        _ if failure.context() == KEYRING_STEP && errno == libc::EEXIST => {
            return Error::new(
                ErrorKind::Init,
                format!(
                    "{}: another user has made one of that name",
                    error_text(KEYRING_STEP)
                ),
            );
        }
        // Engines take "permission denied" for something that is wrong with the program.
        _ if failure.context() == OOM_SCORE_STEP && errno == libc::EACCES => {
            return Error::new(
                ErrorKind::Init,
                format!("{OOM_SCORE_STEP}: lowering it needs CAP_SYS_RESOURCE"),
            );
        }
        // The kernel changes the propagation of mounts alone, and pivots from the root of one.
        _ if failure.context() == ROOT_PROPAGATION_STEP && errno == libc::EINVAL => {
            return Error::new(
                ErrorKind::Init,
                format!(
                    "{ROOT_PROPAGATION_STEP}: the root directory of this process is no mount point, \
                     as in a chroot; mount --bind DIRECTORY DIRECTORY before chroot DIRECTORY makes it one"
                ),
            );
        }
        // What the step does, and what the log of the kernel or of the stub adds to it.
        _ => {
            let text = failure.to_string();
            let added = text.strip_prefix(failure.context()).unwrap_or_default();
            error_text(failure.context()) + added
        }
    };
    let error = if errno == 0 {
        Error::new(ErrorKind::Init, message)
    } else {
        Error::with(ErrorKind::Init, message, cause)
    };
    let error = match failure.op() {
        Op::ChangeDirectory { .. } | Op::RetryDirectory(_) => {
            error.about(Subject::WorkingDirectory)
        }
        Op::Exec { .. } => error.about(Subject::Program),
        _ => error,
    };
    match heading(failure.op()) {
        Some(heading) => error.context(heading),
        None => error,
    }
}

/// The program cannot be executed.
fn not_found(program: &str, errno: i32) -> Error {
    let text = match errno {
        // What stat(2) says of a path, and not access(2) of a file.
        libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::ENAMETOOLONG
            if program.contains('/') =>
        {
            format!("exec: {program:?}: stat {program}")
        }
        libc::ENOENT | libc::ENOTDIR => {
            return Error::new(
                ErrorKind::Init,
                format!("exec: {program:?}: executable file not found in $PATH"),
            );
        }
        _ => format!("exec: {program:?}"),
    };
    let cause = std::io::Error::from_raw_os_error(errno);
    Error::with(ErrorKind::Init, text, cause)
}

/// A sysctl, whose file could not be opened or did not take the value.
fn sysctl(path: &str, value: &[u8], detail: &[u8]) -> String {
    let key = path.strip_prefix("sys/").unwrap_or(path).replace('/', ".");
    if detail == b"open" {
        format!("open sysctl {key} file")
    } else {
        format!(
            "failed to write sysctl {key} = {:?}",
            String::from_utf8_lossy(value)
        )
    }
}

/// What runc says in front of the failure of a step: readers of messages look for this text.
/// Other steps have their own name alone.
fn heading(op: &Op) -> Option<&'static str> {
    Some(match op {
        Op::BoundingSet { .. } => "unable to apply bounding set",
        Op::KeepCapabilities(true) => "unable to set keep caps",
        Op::KeepCapabilities(false) => "unable to clear keep caps",
        Op::StdioOwner(_) | Op::SetGroups(_) | Op::SetGid(_) | Op::SetUid(_) => {
            "unable to setup user"
        }
        Op::Capabilities { .. } | Op::AmbientSet(_) => "unable to apply caps",
        Op::Seccomp { .. } => "unable to init seccomp",
        Op::Scheduler(_) => "error setting scheduler",
        Op::IoPriority(_) => "failed to set io priority",
        Op::ResourceLimit { .. } => "error setting rlimits for ready process",
        Op::DeathSignal(_) => "can't restore pdeath signal",
        Op::ReopenNull => "error reopening /dev/null inside container",
        Op::PivotRoot(_) | Op::MoveRoot(_) | Op::Chroot(_) => "error jailing process inside rootfs",
        _ => return None,
    })
}

/// A failure before the process of a container or of `exec` went its own way.
pub(crate) fn not_started(error: Error) -> Error {
    error.context("unable to start container process")
}

/// A failure of what is done for an init process.
pub(crate) fn during_init(error: Error) -> Error {
    not_started(error.context("error during container init"))
}

/// What a cgroup that cannot be made or joined is a failure of, for an init process.
pub(crate) const APPLY_CGROUP: &str = "unable to apply cgroup configuration";
/// What a process that cannot join the container's cgroup is a failure of. With cgroup v1 the
/// failure used to be one of writing the pid, and readers of messages look for this text.
pub(crate) const JOIN_CGROUP: &str = "error adding pid of the new process to cgroups";
/// What limits that cannot be set are a failure of.
pub(crate) const SET_LIMITS: &str = "error setting cgroup config for procHooks process";

fn apparmor_is_enabled() -> bool {
    apparmor::AppArmor::system().is_ok_and(|apparmor| apparmor.is_enabled())
}
