//! What the commands write to, make and remove, against a list with a reason for each line
//! (`writes.list`): a file that the runtime did not touch before is seen, and so is a write that
//! something has led elsewhere, since a file is what the kernel has opened and not its name.

#![cfg(all(target_arch = "x86_64", target_env = "gnu"))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails, and says why"
)]

mod with_more;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cofferdam_integration::attack::{Bench, COMMANDS, Layout, Role, Written};
use cofferdam_integration::reviewed::{self, matches};
use cofferdam_integration::{Case, need};

const LIST: &str = include_str!("writes.list");

/// Where cgroups are mounted for the calling thread, with the name for it; the longest first.
fn hierarchies() -> Vec<(String, &'static str)> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").expect("read mountinfo");
    let mut found: Vec<(String, &str)> = table
        .lines()
        .filter_map(|line| {
            let (mount, kind) = line.split_once(" - ")?;
            let name = match kind.split(' ').next()? {
                "cgroup" => "CGROUP1",
                "cgroup2" => "CGROUP2",
                _ => return None,
            };
            Some((mount.split(' ').nth(4)?.to_owned(), name))
        })
        .collect();
    found.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    found
}

/// A place with names for what is of this container, of this machine and of this moment.
fn general(place: &str, case: &Case, images: &Path, hierarchies: &[(String, &str)]) -> String {
    let mut place = place.to_owned();
    for (path, name) in hierarchies {
        if place.starts_with(&format!("{path}/")) {
            place.replace_range(..path.len(), name);
        }
    }
    for (path, name) in [
        (case.bundle.rootfs(), "ROOTFS"),
        (case.bundle.path().to_owned(), "BUNDLE"),
        (case.root().to_owned(), "STATE"),
        (images.to_owned(), "IMAGES"),
    ] {
        place = place.replace(path.to_str().expect("a path of this test"), name);
    }
    let names: Vec<String> = place
        .replace(&case.id, "ID")
        .split('/')
        .map(|name| match name.split_once("state-") {
            Some(("", numbers)) if numbers.split('-').all(is_number) => "state-N-N".to_owned(),
            _ if is_number(name) => "PID".to_owned(),
            _ => name.to_owned(),
        })
        .collect();
    names.join("/")
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a line of the list allows it.
fn is_listed(who: &str, deed: &str, place: &str, command: &str) -> bool {
    let lines = reviewed::lines::<5>(LIST);
    lines.iter().any(|[of, deeds, pattern, commands, _reason]| {
        *of == who
            && reviewed::names(deeds, deed)
            && reviewed::names(commands, command)
            && matches(pattern, place)
    })
}

/// Takes the places of what a command has written into `seen`, and what is not listed into `more`.
fn judge(
    written: &BTreeSet<(Role, Written)>,
    command: &str,
    general: impl Fn(&str) -> String,
    more: &mut BTreeSet<String>,
    seen: &mut BTreeSet<String>,
) {
    for (role, written) in written {
        let who = match role {
            Role::Runtime => "runtime",
            Role::Child(_) => "stub",
        };
        let place = general(&written.place);
        let deed = written.deed.to_string();
        if !is_listed(who, &deed, &place, command) {
            more.insert(format!("{who} | {deed} | {place} | {command}"));
        }
        seen.insert(place);
    }
}

fn audit(layout: Layout) {
    if !layout.is_possible() {
        return;
    }
    layout.enter();
    let hierarchies = hierarchies();
    let mut more = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for &command in COMMANDS {
        if command.is_impossible(layout).is_some() {
            continue;
        }
        let bench = Bench::new(layout, command).unwrap_or_else(|error| panic!("{error}"));
        // As an option changes nothing of what may be written.
        let name = command.name.split('-').next().unwrap_or_default();
        let general = |place: &str| general(place, bench.case(), &bench.images(), &hierarchies);
        judge(bench.writes(), name, general, &mut more, &mut seen);
    }
    assert!(more.is_empty(), "not in writes.list: {more:#?}");
    // Otherwise the search itself is broken.
    for place in ["STATE/ID/state.json", "STATE/ID/exec.fifo"] {
        assert!(seen.contains(place), "{place} is not written: {seen:#?}");
    }
    let of_stub = "private:ROOTFS/dev/null";
    assert!(seen.contains(of_stub), "{of_stub} is not made: {seen:#?}");
}

#[test]
fn only_what_is_listed_is_written() {
    need!(Root, Busybox, Cofferdam, Ptrace);
    audit(Layout::Own);
}

#[test]
fn only_what_is_listed_is_written_on_cgroup_v2() {
    need!(Root, Busybox, Cofferdam, CgroupV2, Ptrace);
    audit(Layout::Unified);
}

#[test]
fn only_what_is_listed_is_written_in_a_user_namespace() {
    need!(Root, Busybox, Cofferdam, Ptrace);
    audit(Layout::UserNamespace);
}

#[test]
fn only_what_is_listed_is_written_by_an_ordinary_user() {
    need!(Root, Busybox, Cofferdam, UserNamespaces, Ptrace);
    audit(Layout::Rootless);
}
