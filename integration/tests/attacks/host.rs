//! What an attack would change of the host.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cofferdam_integration::reduced_kernel::{self, Check};
use cofferdam_integration::{Case, program};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};

use crate::mount_table::{self, Mount};
use crate::sys;

/// What is known of one file: type and mode, owner, group, device number, inode, and a hash of its
/// content or link text.
type Facts = (u32, u32, u32, u64, u64, u64);

/// A host for one test: a mount namespace with shared propagation, as systemd makes it, and a
/// directory of decoys.
pub(crate) struct Host {
    canary: tempfile::TempDir,
    decoys: BTreeMap<PathBuf, Facts>,
    devices: BTreeMap<PathBuf, Facts>,
    mounts: Vec<Mount>,
    limits: Vec<String>,
}

/// Kernel parameters that redirected writes would hit; nothing here is meant to write them.
const SENTINELS: [&str; 3] = [
    "/proc/sys/kernel/printk_ratelimit_burst",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/vm/stat_interval",
];

impl Host {
    /// Moves this test into a namespace of its own and makes the decoys. Mounts that the test
    /// itself makes go before [`Host::mounts_as_now`].
    pub(crate) fn new() -> Self {
        sys::own_namespaces();
        let all = MountPropagationFlags::REC;
        mount_change("/", MountPropagationFlags::PRIVATE | all).expect("make mounts private");
        mount_change("/", MountPropagationFlags::SHARED | all).expect("make mounts shared");
        without_passing_mounts();
        let canary = tempfile::Builder::new()
            .prefix("cofferdam-canary-")
            .tempdir()
            .expect("make a temporary directory");
        std::fs::set_permissions(canary.path(), std::fs::Permissions::from_mode(0o777))
            .expect("chmod");
        std::fs::create_dir(canary.path().join("directory")).expect("mkdir");
        for name in ["file", "ptmx", "null", "directory/file"] {
            let path = canary.path().join(name);
            std::fs::write(&path, format!("decoy {name}\n")).expect("write");
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).expect("chmod");
        }
        let mut host = Self {
            canary,
            decoys: BTreeMap::new(),
            devices: BTreeMap::new(),
            mounts: Vec::new(),
            limits: sentinels(),
        };
        host.decoys = tree(host.canary.path(), true);
        host.devices = tree(Path::new("/dev"), false);
        host.mounts_as_now();
        if !reduced_kernel::missing().is_empty() {
            // Whether this kernel allows any container: what a test only starts, it does not hear.
            let case = Case::new();
            let _ = case.run();
            case.finish();
        }
        host
    }

    /// A directory outside every container, writable for everybody.
    pub(crate) fn canary(&self) -> &Path {
        self.canary.path()
    }

    /// The same as text.
    pub(crate) fn canary_text(&self) -> &str {
        self.canary.path().to_str().expect("a path of this test")
    }

    /// Takes the mounts that there are for those that there should be.
    pub(crate) fn mounts_as_now(&mut self) {
        self.mounts = mount_table::of("thread-self");
    }

    /// The mounts of the host.
    pub(crate) fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// Fails if a decoy, a device node, a mount or a kernel parameter of the host is not what it
    /// was.
    #[track_caller]
    pub(crate) fn unchanged(&self, what: &str) {
        let _check = Check::begin();
        assert_eq!(
            tree(self.canary.path(), true),
            self.decoys,
            "{what}: files of the host"
        );
        assert_eq!(
            tree(Path::new("/dev"), false),
            self.devices,
            "{what}: devices of the host"
        );
        assert_eq!(
            mount_table::of("thread-self"),
            self.mounts,
            "{what}: mounts of the host"
        );
        assert_eq!(
            sentinels(),
            self.limits,
            "{what}: kernel parameters of the host"
        );
    }
}

/// Takes away what others mount on directories that do not last, such as network namespaces in
/// `/run`: when their directory is removed, such mounts go in every namespace, and look as if a
/// container had changed something.
fn without_passing_mounts() {
    let program = program::under_test();
    let places = [std::env::temp_dir(), "/run".into(), "/var/lib".into()];
    let passes = |target: &Path| {
        places
            .iter()
            .any(|place| target != place && target.starts_with(place))
            && !program.starts_with(target)
    };
    for mount in mount_table::of("thread-self") {
        if passes(&mount.target) {
            match unmount(&mount.target, UnmountFlags::DETACH) {
                // Gone meanwhile, by itself or with the mount it was on.
                Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
                Err(errno) => panic!("unmount {}: {errno}", mount.target.display()),
            }
        }
    }
}

fn sentinels() -> Vec<String> {
    SENTINELS
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("read a kernel parameter"))
        .collect()
}

/// A directory with everything in it; of other directories in it only that they are there, unless
/// `deep`.
pub(crate) fn tree(directory: &Path, deep: bool) -> BTreeMap<PathBuf, Facts> {
    let mut found = BTreeMap::from([(directory.to_owned(), facts(directory))]);
    for entry in std::fs::read_dir(directory).expect("read a directory") {
        let path = entry.expect("read a directory").path();
        if deep && path.symlink_metadata().expect("stat").is_dir() {
            found.extend(tree(&path, true));
        } else {
            found.insert(path.clone(), facts(&path));
        }
    }
    found
}

/// What is known of a file.
pub(crate) fn facts(path: &Path) -> Facts {
    let metadata = path
        .symlink_metadata()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut hasher = DefaultHasher::new();
    if metadata.is_file() {
        std::fs::read(path).expect("read").hash(&mut hasher);
    } else if metadata.is_symlink() {
        std::fs::read_link(path)
            .expect("readlink")
            .hash(&mut hasher);
    }
    (
        metadata.mode(),
        metadata.uid(),
        metadata.gid(),
        metadata.rdev(),
        metadata.ino(),
        hasher.finish(),
    )
}
