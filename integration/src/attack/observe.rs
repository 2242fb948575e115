//! What a command writes to, for containers that no bench disturbs.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use super::step::Role;
use super::tracer::{End, Request, trace};
use super::writes::Written;
use crate::{Case, traced};

/// What each process of a command of the runtime writes to, makes and removes: until all have ended
/// or executed a program.
///
/// # Errors
/// It does not succeed.
pub fn observe(case: &Case, arguments: &[&str]) -> Result<BTreeSet<(Role, Written)>, String> {
    case.hand_over();
    let root = case.root().to_string_lossy().into_owned();
    let line = case.line(&[&["--root", &root], arguments].concat());
    observe_line(&line, case.bundle.path())
}

/// The same for a command line, from a directory.
///
/// # Errors
/// It does not succeed.
pub fn observe_line(
    line: &[OsString],
    directory: &Path,
) -> Result<BTreeSet<(Role, Written)>, String> {
    let text = |error: std::io::Error| format!("{line:?}: {error}");
    let first = line.first().ok_or("no program")?;
    let program = fs::canonicalize(first).map_err(text)?;
    let said = tempfile::NamedTempFile::new().map_err(text)?;
    let mut shell = traced::shell();
    shell
        .args(line)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(said.path()).map_err(text)?);
    let traced = trace(Request {
        shell,
        program: &program,
        step: None,
        init: None,
        follow: true,
        notes_writes: true,
        elsewhere: None,
    });
    let traced = traced.map_err(text)?;
    if traced.hung || traced.end != End::Exit(0) {
        let said = fs::read_to_string(said.path()).unwrap_or_default();
        return Err(format!("{line:?}: {:?}: {said}", traced.end));
    }
    Ok(traced.writes)
}
