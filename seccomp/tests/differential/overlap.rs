//! Rules that libseccomp merges.

use super::Rule;

/// Leaves conditions only where libseccomp's answer is the documented one: it merges the conditions
/// of several rules for one call into one tree, which answers differently when they overlap. So a
/// call keeps one rule with conditions, and a rule one condition per argument.
pub(crate) fn remove(rules: &mut [Rule]) {
    let mut conditional: Vec<String> = Vec::new();
    for rule in rules.iter_mut().filter(|rule| !rule.args.is_empty()) {
        rule.names.retain(|name| !conditional.contains(name));
        conditional.extend(rule.names.iter().cloned());
        let mut seen = Vec::new();
        rule.args.retain(|arg| {
            let first = !seen.contains(&arg.index);
            seen.push(arg.index);
            first
        });
    }
}
