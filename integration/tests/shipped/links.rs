//! Links of the documentation lead to files and headings that exist, and the book has every page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;

/// The folders whose pages are looked at; those of programs that are built are not ours.
const FOLDERS: [&str; 3] = ["", "docs", "integration/vm"];

fn pages_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .collect()
}

/// The pages of the repository, of each crate, and of the book.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = FOLDERS
        .iter()
        .flat_map(|folder| pages_in(&repository(folder)))
        .collect();
    for entry in fs::read_dir(repository("")).unwrap() {
        let path = entry.unwrap().path();
        if path.join("Cargo.toml").exists() {
            pages.extend(pages_in(&path));
        }
    }
    assert!(pages.len() > 30, "{pages:?}");
    pages
}

/// The lines of a page outside of blocks of code.
fn prose(text: &str) -> Vec<&str> {
    let mut inside = false;
    text.lines()
        .filter(|line| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !inside && !fence
        })
        .collect()
}

/// The line without its code: `` `[a](b)` `` is no link.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// Where the links of a page lead.
fn targets(text: &str) -> Vec<String> {
    // A link may go over two lines.
    let whole: String = prose(text)
        .iter()
        .map(|line| without_code(line) + "\n")
        .collect();
    let inline = whole.split("](").skip(1).filter_map(|rest| {
        let (target, _) = rest.split_once(')')?;
        Some(target.to_owned())
    });
    let defined = whole.lines().filter_map(|line| {
        let (_, target) = line.strip_prefix('[')?.split_once("]: ")?;
        Some(target.trim().to_owned())
    });
    inline.chain(defined).collect()
}

/// The names by which the headings of a page can be linked to, on GitHub and in the book.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in prose(text) {
        let Some(heading) = line
            .strip_prefix('#')
            .and_then(|rest| rest.trim_start_matches('#').strip_prefix(' '))
        else {
            continue;
        };
        // Of a link the text counts.
        let mut shown = String::new();
        let mut rest = heading;
        while let Some((before, after)) = rest.split_once("](") {
            shown.push_str(before);
            rest = after.split_once(')').map_or("", |(_, after)| after);
        }
        shown.push_str(rest);
        let name: String = shown
            .to_lowercase()
            .chars()
            .filter_map(|letter| match letter {
                ' ' => Some('-'),
                '-' | '_' => Some(letter),
                letter => letter.is_alphanumeric().then_some(letter),
            })
            .collect();
        // The second heading of a name gets a number.
        let mut number = 0;
        let mut unique = name.clone();
        while !found.insert(unique.clone()) {
            number += 1;
            unique = format!("{name}-{number}");
        }
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in targets(&text) {
            // Of the web, and items of a crate in its documentation.
            if target.contains("://") || target.contains("::") || target.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (path, anchor) = match target.split_once('#') {
                Some((path, anchor)) => (path, Some(anchor)),
                None => (target.as_str(), None),
            };
            let to = if path.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap().join(path)
            };
            let there = match anchor {
                None => to.exists(),
                Some(anchor) => {
                    fs::read_to_string(&to).is_ok_and(|text| anchors(&text).contains(anchor))
                }
            };
            if !there {
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(seen > 60, "only {seen} links were found");
    assert!(wrong.is_empty(), "links into nowhere: {wrong:#?}");
}

#[test]
fn the_book_has_every_page() {
    let summary = fs::read_to_string(repository("docs/SUMMARY.md")).unwrap();
    let listed: BTreeSet<String> = targets(&summary).into_iter().collect();
    let there: BTreeSet<String> = pages_in(&repository("docs"))
        .iter()
        .filter_map(|page| Some(page.file_name()?.to_str()?.to_owned()))
        .filter(|name| name != "SUMMARY.md")
        .collect();
    assert_eq!(listed, there);
}

#[test]
fn a_link_over_two_lines_and_a_heading_with_code_are_read() {
    let text = "# A `b` c: [d](e.md)\n\n[x\ny](z.md#q) `[no](no)`\n```\n[no](no)\n```\n# A b c d\n";
    assert_eq!(targets(text), ["e.md", "z.md#q"]);
    let names: Vec<String> = anchors(text).into_iter().collect();
    assert_eq!(names, ["a-b-c-d", "a-b-c-d-1"]);
}
