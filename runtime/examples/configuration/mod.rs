//! The configuration that the examples run with: what `cofferdam spec` writes, shortened.

use std::error::Error;
use std::path::Path;

use configs::{Config, HostInfo, oci::Spec, specconv};

/// A container with its own namespaces, `/proc`, `/dev` and `/sys`, below this root file system.
pub(crate) fn config(id: &str, rootfs: &Path) -> Result<Config, Box<dyn Error>> {
    let rootfs = rootfs.canonicalize()?;
    let bundle = rootfs
        .parent()
        .unwrap_or(Path::new("/"))
        .to_string_lossy()
        .into_owned();
    let text = format!(
        r#"{{
            "ociVersion": "1.3.0",
            "root": {{ "path": {rootfs:?} }},
            "hostname": {id:?},
            "mounts": [
                {{ "destination": "/proc", "type": "proc", "source": "proc" }},
                {{ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"] }},
                {{ "destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] }},
                {{ "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] }}
            ],
            "linux": {{
                "cgroupsPath": "/cofferdam-example-{id}",
                "namespaces": [
                    {{ "type": "pid" }}, {{ "type": "network" }}, {{ "type": "ipc" }}, {{ "type": "uts" }}, {{ "type": "mount" }}
                ],
                "maskedPaths": ["/proc/kcore", "/proc/keys", "/sys/firmware"],
                "readonlyPaths": ["/proc/sys", "/proc/sysrq-trigger"]
            }}
        }}"#
    );
    let spec = Spec::from_slice(text.as_bytes())?;
    let options = specconv::Options {
        id: id.to_owned(),
        bundle,
        ..specconv::Options::default()
    };
    let (config, _warnings) = specconv::convert(&spec, &HostInfo::default(), &options)?;
    Ok(config)
}

/// The root file system named on the command line.
pub(crate) fn rootfs() -> Result<std::path::PathBuf, Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("give the path of a root file system")?;
    Ok(path.into())
}
