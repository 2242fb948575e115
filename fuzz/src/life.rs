//! The life of a container by a program of bytes: every call does or refuses what a model of the
//! states says, and at the end nothing is left. Needs root; for another user it says
//! that it looks at nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Once};
use std::time::Duration;

use configs::oci::Spec;
use configs::specconv::{self, Options};
use configs::{Config, HostInfo};
use runtime::{Container, ContainerId, ErrorKind, Process, Runtime, Signal, Status, Stdio};
use tempfile::TempDir;

#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "programs of the integration tests, of which two are wanted here"
)]
#[path = "../../integration/src/tiny_program.rs"]
mod tiny_program;

/// Calls of one life.
const MOST_CALLS: usize = 12;
/// What a killed process may take to end, on a slow machine as well.
const LIMIT: Duration = Duration::from_secs(60);

/// Where a container is in its life, as far as its user has caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Absent,
    Created,
    Running,
    /// Whether it had been started.
    Paused(bool),
    Stopped,
}

impl Life {
    fn status(self) -> Option<Status> {
        match self {
            Self::Absent => None,
            Self::Created => Some(Status::Created),
            Self::Running => Some(Status::Running),
            Self::Paused(_) => Some(Status::Paused),
            Self::Stopped => Some(Status::Stopped),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Create,
    Start,
    Exec,
    Kill,
    Pause,
    Resume,
    Delete,
    ForceDelete,
}

const CALLS: [Call; 8] = [
    Call::Create,
    Call::Start,
    Call::Exec,
    Call::Kill,
    Call::Pause,
    Call::Resume,
    Call::Delete,
    Call::ForceDelete,
];

/// What a call does to a container, or how it is refused.
fn outcome(call: Call, life: Life) -> Result<Life, ErrorKind> {
    use Life::{Absent, Created, Paused, Running, Stopped};
    match (call, life) {
        (Call::Create, Absent) => Ok(Created),
        (Call::Create, _) => Err(ErrorKind::AlreadyExists),
        (Call::ForceDelete, _) => Ok(Absent),
        (_, Absent) => Err(ErrorKind::NotFound),
        (Call::Start, Created) => Ok(Running),
        (Call::Start, _) => Err(ErrorKind::InvalidState),
        (Call::Exec | Call::Kill | Call::Pause, Stopped) => Err(ErrorKind::NotRunning),
        (Call::Exec, Paused(_)) => Err(ErrorKind::Paused),
        (Call::Exec, _) => Ok(life),
        (Call::Kill, _) => Ok(Stopped),
        (Call::Pause, Paused(_)) => Err(ErrorKind::NotRunning),
        (Call::Pause, _) => Ok(Paused(life == Running)),
        (Call::Resume, Paused(started)) => Ok(if started { Running } else { Created }),
        (Call::Resume, _) => Err(ErrorKind::NotPaused),
        (Call::Delete, Created | Stopped) => Ok(Absent),
        (Call::Delete, Running) => Err(ErrorKind::StillRunning),
        (Call::Delete, Paused(_)) => Err(ErrorKind::Paused),
    }
}

/// A bundle with two programs: one that waits and one that ends at once.
static BUNDLE: LazyLock<TempDir> = LazyLock::new(|| {
    let bundle = tempfile::tempdir().expect("a folder");
    let rootfs = bundle.path().join("rootfs");
    fs::create_dir_all(rootfs.join("proc")).expect("mkdir");
    tiny_program::write(&rootfs.join("wait"), tiny_program::PAUSE).expect("write");
    tiny_program::write(&rootfs.join("true"), tiny_program::TRUE).expect("write");
    bundle
});

fn config() -> Config {
    let rootfs = BUNDLE.path().join("rootfs");
    let text = format!(
        r#"{{
            "ociVersion": "1.3.0",
            "root": {{"path": {rootfs:?}}},
            "mounts": [{{"destination": "/proc", "type": "proc", "source": "proc"}}],
            "linux": {{
                "cgroupsPath": "/cofferdam-fuzz-{}",
                "namespaces": [{{"type": "pid"}}, {{"type": "mount"}}]
            }}
        }}"#,
        std::process::id()
    );
    let spec = Spec::from_slice(text.as_bytes()).expect("a configuration");
    let options = Options {
        id: "fuzz".to_owned(),
        bundle: BUNDLE.path().to_string_lossy().into_owned(),
        ..Options::default()
    };
    let converted = specconv::convert(&spec, &HostInfo::default(), &options);
    converted.expect("a configuration").0
}

fn process(program: &str) -> Process {
    let mut process = Process::new([program]);
    process
        .stdin(Stdio::Null)
        .stdout(Stdio::Null)
        .stderr(Stdio::Null);
    process
}

/// One container, and what there is to know about it.
struct Player {
    runtime: Runtime,
    id: ContainerId,
    life: Life,
    /// As the one who made it has it.
    maker: Option<Container>,
    cgroups: Vec<PathBuf>,
}

impl Player {
    /// Makes a call, as the maker of the container or as another process would.
    fn call(&mut self, call: Call, as_maker: bool) -> runtime::Result<()> {
        if let Call::Create = call {
            let container = self.runtime.create(&self.id, config(), process("/wait"))?;
            let state = container.state()?;
            self.cgroups = state.cgroup_paths.into_values().collect();
            self.maker = Some(container);
            return Ok(());
        }
        if let Call::ForceDelete = call {
            let existed = self.runtime.force_delete(&self.id)?;
            assert_eq!(existed, self.life != Life::Absent);
            return Ok(());
        }
        let loaded;
        let container = match &self.maker {
            Some(maker) if as_maker && self.life != Life::Absent => maker,
            _ => {
                loaded = self.runtime.load(&self.id)?;
                &loaded
            }
        };
        match call {
            Call::Create | Call::ForceDelete => {}
            Call::Start => container.start()?,
            Call::Exec => {
                let child = container.exec(process("/true"))?;
                assert!(child.wait()?.success());
            }
            Call::Kill => {
                container.signal(Signal::KILL)?;
                assert!(container.wait_timeout(LIMIT)?, "it does not end");
            }
            Call::Pause => container.pause()?,
            Call::Resume => container.resume()?,
            Call::Delete => container.destroy()?,
        }
        Ok(())
    }

    /// Compares what another process sees with the model.
    fn compare(&self) {
        let listed = match self.runtime.list() {
            Ok(containers) => containers.count(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound);
                0
            }
        };
        assert_eq!(listed, usize::from(self.life != Life::Absent));
        match self.runtime.load(&self.id) {
            Ok(container) => {
                assert_eq!(container.status().ok(), self.life.status());
                assert_eq!(container.pid().is_some(), self.life != Life::Stopped);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound);
                assert_eq!(self.life, Life::Absent);
            }
        }
        if self.life == Life::Absent {
            assert!(self.cgroups.iter().all(|path| !path.exists()));
        }
    }
}

/// Once a process: an engine gives it thousands of inputs.
static SAID: Once = Once::new();

#[allow(clippy::print_stderr, reason = "who runs it does not know otherwise")]
fn say_that_nothing_is_looked_at() {
    eprintln!("SKIP life: it makes containers, which needs root here; no input is looked at");
}

pub(crate) fn run(program: &[u8]) {
    if !rustix::process::geteuid().is_root() {
        SAID.call_once(say_that_nothing_is_looked_at);
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new(root.path()).expect("a state root");
    let mut player = Player {
        runtime,
        id: "fuzz".parse().expect("an id"),
        life: Life::Absent,
        maker: None,
        cgroups: Vec::new(),
    };
    let calls = program.iter().take(MOST_CALLS).map(|byte| {
        let call = CALLS[usize::from(byte & 0x7f) % CALLS.len()];
        (call, byte & 0x80 != 0)
    });
    for (call, as_maker) in calls.chain([(Call::ForceDelete, false)]) {
        let expected = outcome(call, player.life);
        let found = player.call(call, as_maker);
        let found = found.map_err(|error| (error.kind(), format!("{error:#}")));
        match (&found, expected) {
            (Ok(()), Ok(life)) => player.life = life,
            (Err((kind, _)), Err(expected)) if *kind == expected => {}
            _ => panic!("{call:?} of one {:?}: {found:?}", player.life),
        }
        player.compare();
    }
    assert_eq!(left(root.path()), 0);
}

fn left(root: &Path) -> usize {
    let entries = fs::read_dir(root).expect("the state root");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    // What every state root keeps.
    names.filter(|name| name == "fuzz").count()
}
