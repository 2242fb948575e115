//! What the dependencies promise: that they build with our `rust-version`, may be linked with a
//! program under Apache-2.0, and come once. It is asked of `cargo metadata`, which knows the lock
//! file and every feature and target.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn workspace_root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    folder.expect("the crate lies in the workspace").to_owned()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .arg("--all-features")
        .args(TARGETS.map(|target| format!("--filter-platform={target}")))
        .current_dir(workspace_root())
        .output()
        .expect("cargo metadata runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The only operating system that the crates are for, with both C libraries.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"];

fn packages(metadata: &Value) -> BTreeMap<&str, &Value> {
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| (package["id"].as_str().unwrap(), package))
        .collect()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

fn is_member(metadata: &Value, id: &str) -> bool {
    let members = metadata["workspace_members"].as_array().unwrap();
    members.iter().any(|member| member == id)
}

/// What is in the tree of a package, with itself: `kinds` are those of the edges, `null` for normal
/// dependencies.
fn tree<'a>(metadata: &'a Value, root: &'a str, kinds: &[Value]) -> BTreeSet<&'a str> {
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), node))
        .collect();
    let mut found = BTreeSet::new();
    let mut waiting = vec![root];
    while let Some(id) = waiting.pop() {
        if !found.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            let edges = dependency["dep_kinds"].as_array().unwrap();
            if edges.iter().any(|edge| kinds.contains(&edge["kind"])) {
                waiting.push(dependency["pkg"].as_str().unwrap());
            }
        }
    }
    found
}

/// `1.88` and `1.88.0` as numbers.
fn version(text: &str) -> [u32; 3] {
    let mut parts = text.split('.').map(|part| part.parse().expect(text));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

#[test]
fn every_dependency_builds_with_the_rust_version_of_the_crate() {
    let metadata = metadata();
    let packages = packages(&metadata);
    let mut wrong = Vec::new();
    for member in metadata["workspace_members"].as_array().unwrap() {
        let member = member.as_str().unwrap();
        let own = packages[member]["rust_version"].as_str();
        let own = own.unwrap_or_else(|| panic!("{member} has no rust-version"));
        // Those of its tests as well: who has this version builds them, too.
        let kinds = [Value::Null, "build".into(), "dev".into()];
        for id in tree(&metadata, member, &kinds) {
            let Some(needed) = packages[id]["rust_version"].as_str() else {
                continue;
            };
            if version(needed) > version(own) {
                let (member, dependency) = (name(packages[member]), name(packages[id]));
                wrong.push(format!("{member} says {own}, {dependency} needs {needed}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The entries of an array of strings in `deny.toml`: one line each.
fn denied_list(section: &str, key: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(workspace_root().join("deny.toml")).expect("deny.toml");
    let (_, rest) = text.split_once(&format!("\n[{section}]\n")).expect(section);
    let rest = rest.split("\n[").next().unwrap_or_default();
    let (_, rest) = rest.split_once(&format!("\n{key} = [\n")).expect(key);
    let (list, _) = rest.split_once("\n]").expect("the end of the list");
    list.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .map(|line| line.split('"').nth(1).expect(line).to_owned())
        .collect()
}

/// Whether an SPDX expression can be met by licences of the list. `/` is what `OR` once was written
/// as.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut tokens = spaced.split_whitespace().peekable();
    let met = alternatives(&mut tokens, allowed);
    met && tokens.next().is_none()
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn alternatives(tokens: &mut Tokens<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut met = all_of(tokens, allowed);
    while tokens.next_if_eq(&"OR").is_some() {
        met |= all_of(tokens, allowed);
    }
    met
}

fn all_of(tokens: &mut Tokens<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut met = licence(tokens, allowed);
    while tokens.next_if_eq(&"AND").is_some() {
        met &= licence(tokens, allowed);
    }
    met
}

fn licence(tokens: &mut Tokens<'_>, allowed: &BTreeSet<String>) -> bool {
    let Some(word) = tokens.next() else {
        return false;
    };
    if word == "(" {
        let met = alternatives(tokens, allowed);
        return tokens.next() == Some(")") && met;
    }
    let mut name = word.to_owned();
    if tokens.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", tokens.next().unwrap_or_default());
    }
    allowed.contains(&name)
}

#[test]
fn licences_are_read_as_spdx_expressions() {
    let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
    let allowed: BTreeSet<String> = allowed.map(str::to_owned).into();
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/GPL-3.0", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND Apache-2.0", true),
        ("(GPL-3.0 OR MIT) AND ISC", false),
        ("Apache-2.0 WITH LLVM-exception OR ISC", true),
        ("MIT WITH Classpath-exception-2.0", false),
        ("MIT AND", false),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(is_met(expression, &allowed), met, "{expression:?}");
    }
}

#[test]
fn every_dependency_has_a_licence_of_the_list() {
    let metadata = metadata();
    let allowed = denied_list("licenses", "allow");
    assert!(allowed.contains("Apache-2.0"), "{allowed:?}");
    let mut wrong = Vec::new();
    for package in packages(&metadata).values() {
        let licence = package["license"].as_str().unwrap_or_default();
        if !is_met(licence, &allowed) {
            wrong.push(format!("{}: {licence:?}", name(package)));
        }
    }
    assert!(wrong.is_empty(), "not in deny.toml: {wrong:#?}");
}

#[test]
fn no_crate_comes_in_two_versions() {
    let metadata = metadata();
    let packages = packages(&metadata);
    // An exception is one version: `name@1`.
    let excused = denied_list("bans", "skip");
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let package = packages[node["id"].as_str().unwrap()];
        let (name, version) = (name(package), package["version"].as_str().unwrap());
        let major = version.split('.').next().unwrap();
        if !excused.contains(&format!("{name}@{major}")) {
            versions.entry(name).or_default().insert(version);
        }
    }
    versions.retain(|_, versions| versions.len() > 1);
    assert!(versions.is_empty(), "{versions:?}");
}

/// crates.io takes a crate only if everything it needs is there, too.
#[test]
fn every_dependency_comes_from_the_registry() {
    let metadata = metadata();
    for (id, package) in packages(&metadata) {
        if is_member(&metadata, id) {
            continue;
        }
        let source = package["source"].as_str().unwrap_or("a folder");
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        assert_eq!(source, registry, "{}", name(package));
    }
}

/// What the page of a crate on crates.io and docs.rs shows, and what is in its package.
#[test]
fn what_is_published_says_what_it_is() {
    let metadata = metadata();
    for (id, package) in packages(&metadata) {
        // `publish = false` is an empty list of registries.
        if !is_member(&metadata, id) || package["publish"] == Value::Array(Vec::new()) {
            continue;
        }
        let package_name = name(package);
        for field in [
            "description",
            "homepage",
            "documentation",
            "repository",
            "readme",
        ] {
            assert!(package[field].is_string(), "{package_name}: no {field}");
        }
        for field in ["authors", "keywords", "categories"] {
            let list = package[field].as_array().unwrap();
            assert!(!list.is_empty(), "{package_name}: no {field}");
        }
        let documentation = package["documentation"].as_str().unwrap();
        assert_eq!(documentation, format!("https://docs.rs/{package_name}"));
        let docs = &package["metadata"]["docs"]["rs"];
        assert_eq!(docs["all-features"], true, "{package_name}");
        let folder = Path::new(package["manifest_path"].as_str().unwrap());
        let folder = folder.parent().unwrap();
        assert!(folder.join("README.md").is_file(), "{package_name}");
        let page = std::fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        let front = "#![doc = include_str!(\"../README.md\")]";
        let example = page.contains(front) || page.contains("\n//! ```\n");
        assert!(example, "{package_name}: no example on the front page");
        assert_eq!(has_tests(folder), None, "{package_name}");
    }
}

/// The first file of a package that is of use in this repository alone.
fn has_tests(folder: &Path) -> Option<String> {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--locked", "--allow-dirty"])
        .current_dir(folder)
        .output()
        .expect("cargo package runs");
    assert!(output.status.success(), "{folder:?}");
    let list = String::from_utf8(output.stdout).expect("UTF-8");
    let useless = |line: &&str| line.starts_with("tests/") || line.starts_with("benches/");
    list.lines().find(useless).map(str::to_owned)
}

/// A program that depends on one crate can name every type of that crate's interface.
#[test]
#[allow(
    unused_qualifications,
    reason = "the way through `cofferdam` is what is tested"
)]
fn types_of_other_crates_are_within_reach() {
    let _: Vec<runtime::devices::Rule> = runtime::cgroups::Resources::default().devices;
    let _: Vec<runtime::cgroups::devices::Rule> = runtime::cgroups::Resources::default().devices;
    let _: fn(runtime::Stats) -> runtime::intelrdt::Stats = |stats| stats.intel_rdt;
    let _: fn(runtime::Runtime, runtime::seccomp::Backend) -> runtime::Runtime =
        runtime::Runtime::with_seccomp_backend;
}
