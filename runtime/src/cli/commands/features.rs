//! `features`: what this runtime can do, whatever the host.

use std::collections::BTreeMap;

use configs::oci::{
    self, ApparmorFeatures, CgroupFeatures, Features, IdmapFeatures, IntelRdtFeatures, LinuxFeatures, MemoryPolicyFeatures,
    MountExtensions, NetDevicesFeatures, SeccompFeatures, SelinuxFeatures,
};

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::Order;
use crate::cli::{output, version};

pub(crate) static COMMAND: Command = Command {
    name: "features",
    about: "show the features of this runtime",
    arguments: "",
    description: "The result is a JSON object as the OCI runtime specification defines it (features.md). It says what the\n\
                  runtime can do, not what the host has.",
    flags: &[],
    count: Count::Exactly(0),
    order: Order::Any,
    run,
};

fn run(_: &Invocation<'_>) -> Result<u8, Failure> {
    output::write(&format!("{}\n", output::pretty(&features(), "    ")?))?;
    Ok(0)
}

fn features() -> Features {
    let seccomp = seccomp::features();
    let mut annotations = BTreeMap::from([
        ("io.cofferdam.version".to_owned(), version::VERSION.to_owned()),
        ("org.opencontainers.runc.checkpoint.enabled".to_owned(), "false".to_owned()),
    ]);
    if let Some(commit) = version::COMMIT {
        annotations.insert("io.cofferdam.commit".to_owned(), commit.to_owned());
    }
    if let Some(version) = &seccomp.libseccomp_version {
        annotations.insert("io.github.seccomp.libseccomp.version".to_owned(), version.clone());
    }
    Features {
        oci_version_min: oci::VERSION_MIN.to_owned(),
        oci_version_max: oci::VERSION.to_owned(),
        hooks: strings(&["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]),
        mount_options: mount_options(),
        linux: Some(linux(&seccomp)),
        annotations,
        potentially_unsafe_config_annotations: strings(&["bundle", "org.systemd.property.", "org.criu.config"]),
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
