//! Why a step is in a plan: the phases, and one table with a row for each kind of step.
//!
//! A row is found by the operation and the description of a step, as they are in the encoded plan:
//! code that adds steps to a plan knows nothing of it, and costs nothing for it. The tests build
//! plans of all sorts and fail at a step that no row explains, and at a row that explains none.

#[rustfmt::skip]
mod table;

/// The part of a plan that a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// What the process is called, and what has to be opened first.
    Process,
    /// Control groups and CPUs.
    Cgroup,
    /// Namespaces, and the second process.
    Namespaces,
    /// Session and keyring.
    Session,
    /// Network devices.
    Network,
    /// The root file system becomes a mount.
    Root,
    /// The mounts of the configuration.
    Mounts,
    /// Device nodes and links.
    Devices,
    /// What waits for hooks, and hooks inside.
    Hooks,
    /// The root of the process changes.
    Switch,
    /// Terminal and standard streams.
    Terminal,
    /// What is hidden, read-only, or set in the kernel.
    Protections,
    /// Scheduling and the like.
    Attributes,
    /// User, groups, capabilities, labels, filter.
    Identity,
    /// The user's program.
    Program,
    /// That of the step before.
    Same,
}

impl Phase {
    /// Those that a step can be in.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 15] = [
        Self::Process,
        Self::Cgroup,
        Self::Namespaces,
        Self::Session,
        Self::Network,
        Self::Root,
        Self::Mounts,
        Self::Devices,
        Self::Hooks,
        Self::Switch,
        Self::Terminal,
        Self::Protections,
        Self::Attributes,
        Self::Identity,
        Self::Program,
    ];

    /// A word for programs, a title, and what the phase is for.
    pub(crate) const fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Process | Self::Same => (
                "process",
                "The process",
                "What has to be done or opened before any namespace is entered.",
            ),
            Self::Cgroup => (
                "cgroup",
                "Control group",
                "Whatever the process does from here on is counted and limited.",
            ),
            Self::Namespaces => (
                "namespaces",
                "Namespaces",
                "What the container has of its own, or shares with others.",
            ),
            Self::Session => (
                "session",
                "Session and keyring",
                "Cut off from the terminal and the keys of the caller.",
            ),
            Self::Network => (
                "network",
                "Network",
                "Inside the network namespace; the supervisor does what takes rights outside.",
            ),
            Self::Root => (
                "root",
                "Root file system",
                "It becomes a mount of the container's own, by which every path is resolved.",
            ),
            Self::Mounts => (
                "mounts",
                "Mounts",
                "In the order of the configuration, each with its attributes on before it shows.",
            ),
            Self::Devices => (
                "devices",
                "Devices",
                "Nodes and links below the container's own /dev.",
            ),
            Self::Hooks => (
                "hooks",
                "Hooks",
                "The mounts are made, the root is not yet changed.",
            ),
            Self::Switch => (
                "switch",
                "Into the new root",
                "From here on nothing of the host's files is in sight.",
            ),
            Self::Terminal => (
                "terminal",
                "Terminal and streams",
                "The terminal is one of the container's own devpts.",
            ),
            Self::Protections => (
                "protections",
                "Names and protections",
                "What is hidden, read-only or set in the kernel, or the container does not start.",
            ),
            Self::Attributes => (
                "attributes",
                "Attributes",
                "What the kernel keeps across an exec, up to the word that all is ready.",
            ),
            Self::Identity => (
                "identity",
                "Identity",
                "From the identity that prepared the container to that of the program.",
            ),
            Self::Program => (
                "program",
                "The program",
                "Nothing privileged is left; the supervisor goes, the program comes.",
            ),
        }
    }
}

/// One kind of step.
#[derive(Debug)]
pub(crate) struct Reason {
    /// The operation; empty for any.
    operation: &'static str,
    /// The description of the step, in which `*` stands for anything.
    step: &'static str,
    /// Where it belongs.
    pub(crate) phase: Phase,
    /// The field of `config.json` that asks for it, empty if none does; a `*` in it is what the
    /// first one of `step` stands for.
    pub(super) field: &'static str,
    /// Why it is there.
    pub(crate) why: &'static str,
    /// Why the failures that are tolerated are none; empty where there are no such.
    pub(crate) tolerated: &'static str,
}

/// For a step that no row explains, which the tests do not let happen.
static UNEXPLAINED: Reason = row("", "*", Phase::Same, "", "not explained");

const fn row(
    operation: &'static str,
    step: &'static str,
    phase: Phase,
    field: &'static str,
    why: &'static str,
) -> Reason {
    Reason {
        operation,
        step,
        phase,
        field,
        why,
        tolerated: "",
    }
}

impl Reason {
    const fn tolerating(self, tolerated: &'static str) -> Self {
        Self { tolerated, ..self }
    }

    /// Whether this is a row of the table.
    #[cfg(test)]
    pub(in crate::plan) fn is_known(&self) -> bool {
        !std::ptr::eq(self, &raw const UNEXPLAINED)
    }
}

/// All rows, for tests.
#[cfg(test)]
pub(in crate::plan) fn rows() -> &'static [Reason] {
    table::ROWS
}

/// The row of a step, and what the first `*` of its description stands for.
pub(super) fn of<'a>(operation: &str, step: &'a str) -> (&'static Reason, &'a str) {
    table::ROWS
        .iter()
        .filter(|row| row.operation.is_empty() || row.operation == operation)
        .find_map(|row| Some((row, matched(row.step, step)?)))
        .unwrap_or((&UNEXPLAINED, ""))
}

/// What the first `*` stands for, empty without one; `None` if the text is another one.
fn matched<'a>(pattern: &str, text: &'a str) -> Option<&'a str> {
    let Some((start, rest)) = pattern.split_once('*') else {
        return (pattern == text).then_some("");
    };
    let mut left = text.strip_prefix(start)?;
    let mut first = None;
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    if rest.contains('*') {
        for part in middle.split('*') {
            let (before, after) = left.split_once(part)?;
            first.get_or_insert(before);
            left = after;
        }
    }
    let last = left.strip_suffix(end)?;
    Some(first.unwrap_or(last))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nsenter::plan::Op;

    use super::*;

    #[test]
    fn patterns_are_anchored_and_give_what_their_first_star_stands_for() {
        for (pattern, text, found) in [
            ("a", "a", Some("")),
            ("a", "ab", None),
            ("a*", "abc", Some("bc")),
            ("*c", "abc", Some("ab")),
            ("a * = *", "a b = c = d", Some("b")),
            (
                "mount *: attach",
                "mount \"x\" at \"y\": attach",
                Some("\"x\" at \"y\""),
            ),
            ("mount *: attach", "mount \"x\" at \"y\": attach ", None),
        ] {
            assert_eq!(matched(pattern, text), found, "{pattern} {text}");
        }
    }

    /// A new operation has no row: this names it.
    #[test]
    fn every_operation_of_a_plan_has_a_row() {
        // The end of a helper process that runs no program: in no plan of a container.
        let not_planned = ["Exit"];
        let rows: BTreeSet<&str> = table::ROWS.iter().map(|row| row.operation).collect();
        let missing: Vec<&str> = Op::ALL
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !rows.contains(name) && !not_planned.contains(name))
            .collect();
        assert!(missing.is_empty(), "no reason for {missing:?}");
        let known: BTreeSet<&str> = Op::ALL.iter().map(|(name, _)| *name).collect();
        assert!(rows.is_subset(&known), "a row of no operation: {rows:?}");
    }

    #[test]
    fn every_row_says_why() {
        for row in table::ROWS {
            assert!(row.why.len() > 20 && row.why.ends_with('.'), "{row:?}");
            assert!(
                row.tolerated.is_empty() || row.tolerated.ends_with('.'),
                "{row:?}"
            );
        }
        let ids: BTreeSet<&str> = Phase::ALL.iter().map(|phase| phase.texts().0).collect();
        assert_eq!(ids.len(), Phase::ALL.len());
    }
}
