#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bundle;
mod checked;
mod child;
#[cfg(feature = "cli")]
pub mod cli;
mod console;
mod container;
mod descriptors;
mod error;
mod events;
mod exit_status;
mod family;
mod foreground;
mod host_info;
mod id;
mod notify_socket;
mod pid_file;
pub mod plan;
mod process;
mod relay;
mod root;
mod send_descriptor;
mod signal;
mod state;
mod stats;
mod stream_end;
mod sys;
mod timestamp;
mod timings;

// Their types are in the signatures of this crate: one dependency is enough.
pub use cgroups;
pub use configs;
pub use devices;
pub use intelrdt;

pub use bundle::Bundle;
pub use child::{Child, Pipes};
pub use configs::oci::{ContainerStatus as Status, State as OciState};
pub use console::Console;
pub use container::Container;
pub use descriptors::InheritedDescriptors;
pub use error::{Error, ErrorKind, Result};
pub use events::{Event, Events};
pub use exit_status::ExitStatus;
pub use foreground::Foreground;
pub use host_info::host_info;
pub use id::ContainerId;
pub use notify_socket::NotifySocket;
pub use pid_file::write_pid_file;
pub use process::{Process, Stdio, Terminal};
pub use root::{Containers, Runtime};
pub use signal::Signal;
pub use state::State;
pub use stats::Stats;
pub use timings::Timings;
