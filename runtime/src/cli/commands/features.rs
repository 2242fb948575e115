//! `features`: what this runtime can do, whatever the host has, and the CRIU that is there.

use std::collections::BTreeMap;

use configs::oci::{
    self, ApparmorFeatures, CgroupFeatures, Features, IdmapFeatures, IntelRdtFeatures,
    LinuxFeatures, MemoryPolicyFeatures, MountExtensions, NetDevicesFeatures, SeccompFeatures,
    SelinuxFeatures,
};

use configs::specconv;

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::Order;
use crate::cli::{output, version};

pub(crate) static COMMAND: Command = Command {
    name: "features",
    about: "show the features of this runtime",
    arguments: "",
    completions: &[],
    description: "The result is a JSON object as the OCI runtime specification defines it (features.md). It says what the\n\
                  runtime can do, not what the host has, but for the annotation io.cofferdam.criu.version: the version of\n\
                  the CRIU in PATH that checkpoint and restore use.",
    flags: &[],
    count: Count::Exactly(0),
    order: Order::Any,
    run,
};

fn run(_: &Invocation<'_>) -> Result<u8, Failure> {
    let mut features = features();
    // Checkpoints are the one thing that the runtime cannot do by itself.
    if let Ok(version) = criu::Criu::default().version() {
        let key = "io.cofferdam.criu.version".to_owned();
        features.annotations.insert(key, version.to_string());
    }
    output::write(&format!("{}\n", output::pretty(&features, "    ")?))?;
    Ok(0)
}

fn features() -> Features {
    let seccomp = seccomp::features();
    let mut annotations = BTreeMap::from([
        (
            "io.cofferdam.version".to_owned(),
            version::VERSION.to_owned(),
        ),
        // What readers that know runc look for: the version whose behaviour this is, with whose it
        // is added.
        (
            "org.opencontainers.runc.version".to_owned(),
            format!("{}+cofferdam.{}", version::RUNC, version::VERSION),
        ),
        (
            "org.opencontainers.runc.commit".to_owned(),
            version::COMMIT.to_owned(),
        ),
        (
            "org.opencontainers.runc.checkpoint.enabled".to_owned(),
            "true".to_owned(),
        ),
    ]);
    annotations.insert("io.cofferdam.commit".to_owned(), version::COMMIT.to_owned());
    if let Some(version) = &seccomp.libseccomp_version {
        annotations.insert(
            "io.github.seccomp.libseccomp.version".to_owned(),
            version.clone(),
        );
    }
    Features {
        oci_version_min: oci::VERSION_MIN.to_owned(),
        oci_version_max: oci::VERSION.to_owned(),
        hooks: strings(&[
            "prestart",
            "createRuntime",
            "createContainer",
            "startContainer",
            "poststart",
            "poststop",
        ]),
        mount_options: mount_options(),
        linux: Some(linux(&seccomp)),
        annotations,
        potentially_unsafe_config_annotations: strings(&[
            "bundle",
            "org.systemd.property.",
            "org.criu.config",
        ]),
    }
}

/// The mount options with a meaning of their own, sorted; those for id-mapped mounts are listed as
/// an extension.
fn mount_options() -> Vec<String> {
    let mut known: Vec<String> = specconv::known_mount_options().map(str::to_owned).collect();
    known.sort_unstable();
    known
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn linux(seccomp: &seccomp::Features) -> LinuxFeatures {
    let enabled = Some(true);
    LinuxFeatures {
        namespaces: strings(&[
            "cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts",
        ]),
        capabilities: capabilities(),
        cgroup: Some(CgroupFeatures {
            v1: enabled,
            v2: enabled,
            systemd: Some(cfg!(feature = "systemd")),
            systemd_user: Some(cfg!(feature = "systemd")),
            rdma: enabled,
        }),
        seccomp: Some(SeccompFeatures {
            enabled,
            actions: strings(&seccomp.actions),
            operators: strings(&seccomp.operators),
            archs: strings(&seccomp.archs),
            known_flags: strings(&seccomp.known_flags),
            supported_flags: strings(&seccomp.supported_flags),
        }),
        apparmor: Some(ApparmorFeatures { enabled }),
        selinux: Some(SelinuxFeatures { enabled }),
        intel_rdt: Some(IntelRdtFeatures {
            enabled,
            schemata: enabled,
            monitoring: enabled,
        }),
        memory_policy: Some(MemoryPolicyFeatures {
            modes: strings(&[
                "MPOL_DEFAULT",
                "MPOL_BIND",
                "MPOL_INTERLEAVE",
                "MPOL_WEIGHTED_INTERLEAVE",
                "MPOL_PREFERRED",
                "MPOL_PREFERRED_MANY",
                "MPOL_LOCAL",
            ]),
            flags: strings(&[
                "MPOL_F_NUMA_BALANCING",
                "MPOL_F_RELATIVE_NODES",
                "MPOL_F_STATIC_NODES",
            ]),
        }),
        mount_extensions: Some(MountExtensions {
            idmap: Some(IdmapFeatures { enabled }),
        }),
        net_devices: Some(NetDevicesFeatures { enabled }),
    }
}

/// The capabilities that the runtime knows by name, in the order of their numbers.
fn capabilities() -> Vec<String> {
    let mut known: Vec<caps::Capability> = caps::all().into_iter().collect();
    known.sort_by_key(|capability| capability.index());
    known.iter().map(caps::Capability::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_find_what_they_look_for() {
        let features = features();
        let version = &features.annotations["org.opencontainers.runc.version"];
        let (runc, ours) = version.split_once('+').unwrap();
        assert_eq!(
            (runc, ours),
            (version::RUNC, &*format!("cofferdam.{}", version::VERSION))
        );
        for key in [
            "org.opencontainers.runc.commit",
            "io.cofferdam.version",
            "io.cofferdam.commit",
        ] {
            assert!(features.annotations.contains_key(key), "{key}");
        }
        assert!(features.mount_options.is_sorted());
        for option in [
            "bind",
            "rbind",
            "ro",
            "rro",
            "rslave",
            "defaults",
            "tmpcopyup",
        ] {
            assert!(
                features.mount_options.iter().any(|known| known == option),
                "{option}"
            );
        }
        assert!(
            features
                .mount_options
                .iter()
                .all(|option| !matches!(option.as_str(), "idmap" | "ridmap"))
        );
        let linux = features.linux.unwrap();
        assert_eq!(
            linux.capabilities.first().map(String::as_str),
            Some("CAP_CHOWN")
        );
        assert_eq!(
            linux.capabilities.last().map(String::as_str),
            Some("CAP_CHECKPOINT_RESTORE")
        );
        assert_eq!(linux.capabilities.len(), 41);
    }
}
