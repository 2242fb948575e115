//! Hooks of the bundle to hooks of the configuration.

use std::time::Duration;

use crate::config::{Command, Hooks};
use crate::oci;

/// Converts every list. Arguments and environment are passed on as they are.
pub(super) fn convert(hooks: &oci::Hooks) -> Hooks {
    let list = |hooks: &[oci::Hook]| hooks.iter().map(command).collect();
    Hooks {
        prestart: list(&hooks.prestart),
        create_runtime: list(&hooks.create_runtime),
        create_container: list(&hooks.create_container),
        start_container: list(&hooks.start_container),
        poststart: list(&hooks.poststart),
        poststop: list(&hooks.poststop),
    }
}

fn command(hook: &oci::Hook) -> Command {
    Command {
        path: hook.path.clone(),
        args: hook.args.clone().unwrap_or_default(),
        env: hook.env.clone(),
        dir: String::new(),
        // A negative time has run out at once.
        timeout: hook
            .timeout
            .map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
    }
}
