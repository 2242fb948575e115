//! What to run in a container: the init process of a new one, or another one in a running one.

pub(crate) mod child;
pub(crate) mod child_registry;
pub(crate) mod console;
pub(crate) mod exit_status;
pub(crate) mod foreground;
pub(crate) mod inherited_descriptors;
pub(crate) mod notify_socket;
pub(crate) mod relay;
pub(crate) mod signal;
mod stream_end;
pub(crate) mod user_names;

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use configs::oci;

use crate::error::{Error, ErrorKind, Result};
use crate::timings::Timings;

/// A process to run: the builder given to [`Runtime::create`](crate::Runtime::create) and
/// [`Container::exec`](crate::Container::exec).
///
/// Fields that are `Option` override the container's own value when they are set.
///
/// ```
/// use cofferdam::{Process, Stdio};
/// let mut process = Process::new(["sh", "-c", "echo hello"]);
/// process.env(["PATH=/bin"]).cwd("/tmp").user(1000, 1000).stdin(Stdio::Null);
/// ```
#[derive(Debug)]
pub struct Process {
    pub(crate) args: Vec<String>,
    pub(crate) env: Option<Vec<String>>,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) additional_gids: Vec<u32>,
    pub(crate) names: user_names::UserNames,
    pub(crate) cwd: String,
    pub(crate) umask: Option<u32>,
    pub(crate) capabilities: Option<configs::config::Capabilities>,
    pub(crate) rlimits: Vec<configs::config::Rlimit>,
    pub(crate) no_new_privileges: Option<bool>,
    pub(crate) apparmor_profile: Option<String>,
    pub(crate) selinux_label: Option<String>,
    pub(crate) scheduler: Option<oci::Scheduler>,
    pub(crate) io_priority: Option<oci::IoPriority>,
    pub(crate) cpu_affinity: Option<configs::config::CpuAffinity>,
    pub(crate) terminal: Option<Terminal>,
    pub(crate) console_size: Option<(u16, u16)>,
    pub(crate) stdio: [Stdio; 3],
    pub(crate) passed: Vec<OwnedFd>,
    pub(crate) sub_cgroups: Vec<(String, String)>,
    pub(crate) pidfd_socket: Option<Receiver>,
    pub(crate) notify_socket: Option<PathBuf>,
    pub(crate) ignore_paused: bool,
    /// The file mode creation mask of this process, if it is known: it is read otherwise.
    pub(crate) inherited_umask: Option<u32>,
    /// The signal that it gets when this process ends, if it is not the first of its container:
    /// that one has the signal of the configuration.
    pub(crate) parent_death_signal: i32,
    pub(crate) timings: Option<Timings>,
    /// What is questionable about the document it was read from.
    pub(crate) warnings: Vec<String>,
}

/// Where one of the standard streams of a process comes from.
#[derive(Debug, Default)]
pub enum Stdio {
    /// The stream of the calling process.
    #[default]
    Inherit,
    /// `/dev/null`.
    Null,
    /// A new pipe, owned by the root user of the container. The other end is in
    /// [`Child::pipes`](crate::Child::pipes).
    Pipe,
    /// This descriptor.
    Descriptor(OwnedFd),
}

/// Where a descriptor is sent.
#[derive(Debug)]
pub(crate) enum Receiver {
    /// To the process that listens at this path.
    Path(PathBuf),
    /// To the other end of this socket.
    Connected(OwnedFd),
}

/// A pseudo terminal for a process, made inside the container. Its standard streams then are that
/// terminal, whatever [`Process::stdin`] and the like say.
#[derive(Debug)]
#[non_exhaustive]
pub enum Terminal {
    /// The master side is sent over the Unix stream socket at this path (connected before anything
    /// is made): one message with the name of the terminal as data and the descriptor as
    /// `SCM_RIGHTS`, as console managers expect it.
    Socket(PathBuf),
    /// The same over a connected socket.
    Connected(OwnedFd),
    /// The master side is kept: [`Child::console`](crate::Child::console). It does not translate
    /// line feeds (`ONLCR` is off): what is copied to another terminal is translated there,
    /// once.
    Keep,
}

impl Process {
    /// A process with these arguments, run as root in `/` with no environment.
    ///
    /// Unless it or the container's configuration says otherwise, it has **no capabilities**
    /// (`capabilities(7)`), as root, too: [`capabilities`](Self::capabilities) gives it some,
    /// and [`Capabilities::docker_default`](configs::config::Capabilities::docker_default) is
    /// what programs in containers of Docker are used to. `no_new_privs` and a seccomp filter
    /// are the container's, which has neither unless the configuration says so.
    ///
    /// `args[0]` is looked up in the `PATH` of the process' own environment unless it contains a
    /// slash.
    #[must_use]
    pub fn new<A: Into<String>>(args: impl IntoIterator<Item = A>) -> Self {
        Self {
            args: args.into_iter().map(Into::into).collect(),
            env: None,
            uid: 0,
            gid: 0,
            additional_gids: Vec::new(),
            names: user_names::UserNames::default(),
            cwd: "/".to_owned(),
            umask: None,
            capabilities: None,
            rlimits: Vec::new(),
            no_new_privileges: None,
            apparmor_profile: None,
            selinux_label: None,
            scheduler: None,
            io_priority: None,
            cpu_affinity: None,
            terminal: None,
            console_size: None,
            stdio: [Stdio::Inherit, Stdio::Inherit, Stdio::Inherit],
            passed: Vec::new(),
            sub_cgroups: Vec::new(),
            pidfd_socket: None,
            notify_socket: None,
            ignore_paused: false,
            inherited_umask: None,
            parent_death_signal: 0,
            timings: None,
            warnings: Vec::new(),
        }
    }

    /// The process described by the `process` object of a bundle or of an `exec --process` file.
    ///
    /// Keys of the document that are not known are among the warnings of what is made with the
    /// process.
    ///
    /// `terminal: true` becomes [`Terminal::Keep`]; call [`terminal`](Self::terminal) to send the
    /// master elsewhere.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if `args` is empty or `cwd` is
    /// not absolute, with the text that engines match on.
    pub fn from_oci(process: &oci::Process) -> Result<Self> {
        if process.cwd.is_empty() {
            return Err(Error::config("Cwd property must not be empty"));
        }
        if !process.cwd.starts_with('/') {
            return Err(Error::config("Cwd must be an absolute path"));
        }
        if process.args.is_empty() {
            return Err(Error::config("args must not be empty"));
        }
        let mut this = Self::new(process.args.iter().cloned());
        let unknown = process.unknown_keys.iter().cloned();
        this.warnings = unknown
            .map(|place| configs::Warning::UnknownKey { place }.to_string())
            .collect();
        this.env.clone_from(&process.env);
        this.uid = process.user.uid;
        this.gid = process.user.gid;
        this.additional_gids
            .clone_from(&process.user.additional_gids);
        this.umask = process.user.umask;
        this.cwd.clone_from(&process.cwd);
        this.capabilities = process
            .capabilities
            .as_ref()
            .map(configs::config::Capabilities::from);
        this.rlimits = rlimits(&process.rlimits)?;
        this.no_new_privileges = Some(process.no_new_privileges);
        this.apparmor_profile = not_empty(&process.apparmor_profile);
        this.selinux_label = not_empty(&process.selinux_label);
        this.scheduler.clone_from(&process.scheduler);
        this.io_priority.clone_from(&process.io_priority);
        if let Some(affinity) = &process.exec_cpu_affinity {
            this.cpu_affinity =
                configs::config::CpuAffinity::from_oci(affinity).map_err(|error| {
                    Error::with(ErrorKind::InvalidConfig, "process.execCPUAffinity", error)
                })?;
        }
        if process.terminal {
            this.terminal = Some(Terminal::Keep);
            if let Some(size) = process.console_size {
                let clamp = |value: u64| u16::try_from(value).unwrap_or(u16::MAX);
                this.console_size = Some((clamp(size.height), clamp(size.width)));
            }
        }
        Ok(this)
    }

    /// Replaces the arguments.
    pub fn args<A: Into<String>>(&mut self, args: impl IntoIterator<Item = A>) -> &mut Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// Replaces the environment, each entry `NAME=value`. Of entries with one name the last counts.
    /// Unless a non-empty `HOME` is among them, the home directory of the user in the
    /// container's `/etc/passwd` is added.
    pub fn env<E: Into<String>>(&mut self, env: impl IntoIterator<Item = E>) -> &mut Self {
        self.env = Some(env.into_iter().map(Into::into).collect());
        self
    }

    /// Appends to the environment.
    pub fn add_env(&mut self, entry: impl Into<String>) -> &mut Self {
        self.env.get_or_insert_default().push(entry.into());
        self
    }

    /// User and group id inside the container.
    pub fn user(&mut self, uid: u32, gid: u32) -> &mut Self {
        (self.uid, self.gid) = (uid, gid);
        self
    }

    /// Supplementary group ids inside the container.
    pub fn additional_gids(&mut self, gids: impl IntoIterator<Item = u32>) -> &mut Self {
        self.additional_gids = gids.into_iter().collect();
        self
    }

    /// The user, and the group after a colon, each by name or number, as in `www-data` or
    /// `1000:adm`. They are looked up in the container's `/etc/passwd` and `/etc/group` when the
    /// process is made, and take the place of [`user`](Self::user) and
    /// [`additional_gids`](Self::additional_gids).
    ///
    /// A user without a group has the groups that the files give it. A number that is not in the
    /// files is taken as it is, with group 0. For an init process the files are those of the root
    /// file system, without the mounts of the configuration.
    pub fn user_name(&mut self, user: impl Into<String>) -> &mut Self {
        self.names.user = Some(user.into());
        self
    }

    /// Supplementary groups by name or number, in addition to those that
    /// [`user_name`](Self::user_name) or [`additional_gids`](Self::additional_gids) give.
    pub fn group_names<G: Into<String>>(
        &mut self,
        groups: impl IntoIterator<Item = G>,
    ) -> &mut Self {
        self.names.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// Looks up what is given by name, in the files below the directory that `root` opens.
    pub(crate) fn look_up_names(&mut self, root: impl FnOnce() -> Result<OwnedFd>) -> Result<()> {
        if self.names.is_empty() {
            return Ok(());
        }
        let ids = std::mem::take(&mut self.names).look_up(&root()?)?;
        if let Some(user) = ids.user {
            (self.uid, self.gid, self.additional_gids) = user;
        }
        for gid in ids.groups {
            if !self.additional_gids.contains(&gid) {
                self.additional_gids.push(gid);
            }
        }
        Ok(())
    }

    /// Fails if there are names that were not looked up.
    pub(crate) fn check_names(&self) -> Result<()> {
        if self.names.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "process.user: names are looked up only when a process is made",
        ))
    }

    /// Working directory inside the container, absolute.
    pub fn cwd(&mut self, cwd: impl Into<String>) -> &mut Self {
        self.cwd = cwd.into();
        self
    }

    /// File mode creation mask (`umask(2)`), 0..=0o777, instead of the container's.
    pub fn umask(&mut self, umask: u32) -> &mut Self {
        self.umask = Some(umask);
        self
    }

    /// Capability sets instead of the container's. Without any, here or in the container's
    /// configuration, the process has no capability.
    pub fn capabilities(&mut self, capabilities: configs::config::Capabilities) -> &mut Self {
        self.capabilities = Some(capabilities);
        self
    }

    /// Resource limits (`prlimit(2)`) instead of the container's.
    pub fn rlimits(
        &mut self,
        rlimits: impl IntoIterator<Item = configs::config::Rlimit>,
    ) -> &mut Self {
        self.rlimits = rlimits.into_iter().collect();
        self
    }

    /// Sets, or does not set, `no_new_privs` (`prctl(2)`) instead of what the container says.
    pub fn no_new_privileges(&mut self, set: bool) -> &mut Self {
        self.no_new_privileges = Some(set);
        self
    }

    /// AppArmor profile to change to at exec, instead of the container's.
    pub fn apparmor_profile(&mut self, profile: impl Into<String>) -> &mut Self {
        self.apparmor_profile = Some(profile.into());
        self
    }

    /// SELinux process label, instead of the container's.
    ///
    /// The policy decides whether the calling program may start processes with it. In Debian's,
    /// only container engines may, which are known by the label of their file
    /// (`container_engine_exec_t`); for another program the kernel refuses to execute the process
    /// (`EACCES`).
    pub fn selinux_label(&mut self, label: impl Into<String>) -> &mut Self {
        self.selinux_label = Some(label.into());
        self
    }

    /// Scheduling policy, instead of the container's.
    pub fn scheduler(&mut self, scheduler: oci::Scheduler) -> &mut Self {
        self.scheduler = Some(scheduler);
        self
    }

    /// I/O priority, instead of the container's.
    pub fn io_priority(&mut self, priority: oci::IoPriority) -> &mut Self {
        self.io_priority = Some(priority);
        self
    }

    /// CPUs before and after the process joins the container's cgroup, instead of the container's.
    /// Only for exec.
    pub fn cpu_affinity(&mut self, affinity: configs::config::CpuAffinity) -> &mut Self {
        self.cpu_affinity = Some(affinity);
        self
    }

    /// Gives the process a terminal, or takes it away again.
    pub fn terminal(&mut self, terminal: Option<Terminal>) -> &mut Self {
        self.terminal = terminal;
        self
    }

    /// Initial size of the terminal in characters: rows, columns. Used only if neither is 0.
    pub fn console_size(&mut self, rows: u16, columns: u16) -> &mut Self {
        self.console_size = Some((rows, columns));
        self
    }

    /// Measures the time of every step of `create`, for
    /// [`Container::timings`](crate::Container::timings). Says nothing to a process that is
    /// added to a container.
    pub fn timings(&mut self, timings: Timings) -> &mut Self {
        self.timings = Some(timings);
        self
    }

    /// Standard input.
    pub fn stdin(&mut self, stdio: Stdio) -> &mut Self {
        self.stream(0, stdio)
    }

    /// Standard output.
    pub fn stdout(&mut self, stdio: Stdio) -> &mut Self {
        self.stream(1, stdio)
    }

    /// Standard error.
    pub fn stderr(&mut self, stdio: Stdio) -> &mut Self {
        self.stream(2, stdio)
    }

    fn stream(&mut self, number: usize, stdio: Stdio) -> &mut Self {
        if let Some(slot) = self.stdio.get_mut(number) {
            *slot = stdio;
        }
        self
    }

    /// Passes one more descriptor: the first one becomes 3 in the process, the next 4, and so on.
    pub fn pass(&mut self, descriptor: OwnedFd) -> &mut Self {
        self.passed.push(descriptor);
        self
    }

    /// Exec only: joins a cgroup below the container's, for one v1 controller, or for all and for
    /// v2 with `""`. The path is relative to the container's cgroup; `/` is that itself and
    /// forbids the fallback to the cgroup that the container's init process is in.
    pub fn sub_cgroup(
        &mut self,
        controller: impl Into<String>,
        path: impl Into<String>,
    ) -> &mut Self {
        self.sub_cgroups.push((controller.into(), path.into()));
        self
    }

    /// Sends a pidfd of the process over the Unix stream socket at this path (connected before
    /// anything is made), with `standard` for an init process and `setns` for another one as
    /// data.
    pub fn pidfd_socket(&mut self, path: impl Into<PathBuf>) -> &mut Self {
        self.pidfd_socket = Some(Receiver::Path(path.into()));
        self
    }

    /// The same over a connected Unix stream socket.
    pub fn pidfd_connected(&mut self, socket: OwnedFd) -> &mut Self {
        self.pidfd_socket = Some(Receiver::Connected(socket));
        self
    }

    /// Create only: gives the container a notification socket of its own (`sd_notify(3)`), to be
    /// connected to the service manager's at this path by a
    /// [`NotifySocket`](crate::NotifySocket).
    pub fn notify_socket(&mut self, host: impl Into<PathBuf>) -> &mut Self {
        self.notify_socket = Some(host.into());
        self
    }

    /// Exec only: also into a paused container. The call then returns when a command has resumed
    /// the container, or earlier where the process can be made without running (cgroup v2).
    pub fn ignore_paused(&mut self, ignore: bool) -> &mut Self {
        self.ignore_paused = ignore;
        self
    }
}

/// Refuses a label, of a process or of mounts, on a machine without SELinux. Without a label there
/// is nothing to know.
pub(crate) fn check_label(label: &str) -> Result<()> {
    if label.is_empty() {
        return Ok(());
    }
    selinux::SeLinux::system().require().map_err(|error| {
        Error::config(format!("selinux label is specified in config, but {error}"))
    })
}

fn rlimits(limits: &[oci::PosixRlimit]) -> Result<Vec<configs::config::Rlimit>> {
    limits
        .iter()
        .map(|limit| {
            let kind = configs::config::RlimitType::from_name(&limit.kind)
                .ok_or_else(|| Error::config(format!("invalid rlimit type: {}", limit.kind)))?;
            Ok(configs::config::Rlimit {
                kind,
                hard: limit.hard,
                soft: limit.soft,
            })
        })
        .collect()
}

fn not_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
