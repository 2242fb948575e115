//! Lines of Rust are at most 100 columns long, those of comments as well, which rustfmt leaves as
//! they are.
//!
//! Exempt are what cannot be broken: string literals (a message is found by its text), and in
//! documentation tables, links and code blocks.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

use std::path::{Path, PathBuf};

/// In characters, as rustfmt counts.
const COLUMNS: usize = 100;

/// The Rust files below a folder, the output of builds excepted.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the workspace is readable") {
        let path = entry.expect("the folder is readable to its end").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Which characters of a file belong to string literals.
fn in_strings(text: &[char]) -> Vec<bool> {
    let mut inside = vec![false; text.len()];
    let at = |index: usize| text.get(index).copied().unwrap_or('\n');
    let mut index = 0;
    while index < text.len() {
        let hashes = (index + 1..).take_while(|&next| at(next) == '#').count();
        let start = index;
        match at(index) {
            '/' if at(index + 1) == '/' => {
                index += text[index..].iter().take_while(|&&c| c != '\n').count();
                continue;
            }
            // A character, which may be a quotation mark.
            '\'' if at(index + 1) == '\\' => {
                index += 4;
                continue;
            }
            '\'' if at(index + 2) == '\'' => {
                index += 3;
                continue;
            }
            'r' if at(index + 1 + hashes) == '"' => {
                index += hashes + 2;
                let end =
                    |from: usize| at(from) == '"' && (1..=hashes).all(|n| at(from + n) == '#');
                while index < text.len() && !end(index) {
                    index += 1;
                }
                index += hashes;
            }
            '"' => {
                index += 1;
                while index < text.len() && at(index) != '"' {
                    index += if at(index) == '\\' { 2 } else { 1 };
                }
            }
            _ => {
                index += 1;
                continue;
            }
        }
        index += 1;
        let end = index.min(text.len());
        if let Some(literal) = inside.get_mut(start..end) {
            literal.fill(true);
        }
    }
    inside
}

/// The lines of a file that are too long, by number.
fn too_long(text: &str) -> Vec<usize> {
    let characters: Vec<char> = text.chars().collect();
    let inside = in_strings(&characters);
    let mut wrong = Vec::new();
    let mut start = 0;
    let mut in_code_block = false;
    for (number, line) in text.lines().enumerate() {
        let length = line.chars().count();
        let literal = inside[start..start + length].iter().any(|inside| *inside);
        start += length + 1;
        let trimmed = line.trim_start();
        let documentation = ["//! ", "/// "]
            .iter()
            .find_map(|sign| trimmed.strip_prefix(sign));
        if documentation.is_some_and(|text| text.starts_with("```")) {
            in_code_block = !in_code_block;
        }
        let exempt = documentation.map_or(literal, |text| {
            in_code_block || text.starts_with('|') || text.contains("](") || text.contains("://")
        });
        if length > COLUMNS && !exempt {
            wrong.push(number + 1);
        }
    }
    wrong
}

#[test]
fn lines_of_rust_are_at_most_100_columns_long() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = root.expect("the crate lies in the workspace");
    let mut files = Vec::new();
    sources(root, &mut files);
    assert!(files.len() > 100, "only {} files found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file is readable");
        let name = file
            .strip_prefix(root)
            .expect("below the root")
            .display()
            .to_string();
        wrong.extend(too_long(&text).iter().map(|line| format!("{name}:{line}")));
    }
    assert!(
        wrong.is_empty(),
        "more than {COLUMNS} columns:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn only_what_cannot_be_broken_is_exempt() {
    let long = "x".repeat(COLUMNS);
    for (line, is_wrong) in [
        (format!("// {long}"), true),
        (format!("/// {long}"), true),
        (format!("let {long} = 1;"), true),
        (format!("let c = '\"'; // {long}"), true),
        (format!("// \"{long}\""), true),
        (format!("let text = \"{long}\";"), false),
        (format!("let text = r#\"\"{long}\"#;"), false),
        (format!("let text = \"\n{long}\";"), false),
        (format!("/// | {long} |"), false),
        (format!("/// [a]: https://{long}"), false),
        (format!("/// ```\n/// {long}\n/// ```"), false),
        (format!("/// ```\n/// ```\n/// {long}"), true),
        (format!("// {}", "é".repeat(COLUMNS - 3)), false),
    ] {
        assert_eq!(!too_long(&line).is_empty(), is_wrong, "{line}");
    }
}
