//! The bundle that the examples run: what `cofferdam spec` writes, for a root file system named on
//! the command line.
//!
//! That has few capabilities, `no_new_privs`, masked paths and namespaces of its own.

use std::error::Error;
use std::path::Path;

use cofferdam::Bundle;
use cofferdam::configs::oci::{Root, Spec};

/// A container that runs `args` below this root file system.
pub(crate) fn bundle(id: &str, rootfs: &Path, args: &[&str]) -> Result<Bundle, Box<dyn Error>> {
    let rootfs = rootfs.canonicalize()?;
    let mut spec = Spec::example();
    spec.root = Some(Root {
        path: rootfs.to_string_lossy().into_owned(),
        readonly: true,
    });
    id.clone_into(&mut spec.hostname);
    let process = spec.process.get_or_insert_default();
    process.terminal = false;
    process.args = args.iter().map(|&arg| arg.to_owned()).collect();
    let linux = spec.linux.get_or_insert_default();
    linux.cgroups_path = format!("/cofferdam-example-{id}");
    Ok(Bundle::new(rootfs.parent().unwrap_or(&rootfs), spec)?)
}

/// The root file system named on the command line.
pub(crate) fn rootfs() -> Result<std::path::PathBuf, Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("give the path of a root file system")?;
    Ok(path.into())
}
