//! docs/eras.md: what it calls ours exists.

use crate::{document, quoted, rows, workspace_root};

/// Whether the recorded interface of a crate has this item. A path begins with the crate, if that
/// is not `runtime`.
fn is_public(path: &str) -> bool {
    let (folder, item) = path
        .split_once("::")
        .filter(|(folder, _)| workspace_root().join(folder).join("api.txt").exists())
        .unwrap_or(("runtime", path));
    let interface = document(&format!("{folder}/api.txt"));
    interface.lines().any(|line| {
        // `fn Runtime::load(&self, …`, `variant Stdio::Pipe`, `use Status = …`
        line.match_indices(item).any(|(start, _)| {
            let before = line[..start].chars().next_back();
            let after = line[start + item.len()..].chars().next();
            before == Some(' ') && after.is_none_or(|c| !c.is_alphanumeric() && c != '_')
        })
    })
}

/// Names of Go that stand in a column of ours, to say what corresponds to what.
fn is_theirs(name: &str) -> bool {
    !name.contains("::") && (name.starts_with("Get") || THEIRS.contains(&name))
}

const THEIRS: [&str; 8] = [
    "Apply",
    "Destroy",
    "Exists",
    "Freeze",
    "Manager",
    "OOMKillCount",
    "Set",
    "tokio",
];

#[test]
fn what_is_called_ours_exists() {
    let text = document("docs/eras.md");
    let mut missing = Vec::new();
    let mut checked = 0;
    let ours = rows(&text, "id").into_iter().map(|cells| cells[3]);
    let kinds = rows(&text, "kind").into_iter().map(|cells| cells[0]);
    let packages = rows(&text, "package").into_iter().map(|cells| cells[2]);
    for path in ours.chain(kinds).chain(packages).flat_map(quoted) {
        if is_theirs(path) {
            continue;
        }
        checked += 1;
        if !is_public(path) {
            missing.push(path);
        }
    }
    assert!(checked > 80, "{checked} paths were found");
    assert!(missing.is_empty(), "not public: {missing:#?}");
}

/// What has no counterpart says why.
#[test]
fn every_call_has_a_counterpart_or_a_reason() {
    let text = document("docs/eras.md");
    let rows = rows(&text, "id");
    for (prefix, count) in [("A", 12), ("B", 17), ("P", 10)] {
        for number in 1..=count {
            let id = format!("{prefix}{number:02}");
            let row = rows.iter().find(|cells| cells[0] == id);
            let row = row.unwrap_or_else(|| panic!("no row {id}"));
            let has_item = quoted(row[3]).next().is_some();
            let has_reason = row.get(4).is_some_and(|remark| !remark.is_empty());
            assert!(has_item || has_reason, "{id} has neither item nor reason");
        }
    }
}
