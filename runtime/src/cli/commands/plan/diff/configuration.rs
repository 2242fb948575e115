//! What differs between two configurations beside the steps: limits, hooks of the host, what the
//! supervisor does.

use serde_json::Value;

use super::without;
use crate::cli::failure::Failure;

/// A line for each value that differs, unless its field is among those that are told already.
pub(super) fn differences(
    one: (&str, &str),
    other: (&str, &str),
    told: &[String],
) -> Result<Vec<String>, Failure> {
    let parse = |(text, bundle): (&str, &str)| -> Result<Value, Failure> {
        // As a part of a path or of a label, it is no difference.
        serde_json::from_str(&without(text, bundle))
            .map_err(|error| Failure::new(format!("read the configuration: {error}")))
    };
    let mut found = Vec::new();
    collect("", Some(&parse(one)?), Some(&parse(other)?), &mut found);
    let is_told = |path: &str| {
        told.iter()
            .any(|field| within(path, field) || within(field, path))
    };
    found.retain(|(path, _)| !is_told(path));
    Ok(found
        .into_iter()
        .map(|(path, line)| format!("= {path}: {line}"))
        .collect())
}

/// Whether a path is that of a field, or of a part of it.
fn within(path: &str, field: &str) -> bool {
    path.strip_prefix(field)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Adds what differs at a path, as precisely as both have the same form.
fn collect(path: &str, one: Option<&Value>, other: Option<&Value>, to: &mut Vec<(String, String)>) {
    match (one, other) {
        (one, other) if one == other => {}
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let more = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(more) {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{key}");
                collect(&path, one.get(key), other.get(key), to);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                collect(&format!("{path}[{index}]"), Some(one), Some(other), to);
            }
        }
        (one, other) => to.push((
            path.to_owned(),
            format!("{} -> {}", shown(one), shown(other)),
        )),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "none".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_named_by_their_paths_and_fields_of_steps_once() {
        let one = r#"{"hostname":"a","linux":{"resources":{"memory":{"limit":1}}},"x":[1,2]}"#;
        let other = r#"{"hostname":"b","linux":{"resources":{"memory":{"limit":2}}},"x":[1]}"#;
        let lines = |told: &[&str]| {
            let told: Vec<String> = told.iter().map(|&field| field.to_owned()).collect();
            differences((one, ""), (other, ""), &told).unwrap()
        };
        assert_eq!(
            lines(&["hostname"]),
            [
                "= linux.resources.memory.limit: 1 -> 2",
                "= x: [1,2] -> [1]"
            ]
        );
        assert_eq!(lines(&["hostname", "linux", "x[1]"]), [] as [&str; 0]);
        assert!(differences((one, ""), (one, ""), &[]).unwrap().is_empty());
    }
}
