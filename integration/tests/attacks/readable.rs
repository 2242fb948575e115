//! What of `/proc` and `/sys` can be read in a container, against a list with what each line tells
//! (`readable.list`): secrets of the host are not among it, and what a new kernel or a change of
//! the runtime adds is seen.

use std::collections::BTreeSet;

use cofferdam_integration::reviewed::{self, matches};
use cofferdam_integration::{Case, need};
use serde_json::json;

use crate::exposure::without_numbers;

const LIST: &str = include_str!("readable.list");

/// Prints the files that can be opened for reading. Nothing is read: some have no end.
const LOOK: &str = r#"
find /proc /sys -type f -perm /444 2>/dev/null | while IFS= read -r name; do
    true <"$name" && echo "$name"
done 2>/dev/null
true
"#;

/// Prints each line that begins with an address which is not zero, and of which file.
const ADDRESSES: &str = r#"
for name in /proc/kallsyms /proc/iomem /proc/ioports; do
    grep -v '^ *0*[- ]' "$name" | head -n 3 | sed "s|^|$name: |"
done 2>/dev/null
grep ' 0x' /proc/modules 2>/dev/null | grep -v ' 0x0*$' | grep -v ' 0x0* ' | head -n 3
for name in /sys/module/*/sections/.text; do
    grep -v '^0x0*$' "$name"
done 2>/dev/null | head -n 3
true
"#;

/// Whether a container of this configuration may read the file; what no line is for may not.
fn may_read(lines: &[[&str; 3]], configuration: &str, path: &str) -> bool {
    lines
        .iter()
        .find(|[pattern, _, _]| matches(pattern, path))
        .is_some_and(|[_, of, _]| reviewed::names(of, "all") || reviewed::names(of, configuration))
}

/// Fails if more can be read than is listed, or not even what every container reads, or if an
/// address of the kernel is shown.
#[track_caller]
fn only_what_is_listed(mut case: Case, configuration: &str) {
    let output = case.inside(LOOK);
    let readable: BTreeSet<String> = output.lines().into_iter().map(without_numbers).collect();
    let lines = reviewed::lines::<3>(LIST);
    let more: Vec<&String> = readable
        .iter()
        .filter(|path| !may_read(&lines, configuration, path))
        .collect();
    assert!(more.is_empty(), "{configuration}: {more:#?}");
    for wanted in ["/proc/PID/status", "/proc/meminfo", "/sys/kernel/notes"] {
        assert!(readable.contains(wanted), "{configuration}: no {wanted}");
    }
    let shown = case.inside(ADDRESSES);
    assert_eq!(shown.stdout, "", "{configuration}");
    case.finish();
}

#[test]
fn by_default_no_secret_of_the_host_can_be_read() {
    need!(Root, Busybox);
    only_what_is_listed(Case::new(), "default");
}

#[test]
fn nor_by_an_ordinary_user() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    only_what_is_listed(case, "user");
}

#[test]
fn nor_by_the_root_of_a_user_namespace() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.user_namespace(100_000, 65_536);
    only_what_is_listed(case, "user-namespace");
}

#[test]
fn nor_in_a_container_of_an_ordinary_user() {
    need!(Root, Busybox, Cofferdam, UserNamespaces);
    only_what_is_listed(Case::rootless(), "rootless");
}

#[test]
fn the_first_line_for_a_path_decides() {
    let lines = reviewed::lines::<3>(LIST);
    assert!(!may_read(&lines, "default", "/sys/firmware/dmi/tables/DMI"));
    assert!(!may_read(
        &lines,
        "user",
        "/sys/devices/virtual/dmi/id/product_uuid"
    ));
    assert!(may_read(
        &lines,
        "user",
        "/sys/devices/virtual/dmi/id/sys_vendor"
    ));
    assert!(!may_read(&lines, "default", "/proc/of_a_new_kernel"));
}
