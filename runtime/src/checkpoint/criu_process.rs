//! A process of CRIU: the thread and the mount namespace that a restore runs in, and what its log
//! says of a failure.

use std::error::Error as _;
use std::fs::File;
use std::io::BufReader;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use criu::{Criu, Session};
use nsenter::pidfd;
use rustix::fs::{AtFlags, Mode, OFlags, fstatvfs, openat, unlinkat};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::sys;

/// How long killed processes of a restore that failed may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// The log that CRIU writes.
#[derive(Debug)]
pub(crate) struct Log<'a> {
    /// The directory of the log, open.
    pub(crate) directory: BorrowedFd<'a>,
    /// The same as the user knows it.
    pub(crate) path: &'a Path,
    /// The name of the file.
    pub(crate) name: &'static str,
}

impl Log<'_> {
    /// Removes the log of a former run, which would be quoted as if it were of this one, and makes
    /// sure that CRIU can make another: otherwise it would write to standard error, and give up.
    pub(crate) fn renew(&self) -> Result<()> {
        let failed = |what: &str| {
            let what = format!("{what} {}", self.path.join(self.name).display());
            move |errno| Error::system(what, errno)
        };
        match unlinkat(self.directory, self.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed("remove the former")(errno)),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        openat(self.directory, self.name, flags, Mode::RUSR | Mode::WUSR)
            .and_then(|_| unlinkat(self.directory, self.name, AtFlags::empty()))
            .map_err(failed("make the log of CRIU,"))
    }

    /// What the log says of why CRIU failed; `None` without a log. (A configuration file of CRIU
    /// may have given it another name.)
    fn errors(&self) -> Option<criu::Quotation> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(self.directory, self.name, flags, Mode::empty()).ok()?;
        criu::quote_errors(BufReader::new(File::from(opened))).ok()
    }

    /// The error of this crate for one of CRIU: it names the log and quotes the line in it that
    /// CRIU gave up for. What led to that is among the warnings.
    ///
    /// CRIU itself names the first error of its log, which is often one that it goes on after: that
    /// is left out if there is a better one. `images` is the directory that it has written to or
    /// read from.
    pub(crate) fn explain(&self, error: criu::Error, images: BorrowedFd<'_>) -> Error {
        let path = self.path.join(self.name);
        let mut details = Vec::new();
        let mut lines = Vec::new();
        let mut error = error;
        if let Some(criu::Quotation { text, cause, .. }) = self.errors() {
            let mut detail = format!("see {}", path.display());
            if let Some(cause) = cause {
                detail = format!("{detail}: {cause}");
                error = error.without_text();
            }
            details.push(detail);
            lines = text.lines().map(str::to_owned).collect();
        }
        if is_full(self.directory) || is_full(images) {
            details.push("no space is left on the device".to_owned());
        }
        let error = failure(error);
        if details.is_empty() {
            return error;
        }
        let message = format!("{} ({})", error.chain(), details.join("; "));
        Error::new(error.kind(), message).with_warnings(quotation(&path, lines))
    }
}

/// Whether a file system has no room for another block.
fn is_full(directory: BorrowedFd<'_>) -> bool {
    // Those without a size, as of /proc, have none to fill.
    fstatvfs(directory).is_ok_and(|stat| stat.f_blocks > 0 && stat.f_bavail == 0)
}

/// The quoted lines with a frame, if there are any.
fn quotation(path: &Path, lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() {
        return lines;
    }
    let head = format!("--- Quoting {:?}", PathBuf::from(path));
    let tail = "---".to_owned();
    [head].into_iter().chain(lines).chain([tail]).collect()
}

/// The error of this crate for one of CRIU that has no log.
pub(crate) fn failure(error: criu::Error) -> Error {
    use criu::ErrorKind as Criu;
    let kind = match error.kind() {
        Criu::NotFound | Criu::TooOld | Criu::Unsupported => ErrorKind::Unsupported,
        // What this crate itself found when CRIU reported how far it was.
        Criu::Notification => {
            let own = error.source().and_then(|source| source.downcast_ref());
            own.map_or(ErrorKind::Criu, |own: &Error| own.kind())
        }
        _ => ErrorKind::Criu,
    };
    let mut message = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        message = format!("{message}: {cause}");
        next = cause.source();
    }
    Error::new(kind, message)
}

/// Starts CRIU as a child of a new thread that has a mount namespace of its own, in which `prepare`
/// runs before, and has `drive` restore with it and with what `prepare` has brought.
///
/// Mounts that `prepare` makes are seen by CRIU, and end with it. The restored init process is a
/// child of that thread, too (`rst_sibling`), and becomes one of another thread of this process
/// when it ends. If `drive` fails, what CRIU has left is killed and reaped: the thread has no other
/// children, so they are known however far CRIU came.
pub(crate) fn restore_with<P: Send, T>(
    criu: &Criu,
    inherited: Vec<OwnedFd>,
    prepare: impl FnOnce() -> Result<P> + Send,
    drive: impl FnOnce(Session, P) -> Result<T>,
) -> Result<T> {
    std::thread::scope(|scope| {
        let (started, session) = mpsc::sync_channel(1);
        let (restored, outcome) = mpsc::channel::<()>();
        let parent = move || {
            let start = || {
                sys::unshare_mounts()
                    .map_err(|error| Error::system("make a mount namespace for CRIU", error))?;
                let prepared = prepare()?;
                let session = criu.start(inherited).map_err(failure)?;
                Ok((session, prepared))
            };
            // The receiver waits for exactly this.
            let _ = started.send(start());
            if outcome.recv().is_err() {
                end_children();
            }
        };
        std::thread::Builder::new()
            .name("criu".to_owned())
            .spawn_scoped(scope, parent)
            .map_err(|error| Error::system("start a thread for CRIU", error))?;
        let (session, prepared) = session
            .recv()
            .map_err(|error| Error::system("start CRIU", error))??;
        let driven = drive(session, prepared)?;
        // The thread waits for it, or has panicked.
        let _ = restored.send(());
        Ok(driven)
    })
}

/// Kills and reaps the children of the calling thread (`/proc/thread-self/children`, which a kernel
/// with `CONFIG_CHECKPOINT_RESTORE` has).
fn end_children() {
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    let pids = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    // None is another process by now: a child stays until it is waited for.
    for child in pids.filter_map(|pid: u32| pidfd::open(pid).ok()) {
        let ended = || -> nsenter::Result<()> {
            if !pidfd::has_exited(&child)? {
                pidfd::send_signal(&child, libc::SIGKILL)?;
            }
            if pidfd::wait_timeout(&child, Some(END_TIMEOUT))? {
                pidfd::try_wait(&child)?;
            }
            Ok(())
        };
        if let Err(error) = ended() {
            log::debug!("end a process that CRIU has left: {error}");
        }
    }
}

/// The cgroups of a process as `cg_root` names them, one for each controller; the empty name is
/// cgroup v2.
pub(crate) fn cgroup_roots(pid: u32) -> Result<Vec<criu::CgroupRoot>> {
    let path = format!("/proc/{pid}/cgroup");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Error::system(format!("read {path}"), error))?;
    Ok(parse_cgroups(&text))
}

fn parse_cgroups(text: &str) -> Vec<criu::CgroupRoot> {
    let lines = text.lines().filter_map(|line| {
        let (_, line) = line.split_once(':')?;
        line.split_once(':')
    });
    lines
        .flat_map(|(controllers, path)| {
            controllers.split(',').map(|name| criu::CgroupRoot {
                ctrl: Some(name.to_owned()),
                path: path.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn script(text: &str) -> (tempfile::TempDir, Criu) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("criu");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        let criu = Criu::new(&path);
        (directory, criu)
    }

    fn drop_session(session: Session, (): ()) -> Result<()> {
        drop(session);
        Err(Error::config("refused"))
    }

    #[test]
    fn every_controller_has_its_root() {
        let roots = parse_cgroups("4:cpu,cpuacct:/a/b:c\n1:name=systemd:/\n0::/x\n");
        let pairs: Vec<_> = roots
            .iter()
            .map(|root| (root.ctrl.as_deref().unwrap(), root.path.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("cpu", "/a/b:c"),
                ("cpuacct", "/a/b:c"),
                ("name=systemd", "/"),
                ("", "/x")
            ]
        );
    }

    #[test]
    fn a_failure_names_the_log_and_quotes_its_cause() {
        let directory = tempfile::tempdir().unwrap();
        let text =
            "(00.1) fine\n(00.2) Error (criu/x.c:1): first\n\n(00.3) Error (criu/x.c:2): last\n";
        std::fs::write(directory.path().join("restore.log"), text).unwrap();
        let opened = File::open(directory.path()).unwrap();
        let log = Log {
            directory: opened.as_fd(),
            path: directory.path(),
            name: "restore.log",
        };
        let (_directory, criu) = script("exit 1");
        let error = log.explain(criu.version().unwrap_err(), opened.as_fd());
        let path = directory.path().join("restore.log");
        let end = format!(" (see {}: (00.3) Error (criu/x.c:2): last)", path.display());
        assert!(error.chain().ends_with(&end), "{}", error.chain());
        let quoted: Vec<&str> = error.warnings().iter().map(String::as_str).collect();
        let head = format!("--- Quoting {path:?}");
        let lines = [
            head.as_str(),
            "1:(00.1) fine",
            "2:(00.2) Error (criu/x.c:1): first",
            "3:",
            "4:(00.3) Error (criu/x.c:2): last",
            "---",
        ];
        assert_eq!(quoted, lines);
    }

    #[test]
    fn a_former_log_is_gone_before_criu_begins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("restore.log");
        let target = directory.path().join("target");
        std::fs::write(&target, "precious").unwrap();
        let opened = File::open(directory.path()).unwrap();
        let log = Log {
            directory: opened.as_fd(),
            path: directory.path(),
            name: "restore.log",
        };
        std::fs::write(&path, "Error (criu/x.c:1): of before\n").unwrap();
        log.renew().unwrap();
        assert!(!path.exists());
        std::os::unix::fs::symlink(&target, &path).unwrap();
        log.renew().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"precious");
        std::fs::create_dir(&path).unwrap();
        let error = log.renew().unwrap_err().chain();
        let said = format!("remove the former {}: ", path.display());
        assert!(error.starts_with(&said), "{error}");
    }

    #[test]
    fn a_log_that_is_a_link_is_not_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        std::fs::write(&secret, "Error: secret\n").unwrap();
        std::os::unix::fs::symlink(&secret, directory.path().join("restore.log")).unwrap();
        let opened = File::open(directory.path()).unwrap();
        let log = Log {
            directory: opened.as_fd(),
            path: directory.path(),
            name: "restore.log",
        };
        let (_directory, criu) = script("exit 1");
        let error = log.explain(criu.version().unwrap_err(), opened.as_fd());
        assert!(!error.chain().contains("secret"), "{}", error.chain());
        assert_eq!(error.warnings(), [] as [String; 0]);
    }

    #[test]
    fn what_a_failed_criu_leaves_is_ended() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let (_directory, criu) = script("exit 1");
        let left = std::sync::Mutex::new(0);
        // The restored process is a child of the thread, as this one is.
        #[allow(
            clippy::zombie_processes,
            reason = "what is tested is that it is waited for"
        )]
        let prepare = || {
            let mut sleep = std::process::Command::new("sleep");
            *left.lock().unwrap() = sleep.arg("1000").spawn().unwrap().id();
            Ok(())
        };
        let restored = restore_with(&criu, Vec::new(), prepare, drop_session);
        assert_eq!(restored.unwrap_err().to_string(), "refused");
        let left = left.into_inner().unwrap();
        assert!(!std::fs::exists(format!("/proc/{left}")).unwrap());
    }

    #[test]
    fn mounts_made_before_are_seen_by_criu_alone() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let (directory, criu) = script("ls \"$(dirname \"$0\")/point\" >\"$0.seen\"; exit 1");
        let point = directory.path().join("point");
        std::fs::create_dir(&point).unwrap();
        let prepare = || {
            super::super::restore::root::own_mount(&point)?;
            rustix::mount::mount_bind("/sys", &point).map_err(|errno| Error::system("bind", errno))
        };
        let restored = restore_with(&criu, Vec::new(), prepare, |session, ()| {
            let ended = session.restore(criu::Options::default(), |_| Ok(()));
            ended.map_err(failure)
        });
        assert_eq!(restored.unwrap_err().kind(), ErrorKind::Criu);
        let seen = std::fs::read_to_string(directory.path().join("criu.seen")).unwrap();
        assert!(seen.contains("kernel"), "{seen:?}");
        assert_eq!(std::fs::read_dir(&point).unwrap().count(), 0);
    }
}
