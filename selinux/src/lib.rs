#![doc = include_str!("../README.md")]
//!
//! ## In detail
//!
//! SELinux labels for programs that start confined programs: parse and compare them, apply them to
//! processes, keys, mounts and trees of files, keep containers apart by categories.
//!
//! All of it is small files and extended attributes, so nothing is linked. Questions that only the
//! policy can answer (which label belongs to a path, may A do X to B) go to libselinux, with the
//! feature `libselinux`, as module `policy`. On SELinux itself see [`selinux(8)`] and the [SELinux
//! Notebook].
//!
//! | subject | entry point |
//! |---|---|
//! | is it on | [`SeLinux`] |
//! | labels, levels, categories | [`Label`], [`Level`], [`McsPairs`] |
//! | what a thread does next | [`TaskAttribute`] |
//! | new mounts | [`MountLabelling`], [`append_mount_option`] |
//! | files | [`file_label`], [`set_file`], [`relabel`] |
//!
//! [`selinux(8)`]: https://man7.org/linux/man-pages/man8/selinux.8.html
//! [SELinux Notebook]: https://github.com/SELinuxProject/selinux-notebook
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod file;
mod host;
mod label;
mod level;
mod mcs;
mod mount;
mod mountinfo;
#[cfg(feature = "libselinux")]
pub mod policy;
mod relabel;
mod task;

pub use error::{Error, ErrorKind, Result};
pub use file::{file_label, set_file};
pub use host::SeLinux;
pub use label::Label;
pub use level::{CATEGORIES, Level};
pub use mcs::McsPairs;
pub use mount::{MountLabelling, append_mount_option};
pub use relabel::{RelabelLimits, Relabelled, Share, relabel};
pub use task::{Reset, TaskAttribute};
