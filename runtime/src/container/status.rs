//! What a container is doing now.

use cgroups::Cgroup;
use configs::oci::ContainerStatus as Status;

use super::Container;
use crate::cgroup;
use crate::error::{Error, ErrorKind, Result};
use crate::state::record::Record;

impl Container {
    /// The status now, in this order: *creating* while its creator is alive, *paused* if its cgroup
    /// is frozen, *stopped* if its init process is gone, *created* until it is started,
    /// else *running*.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if procfs or the cgroup cannot be read.
    pub fn status(&self) -> Result<Status> {
        let record = self.current()?;
        if let Some(creator) = record.creator {
            let pid = i32::try_from(creator.pid).unwrap_or(-1);
            let alive = self.system().is_alive(pid, creator.start)?;
            // What a dead creator left behind is not going to become a container.
            return Ok(if alive {
                Status::Creating
            } else {
                Status::Stopped
            });
        }
        match self.is_frozen_by(&record) {
            Ok(true) => return Ok(Status::Paused),
            Ok(false) => {}
            // The cgroup hierarchies are not mounted where the caller is: pid and fifo still tell
            // the rest.
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                log::warn!("whether container {} is paused: {}", self.id, error.chain());
            }
            Err(error) => return Err(error),
        }
        if !self
            .system()
            .is_alive(record.init_process_pid, record.init_process_start)?
        {
            return Ok(Status::Stopped);
        }
        let waits = match self.directory.has_reader()? {
            Some(reads) => reads,
            None => self.is_waiting_writer(&record)?,
        };
        Ok(if waits {
            Status::Created
        } else {
            Status::Running
        })
    }

    /// Pid of the init process as this process sees it, if it is alive.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        let record = self.current().ok()?;
        self.live_init_process(&record).ok()?
    }

    /// Pid of the init process of `record`, if it is alive.
    pub(super) fn live_init_process(&self, record: &Record) -> Result<Option<i32>> {
        let pid = record.init_process_pid;
        let alive = self.system().is_alive(pid, record.init_process_start)?;
        Ok(alive.then_some(pid))
    }

    /// Whether the init process is one of runc that waits for a reader of the fifo.
    pub(super) fn is_waiting_writer(&self, record: &Record) -> Result<bool> {
        const NAME: &str = "runc:[2:INIT]";
        if !self.directory.fifo_is_fifo()? {
            return Ok(false);
        }
        let pid = u32::try_from(record.init_process_pid).unwrap_or(0);
        match self.system().procfs()?.stat(pid) {
            Ok(stat) => Ok(
                stat.start_time() == record.init_process_start && stat.name() == NAME.as_bytes()
            ),
            Err(error) if error.kind() == nsenter::ErrorKind::Process => Ok(false),
            Err(error) => Err(Error::system(format!("look for process {pid}"), error)),
        }
    }

    /// Whether the cgroup is frozen. One that does not exist, or has no freezer, is not.
    fn is_frozen_by(&self, record: &Record) -> Result<bool> {
        if self.system().is_known_to_run(&record.cgroup_paths) {
            return Ok(false);
        }
        // The one directory with the freezer: of cgroup v1, else that of v2.
        let paths = &record.cgroup_paths;
        let Some((controller, path)) = ["freezer", ""]
            .into_iter()
            .find_map(|controller| paths.get_key_value(controller))
        else {
            return Ok(false);
        };
        let paths = [(controller.clone(), path.clone())].into();
        let group = Cgroup::load(self.system().hierarchy()?, &paths)
            .map_err(cgroup::failed("load the container's cgroup"))?;
        match group.freezer_state() {
            Ok(state) => Ok(state == Some(cgroups::FreezerState::Frozen)),
            Err(error) if error.kind() == cgroups::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::system("read the state of the freezer", error)),
        }
    }

    /// Fails unless the init process is alive.
    pub(super) fn require_running(&self) -> Result<()> {
        if self.pid().is_some() {
            Ok(())
        } else {
            Err(not_running())
        }
    }
}

pub(super) fn not_running() -> Error {
    Error::new(ErrorKind::NotRunning, "container not running")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use nsenter::Procfs;

    use super::*;
    use crate::ContainerId;
    use crate::runtime::Runtime;
    use crate::system::System;

    /// A machine with cgroup v2, a procfs and one container, all made up.
    pub(crate) struct Machine {
        dir: tempfile::TempDir,
    }

    impl Machine {
        pub(crate) fn new() -> Self {
            let this = Self {
                dir: tempfile::tempdir().unwrap(),
            };
            for directory in ["proc/self", "cgroup/x", "state/x"] {
                fs::create_dir_all(this.path(directory)).unwrap();
            }
            fs::write(this.path("proc/cgroup"), "0::/\n").unwrap();
            fs::write(this.path("cgroup/cgroup.controllers"), "cpu memory\n").unwrap();
            fs::write(this.path("cgroup/x/cgroup.freeze"), "0\n").unwrap();
            fs::write(
                this.path("cgroup/x/cgroup.events"),
                "populated 1\nfrozen 0\n",
            )
            .unwrap();
            this.record("");
            this
        }

        pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
            self.dir.path().join(name)
        }

        /// Init is process 42, started at 1000.
        fn record(&self, more: &str) {
            let cgroup = format!(r#","cgroup_paths":{{"":{:?}}}"#, self.path("cgroup/x"));
            self.record_with(&cgroup, more);
        }

        pub(crate) fn record_with(&self, cgroup: &str, more: &str) {
            let text = format!(
                r#"{{"id":"x","init_process_pid":42,"init_process_start":1000,"created":"","config":{{}}{cgroup}{more}}}"#
            );
            fs::write(self.path("state/x/state.json"), text).unwrap();
        }

        /// The fifo, open as an init process has it that waits.
        fn fifo(&self) -> fs::File {
            let path = self.path("state/x/exec.fifo");
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            let kind = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
            fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .unwrap()
        }

        pub(crate) fn process(&self, pid: u32, state: char, start: u64) {
            self.named_process(pid, "a) b", state, start);
        }

        fn named_process(&self, pid: u32, name: &str, state: char, start: u64) {
            let directory = self.path(&format!("proc/{pid}"));
            fs::create_dir_all(&directory).unwrap();
            let zeros = "0 ".repeat(18);
            fs::write(
                directory.join("stat"),
                format!("{pid} ({name}) {state} {zeros}{start} 0 0\n"),
            )
            .unwrap();
        }

        fn freeze(&self) {
            fs::write(self.path("cgroup/x/cgroup.freeze"), "1\n").unwrap();
            fs::write(
                self.path("cgroup/x/cgroup.events"),
                "populated 1\nfrozen 1\n",
            )
            .unwrap();
        }

        fn container(&self) -> Container {
            self.container_with(|system| system)
        }

        /// The same with other file systems, too.
        pub(crate) fn container_with(&self, more: impl FnOnce(System) -> System) -> Container {
            let open = |path: &Path| OwnedFd::from(fs::File::open(path).unwrap());
            let proc = Procfs::open_at(open(&self.path("proc"))).unwrap();
            let cgroup = self.path("cgroup");
            let hierarchy =
                cgroups::Hierarchy::open_at(open(&cgroup), &cgroup, open(&self.path("proc")))
                    .unwrap();
            let runtime = Runtime::new(self.path("state"))
                .unwrap()
                .with_system(more(System::fake(proc, hierarchy)));
            runtime.load(&ContainerId::new("x").unwrap()).unwrap()
        }

        fn status(&self) -> Status {
            self.container().status().unwrap()
        }
    }

    #[test]
    fn an_init_process_that_is_gone_means_stopped() {
        let machine = Machine::new();
        assert_eq!(machine.status(), Status::Stopped);
        machine.process(42, 'Z', 1000);
        assert_eq!(machine.status(), Status::Stopped);
        machine.process(42, 'X', 1000);
        assert_eq!(machine.status(), Status::Stopped);
    }

    #[test]
    fn the_fifo_tells_created_from_running() {
        let machine = Machine::new();
        machine.process(42, 'S', 1000);
        assert_eq!(machine.status(), Status::Running);
        let waiting = machine.fifo();
        assert_eq!(machine.status(), Status::Created);
        drop(waiting);
        assert_eq!(machine.status(), Status::Running);
    }

    #[test]
    fn an_init_process_of_runc_that_waits_to_write_counts_as_created() {
        let machine = Machine::new();
        drop(machine.fifo());
        machine.named_process(42, "runc:[2:INIT]", 'S', 1000);
        assert_eq!(machine.status(), Status::Created);
        // Not without a fifo, nor if it is another process.
        machine.named_process(42, "runc:[2:INIT]", 'S', 1001);
        assert_eq!(machine.status(), Status::Stopped);
        machine.named_process(42, "runc:[2:INIT]", 'S', 1000);
        fs::remove_file(machine.path("state/x/exec.fifo")).unwrap();
        assert_eq!(machine.status(), Status::Running);
    }

    #[test]
    fn what_is_in_the_place_of_the_fifo_is_not_written_to() {
        let machine = Machine::new();
        machine.process(42, 'S', 1000);
        let place = machine.path("state/x/exec.fifo");
        let refused = || {
            let container = machine.container();
            assert_eq!(container.status().unwrap(), Status::Running);
            let error = container.start().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CorruptState);
            assert!(
                error.to_string().contains("exec.fifo is not a fifo"),
                "{error}"
            );
        };
        fs::write(&place, "").unwrap();
        refused();
        assert_eq!(fs::read(&place).unwrap(), b"");
        fs::remove_file(&place).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &place).unwrap();
        refused();
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
        refused();
        fs::remove_dir(&place).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(&place).unwrap();
        refused();
    }

    #[test]
    fn a_reused_pid_is_a_stranger() {
        let machine = Machine::new();
        machine.process(42, 'S', 1001);
        let container = machine.container();
        assert_eq!(container.status().unwrap(), Status::Stopped);
        assert_eq!(container.pid(), None);
        assert_eq!(container.oci_state().unwrap().pid, 0);
        assert_eq!(
            container.signal(crate::Signal::TERM).unwrap_err().kind(),
            ErrorKind::NotRunning
        );
        assert_eq!(
            container
                .exec(crate::Process::new(["x"]))
                .unwrap_err()
                .kind(),
            ErrorKind::NotRunning
        );
    }

    #[test]
    fn paused_comes_before_stopped_and_created() {
        let machine = Machine::new();
        machine.freeze();
        assert_eq!(machine.status(), Status::Paused);
        machine.process(42, 'S', 1000);
        let _waiting = machine.fifo();
        let container = machine.container();
        assert_eq!(container.status().unwrap(), Status::Paused);
        assert_eq!(
            container.pause().unwrap_err().to_string(),
            "container not running"
        );
        assert_eq!(
            container.start().unwrap_err().to_string(),
            "cannot start a container in the paused state"
        );
        assert_eq!(container.destroy().unwrap_err().kind(), ErrorKind::Paused);
    }

    #[test]
    fn a_cgroup_that_is_gone_is_not_frozen() {
        let machine = Machine::new();
        machine.process(42, 'S', 1000);
        fs::remove_dir_all(machine.path("cgroup/x")).unwrap();
        assert_eq!(machine.status(), Status::Running);
        assert_eq!(machine.container().processes().unwrap(), [42]);
    }

    #[test]
    fn a_container_is_being_made_as_long_as_its_creator_lives() {
        let machine = Machine::new();
        machine.record(r#","creator":{"pid":7,"start":500}"#);
        assert_eq!(machine.status(), Status::Stopped);
        machine.process(7, 'S', 500);
        let container = machine.container();
        assert_eq!(container.status().unwrap(), Status::Creating);
        assert_eq!(
            container.destroy().unwrap_err().kind(),
            ErrorKind::InvalidState
        );
        // The creator finishes: what was loaded before sees it.
        machine.record("");
        machine.process(42, 'S', 1000);
        assert_eq!(container.status().unwrap(), Status::Running);
    }

    #[test]
    fn a_cgroup_that_was_recorded_since_is_the_containers() {
        let machine = Machine::new();
        machine.record_with("", r#","creator":{"pid":7,"start":500}"#);
        machine.process(7, 'S', 500);
        let container = machine.container();
        assert_eq!(container.status().unwrap(), Status::Creating);
        machine.record("");
        machine.process(42, 'S', 1000);
        fs::write(machine.path("cgroup/x/cgroup.procs"), "42\n").unwrap();
        assert_eq!(container.processes().unwrap(), [42]);
        machine.freeze();
        assert_eq!(container.status().unwrap(), Status::Paused);
    }

    #[test]
    fn verbs_that_need_another_status_say_which() {
        let machine = Machine::new();
        let stopped = machine.container();
        assert_eq!(
            stopped.start().unwrap_err().to_string(),
            "cannot start a container that has stopped"
        );
        assert_eq!(
            stopped.resume().unwrap_err().to_string(),
            "container not paused"
        );
        assert_eq!(stopped.pause().unwrap_err().kind(), ErrorKind::NotRunning);
        assert!(stopped.wait_timeout(std::time::Duration::ZERO).unwrap());
        machine.process(42, 'S', 1000);
        let running = machine.container();
        assert_eq!(
            running.start().unwrap_err().to_string(),
            "cannot start an already running container"
        );
        assert_eq!(
            running.destroy().unwrap_err().chain(),
            "unable to destroy container: container still running"
        );
    }
}
