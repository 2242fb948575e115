//! The commands of June 2015, one a file.

pub(crate) mod checkpoint;
pub(crate) mod config;
pub(crate) mod convert;
pub(crate) mod exec;
pub(crate) mod init;
pub(crate) mod oom;
pub(crate) mod pause;
pub(crate) mod restore;
pub(crate) mod state;
pub(crate) mod stats;
