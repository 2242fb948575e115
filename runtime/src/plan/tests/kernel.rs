//! Plans executed: the stub runs them on this kernel. Needs root and a static busybox; without, the
//! tests say so and pass.

mod namespaces;
mod process;
mod rootfs;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use configs::config::{IdMap, MountFlags, NamespaceType};
use nsenter::plan::Slot;
use nsenter::{Deadline, ProcessRef, Refusal, RequestHandler, Spawn, StubProcess};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};

use super::{Case, mount};
use crate::Process;
use crate::plan::{BuiltPlan, HostFacts, Input, Tag};

/// Stops a test that cannot run here.
macro_rules! need_root {
    () => {
        if !rustix::process::geteuid().is_root()
            || !std::path::Path::new("/usr/bin/busybox").exists()
        {
            eprintln!("skipped: needs root and /usr/bin/busybox");
            return;
        }
    };
}
use need_root;

/// A root file system with busybox, and what a container on it is made from.
pub(super) struct Bundle {
    dir: tempfile::TempDir,
    case: Case,
    /// Exchange names of the root file system while the container is made.
    rearranged: bool,
}

impl Bundle {
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Reachable for a mapped root as well.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let rootfs = dir.path().join("rootfs");
        for name in ["bin", "etc", "proc", "tmp"] {
            fs::create_dir_all(rootfs.join(name)).unwrap();
        }
        fs::copy("/usr/bin/busybox", rootfs.join("bin/busybox")).unwrap();
        for applet in [
            "sh", "cat", "id", "ls", "stat", "touch", "echo", "hostname", "readlink", "mkdir",
            "grep", "env", "test", "tty", "sleep", "mount", "ip", "true", "pwd", "sort", "wc",
            "sed", "head", "cut",
        ] {
            symlink("busybox", rootfs.join("bin").join(applet)).unwrap();
        }
        fs::write(
            rootfs.join("etc/passwd"),
            "root:x:0:0:root:/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n",
        )
        .unwrap();
        let mut case = Case::bare();
        case.host = HostFacts::read().unwrap();
        case.config.rootfs = rootfs.to_str().unwrap().to_owned();
        case.config.mounts = vec![mount("proc", "/proc", MountFlags::NONE, "")];
        case.config.devices = Case::standard().config.devices;
        case.cgroup.unified = false;
        let mut bundle = Self {
            dir,
            case,
            rearranged: false,
        };
        bundle.script(script);
        bundle
    }

    /// The standard mounts and protections, without cgroups.
    fn standard(script: &str) -> Self {
        let mut bundle = Self::new(script);
        let standard = Case::standard();
        let (rootfs, host) = (bundle.case.config.rootfs.clone(), bundle.case.host.clone());
        bundle.case.config = standard.config;
        bundle.case.config.rootfs = rootfs;
        bundle
            .case
            .config
            .mounts
            .retain(|mount| mount.device != "cgroup");
        bundle.case.host = host;
        bundle
    }

    fn script(&mut self, script: &str) {
        let mut process = Process::new(["sh", "-c", script]);
        process.env(["PATH=/bin"]);
        self.case.process = process;
    }

    fn rootfs(&self) -> &Path {
        Path::new(&self.case.config.rootfs)
    }

    /// Gives it a user namespace and its files to the root of that.
    fn map_ids(&mut self) {
        let map = IdMap {
            container_id: 0,
            host_id: 100_000,
            size: 65_536,
        };
        self.case.config.namespaces.set(NamespaceType::User, "");
        self.case.config.uid_mappings = vec![map];
        self.case.config.gid_mappings = vec![map];
        chown(self.rootfs(), 100_000);
    }

    fn create(&self) -> Result<Running, nsenter::Error> {
        self.spawn(self.case.init().unwrap(), None)
    }

    fn spawn(
        &self,
        built: BuiltPlan,
        init: Option<&StubProcess>,
    ) -> Result<Running, nsenter::Error> {
        let fifo_path = self.dir.path().join("exec.fifo");
        if !fifo_path.exists() {
            rustix::fs::mknodat(
                CWD,
                &fifo_path,
                FileType::Fifo,
                Mode::from_raw_mode(0o600),
                0,
            )
            .unwrap();
        }
        let fifo = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&fifo_path)
            .unwrap();
        let inputs: Vec<(Slot, OwnedFd)> = built
            .inputs
            .iter()
            .map(|(slot, input)| {
                let fd = match input {
                    Input::ExecFifo => fifo.try_clone().unwrap().into(),
                    Input::CgroupRoot => File::open("/sys/fs/cgroup").unwrap().into(),
                    Input::Namespace { path, .. } => File::open(path).unwrap().into(),
                    Input::InitPidfd => init.unwrap().pidfd().try_clone_to_owned().unwrap(),
                    Input::CgroupTasks(path) => {
                        OpenOptions::new().write(true).open(path).unwrap().into()
                    }
                };
                (*slot, fd)
            })
            .collect();
        let (read, write) = std::io::pipe().unwrap();
        let null = File::open("/dev/null").unwrap();
        let mut init = Spawn {
            plan: &built.plan,
            stdio: [null.as_fd(), write.as_fd(), write.as_fd()],
            passed: Vec::new(),
            inputs: inputs
                .iter()
                .map(|(slot, fd)| (*slot, fd.as_fd()))
                .collect(),
            cgroup: None,
        }
        .start()?;
        drop((write, inputs));
        let mut supervisor = Supervisor::new(&self.case);
        supervisor.rearranged = self.rearranged.then(|| self.rootfs().to_owned());
        init.serve(&mut supervisor, Deadline::default())?;
        Ok(Running {
            init,
            output: read,
            fifo,
            supervisor,
        })
    }

    /// Creates, starts, and gives back what the program printed.
    fn run(&self) -> String {
        self.create()
            .unwrap_or_else(|error| panic!("{}", chain_of(&error)))
            .finish()
    }

    /// The error that creating it gives.
    fn refusal(&self) -> String {
        match self.create() {
            Ok(running) => panic!("it was created: {}", running.finish()),
            Err(error) => chain_of(&error),
        }
    }
}

pub(super) fn chain_of(error: &nsenter::Error) -> String {
    let mut text = error.to_string();
    if let Some(failure) = error.failure() {
        text = format!(
            "{text}: errno {}, detail {:?}",
            failure.errno(),
            String::from_utf8_lossy(failure.detail())
        );
    }
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

pub(super) fn chown(path: &Path, id: u32) {
    std::os::unix::fs::lchown(path, Some(id), Some(id)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            chown(&entry.unwrap().path(), id);
        }
    }
}

/// A created container, or an added process that runs already.
pub(super) struct Running {
    init: StubProcess,
    output: std::io::PipeReader,
    fifo: File,
    supervisor: Supervisor,
}

impl Running {
    fn start(&mut self) {
        self.fifo.write_all(b"0").unwrap();
    }

    /// One line of what the program prints.
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            self.output.read_exact(&mut byte).unwrap();
            line.extend(byte);
        }
        String::from_utf8(line).unwrap()
    }

    /// Starts a created one, and waits for the end of its output.
    fn finish(mut self) -> String {
        self.start();
        self.output()
    }

    fn output(mut self) -> String {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        self.init.wait().unwrap();
        text
    }
}

/// Handles the requests of a stub.
pub(super) struct Supervisor {
    /// A root file system whose names are exchanged at the gate.
    rearranged: Option<PathBuf>,
    maps: Option<(Vec<IdMap>, Vec<IdMap>)>,
    sources: Vec<String>,
    root: Option<OwnedFd>,
    master: Option<OwnedFd>,
    asked: Vec<&'static str>,
    pids: Vec<u32>,
}

impl Supervisor {
    fn new(case: &Case) -> Self {
        Self {
            rearranged: None,
            maps: Some((
                case.config.uid_mappings.clone(),
                case.config.gid_mappings.clone(),
            )),
            sources: case
                .config
                .mounts
                .iter()
                .map(|mount| mount.source.clone())
                .collect(),
            root: None,
            master: None,
            asked: Vec::new(),
            pids: Vec::new(),
        }
    }
}

impl RequestHandler for Supervisor {
    fn gate(&mut self, _: u32, _: &ProcessRef<'_>) -> Result<(), Refusal> {
        self.asked.push("gate");
        if let Some(rootfs) = &self.rearranged {
            for (name, inside) in [("proc", "timer_list"), ("sys", "firmware")] {
                fs::rename(rootfs.join(name), rootfs.join(format!("{name}.away")))?;
                fs::create_dir(rootfs.join(name))?;
                fs::write(rootfs.join(name).join(inside), "")?;
            }
        }
        Ok(())
    }

    fn id_maps(&mut self, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        self.asked.push("id maps");
        let (uid, gid) = self.maps.take().ok_or("maps are asked for twice")?;
        for (name, maps) in [("uid_map", uid), ("gid_map", gid)] {
            let text: String = maps
                .iter()
                .map(|map| format!("{} {} {}\n", map.container_id, map.host_id, map.size))
                .collect();
            fs::write(format!("/proc/{}/{name}", process.pid()), text)?;
        }
        Ok(())
    }

    fn second_stage(&mut self, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        self.asked.push("second stage");
        self.pids.push(process.pid());
        Ok(())
    }

    fn keep_descriptor(&mut self, tag: u32, descriptor: OwnedFd) -> Result<(), Refusal> {
        assert_eq!(Tag::from_number(tag), Some(Tag::Root));
        self.root = Some(descriptor);
        Ok(())
    }

    fn provide_descriptor(&mut self, tag: u32) -> Result<OwnedFd, Refusal> {
        self.asked.push("source");
        let Some(Tag::Source(index)) = Tag::from_number(tag) else {
            return Err("not a source".into());
        };
        let root = self.root.as_ref().ok_or("no root")?;
        Ok(rustix::fs::openat2(
            root,
            self.sources[usize::try_from(index)?].as_str(),
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )?)
    }

    fn console(&mut self, master: OwnedFd, _: u32) -> Result<(), Refusal> {
        self.asked.push("console");
        self.master = Some(master);
        Ok(())
    }

    fn home(&mut self, passwd: &[u8]) -> Result<Vec<u8>, Refusal> {
        assert!(passwd.starts_with(b"root:"));
        Ok(b"/asked/home".to_vec())
    }

    fn ready(&mut self, process: &ProcessRef<'_>, _: &nsenter::Warnings) -> Result<(), Refusal> {
        self.asked.push("ready");
        self.pids.push(process.pid());
        Ok(())
    }
}
