//! Bundles made of a static busybox.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use configs::oci::Spec;
use serde_json::{Value, json};

use crate::{program, subordinate_ids, tiny_program};

/// The programs of busybox that tests call by name.
const APPLETS: &[&str] = &[
    "awk", "basename", "cat", "chmod", "chown", "cp", "cut", "date", "dd", "df", "dirname", "echo",
    "env", "false", "find", "grep", "head", "hostname", "id", "ip", "kill", "ln", "ls", "mkdir",
    "mknod", "mount", "mv", "nc", "nproc", "od", "printf", "ps", "pwd", "readlink", "rm", "rmdir",
    "sed", "seq", "setsid", "sh", "sleep", "sort", "stat", "stty", "sync", "tail", "test", "touch",
    "tr", "true", "tty", "ulimit", "umount", "uname", "wc", "xargs", "yes",
];

/// A bundle directory that exists until this is dropped.
#[derive(Debug)]
pub struct Bundle {
    directory: tempfile::TempDir,
    /// What `config.json` will hold: a container without terminal, changed by tests as they like.
    pub config: Value,
}

/// A busybox that runs without any library.
pub fn static_busybox() -> Option<PathBuf> {
    program::find("busybox").filter(|path| {
        // The program headers say whether it is static: a dynamic program names an interpreter.
        fs::read(path).is_ok_and(|image| {
            !image
                .get(..4096)
                .unwrap_or(&image)
                .windows(8)
                .any(|bytes| bytes == b"ld-linux")
        })
    })
}

impl Bundle {
    /// A bundle with busybox and a minimal `/etc`.
    ///
    /// # Panics
    /// Without a static busybox, or without room.
    pub fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("cofferdam-test-")
            .tempdir()
            .expect("make a temporary directory");
        // Containers with a user namespace reach their root through it.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let rootfs = directory.path().join("rootfs");
        root_file_system(&rootfs);
        let mut config = serde_json::to_value(Spec::example()).expect("a spec is JSON");
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["/bin/true"]);
        config["hostname"] = json!("testhost");
        Self { directory, config }
    }

    /// The bundle directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The root file system.
    pub fn rootfs(&self) -> PathBuf {
        self.path().join("rootfs")
    }

    /// Sets the program to run.
    pub fn args(&mut self, args: &[&str]) -> &mut Self {
        self.config["process"]["args"] = json!(args);
        self
    }

    /// Sets the program to a script for busybox's shell.
    pub fn script(&mut self, script: &str) -> &mut Self {
        self.args(&["/bin/sh", "-c", script])
    }

    /// Adds a mount.
    pub fn mount(&mut self, mount: Value) -> &mut Self {
        self.config["mounts"]
            .as_array_mut()
            .expect("mounts")
            .push(mount);
        self
    }

    /// Adds a namespace: `{"type": …}`, with a `path` to join one.
    pub fn namespace(&mut self, namespace: Value) -> &mut Self {
        self.config["linux"]["namespaces"]
            .as_array_mut()
            .expect("namespaces")
            .push(namespace);
        self
    }

    /// Takes a type of namespace away: the container then uses the host's.
    pub fn without_namespace(&mut self, kind: &str) -> &mut Self {
        let namespaces = self.config["linux"]["namespaces"]
            .as_array_mut()
            .expect("namespaces");
        namespaces.retain(|namespace| namespace["type"] != kind);
        self
    }

    /// Puts the container into a user namespace whose ids begin at `host` outside, and gives it the
    /// files of its root.
    pub fn user_namespace(&mut self, host: u32, size: u32) -> &mut Self {
        let map = json!([{ "containerID": 0, "hostID": host, "size": size }]);
        self.config["linux"]["uidMappings"] = map.clone();
        self.config["linux"]["gidMappings"] = map;
        chown_tree(&self.rootfs(), host);
        self.namespace(json!({ "type": "user" }))
    }

    /// Sets the program to one that takes 100 MB, and the limit to 16 MiB.
    pub fn too_little_memory(&mut self) -> &mut Self {
        self.config["linux"]["resources"]["memory"] =
            json!({ "limit": 16 << 20, "swap": 16 << 20 });
        let program = "/bin/dd if=/dev/zero of=/dev/null bs=100M count=1";
        self.args(&program.split(' ').collect::<Vec<_>>())
    }

    /// Makes it a container of the ordinary user who runs this: the template of `spec --rootless`,
    /// in which the user is root, with the subordinate ids of that user above.
    ///
    /// # Panics
    /// The configuration has no `linux` section.
    pub fn for_this_user(&mut self) -> &mut Self {
        let own = (
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        );
        let spec = Spec::example().into_rootless(own.0, own.1);
        let template = serde_json::to_value(spec).expect("a spec is JSON");
        self.config["linux"] = template["linux"].clone();
        self.config["mounts"] = template["mounts"].clone();
        if let Some((uids, gids)) = subordinate_ids::of_this_user() {
            for (key, range) in [("uidMappings", uids), ("gidMappings", gids)] {
                self.config["linux"][key]
                    .as_array_mut()
                    .expect("id maps")
                    .push(json!({ "containerID": 1, "hostID": range.first, "size": range.count }));
            }
        }
        self
    }

    /// Writes `config.json`; a command that reads it meanwhile sees the old one or the new one.
    pub fn write(&self) {
        let text = serde_json::to_vec_pretty(&self.config).expect("JSON");
        let mut file = tempfile::NamedTempFile::new_in(self.path()).expect("make a temporary file");
        file.write_all(&text).expect("write config.json");
        file.persist(self.path().join("config.json"))
            .expect("rename config.json");
    }
}

impl Default for Bundle {
    fn default() -> Self {
        Self::new()
    }
}

fn chown_tree(path: &Path, owner: u32) {
    std::os::unix::fs::lchown(path, Some(owner), Some(owner)).expect("chown");
    if path.symlink_metadata().expect("stat").is_dir() {
        for entry in fs::read_dir(path).expect("read a directory") {
            chown_tree(&entry.expect("read a directory").path(), owner);
        }
    }
}

/// Fills a directory with busybox, the smallest program that ends at once, and a minimal `/etc`.
pub fn root_file_system(rootfs: &Path) {
    for name in [
        "bin",
        "etc",
        "proc",
        "sys",
        "dev",
        "tmp",
        "root",
        "home/user",
    ] {
        fs::create_dir_all(rootfs.join(name)).expect("mkdir");
    }
    fs::set_permissions(rootfs.join("tmp"), fs::Permissions::from_mode(0o1777)).expect("chmod");
    let busybox = static_busybox().expect("install the package busybox-static");
    fs::copy(busybox, rootfs.join("bin/busybox")).expect("copy busybox");
    for applet in APPLETS {
        symlink("busybox", rootfs.join("bin").join(applet)).expect("symlink");
    }
    tiny_program::write(&rootfs.join("bin/tiny-true"), tiny_program::TRUE)
        .expect("write a program");
    fs::write(
        rootfs.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
    )
    .expect("write");
    fs::write(rootfs.join("etc/group"), "root:x:0:\nuser:x:1000:\n").expect("write");
}
