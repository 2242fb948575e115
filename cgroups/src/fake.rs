//! A directory tree in place of cgroupfs, for tests.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::{Cgroup, Hierarchy, Paths};

pub(crate) struct Fake {
    directory: tempfile::TempDir,
}

impl Fake {
    fn new(membership: &str, mountinfo: &str) -> Self {
        let fake = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(fake.root()).unwrap();
        fs::create_dir(fake.directory.path().join("proc")).unwrap();
        fs::write(fake.directory.path().join("proc/cgroup"), membership).unwrap();
        fs::write(fake.directory.path().join("proc/mountinfo"), mountinfo).unwrap();
        fake
    }

    /// cgroup v2 with these controllers; the caller is in `own`.
    pub(crate) fn v2(controllers: &str, own: &str) -> Self {
        let fake = Self::new(&format!("0::{own}\n"), "");
        fake.file("cgroup.controllers", controllers);
        fake
    }

    /// cgroup v1 with one hierarchy per line of `membership`, in directories of the same names.
    pub(crate) fn v1(membership: &str) -> Self {
        Self::v1_at(membership, "")
    }

    pub(crate) fn v1_at(membership: &str, mountinfo: &str) -> Self {
        let fake = Self::new(membership, mountinfo);
        for line in membership.lines() {
            let name = line.split(':').nth(1).unwrap();
            let name = name.strip_prefix("name=").unwrap_or(name);
            if name.is_empty() {
                fake.file("unified/cgroup.controllers", "");
            } else {
                fs::create_dir(fake.root().join(name)).unwrap();
            }
        }
        fake
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("cgroup")
    }

    /// Writes a file of the directory in place of `/proc/self`.
    pub(crate) fn process_file(&self, name: &str, content: &str) {
        fs::write(self.directory.path().join("proc").join(name), content).unwrap();
    }

    /// Takes away what a hierarchy can read about this process.
    pub(crate) fn forget_process(&self) {
        fs::remove_dir_all(self.directory.path().join("proc")).unwrap();
    }

    /// Writes a file, with the directories it is in.
    pub(crate) fn file(&self, path: impl AsRef<Path>, content: &str) {
        let path = self.root().join(path);
        let parent = path.parent().unwrap();
        fs::create_dir_all(parent).unwrap();
        // What every cgroup has.
        fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(parent.join("cgroup.procs"))
            .unwrap();
        fs::write(path, content).unwrap();
    }

    /// Empty files in a directory, to be written to.
    pub(crate) fn files(&self, directory: &str, names: &[&str]) {
        for name in names {
            self.file(Path::new(directory).join(name), "");
        }
    }

    pub(crate) fn read(&self, path: impl AsRef<Path>) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    pub(crate) fn hierarchy(&self) -> Hierarchy {
        let open = |path: &Path| OwnedFd::from(fs::File::open(path).unwrap());
        let proc = open(&self.directory.path().join("proc"));
        Hierarchy::open_at(open(&self.root()), self.root(), proc).unwrap()
    }

    /// The cgroup `name` of every hierarchy.
    pub(crate) fn cgroup(&self, name: &str) -> Cgroup {
        let hierarchy = self.hierarchy();
        let mut paths = Paths::new();
        if hierarchy.v1().is_empty() {
            paths.insert(String::new(), self.root().join(name));
        }
        for v1 in hierarchy.v1() {
            for controller in &v1.controllers {
                let path = self.root().join(&v1.directory).join(name);
                paths.insert(controller.clone(), path);
            }
        }
        Cgroup::load(&hierarchy, &paths).unwrap()
    }
}
