//! A report for people: 80 columns, no colours.

use std::fmt::Write as _;

use crate::audit::{Finding, Report, Severity};
use crate::cli::paragraph::{wrap, wrap_after};

/// Where the text of a finding begins.
const INDENT: usize = 8;

pub(super) fn report(subject: &str, report: &Report) -> String {
    let mut text = String::new();
    let mut head = format!("{subject}:");
    for (index, severity) in Severity::ALL.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(head, "{comma} {} {severity}", report.count(severity));
    }
    // The name of a bundle comes from whoever calls, who may have it from somebody else.
    wrap(&mut text, 0, &head.escape_debug().to_string());
    let calls = match &report.system_calls {
        None => "no filter that can be evaluated".to_owned(),
        Some(groups) if groups.is_empty() => "nothing dangerous is let through".to_owned(),
        Some(groups) => format!("lets through {}", groups.join("; ")),
    };
    wrap(&mut text, 0, &format!("System calls: {calls}."));
    for finding in &report.findings {
        one(&mut text, finding);
    }
    text
}

fn one(text: &mut String, finding: &Finding) {
    let rule = finding.rule;
    let severity = finding.severity.name().to_ascii_uppercase();
    let _ = write!(text, "\n{severity:<INDENT$}");
    wrap_after(text, INDENT, &format!("{} [{}]", rule.title, rule.id));
    wrap(
        text,
        INDENT,
        &format!("{}: {}", finding.field, finding.detail),
    );
    wrap(text, INDENT, rule.why);
    wrap(text, INDENT, &format!("Fix: {}.", rule.remedy));
    let mut sources = Vec::new();
    if !rule.cis.is_empty() {
        sources.push(format!("CIS Docker {}", rule.cis.join(", ")));
    }
    if !rule.pod_security.is_empty() {
        sources.push(format!("Pod Security {}", rule.pod_security.join(", ")));
    }
    if !sources.is_empty() {
        wrap(text, INDENT, &format!("See: {}.", sources.join("; ")));
    }
}
