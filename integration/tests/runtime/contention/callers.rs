//! Who carries out a command: the program, or this process by the library.

use std::io::{Read as _, Seek as _};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use cofferdam_integration::{Case, limited};
use runtime::{Bundle, Container, ContainerId, Process, Result, Runtime, Signal};

/// How the cgroup file systems are mounted that a command finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Own,
    /// Cgroup v2 alone, in a mount namespace of the command's own.
    Unified,
}

/// What a command answered: its exit code and what it said.
pub(super) struct Answer {
    pub(super) code: i32,
    pub(super) said: String,
}

/// Runs a command line of the program; nothing if it hangs.
pub(super) fn by_program(case: &Case, layout: Layout, arguments: &[&str]) -> Option<Answer> {
    // What goes on in the background keeps the file open, not a pipe of ours.
    let mut said = tempfile::tempfile().unwrap();
    let mut child = command(case, layout, arguments)
        .stderr(said.try_clone().unwrap())
        .spawn()
        .unwrap();
    if !limited::wait(&child, limited::TIMEOUT) {
        child.kill().unwrap();
        child.wait().unwrap();
        return None;
    }
    let code = child.wait().unwrap().code().unwrap_or(-1);
    let mut text = String::new();
    said.rewind().unwrap();
    said.read_to_string(&mut text).unwrap();
    Some(Answer { code, said: text })
}

fn command(case: &Case, layout: Layout, arguments: &[&str]) -> Command {
    let mut command = match layout {
        Layout::Own => Command::new(&case.program),
        Layout::Unified => {
            let script = r#"mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@""#;
            let mut command = Command::new("unshare");
            command
                .args(["--mount", "--propagation=private", "sh", "-c", script, "sh"])
                .arg(&case.program);
            command
        }
    };
    command
        .arg("--root")
        .arg(case.root())
        .args(arguments)
        .current_dir(case.bundle.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// The library in this process, and the containers that it has made: their init processes are
/// children of this process.
#[derive(Default)]
pub(super) struct Library {
    made: Mutex<Vec<Container>>,
}

impl Library {
    /// Does what a command line would, with its exit code.
    pub(super) fn call(&self, case: &Case, arguments: &[&str]) -> Answer {
        match self.act(case, arguments) {
            Ok(()) => Answer {
                code: 0,
                said: String::new(),
            },
            Err(error) => Answer {
                code: if arguments[0] == "exec" { 255 } else { 1 },
                said: error.chain(),
            },
        }
    }

    fn act(&self, case: &Case, arguments: &[&str]) -> Result<()> {
        let runtime = Runtime::new(case.root())?;
        let id: ContainerId = case.id.parse()?;
        match arguments {
            ["create", ..] => self.keep(runtime.create_bundle(&id, bundle(case)?)?),
            ["run", ..] => self.keep(runtime.run_bundle(&id, bundle(case)?)?),
            ["start", ..] => runtime.load(&id)?.start()?,
            ["exec", ..] => {
                let mut process = Process::new(["/bin/true"]);
                process.env(["PATH=/bin"]).stdin(runtime::Stdio::Null);
                runtime.load(&id)?.exec(process)?.wait()?;
            }
            ["kill", ..] => runtime.load(&id)?.signal(Signal::KILL)?,
            ["delete", "--force", ..] => {
                runtime.force_delete(&id)?;
            }
            ["delete", ..] => runtime.load(&id)?.destroy()?,
            ["pause", ..] => runtime.load(&id)?.pause()?,
            ["resume", ..] => runtime.load(&id)?.resume()?,
            ["update", ..] => {
                let container = runtime.load(&id)?;
                let mut config = container.config()?;
                config.cgroups.resources.pids_limit = Some(100);
                container.set(&config)?;
            }
            other => unreachable!("{other:?} is not in a mix"),
        }
        Ok(())
    }

    fn keep(&self, container: Container) {
        self.made.lock().unwrap().push(container);
    }

    /// Waits for every init process: by now they have been killed.
    pub(super) fn reap(self) {
        for container in self.made.into_inner().unwrap() {
            assert!(
                container.wait_timeout(limited::TIMEOUT).unwrap(),
                "the init process of {} lives on",
                container.id()
            );
            container.wait().unwrap();
        }
    }
}

fn bundle(case: &Case) -> Result<Bundle> {
    let mut bundle = Bundle::load(case.bundle.path())?;
    bundle
        .process()
        .stdin(runtime::Stdio::Null)
        .stdout(runtime::Stdio::Null);
    Ok(bundle)
}
