//! The bundle of a container: the directory with its `config.json`.

use std::fs::File;
use std::path::Path;

use configs::oci::{self, Spec};
use configs::specconv::{self, Options};
use configs::{Config, validate};

use super::command::Invocation;
use super::failure::{Failure, describe};
use super::host_info;
use crate::id::ContainerId;

/// Goes to the bundle that `--bundle` names. Relative paths in the configuration, and hooks, start there.
pub(crate) fn enter(invocation: &Invocation<'_>) -> Result<(), Failure> {
    match invocation.parsed.text("bundle") {
        None => Ok(()),
        Some(bundle) => std::env::set_current_dir(bundle)
            .map_err(|error| Failure::io(format!("chdir {}", Path::new(bundle).display()), error)),
    }
}

/// Reads the configuration of the bundle in `directory`.
pub(crate) fn read(directory: &Path) -> Result<Spec, Failure> {
    let opened = File::open(directory)
        .map_err(|error| Failure::io(format!("open {}", directory.display()), error))?;
    Spec::load(opened).map_err(|error| Failure::new(describe(&error)))
}

/// The process of a bundle, checked.
pub(crate) fn process(spec: &Spec) -> Result<&oci::Process, Failure> {
    // Only a label makes it necessary to know.
    let labelled = |process: &oci::Process| !process.selinux_label.is_empty();
    let selinux = spec.process.as_ref().is_some_and(labelled) && host_info::selinux_enabled();
    spec.checked_process(selinux)
        .map_err(|error| Failure::new(describe(&error)))
}

/// The configuration of a new container from the bundle in the current directory.
pub(crate) fn config(
    invocation: &Invocation<'_>,
    id: &ContainerId,
    spec: &Spec,
) -> Result<Config, Failure> {
    let bundle = std::env::current_dir().map_err(|error| Failure::io("getcwd", error))?;
    let bundle = bundle
        .to_str()
        .ok_or_else(|| Failure::new("the path of the bundle is not UTF-8"))?;
    let host = host_info::for_bundle(spec, bundle)?;
    let globals = invocation.globals;
    let options = Options {
        id: id.as_str().to_owned(),
        bundle: bundle.to_owned(),
        use_systemd_cgroup: globals.systemd_cgroup,
        no_pivot_root: invocation.parsed.switch("no-pivot"),
        no_new_keyring: invocation.parsed.switch("no-new-keyring"),
        rootless_euid: !rustix::process::geteuid().is_root(),
        rootless_cgroups: rootless_cgroups(globals.rootless, globals.systemd_cgroup),
    };
    let refused = |error: configs::Error| Failure::new(describe(&error));
    let (config, mut warnings) = specconv::convert(spec, &host, &options).map_err(refused)?;
    warnings.extend(validate::validate(&config, &host).map_err(refused)?);
    for warning in warnings {
        invocation.log.warn(&warning.to_string());
    }
    Ok(config)
}

/// Whether failing to write cgroups is tolerated: what `--rootless` says, else whether this process lacks the privilege.
///
/// Root of a user namespace that uses systemd has it when the session bus belongs to root of that namespace too.
fn rootless_cgroups(asked: Option<bool>, systemd: bool) -> bool {
    asked.unwrap_or_else(|| {
        if !rustix::process::geteuid().is_root() {
            return true;
        }
        user::running_in_userns()
            && !(systemd && std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_decides() {
        for asked in [true, false] {
            for systemd in [true, false] {
                assert_eq!(rootless_cgroups(Some(asked), systemd), asked);
            }
        }
    }

    #[test]
    fn a_bundle_without_configuration_is_named_as_engines_expect() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(
            read(directory.path()).unwrap_err().message,
            "JSON specification file config.json not found"
        );
    }
}
