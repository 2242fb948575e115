//! A client of the CRI, the interface by which Kubernetes asks an engine for pods: gRPC over a Unix
//! socket for all but the streams of a command, which have a connection of their own.
//!
//! It has the calls and fields that the tests need.

mod grpc;
pub mod messages;
mod remote_command;

pub use grpc::{Client, Status};
pub use remote_command::{Ended, RemoteCommand};
