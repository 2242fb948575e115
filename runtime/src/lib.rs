#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "audit")]
pub mod audit;
mod bundle;
mod cgroup;
mod checkpoint;
#[cfg(feature = "cli")]
pub mod cli;
pub mod command;
mod container;
mod error;
mod host_info;
mod id;
mod launch;
#[cfg(all(test, feature = "cli"))]
mod man;
mod missing_calls;
#[cfg(feature = "cli")]
pub mod nsinit;
pub mod plan;
mod pretending_filter;
mod process;
mod rdt;
mod runtime;
mod state;
mod sys;
mod system;
mod timestamp;
mod timings;
mod validation;

// Their types are in the signatures of this crate: one dependency is enough.
pub use cgroups;
pub use configs;
pub use devices;
pub use intelrdt;
pub use nsenter;
pub use seccomp;
// With it comes `selinux::policy`, which this crate does not need itself.
#[cfg(feature = "libselinux")]
pub use selinux;
#[cfg(feature = "tokio")]
pub use tokio;

pub use bundle::Bundle;
pub use checkpoint::{
    CgroupsMode, CheckpointOptions, CriuOptions, PageServer, RestoreObserver, RestoreOptions,
    RestoreStage,
};
pub use command::Command;
pub use configs::oci::{ContainerStatus as Status, State as OciState};
pub use container::Container;
pub use container::events::{Event, Events};
pub use container::stats::Stats;
pub use criu::DumpStatistics;
pub use error::{Era, Error, ErrorKind, Result};
pub use host_info::host_info;
pub use id::ContainerId;
pub use process::child::{Child, Pipes};
pub use process::console::Console;
pub use process::exit_status::ExitStatus;
pub use process::foreground::Foreground;
pub use process::inherited_descriptors::InheritedDescriptors;
pub use process::notify_socket::NotifySocket;
pub use process::signal::Signal;
pub use process::{Process, Stdio, Terminal};
pub use runtime::{Containers, Runtime};
pub use state::pid_file::write_pid_file;
pub use state::record::State;
pub use timings::Timings;

/// Pages of the repository: their examples are compiled with those of this crate.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../README.md")]
    mod front {}
    #[doc = include_str!("../../docs/embedding.md")]
    mod embedding {}
}

#[cfg(all(test, feature = "libselinux"))]
mod tests {
    #[test]
    fn the_policy_can_be_asked_with_this_crate_alone() {
        use crate::selinux::{ErrorKind, Label, policy};
        if policy::is_enabled() {
            assert!(policy::label_for_path("/etc/passwd", 0).is_ok());
            return;
        }
        let label: Label = "u:r:t:s0".parse().expect("a label");
        let error = policy::is_allowed(&label, &label, "file", "read");
        assert_eq!(
            error.map_err(|error| error.kind()),
            Err(ErrorKind::Disabled)
        );
    }
}
