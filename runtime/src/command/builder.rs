//! The methods that say what runs, and where.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Command, DEFAULT_OUTPUT_LIMIT, Filter, Mount, Network};
use crate::Stdio;

impl Command {
    /// A program without arguments, in the quick sandbox of the [module](super), with the streams
    /// of this process.
    ///
    /// A name without slash is looked for in the `PATH` that the program gets.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            args: vec![program.into()],
            env: Vec::new(),
            clear_env: false,
            current_dir: "/".to_owned(),
            rootfs: None,
            read_only: true,
            mounts: Vec::new(),
            user: None,
            hostname: "sandbox".to_owned(),
            network: Network::None,
            memory: None,
            pids: None,
            cpus: None,
            io_weight: None,
            timeout: None,
            filter: Filter::Default,
            capabilities: Vec::new(),
            no_new_privileges: true,
            stdio: [None, None, None],
            kill_on_drop: true,
            output_limit: DEFAULT_OUTPUT_LIMIT,
            state: None,
        }
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl Into<String>) -> &mut Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<String>>(&mut self, args: impl IntoIterator<Item = A>) -> &mut Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the environment. Unlike that of the standard library, a program inherits
    /// none: what is in this process' environment is often secret.
    pub fn env(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        let name = name.into();
        self.env.retain(|(other, _)| *other != name);
        self.env.push((name, value.into()));
        self
    }

    /// Sets several.
    pub fn envs<N: Into<String>, V: Into<String>>(
        &mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> &mut Self {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Takes away what was set, and `PATH`.
    pub fn env_clear(&mut self) -> &mut Self {
        self.env.clear();
        self.clear_env = true;
        self
    }

    /// The working directory, `/` by default: a path in the sandbox.
    pub fn current_dir(&mut self, directory: impl Into<String>) -> &mut Self {
        self.current_dir = directory.into();
        self
    }

    /// The directory on the host that is the root of the sandbox. It is read-only unless
    /// [`read_only(false)`](Self::read_only) says otherwise; `/tmp` and `/run` are private where
    /// it has such directories.
    pub fn rootfs(&mut self, directory: impl Into<PathBuf>) -> &mut Self {
        self.rootfs = Some(directory.into());
        self
    }

    /// Whether the root cannot be written, which is so by default. In the quick sandbox it cannot
    /// be written in any case.
    pub fn read_only(&mut self, read_only: bool) -> &mut Self {
        self.read_only = read_only;
        self
    }

    /// Shows a file or a directory of the host in the sandbox, with what is mounted below it.
    ///
    /// Programs in it can write what the user that they run as can write on the host.
    pub fn bind(
        &mut self,
        source: impl Into<PathBuf>,
        destination: impl Into<PathBuf>,
    ) -> &mut Self {
        self.push_bind(source.into(), destination.into(), false)
    }

    /// The same, read-only with what is mounted below it (Linux 5.12).
    pub fn bind_ro(
        &mut self,
        source: impl Into<PathBuf>,
        destination: impl Into<PathBuf>,
    ) -> &mut Self {
        self.push_bind(source.into(), destination.into(), true)
    }

    fn push_bind(&mut self, source: PathBuf, destination: PathBuf, read_only: bool) -> &mut Self {
        self.mounts.push(Mount::Bind {
            source,
            destination,
            read_only,
        });
        self
    }

    /// An empty directory in memory that every user can write, as `/tmp` is. It may hold as much
    /// as the kernel allows (half of the machine's memory) and counts for [`memory`](Self::memory).
    pub fn tmpfs(&mut self, destination: impl Into<PathBuf>) -> &mut Self {
        self.push_tmpfs(destination.into(), None)
    }

    /// The same for at most so many bytes.
    pub fn tmpfs_of_size(&mut self, destination: impl Into<PathBuf>, bytes: u64) -> &mut Self {
        self.push_tmpfs(destination.into(), Some(bytes))
    }

    fn push_tmpfs(&mut self, destination: PathBuf, size: Option<u64>) -> &mut Self {
        self.mounts.push(Mount::Tmpfs { destination, size });
        self
    }

    /// User and group that the program runs as. By default 65534 for a caller that is root; another
    /// caller is root in a user namespace of the sandbox, where no other user exists.
    pub fn user(&mut self, uid: u32, gid: u32) -> &mut Self {
        self.user = Some((uid, gid));
        self
    }

    /// The host name, `sandbox` by default.
    pub fn hostname(&mut self, name: impl Into<String>) -> &mut Self {
        self.hostname = name.into();
        self
    }

    /// The network, none by default.
    pub fn network(&mut self, network: Network) -> &mut Self {
        self.network = network;
        self
    }

    /// Bytes of memory, swap included, that all processes may use together. What cannot get more is
    /// killed: [`Usage::oom_kills`](super::Usage::oom_kills).
    pub fn memory(&mut self, bytes: u64) -> &mut Self {
        self.memory = Some(bytes);
        self
    }

    /// How many processes and threads there may be, at least 1.
    pub fn pids(&mut self, count: u32) -> &mut Self {
        self.pids = Some(count);
        self
    }

    /// How many processors' worth of time all processes may use together; 0.5 is half of one. From
    /// 0.01 on.
    pub fn cpus(&mut self, count: f64) -> &mut Self {
        self.cpus = Some(count);
        self
    }

    /// The share of the disks' time, 10 to 1000; others have 100 if nothing else is set.
    pub fn io_weight(&mut self, weight: u16) -> &mut Self {
        self.io_weight = Some(weight);
        self
    }

    /// Kills everything in the sandbox when the program runs for so long:
    /// [`Child::timed_out`](super::Child::timed_out).
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = Some(timeout);
        self
    }

    /// The system call filter.
    pub fn seccomp(&mut self, filter: Filter) -> &mut Self {
        self.filter = filter;
        self
    }

    /// The capabilities that the program has (`CAP_NET_RAW`, or `NET_RAW`), none by default: these
    /// instead of what was given before.
    pub fn capabilities<C: Into<String>>(
        &mut self,
        capabilities: impl IntoIterator<Item = C>,
    ) -> &mut Self {
        self.capabilities = capabilities.into_iter().map(Into::into).collect();
        self
    }

    /// Whether set-user-ID programs and file capabilities are without effect
    /// (`PR_SET_NO_NEW_PRIVS`), which is so by default.
    pub fn no_new_privileges(&mut self, set: bool) -> &mut Self {
        self.no_new_privileges = set;
        self
    }

    /// Standard input. By default that of this process, and nothing for
    /// [`output`](Self::output).
    ///
    /// A descriptor is used once: afterwards the default counts again.
    pub fn stdin(&mut self, stdio: Stdio) -> &mut Self {
        self.stdio[0] = Some(stdio);
        self
    }

    /// Standard output. By default that of this process, and a pipe for
    /// [`output`](Self::output).
    pub fn stdout(&mut self, stdio: Stdio) -> &mut Self {
        self.stdio[1] = Some(stdio);
        self
    }

    /// Standard error, like [`stdout`](Self::stdout).
    pub fn stderr(&mut self, stdio: Stdio) -> &mut Self {
        self.stdio[2] = Some(stdio);
        self
    }

    /// Whether dropping the [`Child`](super::Child) kills everything in the sandbox and removes it.
    ///
    /// So by default, unlike elsewhere: nobody else would remove it.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.kill_on_drop = kill;
        self
    }

    /// How many bytes of each stream [`output`](Self::output) keeps,
    /// [`DEFAULT_OUTPUT_LIMIT`] by default. What is beyond is read and forgotten, and
    /// [`Output::truncated`](super::Output::truncated) set.
    pub fn output_limit(&mut self, bytes: usize) -> &mut Self {
        self.output_limit = bytes;
        self
    }

    /// Where the containers are kept, as absolute path: [`Runtime::new`](crate::Runtime::new) with
    /// its subdirectory `containers` lists them. It is made if it does not exist.
    ///
    /// By default `/run/cofferdam-commands` for root, else `cofferdam-commands` in
    /// `$XDG_RUNTIME_DIR`, or `cofferdam-commands-UID` in the directory for temporary files.
    pub fn state_directory(&mut self, directory: impl Into<PathBuf>) -> &mut Self {
        self.state = Some(directory.into());
        self
    }

    /// The program, as it was given.
    #[must_use]
    pub fn program(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }

    /// Where the containers are kept.
    pub(super) fn state(&self) -> PathBuf {
        const NAME: &str = "cofferdam-commands";
        if let Some(directory) = &self.state {
            return directory.clone();
        }
        let user = rustix::process::geteuid();
        if user.is_root() {
            return Path::new("/run").join(NAME);
        }
        match std::env::var_os("XDG_RUNTIME_DIR") {
            Some(directory) if Path::new(&directory).is_absolute() => {
                Path::new(&directory).join(NAME)
            }
            _ => std::env::temp_dir().join(format!("{NAME}-{}", user.as_raw())),
        }
    }
}
