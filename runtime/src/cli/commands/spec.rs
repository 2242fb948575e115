//! `spec`: writes a config.json to begin with.

use std::fs::OpenOptions;
use std::io::{self, Write as _};

use configs::oci::{
    self, DeviceCgroup, IdMapping, Linux, LinuxCapabilities, Mount, Namespace, PosixRlimit, Process, Resources, Root, Spec,
};

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Order};
use crate::cli::process_flags::BUNDLE;
use crate::cli::{bundle, host_info, output};

pub(crate) static COMMAND: Command = Command {
    name: "spec",
    about: "write a new config.json",
    arguments: "",
    description: "The file describes a shell in a terminal, with few capabilities, in the directory rootfs beside it.\n\
                  Edit its args to run something else. With --rootless it needs no privilege: the user who calls becomes\n\
                  root inside a user namespace.",
    flags: &[BUNDLE, Flag::switch("rootless", "write one for a container without privileges")],
    count: Count::Exactly(0),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    bundle::enter(invocation)?;
    let mut spec = example(host_info::unified_cgroup());
    if invocation.parsed.switch("rootless") {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        without_privileges(&mut spec, uid, gid);
    }
    write_new(bundle::CONFIG_FILE, &output::pretty(&spec, "\t")?)?;
    Ok(0)
}

fn write_new(name: &str, text: &str) -> Result<(), Failure> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(name).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(format!("File {name} exists. Remove it first")),
        _ => Failure::io(format!("open {name}"), error),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| Failure::io(format!("write {name}"), error))
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
    Mount {
        destination: destination.to_owned(),
        kind: kind.to_owned(),
        source: source.to_owned(),
        options: strings(options),
        ..Mount::default()
    }
}

/// A container with its own namespaces, a read-only root and three capabilities.
fn example(unified_cgroup: bool) -> Spec {
    let capabilities = || Some(strings(&["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]));
    let mut namespaces = vec!["pid", "network", "ipc", "uts", "mount"];
    if unified_cgroup {
        namespaces.push("cgroup");
    }
    Spec {
        version: oci::VERSION.to_owned(),
        process: Some(Process {
            terminal: true,
            args: strings(&["sh"]),
            env: Some(strings(&["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"])),
            cwd: "/".to_owned(),
            no_new_privileges: true,
            capabilities: Some(LinuxCapabilities {
                bounding: capabilities(),
                permitted: capabilities(),
                effective: capabilities(),
                ..LinuxCapabilities::default()
            }),
            rlimits: vec![PosixRlimit { kind: "RLIMIT_NOFILE".to_owned(), hard: 1024, soft: 1024 }],
            ..Process::default()
        }),
        root: Some(Root { path: "rootfs".to_owned(), readonly: true }),
        hostname: "runc".to_owned(),
        mounts: mounts(),
        linux: Some(Linux {
            masked_paths: strings(&[
                "/proc/acpi",
                "/proc/asound",
                "/proc/kcore",
                "/proc/keys",
                "/proc/latency_stats",
                "/proc/timer_list",
                "/proc/timer_stats",
                "/proc/sched_debug",
                "/sys/firmware",
                "/proc/scsi",
            ]),
            readonly_paths: strings(&["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]),
            resources: Some(Resources {
                devices: vec![DeviceCgroup { allow: false, access: "rwm".to_owned(), ..DeviceCgroup::default() }],
                ..Resources::default()
            }),
            namespaces: namespaces.into_iter().map(|kind| Namespace { kind: kind.to_owned(), path: String::new() }).collect(),
            ..Linux::default()
        }),
        ..Spec::default()
    }
}

fn mounts() -> Vec<Mount> {
    vec![
        mount("/proc", "proc", "proc", &[]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ]
}

/// Changes what only root may do: everything happens in a user namespace whose only user is the caller.
fn without_privileges(spec: &mut Spec, uid: u32, gid: u32) {
    let linux = spec.linux.get_or_insert_default();
    linux.namespaces.retain(|namespace| !matches!(namespace.kind.as_str(), "network" | "user"));
    linux.namespaces.push(Namespace { kind: "user".to_owned(), path: String::new() });
    linux.uid_mappings = vec![IdMapping { container_id: 0, host_id: uid, size: 1 }];
    linux.gid_mappings = vec![IdMapping { container_id: 0, host_id: gid, size: 1 }];
    // The network namespace is the host's, so a new sysfs may not be mounted.
    for mount in &mut spec.mounts {
        if mount.destination == "/sys" {
            mount.kind = "none".to_owned();
            mount.source = "/sys".to_owned();
            mount.options = strings(&["rbind", "nosuid", "noexec", "nodev", "ro"]);
        } else {
            // Only one id exists inside: options that name another one would fail.
            mount.options.retain(|option| !option.starts_with("gid=") && !option.starts_with("uid="));
        }
    }
    linux.resources = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_reads_back_as_it_was_written() {
        for unified in [false, true] {
            let spec = example(unified);
            let text = output::pretty(&spec, "\t").unwrap();
            assert!(text.starts_with("{\n\t\"ociVersion\": \"1.3.0\",\n\t\"process\": {\n\t\t\"terminal\": true,"));
            assert_eq!(Spec::from_slice(text.as_bytes()).unwrap(), spec);
            let cgroup = spec.linux.unwrap().namespaces.iter().any(|namespace| namespace.kind == "cgroup");
            assert_eq!(cgroup, unified);
        }
    }

    #[test]
    fn without_privileges_only_the_caller_is_mapped() {
        let mut spec = example(true);
        without_privileges(&mut spec, 1000, 100);
        let linux = spec.linux.unwrap();
        let kinds: Vec<&str> = linux.namespaces.iter().map(|namespace| namespace.kind.as_str()).collect();
        assert_eq!(kinds, ["pid", "ipc", "uts", "mount", "cgroup", "user"]);
        assert_eq!((linux.uid_mappings[0].host_id, linux.gid_mappings[0].host_id), (1000, 100));
        assert_eq!(linux.resources, None);
        assert!(spec.mounts.iter().flat_map(|mount| &mount.options).all(|option| !option.contains("gid=")));
        let sys = spec.mounts.iter().find(|mount| mount.destination == "/sys").unwrap();
        assert_eq!((sys.kind.as_str(), sys.source.as_str()), ("none", "/sys"));
    }

    #[test]
    fn an_existing_file_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let path = path.to_str().unwrap();
        write_new(path, "one").unwrap();
        let message = write_new(path, "two").unwrap_err().message;
        assert_eq!(message, format!("File {path} exists. Remove it first"));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "one");
    }
}
