//! Kernel parameters, written through a procfs that nothing covers.

use configs::config::{Mount, MountAttr, MountFlags};
use nsenter::plan::{Dir, Op};

use super::mounts::entry::is_remount;
use super::params::ProcessParams;
use super::procfs::ProcSelf;
use super::rootfs::Rootfs;
use super::steps::{Steps, c_string, clean};
use crate::{Error, Result};

/// Whether the host's procfs may be needed: no mount of the configuration is one that parameters
/// can be written through.
pub(super) fn needs_host(params: &ProcessParams<'_>) -> bool {
    !params.config.sysctl.is_empty() && !serving(params)
}

/// Whether parameters can be written through the container's own procfs.
fn serving(params: &ProcessParams<'_>) -> bool {
    let proc = |mount: &&Mount| clean(&mount.destination) == "/proc";
    let mounts = || params.config.mounts.iter().filter(proc);
    mounts().any(serves) && !mounts().any(is_remount)
}

/// Whether a mount is a complete, writable procfs.
pub(super) fn serves(mount: &Mount) -> bool {
    !mount.is_bind()
        && mount.device == "proc"
        && !mount.flags.contains(MountFlags::RDONLY)
        && mount.rec_attr.unwrap_or_default().attr_set & MountAttr::RDONLY == 0
        && !is_remount(mount)
        && !mount.data.contains("subset")
}

/// A procfs of the process' own for the parameters, if the container's mount cannot serve. It has
/// to be made before the root is switched: in a user namespace procfs can be mounted only while
/// another one is in sight.
pub(super) fn prepare(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    root: &mut Rootfs,
    proc: &ProcSelf,
) {
    if params.config.sysctl.is_empty() || root.procfs.is_some() || !root.mount_namespace {
        return;
    }
    let Some(host) = proc.handle() else { return };
    let into = steps.slot();
    let (refused, done) = (steps.label(), steps.label());
    steps.push_or(
        "mount a private procfs",
        Op::NewMount {
            fstype: c"proc".to_owned(),
            source: Some(c"proc".to_owned()),
            options: Vec::new(),
            mode_of: None,
            attributes: MountAttr::NOSUID | MountAttr::NODEV | MountAttr::NOEXEC,
            into,
        },
        &[libc::EPERM],
        refused,
    );
    steps.jump(done);
    steps.bind(refused);
    // What is covered in the visible procfs cannot be written, and nothing else is written instead.
    steps.push(
        "open the visible procfs",
        Op::Open {
            dir: Dir::Slot(host),
            path: c".".to_owned(),
            flags: (libc::O_PATH | libc::O_DIRECTORY).cast_unsigned(),
            mode: 0,
            resolve: libc::RESOLVE_BENEATH,
            into,
        },
    );
    steps.bind(done);
    root.procfs = Some(into);
    root.mounts.keep(into);
}

/// Writes every parameter, sorted by name.
pub(super) fn write(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    root: &Rootfs,
    proc: &ProcSelf,
) -> Result<()> {
    if params.config.sysctl.is_empty() {
        return Ok(());
    }
    let Some(procfs) = root.procfs.or(proc.handle()) else {
        return Err(Error::config(
            "linux.sysctl: there is no procfs to write to",
        ));
    };
    for (name, value) in &params.config.sysctl {
        let path = c_string("linux.sysctl", path_of(name)?)?;
        if value.contains('\0') {
            return Err(Error::config(format!(
                "linux.sysctl {name} contains a null byte"
            )));
        }
        steps.push(
            format!("sysctl {name} = {value:?}"),
            Op::Sysctl {
                procfs,
                path,
                value: value.as_bytes().to_vec(),
            },
        );
    }
    Ok(())
}

/// The path of a parameter below a procfs, `sysctl.d(5)`: if the first separator of the name is a
/// slash, dots are part of the names; else slashes are.
fn path_of(name: &str) -> Result<String> {
    let swapped: String = if name
        .find(['.', '/'])
        .is_some_and(|at| name[at..].starts_with('/'))
    {
        name.to_owned()
    } else {
        name.chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                c => c,
            })
            .collect()
    };
    if swapped
        .split('/')
        .any(|part| matches!(part, "" | "." | ".."))
    {
        return Err(Error::config(format!(
            "linux.sysctl {name:?} is no name of a kernel parameter"
        )));
    }
    Ok(format!("sys/{swapped}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths_by_the_convention_of_sysctl_d() {
        for (name, path) in [
            ("net.ipv4.ip_forward", "sys/net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "sys/net/ipv4/ip_forward"),
            (
                "net.ipv4.conf.eno2/100.rp_filter",
                "sys/net/ipv4/conf/eno2.100/rp_filter",
            ),
            (
                "net/ipv4/conf/eno2.100/rp_filter",
                "sys/net/ipv4/conf/eno2.100/rp_filter",
            ),
            ("kernel.shmmax", "sys/kernel/shmmax"),
        ] {
            assert_eq!(path_of(name).unwrap(), path, "{name}");
        }
    }

    #[test]
    fn a_name_that_leaves_its_directory_is_refused() {
        for name in [
            "net/../kernel/panic",
            "net.ipv4.//.kernel",
            "",
            ".",
            "/net",
            "net.",
            "net..x",
        ] {
            assert!(path_of(name).is_err(), "{name}");
        }
    }
}
