//! A plan for people: 80 columns, no colours.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Subject;
use crate::cli::paragraph::{wrap, wrap_after, wrap_hanging};
use crate::plan::explain::reasons::Phase;
use crate::plan::explain::{CAPABILITIES, Explained, ExplainedStep, Shown};

/// Where the text of a step begins.
const INDENT: usize = 6;
/// Where its further lines begin.
const FURTHER: usize = 8;

const LEGEND: &str = "A step has its number, what it does, the operation with what that is given, and why it is there, with the \
                      field of config.json that asks for it in brackets. $3 is a descriptor of the process. A step that \
                      closes one has no reason of its own: nothing needs it any more, and what is open could be reached.";

/// The whole plan.
pub(super) fn plan(subject: &Subject<'_>, explained: &Explained) -> String {
    let mut text = String::new();
    let head = format!("{subject}: {} steps", explained.steps.len());
    wrap(&mut text, 0, &printable(&head));
    if !explained.clone.is_empty() {
        let made = explained.clone.join("|");
        let line = format!("Starts in new namespaces: {made}");
        wrap_hanging(&mut text, 0, 2, &line);
    }
    if subject.into_cgroup {
        text.push_str("Starts in its cgroup of version 2 (CLONE_INTO_CGROUP)\n");
    }
    let inputs: Vec<String> = explained
        .inputs
        .iter()
        .map(|(slot, name)| format!("{slot} {name}"))
        .collect();
    if !inputs.is_empty() {
        let line = format!("Is given descriptors: {}", inputs.join(", "));
        wrap_hanging(&mut text, 0, 2, &printable(&line));
    }
    if explained.passed > 0 {
        let passed = format!("Hands {} more descriptors to the program", explained.passed);
        wrap(&mut text, 0, &passed);
    }
    text.push('\n');
    overview(&mut text, &explained.steps);
    text.push('\n');
    wrap(&mut text, 0, LEGEND);
    steps(&mut text, &explained.steps);
    text
}

/// The phases, each with its steps.
fn overview(text: &mut String, steps: &[ExplainedStep]) {
    let mut first = 0;
    for part in steps.chunk_by(|one, next| one.phase == next.phase) {
        let last = first + part.len() - 1;
        let range = if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        };
        let title = part.first().map_or("", |step| step.phase.texts().1);
        let _ = writeln!(text, "{range:>9}  {title}");
        first = last + 1;
    }
}

fn steps(text: &mut String, steps: &[ExplainedStep]) {
    // The steps whose reasons are on this page already, by the reasons.
    let mut told: BTreeMap<*const str, usize> = BTreeMap::new();
    let mut before: Option<&ExplainedStep> = None;
    let mut before_is_alternative = false;
    let mut seen: Vec<Phase> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let new_phase = before.is_none_or(|before| before.phase != step.phase);
        if new_phase {
            heading(text, step.phase, seen.contains(&step.phase));
            seen.push(step.phase);
            told.clear();
        }
        if step.alternative && !before_is_alternative {
            text.push_str("      -- only after a failure that leads here:\n");
        } else if !step.alternative && before_is_alternative {
            text.push_str("      -- in any case:\n");
        }
        before_is_alternative = step.alternative;
        let operation = operation(step);
        let _ = write!(text, "{index:>4}  ");
        if step.operation == "Close" {
            wrap_after(text, INDENT, &operation);
            continue;
        }
        let repeated = before.is_some_and(|before| before.does == step.does) && !new_phase;
        if !repeated {
            wrap_after(text, INDENT, &printable(&step.does));
            text.push_str("      ");
        }
        wrap_hanging(text, INDENT, FURTHER, &operation);
        reason(text, steps, index, &mut told);
        before = Some(step);
    }
}

fn heading(text: &mut String, phase: Phase, again: bool) {
    let (_, title, about) = phase.texts();
    let again = if again { " (continued)" } else { "" };
    let _ = writeln!(text, "\n== {title}{again}");
    wrap(text, 3, about);
    text.push('\n');
}

/// Why the step is there, or where that is said, and what its failures lead to.
fn reason(
    text: &mut String,
    steps: &[ExplainedStep],
    index: usize,
    told: &mut BTreeMap<*const str, usize>,
) {
    let Some(step) = steps.get(index) else {
        return;
    };
    let earlier = *told
        .entry(std::ptr::from_ref(step.reason.why))
        .or_insert(index);
    let same = steps
        .get(earlier)
        .is_some_and(|told| told.fields == step.fields);
    let fields = if step.fields.is_empty() || (same && earlier != index) {
        String::new()
    } else {
        format!(" [{}]", step.fields.join(", "))
    };
    let why = if earlier == index {
        step.reason.why.to_owned()
    } else {
        format!("as {earlier}.")
    };
    text.push_str("      ");
    wrap_hanging(
        text,
        INDENT,
        FURTHER,
        &printable(&format!("why: {why}{fields}")),
    );
    if step.tolerates.is_empty() {
        return;
    }
    let mut on = format!("on {}: ", step.tolerates.join(", "));
    match step.otherwise {
        Some(step) => {
            let _ = write!(on, "goes to step {step}.");
        }
        None => on.push_str("goes on."),
    }
    if earlier == index {
        let _ = write!(on, " {}", step.reason.tolerated);
    }
    text.push_str("      ");
    wrap_hanging(text, INDENT, FURTHER, &on);
}

/// The operation and what it is given, on one line.
pub(super) fn operation(step: &ExplainedStep) -> String {
    let mut line = step.operation.to_owned();
    let only = step.arguments.len() == 1;
    for (name, shown) in &step.arguments {
        let Some(value) = value(shown) else { continue };
        match shown {
            // A word that is on says what it is.
            Shown::Bool(true) if !only => {
                let _ = write!(line, " {}", name.replace('_', "-"));
            }
            Shown::Bool(false) if !only => {}
            _ if only => {
                let _ = write!(line, " {value}");
            }
            _ => {
                let _ = write!(line, " {name}={value}");
            }
        }
    }
    line
}

/// A value on one line; `None` for no flags, which need not be told.
pub(super) fn value(shown: &Shown) -> Option<String> {
    Some(match shown {
        Shown::Bool(on) => if *on { "on" } else { "off" }.to_owned(),
        Shown::Number(number) => number.to_string(),
        Shown::Word(word) => printable(word),
        Shown::Names(names) if names.is_empty() => return None,
        Shown::Names(names) => names.join("|"),
        Shown::Set(names) if names.is_empty() => "none".to_owned(),
        Shown::Set(names) if names.len() >= CAPABILITIES => "all".to_owned(),
        Shown::Set(names) => names.join("|"),
        Shown::Text(text) => format!("{text:?}"),
        Shown::Texts(texts) => format!("{texts:?}"),
        Shown::Slot(slot) | Shown::NewSlot(slot) => slot.clone(),
    })
}

/// Without what would do something to a terminal: names come from whoever wrote the bundle.
pub(super) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\'' | '\\' => printable.push(letter),
            letter => printable.extend(letter.escape_debug()),
        }
    }
    printable
}
