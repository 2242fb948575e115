//! The plans of representative containers, as they are printed. A change of one of these files is a
//! change of what runs inside of containers: read it line by line. `COFFERDAM_BLESS=1` rewrites the
//! files.

use configs::config::NamespaceType;

use super::{BuiltPlan, Case, command, hierarchies};
use crate::Terminal;

fn check(name: &str, built: BuiltPlan) {
    use std::fmt::Write;
    let mut text = format!("{}\n", built.plan.to_string().trim_end());
    for (slot, input) in &built.inputs {
        writeln!(text, "input {slot:?}: {input:?}").unwrap();
    }
    writeln!(
        text,
        "spawn into cgroup: {}; two stages: {}",
        built.spawn_into_cgroup, built.two_stages
    )
    .unwrap();
    for mount in &built.host_mounts {
        writeln!(text, "host mount: {}", mount.display()).unwrap();
    }
    for warning in &built.warnings {
        writeln!(text, "warning: {warning}").unwrap();
    }
    let path = format!(
        "{}/src/plan/tests/golden/{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    if std::env::var_os("COFFERDAM_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(text == golden, "the plan of {name} has changed:\n{text}");
}

#[test]
fn standard() {
    check("standard", Case::standard().init().unwrap());
}

/// The seed of the fuzz target `plan` is a plan of this version of the encoding.
#[test]
fn the_seed_of_the_fuzz_target_is_read() {
    let path = format!("{}/../fuzz/seeds/plan/create", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("COFFERDAM_BLESS").is_some() {
        let built = Case::engine().init().unwrap();
        std::fs::write(&path, built.plan.as_bytes()).unwrap();
    }
    nsenter::plan::Plan::from_bytes(&std::fs::read(&path).unwrap()).unwrap();
}

#[test]
fn engine() {
    check("engine", Case::engine().init().unwrap());
}

#[test]
fn user_namespace() {
    check("user_namespace", Case::user_namespace().init().unwrap());
}

#[test]
fn joined_namespaces() {
    let mut case = Case::standard();
    for kind in [
        NamespaceType::Pid,
        NamespaceType::Network,
        NamespaceType::Ipc,
    ] {
        case.config
            .namespaces
            .set(kind, format!("/proc/1234/ns/{}", kind.file_name()));
    }
    check("joined_namespaces", case.init().unwrap());
    case.host.procfs_pidns = true;
    check("joined_namespaces_late_second_stage", case.init().unwrap());
}

#[test]
fn host_mount_namespace() {
    let mut case = Case::standard();
    case.config.namespaces.remove(NamespaceType::Mount);
    case.config.mounts.truncate(1);
    case.config.mask_paths.clear();
    case.config.readonly_paths.clear();
    case.config.readonlyfs = false;
    case.config.hooks.create_container = vec![command("/usr/bin/hook")];
    check("host_mount_namespace", case.init().unwrap());
}

#[test]
fn legacy_cgroups_and_terminal() {
    let mut case = Case::standard();
    case.view = hierarchies();
    case.cgroup.unified = false;
    case.cgroup.tasks = vec!["memory".to_owned()];
    let by_name = ["cpu,cpuacct", "pids"];
    case.cgroup.task_paths = by_name
        .map(|name| (name.to_owned(), format!("{name}/c/tasks").into()))
        .to_vec();
    case.process.terminal(Some(Terminal::Keep));
    check("legacy_cgroups_and_terminal", case.init().unwrap());
}

#[test]
fn exec() {
    check("exec", Case::standard().exec().unwrap());
}

#[test]
fn exec_of_another_user_with_terminal() {
    let mut case = Case::engine();
    case.process.terminal(Some(Terminal::Keep));
    check("exec_user_terminal", case.exec().unwrap());
}
