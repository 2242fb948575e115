//! Reports as JSON: the form of our own, and SARIF 2.1.0.
//!
//! Written piece by piece: for a serializer each object of SARIF would be a type that is used once.

use crate::audit::{Finding, RULES, Report, Severity};
use crate::cli::json_writer::Writer;
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
