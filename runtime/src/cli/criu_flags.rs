//! The flags that `checkpoint` and `restore` share.

use std::path::PathBuf;

use super::command::Invocation;
use super::failure::Failure;
use super::flag::Flag;
use crate::checkpoint::{CgroupsMode, CriuOptions};

pub(crate) const IMAGE_PATH: Flag = Flag::text(
    "image-path",
    "directory of the images of CRIU, default is checkpoint in the current directory",
);
pub(crate) const WORK_PATH: Flag = Flag::text(
    "work-path",
    "directory of work files and logs, default is the one of the images",
);
pub(crate) const TCP_ESTABLISHED: Flag =
    Flag::switch("tcp-established", "allow open TCP connections");
pub(crate) const EXT_UNIX_SK: Flag = Flag::switch("ext-unix-sk", "allow external unix sockets");
pub(crate) const SHELL_JOB: Flag = Flag::switch("shell-job", "allow jobs of a shell");
pub(crate) const LAZY_PAGES: Flag =
    Flag::switch("lazy-pages", "take memory pages over when they are needed");
pub(crate) const FILE_LOCKS: Flag = Flag::switch("file-locks", "handle file locks");
pub(crate) const MANAGE_CGROUPS_MODE: Flag = Flag::text(
    "manage-cgroups-mode",
    "how cgroups are handled: soft, full, strict or ignore",
);
pub(crate) const EMPTY_NS: Flag = Flag::texts(
    "empty-ns",
    "make a namespace without restoring its properties; may be repeated",
);
pub(crate) const AUTO_DEDUP: Flag = Flag::switch("auto-dedup", "do not keep pages twice");

/// What these flags say. Relative paths are relative to the directory of the caller, not to the
/// bundle.
pub(crate) fn options(invocation: &Invocation<'_>) -> Result<CriuOptions, Failure> {
    let parsed = invocation.parsed;
    let path = |flag: &Flag| -> Result<Option<PathBuf>, Failure> {
        let absolute = parsed.text(flag.name).map(std::path::absolute).transpose();
        absolute.map_err(|error| Failure::io(format!("resolve --{}", flag.name), error))
    };
    let images = match path(&IMAGE_PATH)? {
        Some(images) => images,
        None => std::path::absolute("checkpoint")
            .map_err(|error| Failure::io("resolve --image-path", error))?,
    };
    let mode = parsed.string(MANAGE_CGROUPS_MODE.name).unwrap_or_default();
    for namespace in parsed.texts(EMPTY_NS.name) {
        if namespace != "network" {
            let namespace = namespace.to_string_lossy();
            return Err(Failure::new(format!(
                "namespace {namespace:?} is not supported"
            )));
        }
    }
    let switch = |flag: &Flag| parsed.switch(flag.name);
    Ok(CriuOptions {
        work_directory: path(&WORK_PATH)?,
        tcp_established: switch(&TCP_ESTABLISHED),
        external_unix_sockets: switch(&EXT_UNIX_SK),
        shell_job: switch(&SHELL_JOB),
        file_locks: switch(&FILE_LOCKS),
        cgroups: CgroupsMode::from_name(&mode)?,
        auto_dedup: switch(&AUTO_DEDUP),
        lazy_pages: switch(&LAZY_PAGES),
        ..CriuOptions::new(images)
    })
}
