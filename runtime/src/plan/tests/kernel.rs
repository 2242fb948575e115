//! Plans executed: the stub runs them on this kernel. Needs root and a static busybox; without, the tests say so and pass.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use configs::config::{Command, IdMap, Mount, MountAttr, MountFlags, NamespaceType, Network};
use nsenter::plan::Slot;
use nsenter::{Answers, Deadline, Init, ProcessRef, Refusal, Spawn};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};

use super::super::{BuiltPlan, CgroupView, HostFacts, Input, LegacyHierarchy, Tag};
use super::{Case, allowing, mount, private, refusing, volume};
use crate::{Process, Terminal};

/// Stops a test that cannot run here.
macro_rules! need_root {
    () => {
        if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/busybox").exists() {
            eprintln!("skipped: needs root and /usr/bin/busybox");
            return;
        }
    };
}

/// A root file system with busybox, and what a container on it is made from.
struct Bundle {
    dir: tempfile::TempDir,
    case: Case,
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
        let mut bundle = Self { dir, case };
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

    fn spawn(&self, built: BuiltPlan, init: Option<&Init>) -> Result<Running, nsenter::Error> {
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
                    Input::Namespace { path, .. } => File::open(path).unwrap().into(),
                    Input::InitPidfd => init.unwrap().pidfd().try_clone_to_owned().unwrap(),
                    Input::CgroupTasks(path) => {
                        OpenOptions::new().write(true).open(path).unwrap().into()
                    }
                    other => panic!("{other}"),
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
        let mut parent = Parent::new(&self.case);
        init.serve(&mut parent, Deadline::default())?;
        Ok(Running {
            init,
            output: read,
            fifo,
            parent,
        })
    }

    /// Creates, starts, and gives back what the program printed.
    fn run(&self) -> String {
        self.create()
            .unwrap_or_else(|error| panic!("{}", told(&error)))
            .finish()
    }

    /// The error that creating it gives.
    fn refusal(&self) -> String {
        match self.create() {
            Ok(running) => panic!("it was created: {}", running.finish()),
            Err(error) => told(&error),
        }
    }
}

fn told(error: &nsenter::Error) -> String {
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

fn chown(path: &Path, id: u32) {
    std::os::unix::fs::lchown(path, Some(id), Some(id)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            chown(&entry.unwrap().path(), id);
        }
    }
}

/// A created container, or an added process that runs already.
struct Running {
    init: Init,
    output: std::io::PipeReader,
    fifo: File,
    parent: Parent,
}

impl Running {
    fn start(&mut self) {
        self.fifo.write_all(b"0").unwrap();
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

/// The parent's side.
struct Parent {
    maps: Option<(Vec<IdMap>, Vec<IdMap>)>,
    sources: Vec<String>,
    root: Option<OwnedFd>,
    master: Option<OwnedFd>,
    asked: Vec<&'static str>,
    pids: Vec<u32>,
}

impl Parent {
    fn new(case: &Case) -> Self {
        Self {
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

impl Answers for Parent {
    fn gate(&mut self, _: u32, _: &ProcessRef<'_>) -> Result<(), Refusal> {
        self.asked.push("gate");
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

    fn descriptor(&mut self, tag: u32, descriptor: OwnedFd) -> Result<(), Refusal> {
        assert_eq!(Tag::from_number(tag), Some(Tag::Root));
        self.root = Some(descriptor);
        Ok(())
    }

    fn ask_descriptor(&mut self, tag: u32) -> Result<OwnedFd, Refusal> {
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

#[test]
fn a_bare_container_runs_as_pid_1_in_its_own_root() {
    need_root!();
    let output = Bundle::new("echo $$ $HOME; ls -d /usr; umask; echo /proc/self/fd/*; pwd").run();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "1 /asked/home");
    assert!(lines[1].contains("No such file"));
    assert_eq!(lines[2], "0022");
    // Nothing but the standard streams, and what the shell itself opened to list them.
    assert_eq!(
        lines[3],
        "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3"
    );
    assert_eq!(lines[4], "/");
}

#[test]
fn the_standard_container_is_protected() {
    need_root!();
    let mut bundle = Bundle::standard(
        "hostname; touch /x; cat /proc/timer_list | wc -c; touch /proc/sys/kernel/hostname || echo ro; \
         ls /sys/firmware | wc -l; grep -E 'Cap(Eff|Bnd|Prm|Amb)|NoNewPrivs' /proc/self/status; \
         ip link show lo | head -1; stat -c '%a %t:%T %n' /dev/null /dev/tty; readlink /dev/ptmx; readlink /dev/fd; \
         stat -c '%a' /dev /dev/shm; grep -c . /proc/self/mountinfo; id -G",
    );
    bundle.case.config.mask_paths = ["/proc/timer_list", "/sys/firmware"]
        .map(str::to_owned)
        .to_vec();
    let output = bundle.run();
    for line in [
        "cofferdam",
        "touch: /x: Read-only file system",
        "0",
        "ro",
        "CapEff:\t0000000020000420",
        "CapPrm:\t0000000020000420",
        "CapBnd:\t0000000020000420",
        "CapAmb:\t0000000000000000",
        "NoNewPrivs:\t1",
        "666 1:3 /dev/null",
        "666 5:0 /dev/tty",
        "pts/ptmx",
        "/proc/self/fd",
        "755",
        "1777",
    ] {
        assert!(
            output.lines().any(|found| found == line),
            "no {line:?} in\n{output}"
        );
    }
    assert!(output.contains("lo: <LOOPBACK,UP,LOWER_UP>"), "{output}");
    // The mount points were made with the modes meant, whatever the mask of this process is.
    assert_eq!(
        bundle.rootfs().join("dev").metadata().unwrap().mode() & 0o7777,
        0o755
    );
}

#[test]
fn another_user_has_the_groups_and_the_directory_asked_for() {
    need_root!();
    let mut bundle =
        Bundle::standard("id; pwd; grep CapEff /proc/self/status; touch f && echo made");
    fs::create_dir_all(bundle.rootfs().join("home/u")).unwrap();
    chown(&bundle.rootfs().join("home/u"), 1000);
    bundle.case.config.readonlyfs = false;
    bundle
        .case
        .process
        .user(1000, 1000)
        .additional_gids([7, 8])
        .cwd("/home/u");
    let output = bundle.run();
    assert!(
        output.starts_with("uid=1000(u) gid=1000 groups=7,8\n/home/u\n"),
        "{output}"
    );
    assert!(
        output.contains("CapEff:\t0000000000000000") && output.ends_with("made\n"),
        "{output}"
    );
}

#[test]
fn a_user_namespace_gets_bound_devices_and_sources_that_it_cannot_reach() {
    need_root!();
    let mut bundle = Bundle::standard(
        "cat /proc/self/uid_map; cat /data/secret; stat -c '%t:%T %u' /dev/null; echo x > /dev/null && echo null; \
         touch /data/y; id -u; grep CapEff /proc/self/status; echo $$",
    );
    bundle.map_ids();
    let hidden = bundle.dir.path().join("hidden");
    fs::create_dir_all(hidden.join("inner")).unwrap();
    fs::write(hidden.join("inner/secret"), "found\n").unwrap();
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o700)).unwrap();
    let source = hidden.join("inner");
    bundle.case.config.mounts.push(volume(
        source.to_str().unwrap(),
        "/data",
        MountFlags::RDONLY | MountFlags::REC,
        MountFlags::PRIVATE | MountFlags::REC,
    ));
    let running = bundle
        .create()
        .unwrap_or_else(|error| panic!("{}", told(&error)));
    assert_eq!(
        running.parent.asked,
        ["id maps", "second stage", "source", "ready"]
    );
    let output = running.finish();
    for line in [
        "found",
        "1:3 65534",
        "null",
        "touch: /data/y: Read-only file system",
        "CapEff:\t0000000020000420",
        "1",
    ] {
        assert!(
            output.lines().any(|found| found == line),
            "no {line:?} in\n{output}"
        );
    }
    assert!(
        output.contains("         0     100000      65536"),
        "{output}"
    );
}

#[test]
fn a_second_container_joins_the_namespaces_of_the_first() {
    need_root!();
    let first = Bundle::standard("sleep 100");
    let mut first = first.create().unwrap();
    first.start();
    let mut bundle = Bundle::standard(
        "echo pid $$; readlink /proc/self/ns/net; readlink /proc/1/ns/pid; ls /proc/1/exe",
    );
    for kind in [NamespaceType::Pid, NamespaceType::Network] {
        let path = format!("/proc/{}/ns/{}", first.init.pid(), kind.proc_file());
        bundle.case.config.namespaces.set(kind, path);
    }
    let net = fs::read_link(format!("/proc/{}/ns/net", first.init.pid())).unwrap();
    for pidns in [false, true] {
        if pidns && !HostFacts::read().unwrap().procfs_pidns {
            continue;
        }
        bundle.case.host.procfs_pidns = pidns;
        let running = bundle
            .create()
            .unwrap_or_else(|error| panic!("{}", told(&error)));
        assert_eq!(running.parent.asked, ["second stage", "ready"]);
        assert_eq!(running.parent.pids[0], running.parent.pids[1]);
        let output = running.finish();
        assert!(!output.starts_with("pid 1\n"), "{output}");
        assert!(output.contains(net.to_str().unwrap()), "{output}");
        assert!(output.contains("/proc/1/exe"), "{output}");
    }
    rustix::process::pidfd_send_signal(first.init.pidfd(), rustix::process::Signal::KILL).unwrap();
    first.output();
}

#[test]
fn a_process_is_added_to_a_running_container() {
    need_root!();
    let bundle = Bundle::standard("sleep 100");
    let mut first = bundle.create().unwrap();
    first.start();
    let mut added = bundle;
    added.script("echo hello from $(id -u):$(id -g) in $(pwd); readlink /proc/self/ns/pid; cat /proc/1/comm; hostname; ls /proc/self/fd | wc -l; grep Umask /proc/self/status");
    added.case.process.user(1000, 100).cwd("/tmp");
    let mut running = added
        .spawn(added.case.exec().unwrap(), Some(&first.init))
        .unwrap_or_else(|error| panic!("{}", told(&error)));
    assert_eq!(running.parent.asked, ["ready", "second stage"]);
    running.fifo.flush().unwrap();
    let pidns = fs::read_link(format!("/proc/{}/ns/pid", first.init.pid())).unwrap();
    let output = running.output();
    assert!(
        output.starts_with("hello from 1000:100 in /tmp\n"),
        "{output}"
    );
    for line in [
        pidns.to_str().unwrap(),
        "sleep",
        "cofferdam",
        "4",
        "Umask:\t0022",
    ] {
        assert!(
            output.lines().any(|found| found == line),
            "no {line:?} in\n{output}"
        );
    }
    rustix::process::pidfd_send_signal(first.init.pidfd(), rustix::process::Signal::KILL).unwrap();
    first.output();
}

#[test]
fn a_terminal_is_the_console_of_an_init_and_the_terminal_of_an_added_process() {
    need_root!();
    let mut bundle = Bundle::standard(
        "tty; stat -c %t /dev/console; echo $(tty < /dev/console); exec sleep 100",
    );
    bundle.case.process.terminal(Some(Terminal::Keep));
    let mut first = bundle
        .create()
        .unwrap_or_else(|error| panic!("{}", told(&error)));
    assert_eq!(first.parent.asked, ["console", "ready"]);
    first.start();
    let lines = |master: OwnedFd, wanted: usize| {
        let mut master = File::from(master);
        let mut text = Vec::new();
        let mut buffer = [0; 256];
        while text.iter().filter(|byte| **byte == b'\n').count() < wanted {
            let count = master.read(&mut buffer).unwrap();
            text.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(text).unwrap().replace('\r', "")
    };
    assert_eq!(
        lines(first.parent.master.take().unwrap(), 3),
        "/dev/pts/0\n88\n/dev/console\n"
    );

    bundle.script("tty; sh -c 'echo via tty > /dev/tty'; exec sleep 100");
    bundle
        .case
        .process
        .terminal(Some(Terminal::Keep))
        .user(1000, 1000);
    let mut second = bundle
        .spawn(bundle.case.exec().unwrap(), Some(&first.init))
        .unwrap_or_else(|error| panic!("{}", told(&error)));
    assert_eq!(
        lines(second.parent.master.take().unwrap(), 2),
        "/dev/pts/1\nvia tty\n"
    );
    for running in [second, first] {
        rustix::process::pidfd_send_signal(running.init.pidfd(), rustix::process::Signal::KILL)
            .unwrap();
        running.output();
    }
}

#[test]
fn clocks_of_a_time_namespace_are_set() {
    need_root!();
    let mut bundle = Bundle::new("cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime");
    bundle.case.config.namespaces.set(NamespaceType::Time, "");
    bundle.case.config.time_offsets = [
        (
            "boottime".to_owned(),
            configs::config::TimeOffset {
                secs: 1_000_000,
                nanosecs: 0,
            },
        ),
        (
            "monotonic".to_owned(),
            configs::config::TimeOffset {
                secs: 7,
                nanosecs: 5,
            },
        ),
    ]
    .into();
    for user in [false, true] {
        if user {
            bundle.map_ids();
        }
        let output = bundle.run();
        assert!(
            output.contains("monotonic           7         5"),
            "{output}"
        );
        let uptime: u64 = output.lines().last().unwrap().parse().unwrap();
        assert!(uptime >= 1_000_000, "{output}");
    }
}

#[test]
fn mounts_have_the_modes_flags_and_content_asked_for() {
    need_root!();
    let mut bundle = Bundle::new(
        "stat -c '%a %n' /inherit /explicit /fresh /copied; cat /copied/file /etc/single /later; \
         sed -n 's/^[^/]*[^ ]* \\(\\/ro\\|\\/roro\\|\\/roro\\/sub\\|\\/plain\\) \\([^ ]*\\).*/\\1 \\2/p' /proc/self/mountinfo | sort; touch /tmp/dangling-target",
    );
    let rootfs = bundle.rootfs().to_owned();
    for (name, mode) in [("inherit", 0o1711), ("explicit", 0o755), ("copied", 0o2750)] {
        fs::create_dir(rootfs.join(name)).unwrap();
        fs::set_permissions(rootfs.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::write(rootfs.join("copied/file"), "copied content\n").unwrap();
    let host = bundle.dir.path().join("host");
    fs::create_dir_all(host.join("sub")).unwrap();
    fs::write(host.join("single"), "single file\n").unwrap();
    let host = host.to_str().unwrap().to_owned();
    let mounts = &mut bundle.case.config.mounts;
    mounts.push(mount("tmpfs", "/inherit", MountFlags::NONE, ""));
    mounts.push(mount("tmpfs", "/explicit", MountFlags::NONE, "mode=0700"));
    mounts.push(mount("tmpfs", "/fresh", MountFlags::NONE, ""));
    mounts.push(Mount {
        extensions: Mount::COPY_UP,
        ..mount("tmpfs", "/copied", MountFlags::NONE, "")
    });
    mounts.push(volume(
        &format!("{host}/single"),
        "/etc/single",
        MountFlags::NONE,
        MountFlags::NONE,
    ));
    mounts.push(volume(
        &host,
        "/ro",
        MountFlags::RDONLY | MountFlags::NOSUID,
        MountFlags::PRIVATE,
    ));
    mounts.push(volume(&host, "/plain", MountFlags::NONE, MountFlags::NONE));
    let mut recursive = volume(
        &host,
        "/roro",
        MountFlags::REC,
        MountFlags::PRIVATE | MountFlags::REC,
    );
    recursive.rec_attr = Some(MountAttr {
        attr_set: MountAttr::RDONLY | MountAttr::NOEXEC,
        ..MountAttr::default()
    });
    mounts.push(recursive);
    // The source is what an earlier mount of the container shows at its place on the host.
    let inside = format!("{}/etc/single", rootfs.display());
    mounts.push(volume(
        &inside,
        "/later",
        MountFlags::NONE,
        MountFlags::NONE,
    ));
    let output = bundle.run();
    for line in [
        "1711 /inherit",
        "700 /explicit",
        "1777 /fresh",
        "2750 /copied",
        "copied content",
        "single file",
        "/ro ro,nosuid,relatime",
        "/roro ro,noexec,relatime",
    ] {
        assert!(
            output.lines().any(|found| found.starts_with(line)),
            "no {line:?} in\n{output}"
        );
    }
    assert_eq!(output.matches("single file").count(), 2, "{output}");
    let plain = output
        .lines()
        .find(|line| line.starts_with("/plain "))
        .unwrap();
    assert!(plain.starts_with("/plain rw,"), "{output}");
}

#[test]
fn links_in_the_image_lead_nowhere_else() {
    need_root!();
    let bundle = Bundle::standard("true");
    fs::remove_dir(bundle.rootfs().join("proc")).unwrap();
    symlink("/tmp", bundle.rootfs().join("proc")).unwrap();
    assert!(
        bundle
            .refusal()
            .contains("must be mounted on ordinary directory")
    );

    // /dev of an image that is a link to a directory of the host: everything ends up inside of the root.
    let canary = bundle.dir.path().join("canary");
    fs::create_dir(&canary).unwrap();
    let bundle = Bundle::new("ls -ld /dev/null");
    symlink(&canary, bundle.rootfs().join("dev")).unwrap();
    let output = bundle.run();
    assert!(output.starts_with("crw-rw-rw-"), "{output}");
    assert_eq!(fs::read_dir(&canary).map_or(0, Iterator::count), 0);
}

#[test]
fn a_null_device_that_is_none_hides_nothing() {
    need_root!();
    let mut bundle = Bundle::new("true");
    fs::create_dir(bundle.rootfs().join("dev")).unwrap();
    let fake = bundle.dir.path().join("dev");
    fs::create_dir(&fake).unwrap();
    fs::write(fake.join("null"), "").unwrap();
    bundle.case.config.mounts.push(volume(
        fake.to_str().unwrap(),
        "/dev",
        MountFlags::REC,
        MountFlags::NONE,
    ));
    bundle.case.config.mask_paths = vec!["/proc/kcore".to_owned()];
    bundle.case.process.terminal(None);
    let refusal = bundle.refusal();
    assert!(refusal.contains("null"), "{refusal}");
}

#[test]
fn without_pivot_and_without_mount_namespace_the_root_is_changed() {
    need_root!();
    let mut bundle = Bundle::new("ls /; ls /bin/sh; grep -c ' /proc ' /proc/self/mountinfo");
    bundle.case.config.no_pivot_root = true;
    let rootfs = bundle.rootfs().to_owned();
    bundle.case.host.read_full_proc_mounts(&rootfs).unwrap();
    let output = bundle.run();
    assert!(
        output.contains("/bin/sh") && !output.contains("work"),
        "{output}"
    );

    let mut bundle = Bundle::new("ls /; ls /bin/sh");
    bundle.case.config.namespaces = private(&[NamespaceType::Pid]);
    bundle.case.config.mounts.clear();
    let built = bundle.case.init().unwrap();
    assert!(built.host_mounts.is_empty());
    let output = bundle.run();
    assert!(
        output.contains("/bin/sh") && !output.contains("work"),
        "{output}"
    );
}

#[test]
fn hooks_run_in_the_root_and_the_late_ones_as_the_user() {
    need_root!();
    let mut bundle = Bundle::standard("echo main");
    bundle.case.config.readonlyfs = false;
    let hook = |script: &str| Command {
        path: "/bin/sh".to_owned(),
        args: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
        ..Command::default()
    };
    bundle.case.config.hooks.prestart = vec![hook("true")];
    bundle.case.config.hooks.create_container = vec![hook("cat > state; pwd > where")];
    bundle.case.config.hooks.start_container =
        vec![hook("cat > /tmp/late; echo $PATH $HOME > /tmp/env")];
    let running = bundle
        .create()
        .unwrap_or_else(|error| panic!("{}", told(&error)));
    assert_eq!(running.parent.asked, ["gate", "ready"]);
    let read = |name: &str| fs::read_to_string(bundle.rootfs().join(name)).unwrap_or_default();
    let state: configs::oci::State = serde_json::from_str(&read("state")).unwrap();
    assert_eq!(
        (state.pid, state.status),
        (1, configs::oci::ContainerStatus::Creating)
    );
    assert_eq!(read("where").trim_end(), bundle.case.config.rootfs);
    assert_eq!(running.finish(), "main\n");
    let state: configs::oci::State = serde_json::from_str(&read("tmp/late")).unwrap();
    assert_eq!(
        (state.pid, state.status),
        (1, configs::oci::ContainerStatus::Created)
    );
    assert_eq!(read("tmp/env"), "/bin /asked/home\n");
}

#[test]
fn a_missing_program_is_told_before_anything_runs() {
    need_root!();
    let mut bundle = Bundle::new("");
    bundle.case.process = Process::new(["missing"]);
    bundle.case.process.env(["PATH=/bin"]);
    let refusal = bundle.refusal();
    assert!(
        refusal.contains("exec: \"missing\"")
            && refusal.contains(&format!("errno {}", libc::ENOENT)),
        "{refusal}"
    );
    bundle.case.process = Process::new(["/etc/passwd"]);
    let refusal = bundle.refusal();
    assert!(
        refusal.contains(&format!("errno {}", libc::EACCES)),
        "{refusal}"
    );
}

#[test]
fn scheduling_personality_and_memory_policy_reach_the_program() {
    need_root!();
    let mut bundle = Bundle::new(
        "grep -E '^(policy|prio)' /proc/self/sched || true; cat /proc/self/oom_score_adj; cat /proc/self/personality; sed -n 1p /proc/self/numa_maps",
    );
    bundle.case.config.oom_score_adj = Some(500);
    bundle.case.config.personality = Some(configs::config::Personality {
        domain: configs::config::PersonalityDomain::Linux32,
    });
    bundle.case.process.scheduler(configs::oci::Scheduler {
        policy: "SCHED_BATCH".to_owned(),
        nice: 5,
        ..configs::oci::Scheduler::default()
    });
    let output = bundle.run();
    assert!(output.contains("500\n00000008\n"), "{output}");
}

#[test]
fn networks_of_the_container_are_its_own() {
    need_root!();
    let mut bundle = Bundle::new("ip link; cat /proc/sys/net/ipv4/ip_unprivileged_port_start");
    bundle
        .case
        .config
        .namespaces
        .set(NamespaceType::Network, "");
    bundle.case.config.networks = vec![Network::loopback()];
    bundle.case.config.sysctl = [(
        "net.ipv4.ip_unprivileged_port_start".to_owned(),
        "42".to_owned(),
    )]
    .into();
    let output = bundle.run();
    assert!(
        output.contains("LOOPBACK,UP") && output.ends_with("42\n"),
        "{output}"
    );
    // Without a mount of its own to write through, the plan makes a private one.
    bundle.case.config.mounts[0].flags = MountFlags::RDONLY;
    let output = bundle.run();
    assert!(output.ends_with("42\n"), "{output}");
    let own = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    assert_ne!(own, "42\n");
}

#[test]
fn filters_are_on_and_the_capability_to_load_them_is_gone() {
    need_root!();
    let script = "grep -E '^(Seccomp|CapEff|CapPrm|NoNewPrivs):' /proc/self/status; [ -z $LAST ] || exec sleep 100";
    let status = |nnp: u32| {
        format!(
            "CapPrm:\t0000000020000420\nCapEff:\t0000000020000420\nNoNewPrivs:\t{nnp}\nSeccomp:\t2\n"
        )
    };
    for restricted in [false, true] {
        let mut bundle = Bundle::standard(script);
        bundle.case.config.no_new_privileges = restricted;
        bundle.case.filter = Some(allowing());
        assert_eq!(bundle.run(), status(restricted.into()));

        bundle.script("exec sleep 100");
        let mut first = bundle
            .create()
            .unwrap_or_else(|error| panic!("{}", told(&error)));
        first.start();
        bundle.script(script);
        let strict = refusing(&[
            (libc::SYS_clone3, libc::EPERM),
            (libc::SYS_clone, libc::EPERM),
            (libc::SYS_fork, libc::EPERM),
        ]);
        for (filter, program) in [(allowing(), "sh"), (strict, "/bin/grep")] {
            if program == "/bin/grep" {
                // Nothing can be forked under this filter: the program itself must do.
                bundle.case.process = Process::new([
                    program,
                    "-E",
                    "^(Seccomp|CapEff|CapPrm|NoNewPrivs):",
                    "/proc/self/status",
                ]);
            }
            bundle.case.filter = Some(filter);
            let added = bundle
                .spawn(bundle.case.exec().unwrap(), Some(&first.init))
                .unwrap_or_else(|error| panic!("{}", told(&error)));
            assert_eq!(
                added.output(),
                status(restricted.into()),
                "{program}, restricted: {restricted}"
            );
        }
        rustix::process::pidfd_send_signal(first.init.pidfd(), rustix::process::Signal::KILL)
            .unwrap();
        first.output();
    }
}

#[test]
fn legacy_cgroups_are_joined_before_their_namespace_is_made() {
    need_root!();
    // A hierarchy of its own is enough, and only this test's.
    let hierarchy = Path::new("/sys/fs/cgroup/pids");
    if !hierarchy.join("cgroup.procs").exists() {
        eprintln!("skipped: needs the v1 pids cgroup");
        return;
    }
    let own = hierarchy.join(format!("cofferdam-plan-{}", std::process::id()));
    fs::create_dir(&own).unwrap();
    for namespace in [true, false] {
        let mut bundle = Bundle::standard(
            "grep ':pids:' /proc/self/cgroup | cut -d: -f3; cat /sys/fs/cgroup/pids/cgroup.procs | head -1; \
             mkdir /sys/fs/cgroup/pids/x || mkdir /sys/fs/cgroup/y; readlink /sys/fs/cgroup/alias",
        );
        if !namespace {
            bundle.case.config.namespaces.remove(NamespaceType::Cgroup);
        }
        bundle
            .case
            .config
            .mounts
            .push(mount("cgroup", "/sys/fs/cgroup", MountFlags::RDONLY, ""));
        bundle.case.view = CgroupView::Legacy(vec![LegacyHierarchy {
            directory: "pids".to_owned(),
            source: "cgroup".to_owned(),
            data: "pids".to_owned(),
            links: vec!["alias".to_owned()],
            own: own.clone(),
        }]);
        bundle.case.cgroup.tasks = vec![own.join("tasks").to_str().unwrap().to_owned()];
        let output = bundle.run();
        let path = if namespace {
            "/".to_owned()
        } else {
            format!("/{}", own.file_name().unwrap().to_str().unwrap())
        };
        assert!(output.starts_with(&format!("{path}\n1\n")), "{output}");
        assert_eq!(
            output.matches("Read-only file system").count(),
            2,
            "{output}"
        );
        assert!(output.ends_with("pids\n"), "{output}");
    }
    fs::remove_dir(&own).unwrap();
}

#[test]
fn a_policy_that_is_lost_at_birth_reaches_the_added_program() {
    need_root!();
    let mut bundle = Bundle::standard("exec sleep 100");
    let mut first = bundle
        .create()
        .unwrap_or_else(|error| panic!("{}", told(&error)));
    first.start();
    bundle.case.process = Process::new(["/bin/cut", "-d", " ", "-f41", "/proc/self/stat"]);
    bundle
        .case
        .process
        .user(1000, 1000)
        .scheduler(configs::oci::Scheduler {
            policy: "SCHED_BATCH".to_owned(),
            flags: vec!["SCHED_FLAG_RESET_ON_FORK".to_owned()],
            ..configs::oci::Scheduler::default()
        });
    let added = bundle
        .spawn(bundle.case.exec().unwrap(), Some(&first.init))
        .unwrap_or_else(|error| panic!("{}", told(&error)));
    // SCHED_BATCH is 3.
    assert_eq!(added.output(), "3\n");
    rustix::process::pidfd_send_signal(first.init.pidfd(), rustix::process::Signal::KILL).unwrap();
    first.output();
}
