//! Starting a process in a container: what the caller does for the stub while the plan runs.

pub(crate) mod device_nodes;
pub(crate) mod error_messages;
pub(crate) mod hooks;
pub(crate) mod host_mounts;
pub(crate) mod id_mapped_mounts;
pub(crate) mod id_maps;
pub(crate) mod inputs;
pub(crate) mod mount_messages;
pub(crate) mod mount_sources;
pub(crate) mod network;
pub(crate) mod rlimits;
pub(crate) mod seccomp;
pub(crate) mod send_descriptor;
pub(crate) mod streams;
pub(crate) mod supervisor;
