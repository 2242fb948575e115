#![doc = include_str!("../README.md")]
//!
//! ## In detail
//!
//! AppArmor for programs that start confined programs: is it on, which profile applies, apply one
//! at the next `execve`, write and load one.
//!
//! Everything but loading is a matter of small files, so no library is linked:
//!
//! * [`AppArmor`] reads securityfs and `/sys/module/apparmor`.
//! * [`ExecAttribute`] says what to write where below `/proc/PID` so that a profile applies at the
//!   next `execve`; [`apply_on_exec`] writes it for the calling thread.
//! * [`Confinement`] is what the kernel says about a task.
//! * [`Parser`] compiles and loads policy with `apparmor_parser(8)`; [`container_profile`] is a
//!   text to load.
//!
//! The kernel's interface is described in [`apparmor(7)`] and in the kernel's
//! `Documentation/admin-guide/LSM/apparmor.rst`.
//!
//! [`apparmor(7)`]: https://manpages.debian.org/apparmor.7

mod confinement;
mod container_profile;
mod error;
mod exec;
mod host;
mod parser;

pub use confinement::{Confinement, Mode};
pub use container_profile::container_profile;
pub use error::{Error, ErrorKind, Result};
pub use exec::{ExecAttribute, apply_on_exec, apply_on_exec_at};
pub use host::AppArmor;
pub use parser::Parser;
