//! The runtimes that are compared.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cofferdam_integration::program;
use serde_json::Value;

/// Ours.
pub(crate) const COFFERDAM: &str = "cofferdam";
/// The program that makes only the unavoidable system calls.
pub(crate) const FLOOR: &str = "floor";

/// A runtime by the name that tables have for it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
}

impl Named {
    /// The value of `--peer`: `NAME=PATH`.
    pub(crate) fn from_argument(text: &str) -> Result<Self, String> {
        let (name, path) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| format!("--peer {text}: not NAME=PATH"))?;
        let program = fs::canonicalize(path).map_err(|error| format!("--peer {text}: {error}"))?;
        Ok(Self {
            // Once in a process, for as long as that.
            name: name.to_owned().leak(),
            program,
        })
    }
}

/// One runtime binary with a state root of its own, on tmpfs.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) root: PathBuf,
}

/// What a runtime says of a container.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) status: String,
    /// Of the init process; 0 if it does not run.
    pub(crate) pid: u64,
}

/// A runtime that a layout or a scenario goes without.
#[derive(Clone, Debug)]
pub(crate) struct Absent {
    pub(crate) name: &'static str,
    pub(crate) reason: String,
}

impl Peer {
    /// A command of this runtime, silent, ready to start.
    pub(crate) fn command<I, S>(&self, arguments: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new(&self.program);
        command
            .arg("--root")
            .arg(&self.root)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Runs a command that must succeed and is not measured. An error is what the runtime says.
    ///
    /// Its output goes to a file: a container that lives on holds a pipe open.
    pub(crate) fn must<I, S>(&self, arguments: I) -> Result<(), Box<dyn Error>>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut complaint = tempfile::tempfile_in("/dev/shm")?;
        let mut command = self.command(arguments);
        let status = command.stderr(complaint.try_clone()?).status()?;
        if status.success() {
            return Ok(());
        }
        complaint.rewind()?;
        let mut text = String::new();
        complaint.read_to_string(&mut text)?;
        let text = text.trim().lines().last().unwrap_or("it does not say why");
        Err(format!("{}: {status}: {text}", self.name).into())
    }

    /// The answer of `state`.
    pub(crate) fn state(&self, id: &str) -> Result<State, Box<dyn Error>> {
        let output = self
            .command(["state", id])
            .stdout(Stdio::piped())
            .output()?;
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        Ok(State {
            status: answer
                .get("status")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            pid: answer.get("pid").and_then(Value::as_u64).unwrap_or(0),
        })
    }
}

/// Those that are there, with state roots below `folder`. The first is Cofferdam, the last the
/// floor, if `COFFERDAM_FLOOR` names it.
pub(crate) fn installed(folder: &Path, others: &[Named]) -> Result<Vec<Peer>, Box<dyn Error>> {
    let found = |name, program| Some(Named { name, program });
    let candidates = [
        found(COFFERDAM, program::under_test()),
        program::find("crun").and_then(|program| found("crun", program)),
        program::find("runc").and_then(|program| found("runc", program)),
    ];
    let floor = std::env::var_os("COFFERDAM_FLOOR").map(PathBuf::from);
    let floor = floor.and_then(|program| found(FLOOR, program));
    let mut peers = Vec::new();
    let others = others.iter().cloned();
    for Named { name, program } in candidates.into_iter().flatten().chain(others).chain(floor) {
        let root = folder.join(format!("root-{name}"));
        fs::create_dir_all(&root)?;
        peers.push(Peer {
            name,
            program,
            root,
        });
    }
    Ok(peers)
}

/// Divides peers into those that run the bundle here and those that do not; Cofferdam must.
pub(crate) fn able(
    installed: Vec<Peer>,
    bundle: &Path,
    id: &str,
) -> Result<(Vec<Peer>, Vec<Absent>), Box<dyn Error>> {
    let mut able = Vec::new();
    let mut absent = Vec::new();
    for name in ["crun", "runc", FLOOR] {
        if !installed.iter().any(|peer| peer.name == name) {
            absent.push(Absent {
                name,
                reason: if name == FLOOR {
                    "COFFERDAM_FLOOR does not name it".to_owned()
                } else {
                    "not installed".to_owned()
                },
            });
        }
    }
    for peer in installed {
        let arguments = [
            OsStr::new("run"),
            OsStr::new("--bundle"),
            bundle.as_os_str(),
            OsStr::new(id),
        ];
        match peer.must(arguments) {
            Ok(()) => able.push(peer),
            Err(error) if peer.name == COFFERDAM => return Err(error),
            Err(error) => absent.push(Absent {
                name: peer.name,
                reason: refusal(&error.to_string()),
            }),
        }
    }
    Ok((able, absent))
}

/// Why a runtime does not run here, with what is known of it.
fn refusal(message: &str) -> String {
    // crun 1.8 raises the limit unconditionally before it loads the device program.
    if message.contains("RLIM_MEMLOCK") {
        return format!("{message} (on cgroup v2 it wants CAP_SYS_RESOURCE)");
    }
    message.to_owned()
}
