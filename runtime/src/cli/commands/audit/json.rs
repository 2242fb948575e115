//! Reports as JSON: the form of our own, and SARIF 2.1.0.
//!
//! Written piece by piece, by one writer for both: for a serializer each object of SARIF would be a
//! type that is used once.

use crate::audit::{Finding, RULES, Report, Severity};
use crate::cli::version::VERSION;

/// The report in our own form: `subject`, `systemCalls` and `findings`.
pub(super) fn report(subject: &str, report: &Report) -> String {
    let mut json = Writer::default();
    json.open('{');
    json.text("subject", subject);
    json.key("systemCalls");
    match &report.system_calls {
        None => json.raw("null"),
        Some(groups) => json.texts(groups),
    }
    json.key("findings");
    json.open('[');
    for finding in &report.findings {
        json.open('{');
        own_form(&mut json, finding);
        json.close('}');
    }
    json.close(']');
    json.close('}');
    json.end()
}

fn own_form(json: &mut Writer, finding: &Finding) {
    let rule = finding.rule;
    json.text("rule", rule.id);
    json.text("severity", finding.severity.name());
    json.text("field", &finding.field);
    json.text("title", rule.title);
    json.text("detail", &finding.detail);
    json.text("why", rule.why);
    json.text("remedy", rule.remedy);
    json.key("cisDocker");
    json.texts(rule.cis);
    json.key("podSecurity");
    json.texts(rule.pod_security);
}

/// The report in the Static Analysis Results Interchange Format, version 2.1.0 (OASIS), for tools
/// that collect findings: a log (3.13) with one run (3.14).
pub(super) fn sarif(report: &Report) -> String {
    let mut json = Writer::default();
    json.open('{');
    json.text("$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    json.text("version", "2.1.0");
    json.key("runs");
    json.open('[');
    json.open('{');
    json.key("tool");
    json.open('{');
    json.key("driver");
    json.open('{');
    json.text("name", "cofferdam audit");
    json.text("version", VERSION);
    json.key("rules");
    json.open('[');
    rules(&mut json);
    json.close(']');
    json.close('}');
    json.close('}');
    json.key("results");
    json.open('[');
    for finding in &report.findings {
        json.open('{');
        result(&mut json, finding);
        json.close('}');
    }
    json.close(']');
    json.close('}');
    json.close(']');
    json.close('}');
    json.end()
}

/// All rules as `reportingDescriptor` (3.49).
fn rules(json: &mut Writer) {
    for rule in RULES {
        json.open('{');
        json.text("id", rule.id);
        message(json, "shortDescription", rule.title);
        message(json, "fullDescription", rule.why);
        message(json, "help", rule.remedy);
        json.key("properties");
        json.open('{');
        json.key("tags");
        json.open('[');
        let sources = [
            ("CIS Docker Benchmark 1.6.0, ", rule.cis),
            ("Pod Security Standards, ", rule.pod_security),
        ];
        for (source, places) in sources {
            for place in places {
                json.string(&[source, place].concat());
            }
        }
        json.close(']');
        json.close('}');
        json.close('}');
    }
}

/// The members of a `result` (3.27).
fn result(json: &mut Writer, finding: &Finding) {
    json.text("ruleId", finding.rule.id);
    let index = RULES.iter().position(|rule| rule.id == finding.rule.id);
    if let Some(index) = index {
        json.key("ruleIndex");
        json.raw(&index.to_string());
    }
    // 3.27.10
    let level = match finding.severity {
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    };
    json.text("level", level);
    message(json, "message", &finding.detail);
    json.key("locations");
    json.open('[');
    json.open('{');
    json.key("physicalLocation");
    json.open('{');
    json.key("artifactLocation");
    json.open('{');
    json.text("uri", "config.json");
    json.close('}');
    json.close('}');
    json.key("logicalLocations");
    json.open('[');
    json.open('{');
    json.text("fullyQualifiedName", &finding.field);
    json.text("kind", "property");
    json.close('}');
    json.close(']');
    json.close('}');
    json.close(']');
}

/// A `message` (3.11).
#[inline(never)]
fn message(json: &mut Writer, key: &str, text: &str) {
    json.key(key);
    json.open('{');
    json.text("text", text);
    json.close('}');
}

/// A document that grows at its end. Its functions are called at dozens of places, and are kept
/// from being inlined there.
#[derive(Default)]
struct Writer {
    text: String,
    depth: usize,
    /// What comes next is the value of a key.
    after_key: bool,
}

impl Writer {
    /// What is in front of a value or key: its place on a line of its own.
    #[inline(never)]
    fn begin(&mut self) {
        if std::mem::take(&mut self.after_key) || self.text.is_empty() {
            return;
        }
        if !self.text.ends_with(['{', '[']) {
            self.text.push(',');
        }
        self.line();
    }

    #[inline(never)]
    fn line(&mut self) {
        self.text.push('\n');
        for _ in 0..self.depth {
            self.text.push_str("  ");
        }
    }

    #[inline(never)]
    fn open(&mut self, bracket: char) {
        self.begin();
        self.text.push(bracket);
        self.depth += 1;
    }

    #[inline(never)]
    fn close(&mut self, bracket: char) {
        self.depth = self.depth.saturating_sub(1);
        if !self.text.ends_with(['{', '[']) {
            self.line();
        }
        self.text.push(bracket);
    }

    #[inline(never)]
    fn key(&mut self, key: &str) {
        self.string(key);
        self.text.push_str(": ");
        self.after_key = true;
    }

    fn raw(&mut self, value: &str) {
        self.begin();
        self.text.push_str(value);
    }

    #[inline(never)]
    fn string(&mut self, value: &str) {
        self.begin();
        self.text.push('"');
        for letter in value.chars() {
            match letter {
                '"' | '\\' => {
                    self.text.push('\\');
                    self.text.push(letter);
                }
                // RFC 8259, section 7.
                '\0'..='\u{1f}' => {
                    let code = format!("\\u{:04x}", u32::from(letter));
                    self.text.push_str(&code);
                }
                _ => self.text.push(letter),
            }
        }
        self.text.push('"');
    }

    #[inline(never)]
    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.string(value);
    }

    #[inline(never)]
    fn texts(&mut self, values: &[&str]) {
        self.open('[');
        for value in values {
            self.string(value);
        }
        self.close(']');
    }

    fn end(mut self) -> String {
        self.text.push('\n');
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_read_back_as_it_was() {
        let odd = "\"\\\u{1}\n\u{7f}ü\u{202e}/{[";
        let mut json = Writer::default();
        json.open('{');
        json.text(odd, odd);
        json.key("none");
        json.texts(&[]);
        json.key("two");
        json.texts(&["{", "["]);
        json.close('}');
        let text = json.end();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read,
            serde_json::json!({ odd: odd, "none": [], "two": ["{", "["] })
        );
        let last = "  \"none\": [],\n  \"two\": [\n    \"{\",\n    \"[\"\n  ]\n}\n";
        assert!(text.ends_with(last), "{text}");
    }
}
