//! Images that no registry has, in the form of `docker save`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::limited::Limited;

/// An archive, beside the root file system, of an image with these names that executes `entrypoint`
/// by default.
pub(super) fn image(rootfs: &Path, names: &[&str], entrypoint: &[&str]) -> PathBuf {
    let layer = super::archive(rootfs);
    let folder = rootfs.with_extension("image");
    fs::create_dir(&folder).expect("mkdir");
    fs::rename(&layer, folder.join("layer.tar")).expect("rename");
    let sum = Limited::new("sha256sum").args([folder.join("layer.tar")]);
    let sum = sum.output().ok().stdout;
    let digest = sum.split(' ').next().expect("a digest");
    let configuration = json!({
        "architecture": match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        },
        "os": "linux",
        "config": { "Entrypoint": entrypoint },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
    });
    let manifest = json!([
        { "Config": "config.json", "RepoTags": names, "Layers": ["layer.tar"] },
    ]);
    for (name, content) in [("config.json", configuration), ("manifest.json", manifest)] {
        fs::write(folder.join(name), content.to_string()).expect("write a file");
    }
    super::archive(&folder)
}
