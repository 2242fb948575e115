//! `state`: one container as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Completion, Order};
use crate::cli::output;
use crate::container::Container;

pub(crate) static COMMAND: Command = Command {
    name: "state",
    about: "show the state of a container",
    arguments: "<container-id>",
    completions: &[Completion::Container],
    description: "The state is a JSON object, as the OCI runtime specification defines it and with more keys.",
    flags: &[],
    count: Count::Exactly(1),
    order: Order::Any,
    run,
};

/// A container as `state` and `list` show it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    #[serde(rename = "ociVersion")]
    pub(crate) version: String,
    pub(crate) id: String,
    /// 0 when the container is stopped.
    pub(crate) pid: i32,
    pub(crate) status: String,
    pub(crate) bundle: String,
    pub(crate) rootfs: String,
    pub(crate) created: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// Only `list` fills it in.
    pub(crate) owner: String,
}

impl Shown {
    /// Looks at a container now.
    pub(crate) fn of(container: &Container) -> crate::error::Result<Self> {
        let state = container.oci_state()?;
        Ok(Self {
            version: state.version,
            id: state.id,
            pid: state.pid,
            status: state.status.as_str().to_owned(),
            bundle: state.bundle,
            rootfs: container.rootfs().to_string_lossy().into_owned(),
            created: container.created_rfc3339().to_owned(),
            annotations: state.annotations,
            owner: String::new(),
        })
    }
}

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let container = super::container(invocation)?;
    let shown = Shown::of(&container)?;
    // Two spaces, and no newline at the end: what the readers of this command have always got.
    output::write(&output::pretty(&shown, "  ")?)?;
    Ok(0)
}
