//! Mounts that reach the host.

use configs::oci::Mount;

use super::Severity;
use super::Severity::{High, Info, Low, Medium};
use super::rules::{
    ENGINE_SOCKET, HOST_PATH, HOST_ROOT, HOST_SOCKET, HOST_SYSTEM, MOUNT_SHARED, Rule,
};
use super::subject::{Subject, clean, is_bind, is_read_only, is_within};

/// Sockets of engines, by the name of the file.
const ENGINE_SOCKETS: [&str; 6] = [
    "docker.sock",
    "containerd.sock",
    "crio.sock",
    "podman.sock",
    "buildkitd.sock",
    "cri-dockerd.sock",
];

/// A directory of the host.
struct Place {
    path: &'static str,
    /// What is below it counts as well.
    below: bool,
    writable: Severity,
    read_only: Severity,
}

const fn place(path: &'static str, below: bool, writable: Severity, read_only: Severity) -> Place {
    Place {
        path,
        below,
        writable,
        read_only,
    }
}

/// The directories of the CIS Docker Benchmark (5.6), and those where engines and users keep what
/// leads to the host. The first that fits counts.
static PLACES: [Place; 17] = [
    // The cgroups are looked at by a rule of their own.
    place("/sys/fs/cgroup", true, Info, Info),
    place("/sys", true, High, Low),
    place("/proc", true, High, High),
    place("/dev", true, Medium, Medium),
    place("/etc", true, High, Low),
    place("/boot", true, High, Medium),
    place("/usr", true, High, Low),
    place("/lib", true, High, Low),
    place("/lib64", true, High, Low),
    place("/bin", true, High, Low),
    place("/sbin", true, High, Low),
    place("/root", true, High, Medium),
    place("/home", false, High, Medium),
    place("/run", false, High, High),
    place("/var/run", false, High, High),
    place("/var", false, High, Medium),
    place("/var/lib", false, High, Medium),
];

/// Directories of engines: the content of every container, and their secrets.
const ENGINE_DIRECTORIES: [&str; 7] = [
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/kubelet",
    "/run/containerd",
    "/run/docker",
    "/run/crio",
];

pub(super) fn check(subject: &mut Subject<'_>) {
    let spec = subject.spec;
    if let Some(root) = &spec.root
        && clean(&root.path).as_deref() == Some("/")
    {
        let detail = "the container's root is that of the host";
        subject.add(&HOST_ROOT, High, "root.path", detail);
    }
    let propagation = spec.linux.as_ref().map_or("", |it| &it.rootfs_propagation);
    if is_shared(propagation) {
        let detail = format!("the root file system is {propagation}");
        subject.add(&MOUNT_SHARED, Medium, "linux.rootfsPropagation", detail);
    }
    for (index, mount) in subject.mounts() {
        source(subject, index, mount);
        if let Some(option) = mount.options.iter().find(|option| is_shared(option)) {
            let field = subject.mount_field(index, ".options");
            let detail = format!("{} is {option}", mount.destination);
            subject.add(&MOUNT_SHARED, Medium, field, detail);
        }
    }
}

fn is_shared(propagation: &str) -> bool {
    matches!(propagation, "shared" | "rshared")
}

/// Where a mount comes from.
fn source(subject: &mut Subject<'_>, index: usize, mount: &Mount) {
    // A relative source is in the bundle.
    let Some(path) = clean(&mount.source) else {
        return;
    };
    // What is no bind mount has no path of the host but that of a disk.
    if !is_bind(mount) && !is_within(&path, "/dev") {
        return;
    }
    let read_only = is_read_only(mount);
    let Some((rule, severity)) = judge(&path, read_only) else {
        return;
    };
    let below = match rule.id {
        "host-path" if !read_only => ".options",
        _ => ".source",
    };
    let field = subject.mount_field(index, below);
    let mode = if read_only { "read-only" } else { "writable" };
    let detail = format!("{} is {path} of the host, {mode}", mount.destination);
    subject.add(rule, severity, field, detail);
}

fn judge(path: &str, read_only: bool) -> Option<(&'static Rule, Severity)> {
    if path == "/" {
        return Some((&HOST_ROOT, High));
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    if ENGINE_SOCKETS.contains(&name) {
        return Some((&ENGINE_SOCKET, High));
    }
    if std::path::Path::new(name).extension() == Some(std::ffi::OsStr::new("sock")) {
        return Some((&HOST_SOCKET, Low));
    }
    let fits = |place: &&Place| path == place.path || place.below && is_within(path, place.path);
    if let Some(place) = PLACES.iter().find(fits) {
        let severity = if read_only {
            place.read_only
        } else {
            place.writable
        };
        return (severity > Info).then_some((&HOST_SYSTEM, severity));
    }
    if ENGINE_DIRECTORIES.contains(&path) {
        return Some((&HOST_SYSTEM, High));
    }
    Some((&HOST_PATH, Info))
}
