//! How the fields of an operation are written.

use std::ffi::CString;
use std::fmt::{self, Write as _};

use super::values::{FieldValue, FsOption, HookCommand};
use crate::fields::Slot;

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.0)
    }
}

fn quoted(bytes: &[u8]) -> String {
    // As `escape_ascii`, with valid UTF-8 left readable.
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        text.extend(chunk.valid().escape_debug());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    text
}

/// The line that is written.
#[derive(Debug)]
pub(super) struct Line(String);

impl Line {
    /// A line that begins with a name.
    pub(super) fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Appends a word.
    pub(super) fn word(&mut self, word: impl fmt::Display) {
        let _ = write!(self.0, " {word}");
    }

    /// Appends `name=value`; without a name, the value.
    pub(super) fn field(&mut self, name: &str, value: impl fmt::Display) {
        if name.is_empty() {
            self.word(value);
        } else {
            self.word(format_args!("{name}={value}"));
        }
    }

    /// Appends a field of an operation; the only field of an operation has no name.
    pub(super) fn value(&mut self, name: &str, value: FieldValue<'_>) {
        match value {
            FieldValue::Number(number) => self.field(name, number),
            FieldValue::Flags(flags) => self.field(name, format_args!("{flags:#x}")),
            FieldValue::Mode(mode) => self.field(name, format_args!("{mode:#o}")),
            FieldValue::Device(major, minor) => self.field(name, format_args!("{major}:{minor}")),
            FieldValue::Switch(on) if name.is_empty() => self.word(on),
            FieldValue::Switch(true) => self.word(name.replace('_', "-")),
            FieldValue::Switch(false) => {}
            FieldValue::Step(step) => self.field("to", step),
            FieldValue::Reads(slot) | FieldValue::Fills(slot) | FieldValue::Empties(slot) => {
                self.field(name, slot);
            }
            FieldValue::Word(word) => self.word(word),
            FieldValue::Namespaces(set) => self.word(set),
            FieldValue::Text(text) => self.field(name, quoted(text.to_bytes())),
            FieldValue::Texts(texts) => self.field(name, listed(texts)),
            FieldValue::Bytes(bytes) => self.field(name, quoted(bytes)),
            FieldValue::Program(bytes) => {
                self.field("instructions", bytes.len() / 8);
                self.field(name, quoted(bytes));
            }
            FieldValue::Cpus(Some(mask)) => self.field("mask", quoted(mask)),
            FieldValue::Cpus(None) => self.word("all"),
            FieldValue::Numbers(numbers) => self.field(name, format_args!("{numbers:?}")),
            FieldValue::Nodes(masks) => self.field(name, format_args!("{masks:x?}")),
            FieldValue::Paths(list) => {
                let paths: Vec<String> = list
                    .iter()
                    .map(|(root, path)| format!("{root} {}", quoted(path.as_bytes())))
                    .collect();
                self.field("paths", format_args!("[{}]", paths.join(", ")));
            }
            FieldValue::Option(option) => self.option(name, option),
            FieldValue::Hook(hook) => self.hook(name, hook),
        }
    }

    fn option(&mut self, name: &str, option: &FsOption) {
        let (FsOption::Flag(key) | FsOption::String(key, _) | FsOption::Descriptor(key, _)) =
            option;
        let key = quoted(key.as_bytes());
        match option {
            FsOption::Flag(_) => self.field(name, key),
            FsOption::String(_, value) => {
                self.field(name, format_args!("{key}:{}", quoted(value.as_bytes())));
            }
            FsOption::Descriptor(_, slot) => self.field(name, format_args!("{key}:{slot}")),
        }
    }

    fn hook(&mut self, name: &str, hook: &HookCommand) {
        if !name.is_empty() {
            self.word(name);
        }
        self.field("path", quoted(hook.path.as_bytes()));
        self.field("args", listed(&hook.args));
        match &hook.env {
            Some(env) => self.field("env", listed(env)),
            None => self.word("env-of-program"),
        }
        let (before, after) = (quoted(&hook.stdin.0), quoted(&hook.stdin.1));
        self.field("stdin", format_args!("{before}+pid+{after}"));
        self.field("timeout_ms", hook.timeout_ms);
    }
}

fn listed(texts: &[CString]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text.as_bytes())).collect();
    format!("[{}]", quoted.join(", "))
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
