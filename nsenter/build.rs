//! Compiles the init stub with the same compiler, and makes it available to `include_bytes!`.
//!
//! Environment: `COFFERDAM_STUB` is the path of a stub that was built elsewhere, for targets whose
//! `core` library or linker is not at hand. `RUSTFLAGS` and their kin are ignored on purpose: a
//! target CPU, a sanitizer or coverage instrumentation has no place in a program that runs without
//! any of their runtimes.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=stub");
    println!("cargo::rerun-if-env-changed=COFFERDAM_STUB");
    if env::var_os("CARGO_FEATURE_STUB").is_none() {
        return Ok(());
    }
    let image = PathBuf::from(env::var("OUT_DIR")?).join("cofferdam-init");
    if let Some(prebuilt) = env::var_os("COFFERDAM_STUB") {
        println!("cargo::rerun-if-changed={}", prebuilt.display());
        std::fs::copy(&prebuilt, &image)
            .map_err(|e| format!("COFFERDAM_STUB={}: {e}", prebuilt.display()))?;
        return Ok(());
    }
    compile(&image)
}

/// Has the compiler of this crate make the stub.
fn compile(image: &Path) -> Result<(), Box<dyn Error>> {
    let target = env::var("TARGET")?;
    let architecture = env::var("CARGO_CFG_TARGET_ARCH")?;
    if !matches!(architecture.as_str(), "x86_64" | "aarch64")
        || env::var("CARGO_CFG_TARGET_OS")? != "linux"
    {
        return Err(format!(
            "the init stub is written for Linux on x86_64 and aarch64, not for {target}"
        )
        .into());
    }
    let mut compiler = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
    ] {
        compiler.env_remove(name);
    }
    compiler.args([
        "--edition",
        "2024",
        "--crate-name",
        "cofferdam_init",
        "--crate-type",
        "bin",
    ]);
    compiler
        .args(["--target", &target, "stub/main.rs", "-o"])
        .arg(image);
    for option in [
        "panic=abort",
        "opt-level=s",
        "lto=fat",
        "codegen-units=1",
        "overflow-checks=yes",
        "force-unwind-tables=no",
        "debuginfo=0",
        "strip=symbols",
        // No dynamic linker, no relocation at run time: one mapping that is executable, one that
        // is written.
        "relocation-model=static",
        "link-arg=-nostartfiles",
        "link-arg=-nostdlib",
        "link-arg=-static",
        "link-arg=-no-pie",
        "link-arg=-Wl,--gc-sections,--build-id=none,-z,norelro,-z,noexecstack",
    ] {
        compiler.args(["-C", option]);
    }
    if env::var("CARGO_CFG_TARGET_ENV")? == "musl" {
        // Such targets bring start files of their own; the stub has its own.
        compiler.args(["-C", "link-self-contained=no"]);
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = std::ffi::OsString::from("linker=");
        option.push(linker);
        compiler.arg("-C").arg(option);
    }
    let status = compiler
        .status()
        .map_err(|e| format!("cannot run rustc for the init stub: {e}"))?;
    if !status.success() {
        return Err(format!(
            "the init stub does not compile for {target}: this needs the target's core library (rustup target add) \
             and a linker; or set COFFERDAM_STUB to a stub built elsewhere"
        )
        .into());
    }
    Ok(())
}
