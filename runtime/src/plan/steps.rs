//! Collecting steps: the builder of `nsenter`, with slots that are used again once they are empty.

use std::borrow::Cow;
use std::ffi::CString;
use std::path::{Path, PathBuf};

pub(crate) use configs::lexical::rooted as clean;
use nsenter::NamespaceSet;
use nsenter::plan::{Label, Op, PlanBuilder, Slot};

use super::output::{BuiltPlan, Input};
use crate::{Error, Result};

/// Collects the steps of a plan.
#[derive(Debug)]
pub(super) struct Steps {
    builder: PlanBuilder,
    free: Vec<Slot>,
    inputs: Vec<(Slot, Input)>,
    host_mounts: Vec<PathBuf>,
    warnings: Vec<String>,
}

impl Steps {
    pub(super) fn new() -> Self {
        Self {
            builder: PlanBuilder::new(),
            free: Vec::new(),
            inputs: Vec::new(),
            host_mounts: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// An empty slot: one that was closed before, if there is one.
    pub(super) fn slot(&mut self) -> Slot {
        match self.free.pop() {
            Some(slot) => slot,
            None => self.builder.slot(),
        }
    }

    /// A slot that the supervisor fills.
    pub(super) fn input(&mut self, input: Input) -> Slot {
        let slot = self.builder.input(input.to_string());
        self.inputs.push((slot, input));
        slot
    }

    /// A step whose every failure is one.
    pub(super) fn push(&mut self, context: impl Into<Cow<'static, str>>, op: Op) {
        self.builder.push(context, op);
    }

    /// A step that does not fail with these errnos.
    pub(super) fn push_tolerating(
        &mut self,
        context: impl Into<Cow<'static, str>>,
        op: Op,
        errnos: &[i32],
    ) {
        self.builder.push_tolerating(context, op, errnos);
    }

    /// A step that continues elsewhere on these errnos.
    pub(super) fn push_or(
        &mut self,
        context: impl Into<Cow<'static, str>>,
        op: Op,
        errnos: &[i32],
        otherwise: Label,
    ) {
        self.builder.push_or(context, op, errnos, otherwise);
    }

    /// Closes a descriptor; its slot may be used again.
    pub(super) fn close(&mut self, slot: Slot) {
        self.builder.push("close a descriptor", Op::Close(slot));
        // An input keeps its slot: the supervisor fills it, and only once.
        if !self.inputs.iter().any(|(input, _)| *input == slot) {
            self.free.push(slot);
        }
    }

    /// Lets a slot be used again that every way to here has closed.
    pub(super) fn release(&mut self, slot: Slot) {
        self.free.push(slot);
    }

    pub(super) fn label(&mut self) -> Label {
        self.builder.label()
    }

    pub(super) fn bind(&mut self, label: Label) {
        self.builder.bind(label);
    }

    pub(super) fn jump(&mut self, label: Label) {
        self.builder.push("continue", Op::Jump(label));
    }

    pub(super) fn clone_namespaces(&mut self, types: NamespaceSet) {
        self.builder.clone_namespaces(types);
    }

    pub(super) fn passed_descriptors(&mut self, count: usize) -> Result<()> {
        let count =
            u32::try_from(count).map_err(|_| Error::config("too many descriptors are passed"))?;
        self.builder.passed_descriptors(count);
        Ok(())
    }

    /// Remembers a mount made in the host's mount namespace; `point` is as seen from inside.
    pub(super) fn host_mount(&mut self, point: PathBuf) {
        self.host_mounts.push(point);
    }

    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Checks and encodes.
    pub(super) fn build(self, spawn_into_cgroup: bool, two_stages: bool) -> Result<BuiltPlan> {
        let plan = self
            .builder
            .build()
            .map_err(|error| Error::with(crate::ErrorKind::InvalidConfig, "build plan", error))?;
        Ok(BuiltPlan {
            plan,
            inputs: self.inputs,
            spawn_into_cgroup,
            two_stages,
            host_mounts: self.host_mounts,
            warnings: self.warnings,
        })
    }
}

/// A C string of a configuration field.
pub(super) fn c_string(field: &str, value: impl Into<Vec<u8>>) -> Result<CString> {
    CString::new(value).map_err(|_| Error::config(format!("{field} contains a null byte")))
}

/// A C string of a path.
pub(super) fn c_path(field: &str, path: &Path) -> Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    c_string(field, path.as_os_str().as_bytes())
}

/// What a clean path is called from another one that it lies on or below: `/b` is `/a/b` from `/a`,
/// and `/` is `/a` itself.
pub(super) fn seen_from<'a>(point: &str, path: &'a str) -> Option<&'a str> {
    match path.strip_prefix(point.trim_end_matches('/'))? {
        "" => Some("/"),
        rest => rest.starts_with('/').then_some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_from_above_and_not_from_a_longer_name() {
        for (point, path, seen) in [
            ("/a", "/a/b/c", Some("/b/c")),
            ("/a/b", "/a/b", Some("/")),
            ("/", "/a", Some("/a")),
            ("/", "/", Some("/")),
            ("/proc", "/processes", None),
            ("/a/b", "/a", None),
        ] {
            assert_eq!(seen_from(point, path), seen, "{path} from {point}");
        }
    }

    #[test]
    fn a_null_byte_is_refused_with_the_name_of_the_field() {
        let error = c_string("process.cwd", "/a\0b").unwrap_err();
        assert_eq!(error.to_string(), "process.cwd contains a null byte");
    }

    #[test]
    fn a_closed_slot_is_used_again_but_never_an_input() {
        let mut steps = Steps::new();
        let input = steps.input(Input::ExecFifo);
        let one = steps.slot();
        steps.close(one);
        steps.close(input);
        assert_eq!(steps.slot(), one);
        assert_ne!(steps.slot(), input);
    }
}
