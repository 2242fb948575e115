//! A report for people: 80 columns, no colours.

use std::fmt::Write as _;

use crate::audit::{Finding, Report, Severity};

const WIDTH: usize = 80;
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

/// Adds words in lines of [`WIDTH`]; a word that is longer has a line of its own.
fn wrap(text: &mut String, indent: usize, words: &str) {
    text.extend(std::iter::repeat_n(' ', indent));
    wrap_after(text, indent, words);
}

/// The same, with the first line indented already.
fn wrap_after(text: &mut String, indent: usize, words: &str) {
    let mut column = indent;
    for (index, word) in words.split(' ').enumerate() {
        let width = word.chars().count();
        if index > 0 {
            if column + 1 + width > WIDTH {
                text.push('\n');
                text.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            } else {
                text.push(' ');
                column += 1;
            }
        }
        text.push_str(word);
        column += width;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_before_the_width_and_long_words_are_whole() {
        let mut text = String::new();
        let long = "/".repeat(100);
        wrap(
            &mut text,
            2,
            &format!("{} {long} end", "word ".repeat(30).trim()),
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.starts_with("  ")));
        assert!(
            lines
                .iter()
                .filter(|line| line.len() > WIDTH)
                .eq([&format!("  {long}")])
        );
        assert_eq!(text.matches("word").count(), 30);
    }
}
