//! `plan --diff`: what differs between the plans of two bundles or containers, a line a difference.

mod alignment;
mod configuration;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::text;
use crate::bundle::Bundle;
use crate::cli::command::Invocation;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::id::ContainerId;
use crate::plan::explain::{Explained, ExplainedStep, Shown};
use crate::runtime::Runtime;
use alignment::Edit;

/// The exit code where something differs, as that of diff(1).
const DIFFERENT: u8 = 1;
/// The exit code where that cannot be found out.
pub(super) const TROUBLE: u8 = 2;

/// The fields behind an argument, where not all of a step's are.
const ARGUMENT_FIELDS: [(&str, &str, &str); 7] = [
    ("Exec", "args", "process.args"),
    ("Exec", "env", "process.env"),
    (
        "Capabilities",
        "effective",
        "process.capabilities.effective",
    ),
    (
        "Capabilities",
        "permitted",
        "process.capabilities.permitted",
    ),
    (
        "Capabilities",
        "inheritable",
        "process.capabilities.inheritable",
    ),
    ("MakeNode", "uid", "linux.devices"),
    ("MakeNode", "gid", "linux.devices"),
];

/// What is compared.
struct Side {
    explained: Explained,
    /// What is compared of each step.
    keys: Vec<Key>,
    /// The configuration, as JSON.
    configuration: String,
    bundle: String,
}

/// A step, in words that mean the same in another plan: without the numbers of descriptors and
/// steps, and without the path of the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    does: String,
    operation: &'static str,
    arguments: Vec<(&'static str, String)>,
    failures: String,
}

pub(super) fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let [one, other] = invocation.parsed.positional.as_slice() else {
        return Err(Failure::new("plan --diff takes two arguments"));
    };
    for flag in ["bundle", "format"] {
        if invocation.parsed.given(flag) {
            return Err(Failure::new(format!(
                "--diff and --{flag} exclude each other"
            )));
        }
    }
    let subjects = [Named::of(one)?, Named::of(other)?];
    let runtime = super::super::runtime(invocation)?;
    // Both plans are those of a container of one name: the name is no difference.
    let id = subjects.iter().find_map(Named::id);
    let id = match id {
        Some(id) => id.clone(),
        None => ContainerId::new(super::NAMELESS)?,
    };
    let containers = subjects.iter().any(|subject| subject.id().is_some());
    let [one, other] = subjects;
    let one = one.side(invocation, &runtime, &id, containers)?;
    let other = other.side(invocation, &runtime, &id, containers)?;
    let lines = compare(&one, &other)?;
    let mut text = String::new();
    for line in &lines {
        text.push_str(&text::printable(line));
        text.push('\n');
    }
    output::write(&text)?;
    Ok(if lines.is_empty() { 0 } else { DIFFERENT })
}

/// A bundle or a container, as it was typed.
enum Named {
    Bundle(PathBuf),
    Container(ContainerId),
}

impl Named {
    fn of(argument: &std::ffi::OsStr) -> Result<Self, Failure> {
        let path = Path::new(argument);
        let text = argument.to_string_lossy();
        if text.contains('/') || matches!(&*text, "." | "..") {
            return match path.canonicalize() {
                Ok(path) => Ok(Self::Bundle(path)),
                Err(error) => Err(Failure::io(format!("open {}", path.display()), error)),
            };
        }
        Ok(Self::Container(ContainerId::new(text)?))
    }

    fn id(&self) -> Option<&ContainerId> {
        match self {
            Self::Bundle(_) => None,
            Self::Container(id) => Some(id),
        }
    }

    /// The plan; with `containers` the configuration is that of `state.json`, which is all that is
    /// known of one.
    fn side(
        self,
        invocation: &Invocation<'_>,
        runtime: &Runtime,
        id: &ContainerId,
        containers: bool,
    ) -> Result<Side, Failure> {
        let (built, config, file, bundle) = match self {
            Self::Bundle(path) => {
                // Relative paths of the configuration start there.
                std::env::set_current_dir(&path)
                    .map_err(|error| Failure::io(format!("chdir {}", path.display()), error))?;
                let loaded: Bundle = crate::cli::bundle::load(invocation)?;
                let bundle = loaded.directory().to_owned();
                let (built, config, _) = runtime.preview_bundle(id, loaded)?;
                let file = path.join("config.json");
                (built, config, (!containers).then_some(file), bundle)
            }
            Self::Container(own) => {
                let container = runtime.load(&own)?;
                let (built, config) = runtime.preview_container(&container, id)?;
                let bundle = container.bundle().to_string_lossy().into_owned();
                (built, config, None, bundle)
            }
        };
        let configuration = match file {
            Some(file) => {
                let text = configs::json::read_file(&file)
                    .map_err(|error| Failure::new(crate::cli::failure::describe(&error)))?;
                String::from_utf8_lossy(&text).into_owned()
            }
            None => output::compact(&config)?,
        };
        let explained = super::explain(&built, &config)?;
        Ok(Side {
            keys: keys(&explained.steps, &bundle),
            explained,
            configuration,
            bundle,
        })
    }
}

/// What is compared of each step.
fn keys(steps: &[ExplainedStep], bundle: &str) -> Vec<Key> {
    // What is in each descriptor, by what has opened it.
    let mut opened: BTreeMap<&str, &str> = BTreeMap::new();
    let mut keys = Vec::with_capacity(steps.len());
    for step in steps {
        let mut arguments = Vec::new();
        for (name, shown) in &step.arguments {
            match shown {
                Shown::Slot(slot) => {
                    let what = opened.get(slot.as_str()).copied().unwrap_or_default();
                    arguments.push((*name, format!("({what})")));
                }
                Shown::NewSlot(_) => {}
                // The index of a step; that of its alternative is compared by what is done there.
                Shown::Number(_) if step.operation == "Jump" => {}
                shown => {
                    let value = text::value(shown).unwrap_or_default();
                    arguments.push((*name, without(&value, bundle)));
                }
            }
        }
        for (_, shown) in &step.arguments {
            if let Shown::NewSlot(slot) = shown {
                opened.insert(slot, &step.does);
            }
        }
        let target = |index: u32| {
            let index = usize::try_from(index).ok();
            index
                .and_then(|index| steps.get(index))
                .map_or("", |step| &step.does)
        };
        let failures = match (step.tolerates.as_slice(), step.otherwise) {
            ([], _) => String::new(),
            (errnos, None) => format!("{} tolerated", errnos.join(", ")),
            (errnos, Some(index)) => format!("{} leads to {}", errnos.join(", "), target(index)),
        };
        keys.push(Key {
            does: without(&step.does, bundle),
            operation: step.operation,
            arguments,
            failures: without(&failures, bundle),
        });
    }
    keys
}

/// The text with the path of the bundle, where it is one, replaced by a name.
fn without(text: &str, bundle: &str) -> String {
    if bundle.is_empty() || bundle == "/" {
        return text.to_owned();
    }
    let mut left = text;
    let mut result = String::with_capacity(text.len());
    while let Some((before, after)) = left.split_once(bundle) {
        result.push_str(before);
        let ends = !after.starts_with(|next: char| next.is_alphanumeric() || "-_.".contains(next));
        result.push_str(if ends { "BUNDLE" } else { bundle });
        left = after;
    }
    result.push_str(left);
    result
}

/// A line for each difference.
fn compare(one: &Side, other: &Side) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    let mut fields: Vec<String> = Vec::new();
    if one.explained.clone != other.explained.clone {
        let names = |side: &Side| side.explained.clone.join("|");
        lines.push(format!(
            "~ [linux.namespaces] the namespaces it starts in: {} -> {}",
            names(one),
            names(other)
        ));
        fields.push("linux.namespaces".to_owned());
    }
    if one.explained.passed != other.explained.passed {
        let (one, other) = (one.explained.passed, other.explained.passed);
        lines.push(format!("~ descriptors for the program: {one} -> {other}"));
    }
    for edit in alignment::edits(one, other) {
        lines.push(describe(&edit, one, other, &mut fields));
    }
    let rest = configuration::differences(
        (&one.configuration, &one.bundle),
        (&other.configuration, &other.bundle),
        &fields,
    )?;
    lines.extend(rest);
    Ok(lines)
}

/// The line of a difference; its fields are added to `fields`.
fn describe(edit: &Edit, one: &Side, other: &Side, fields: &mut Vec<String>) -> String {
    let whole = |sign: char, side: &Side, index: usize, fields: &mut Vec<String>| {
        let step = side.explained.steps.get(index);
        let Some(step) = step else {
            return String::new();
        };
        fields.extend_from_slice(&step.fields);
        format!(
            "{sign} {index}{} {}: {}",
            bracketed(&step.fields),
            without(&step.does, &side.bundle),
            without(&text::operation(step), &side.bundle)
        )
    };
    match *edit {
        Edit::Removed(index) => whole('-', one, index, fields),
        Edit::Added(index) => whole('+', other, index, fields),
        Edit::Changed(old, new) => changed((one, old), (other, new), fields),
    }
}

fn bracketed(fields: &[String]) -> String {
    if fields.is_empty() {
        String::new()
    } else {
        format!(" [{}]", fields.join(", "))
    }
}

/// The line of a step that is in both plans, with other arguments.
fn changed(
    (one, old): (&Side, usize),
    (other, new): (&Side, usize),
    fields: &mut Vec<String>,
) -> String {
    let (Some(before), Some(after), Some(step)) = (
        one.keys.get(old),
        other.keys.get(new),
        other.explained.steps.get(new),
    ) else {
        return String::new();
    };
    let mut parts = Vec::new();
    let mut own: Vec<String> = Vec::new();
    let names = before.arguments.iter().chain(&after.arguments);
    let mut seen: Vec<&str> = Vec::new();
    for (name, _) in names {
        if seen.contains(name) {
            continue;
        }
        seen.push(name);
        let value = |key: &Key| {
            let found = key.arguments.iter().find(|(other, _)| other == name);
            found.map_or_else(String::new, |(_, value)| value.clone())
        };
        let (old, new) = (value(before), value(after));
        if old == new {
            continue;
        }
        parts.push(format!("{name} {} -> {}", or_none(&old), or_none(&new)));
        let field = ARGUMENT_FIELDS
            .iter()
            .find(|(operation, argument, _)| *operation == step.operation && argument == name);
        if let Some((_, _, field)) = field {
            own.push((*field).to_owned());
        }
    }
    if before.failures != after.failures {
        let (old, new) = (or_none(&before.failures), or_none(&after.failures));
        parts.push(format!("failures {old} -> {new}"));
    }
    if parts.is_empty() {
        parts.push(format!("{} -> {}", before.does, after.does));
    }
    if own.is_empty() {
        own.clone_from(&step.fields);
    }
    let number = if old == new {
        old.to_string()
    } else {
        format!("{old}/{new}")
    };
    let line = format!(
        "~ {number}{} {}: {} {}",
        bracketed(&own),
        after.does,
        after.operation,
        parts.join(", ")
    );
    fields.extend(own);
    line
}

fn or_none(value: &str) -> &str {
    if value.is_empty() { "none" } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_is_no_difference_and_what_is_called_like_it_is() {
        for (text, shown) in [
            ("\"/b/rootfs\"", "\"BUNDLE/rootfs\""),
            ("/b", "BUNDLE"),
            ("/bin /b2 /b-1", "/bin /b2 /b-1"),
        ] {
            assert_eq!(without(text, "/b"), shown);
        }
        assert_eq!(without("/a/b", "/"), "/a/b");
    }
}
