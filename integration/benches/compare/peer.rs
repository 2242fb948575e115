//! The runtimes that are compared.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cofferdam_integration::program;

use crate::layout::Layout;

/// One runtime binary with a state root of its own, on tmpfs.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) root: PathBuf,
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

    /// Runs a command that must succeed and is not measured.
    pub(crate) fn must<I, S>(&self, arguments: I) -> Result<(), Box<dyn Error>>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = self.command(arguments);
        let output = command.stderr(Stdio::piped()).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!(
            "{}: {command:?}: {}: {}",
            self.name,
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )
        .into())
    }
}

/// Those of the three that are installed and run the given bundle in this layout. The first is Cofferdam.
pub(crate) fn available(
    layout: Layout,
    scratch: &Path,
    bundle: &Path,
) -> Result<Vec<Peer>, Box<dyn Error>> {
    let candidates = [
        ("cofferdam", program::under_test()),
        ("crun", PathBuf::from("/usr/bin/crun")),
        ("runc", PathBuf::from("/usr/sbin/runc")),
    ];
    let mut peers = Vec::new();
    for (name, program) in candidates {
        let root = scratch.join(format!("root-{name}"));
        fs::create_dir_all(&root)?;
        let peer = Peer {
            name,
            program,
            root,
        };
        let arguments = [
            OsStr::new("run"),
            OsStr::new("--bundle"),
            bundle.as_os_str(),
            OsStr::new("bench-probe"),
        ];
        match peer.must(arguments) {
            Ok(()) => peers.push(peer),
            Err(error) if name == "cofferdam" => return Err(error),
            Err(error) => println!("  ({name} left out of layout {}: {error})", layout.name()),
        }
    }
    Ok(peers)
}
