//! A plan for programs. The form is described in the manual of the command; a change of it that
//! is not an addition gives it another number.

use super::Subject;
use crate::cli::json_writer::Writer;
use crate::plan::explain::reasons::Phase;
use crate::plan::explain::{Explained, ExplainedStep, Shown};

/// The number of the form.
const VERSION: u64 = 1;

/// The whole plan.
pub(super) fn plan(subject: &Subject<'_>, explained: &Explained, warnings: &[String]) -> String {
    let mut json = Writer::default();
    json.open('{');
    number(&mut json, "version", VERSION);
    json.text("process", if subject.exec { "exec" } else { "init" });
    json.text("container", subject.id);
    texts(&mut json, "clone", &explained.clone);
    switch(&mut json, "intoCgroup", subject.into_cgroup);
    json.key("inputs");
    json.open('[');
    for (slot, name) in &explained.inputs {
        json.open('{');
        json.text("descriptor", slot);
        json.text("name", name);
        json.close('}');
    }
    json.close(']');
    number(&mut json, "passed", explained.passed.into());
    json.key("phases");
    json.open('[');
    phases(&mut json, &explained.steps);
    json.close(']');
    json.key("steps");
    json.open('[');
    for (index, step) in explained.steps.iter().enumerate() {
        json.open('{');
        one(&mut json, index, step);
        json.close('}');
    }
    json.close(']');
    texts(&mut json, "warnings", warnings);
    json.close('}');
    json.end()
}

/// Those that steps are in, in the order of their first step.
fn phases(json: &mut Writer, steps: &[ExplainedStep]) {
    let mut seen: Vec<Phase> = Vec::new();
    for step in steps {
        if seen.contains(&step.phase) {
            continue;
        }
        seen.push(step.phase);
        let (id, title, about) = step.phase.texts();
        json.open('{');
        json.text("id", id);
        json.text("title", title);
        json.text("about", about);
        json.close('}');
    }
}

fn one(json: &mut Writer, index: usize, step: &ExplainedStep) {
    number(json, "index", u64::try_from(index).unwrap_or(u64::MAX));
    json.text("phase", step.phase.texts().0);
    json.text("does", &step.does);
    json.text("operation", step.operation);
    json.key("arguments");
    json.open('{');
    for (name, shown) in &step.arguments {
        json.key(name);
        value(json, shown);
    }
    json.close('}');
    texts(json, "fields", &step.fields);
    switch(json, "alternative", step.alternative);
    json.text("why", step.reason.why);
    if step.tolerates.is_empty() {
        return;
    }
    json.key("tolerates");
    json.open('{');
    texts(json, "errnos", &step.tolerates);
    let next = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
    number(
        json,
        "continuesWith",
        step.otherwise.map_or(next, u64::from),
    );
    json.text("why", step.reason.tolerated);
    json.close('}');
}

fn value(json: &mut Writer, shown: &Shown) {
    match shown {
        Shown::Bool(on) => json.raw(name_of(*on)),
        Shown::Number(number) => json.raw(&number.to_string()),
        Shown::Word(text) | Shown::Text(text) | Shown::Slot(text) | Shown::NewSlot(text) => {
            json.string(text);
        }
        Shown::Names(list) | Shown::Set(list) | Shown::Texts(list) => json.texts(list),
    }
}

fn switch(json: &mut Writer, key: &str, on: bool) {
    json.key(key);
    json.raw(name_of(on));
}

const fn name_of(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

fn number(json: &mut Writer, key: &str, number: u64) {
    json.key(key);
    json.raw(&number.to_string());
}

fn texts(json: &mut Writer, key: &str, list: &[String]) {
    json.key(key);
    json.texts(list);
}
