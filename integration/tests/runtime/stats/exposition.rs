//! A strict reader of the text format of Prometheus (0.0.4): what the format leaves to taste, such
//! as spaces, has to be as its own libraries write it.

use std::collections::{BTreeMap, BTreeSet};

/// The samples by their names: of each its labels and its number.
pub(super) type Samples = BTreeMap<String, Vec<(BTreeMap<String, String>, f64)>>;

/// Reads a text.
///
/// # Panics
/// At the first line that is not of the format.
pub(super) fn read(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "the last line does not end");
    let mut samples = Samples::new();
    let mut families = BTreeSet::new();
    let mut family: Option<(&str, &str)> = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(families.insert(name), "{name} comes twice");
            assert!(!text.is_empty(), "{line}");
            let kind = lines.next().unwrap();
            let kind = kind.strip_prefix(&format!("# TYPE {name} "));
            let kind = kind.unwrap_or_else(|| panic!("no type after {line}"));
            assert!(["counter", "gauge"].contains(&kind), "{kind}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
            family = Some((name, kind));
            continue;
        }
        let (name, kind) = family.unwrap_or_else(|| panic!("no family: {line}"));
        let rest = line.strip_prefix(name);
        let rest = rest.unwrap_or_else(|| panic!("{line} is not of {name}"));
        let (labels, number) = labels(rest);
        let number = number.strip_prefix(' ').unwrap();
        let number: f64 = number.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(kind == "gauge" || number >= 0.0, "{line}");
        assert!(name.chars().all(is_of_a_name), "{name}");
        let known = samples.entry(name.to_owned()).or_default();
        assert!(known.iter().all(|(other, _)| *other != labels), "{line}");
        known.push((labels, number));
    }
    samples
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The labels, and what follows them.
fn labels(mut rest: &str) -> (BTreeMap<String, String>, &str) {
    let mut labels = BTreeMap::new();
    let Some(inside) = rest.strip_prefix('{') else {
        return (labels, rest);
    };
    rest = inside;
    loop {
        let (name, after) = rest.split_once("=\"").unwrap();
        assert!(!name.is_empty() && name.chars().all(is_of_a_name), "{rest}");
        let (value, after) = value(after);
        assert!(labels.insert(name.to_owned(), value).is_none(), "{name}");
        if let Some(end) = after.strip_prefix('}') {
            return (labels, end);
        }
        rest = after.strip_prefix(',').unwrap();
    }
}

/// The value of a label up to its quotation mark, and what follows that.
fn value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match letters.next().unwrap().1 {
                'n' => '\n',
                other @ ('\\' | '"') => other,
                other => panic!("\\{other}"),
            }),
            _ => value.push(letter),
        }
    }
    panic!("a label without an end: {text}")
}

#[test]
fn what_is_not_of_the_format_is_refused() {
    let head = "# HELP a_total x\n# TYPE a_total counter\n";
    let one = read(&format!("{head}a_total{{l=\"x\\\\y\\\"\\n\"}} 1.5\n"));
    let (labels, number) = &one["a_total"][0];
    assert_eq!(labels["l"], "x\\y\"\n");
    assert!((number - 1.5).abs() < f64::EPSILON);
    for wrong in [
        "a_total 1",
        "a_total 1\n",
        &format!("{head}b_total 1\n"),
        &format!("{head}a_total 1\na_total 2\n"),
        &format!("{head}a_total{{l=\"x}} 1\n"),
        &format!("{head}a_total one\n"),
        &format!("{head}a_total 1\n{head}a_total 1\n"),
        "# HELP a x\n# TYPE a counter\na 1\n",
    ] {
        assert!(
            std::panic::catch_unwind(|| read(wrong)).is_err(),
            "{wrong:?}"
        );
    }
}
