//! The text formats of Prometheus (0.0.4) and OpenMetrics (1.0).

use std::fmt::Write as _;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Prometheus,
    OpenMetrics,
}

/// What a number does in the course of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, until what is counted is made anew. Its name ends with `_total`.
    Counter,
    Gauge,
}

/// A number that is written exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Whole(u64),
    /// Seconds.
    Nanoseconds(u64),
}

/// Labels, by their names, and a number.
pub(super) type Sample = (Vec<(&'static str, String)>, Number);

/// Writes all samples of a metric, with its two lines of comments; nothing if there is none.
pub(super) fn family(
    text: &mut String,
    syntax: Syntax,
    (name, kind, help): (&str, Kind, &str),
    samples: &[Sample],
) {
    if samples.is_empty() {
        return;
    }
    // OpenMetrics has the name of the family without the ending of its samples.
    let family = match (syntax, kind) {
        (Syntax::OpenMetrics, Kind::Counter) => name.strip_suffix("_total").unwrap_or(name),
        _ => name,
    };
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
    };
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    let _ = writeln!(text, "# HELP {family} {help}\n# TYPE {family} {kind}");
    for (labels, number) in samples {
        text.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(text, "{before}{label}=\"{}\"", escaped(value));
        }
        if !labels.is_empty() {
            text.push('}');
        }
        let _ = match number {
            Number::Whole(number) => writeln!(text, " {number}"),
            Number::Nanoseconds(number) => {
                let (seconds, rest) = (number / 1_000_000_000, number % 1_000_000_000);
                writeln!(text, " {seconds}.{rest:09}")
            }
        };
    }
}

/// What ends a text.
pub(super) fn end(text: &mut String, syntax: Syntax) {
    if syntax == Syntax::OpenMetrics {
        text.push_str("# EOF\n");
    }
}

/// The value of a label.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_syntaxes() {
        let samples = [
            (
                vec![("a", "x\\y\"z\n".to_owned()), ("b", String::new())],
                Number::Whole(u64::MAX),
            ),
            (vec![], Number::Nanoseconds(1_000_000_001)),
        ];
        let write = |syntax| {
            let mut text = String::new();
            let metric = ("n_seconds_total", Kind::Counter, "one\ntwo\\");
            family(&mut text, syntax, metric, &samples);
            family(&mut text, syntax, ("none", Kind::Gauge, ""), &[]);
            end(&mut text, syntax);
            text
        };
        assert_eq!(
            write(Syntax::Prometheus),
            "# HELP n_seconds_total one\\ntwo\\\\\n\
             # TYPE n_seconds_total counter\n\
             n_seconds_total{a=\"x\\\\y\\\"z\\n\",b=\"\"} 18446744073709551615\n\
             n_seconds_total 1.000000001\n"
        );
        let open = write(Syntax::OpenMetrics);
        assert!(open.starts_with("# HELP n_seconds one"), "{open}");
        assert!(
            open.contains("# TYPE n_seconds counter\nn_seconds_total{"),
            "{open}"
        );
        assert!(open.ends_with("1.000000001\n# EOF\n"), "{open}");
    }
}
