//! The bundle of a container, as flags say what to do with it.

use std::path::Path;

use super::command::Invocation;
use super::failure::Failure;
use crate::bundle::Bundle;

/// Goes to the bundle that `--bundle` names. Relative paths in the configuration, and hooks, start
/// there.
pub(crate) fn enter(invocation: &Invocation<'_>) -> Result<(), Failure> {
    match invocation.parsed.text("bundle") {
        None => Ok(()),
        Some(bundle) => std::env::set_current_dir(bundle)
            .map_err(|error| Failure::io(format!("chdir {}", Path::new(bundle).display()), error)),
    }
}

/// Reads the bundle in the current directory.
pub(crate) fn load(invocation: &Invocation<'_>) -> Result<Bundle, Failure> {
    let spec = crate::bundle::read_current()?;
    let directory = std::env::current_dir().map_err(|error| Failure::io("getcwd", error))?;
    let mut bundle = Bundle::new(directory, spec)?;
    let globals = invocation.globals;
    bundle
        .systemd_cgroup(globals.systemd_cgroup)
        .no_pivot_root(invocation.parsed.switch("no-pivot"))
        .no_new_keyring(invocation.parsed.switch("no-new-keyring"))
        .rootless_cgroups(globals.rootless);
    Ok(bundle)
}
