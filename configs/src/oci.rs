//! The OCI runtime specification 1.3.0 as Rust types: `config.json`, `state` output and `features`
//! output.
//!
//! Field names, key order and the "leave out when empty" rules are those of the specification's
//! reference types, so what this module writes can be compared key by key with what other runtimes
//! write. Reading is tolerant where the specification's producers need it (`null` for an absent
//! value, unknown keys) and strict where tolerance hides a difference (a key given twice, a NUL in
//! a string): see [`Spec::from_slice`].
//!
//! Values out of a fixed list (namespace types, actions, policies, …) stay strings here, exactly as
//! written. What is unknown is refused or reported by [`specconv`](crate::specconv), which knows
//! what the value is for.
//!
//! Source: <https://github.com/opencontainers/runtime-spec/tree/v1.3.0>

mod example;
mod features;
mod linux;
mod load;
mod process;
mod process_check;
mod resources;
mod seccomp;
mod spec;
mod state;

pub use features::{
    ApparmorFeatures, CgroupFeatures, Features, IdmapFeatures, IntelRdtFeatures, LinuxFeatures,
    MemoryPolicyFeatures, MountExtensions, NetDevicesFeatures, SeccompFeatures, SelinuxFeatures,
};
pub use linux::{
    Device, IntelRdt, Linux, MemoryPolicy, Namespace, NetDevice, Personality, TimeOffset,
};
pub use load::CONFIG_FILE;
pub use process::{
    ConsoleSize, CpuAffinity, IoPriority, LinuxCapabilities, PosixRlimit, Process, Scheduler, User,
};
pub use resources::{
    BlockIo, Cpu, DeviceCgroup, HugepageLimit, InterfacePriority, Memory, Network, Pids, Rdma,
    Resources, ThrottleDevice, WeightDevice,
};
pub use seccomp::{Seccomp, SeccompArg, Syscall};
pub use spec::{Hook, Hooks, Mount, Root, Spec};
pub use state::{ContainerProcessState, ContainerStatus, SECCOMP_FD_NAME, State};
pub use user::IdMap;

/// The version of the specification these types follow, written into `state` and into every stored
/// configuration.
pub const VERSION: &str = "1.3.0";

/// The oldest specification version a bundle may be written for (`ociVersionMin` of the `features`
/// output).
pub const VERSION_MIN: &str = "1.0.0";

#[cfg(test)]
mod tests;
