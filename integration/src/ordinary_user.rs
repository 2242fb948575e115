//! Commands of a user without privileges.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's `nobody`: in `/etc/passwd` of every machine, owner of nothing.
pub const ID: u32 = 65534;

/// The user [`ID`], with a copy of the program under test that it can reach.
#[derive(Debug)]
pub struct OrdinaryUser {
    directory: tempfile::TempDir,
    program: PathBuf,
    restricted: bool,
    subordinate_ids: bool,
    root_of_namespace: bool,
}

impl OrdinaryUser {
    /// Copies `program` to where the user can execute it.
    ///
    /// # Panics
    /// Without room.
    pub fn new(program: &Path) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("cofferdam-user-")
            .tempdir()
            .expect("make a temporary directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let copy = directory.path().join("cofferdam");
        // Another process writes it: a thread of this one that forks meanwhile would keep it open,
        // and busy.
        let status = Command::new("cp").arg(program).arg(&copy).status();
        assert!(status.expect("cp").success(), "copy {}", program.display());
        Self {
            directory,
            program: copy,
            restricted: false,
            subordinate_ids: false,
            root_of_namespace: false,
        }
    }

    /// The copy of the program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Takes everything from the user by which a process may get more privileges: `no_new_privs` is
    /// set, and the bounding set is empty. Programs such as `newuidmap` then do nothing.
    pub fn restrict(&mut self) -> &mut Self {
        self.restricted = true;
        self
    }

    /// Lets it call as root of a new user namespace, in which no other id is mapped, and of a mount
    /// namespace.
    pub fn become_root(&mut self) -> &mut Self {
        self.root_of_namespace = true;
        self
    }

    /// Grants it the ids `first..first + count` in `/etc/subuid` and `/etc/subgid`, as a mount
    /// namespace of each command shows them.
    ///
    /// # Panics
    /// Without room.
    pub fn grant(&mut self, first: u32, count: u32) -> &mut Self {
        fs::write(
            self.directory.path().join("subid"),
            format!("{ID}:{first}:{count}\n"),
        )
        .expect("write");
        self.subordinate_ids = true;
        self
    }

    /// The start of a command that the user is to run.
    pub fn prefix(&self) -> Vec<OsString> {
        let mut line: Vec<OsString> = Vec::new();
        if self.subordinate_ids {
            let script =
                r#"mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec "$@""#;
            line.extend(["unshare", "--mount", "sh", "-c", script].map(OsString::from));
            line.push(self.directory.path().join("subid").into());
        }
        line.extend([
            "setpriv".into(),
            format!("--reuid={ID}").into(),
            format!("--regid={ID}").into(),
        ]);
        line.extend(["--clear-groups", "--inh-caps=-all"].map(OsString::from));
        if self.restricted {
            line.extend(["--no-new-privs", "--bounding-set=-all"].map(OsString::from));
        }
        if self.root_of_namespace {
            line.extend(["unshare", "--user", "--map-root-user", "--mount"].map(OsString::from));
        }
        line
    }

    /// Gives it a directory with everything in it.
    ///
    /// # Panics
    /// A file cannot be given away.
    pub fn own(&self, path: &Path) {
        lchown(path, Some(ID), Some(ID)).expect("chown");
        if path.symlink_metadata().expect("stat").is_dir() {
            for entry in fs::read_dir(path).expect("read a directory") {
                self.own(&entry.expect("read a directory").path());
            }
        }
    }
}
