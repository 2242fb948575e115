//! The programs of the folder `examples` do what they say.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::bundle::Bundle;

#[cfg(feature = "tokio")]
#[path = "../../examples/async_sandboxes.rs"]
mod async_sandboxes;
#[path = "../../examples/container_json.rs"]
mod container_json;
#[path = "../../examples/counter.rs"]
mod counter;
#[path = "../../examples/factory.rs"]
mod factory;
#[path = "../../examples/interactive_terminal.rs"]
mod interactive_terminal;
#[path = "../../examples/lifecycle.rs"]
mod lifecycle;
#[path = "../../examples/network.rs"]
mod network;
#[path = "../../examples/readme.rs"]
mod readme;
#[path = "../../examples/sandbox.rs"]
mod sandbox;
#[path = "../../examples/stats.rs"]
mod stats;
#[path = "../../examples/threaded_host.rs"]
mod threaded_host;
#[path = "../../examples/user_namespace.rs"]
mod user_namespace;

type Main = fn() -> Result<(), Box<dyn Error>>;

/// All examples by their names.
const EXAMPLES: &[(&str, Main)] = &[
    #[cfg(feature = "tokio")]
    ("async_sandboxes", async_sandboxes::main),
    ("container_json", container_json::main),
    ("counter", counter::main),
    ("factory", factory::main),
    ("interactive_terminal", interactive_terminal::main),
    ("lifecycle", lifecycle::main),
    ("network", network::main),
    ("readme", readme::main),
    ("sandbox", sandbox::main),
    ("stats", stats::main),
    ("threaded_host", threaded_host::main),
    ("user_namespace", user_namespace::main),
];

/// Set in the process that is an example.
const INSIDE: &str = "COFFERDAM_EXAMPLE";

/// Whether this process is an example.
fn is_example() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs the example of this name, which the calling test has as well, in a process of its own, as
/// a program, and returns what it prints; `None` if this machine lacks what it needs, and in the
/// process that was the example.
fn run(name: &str, terminal: Option<&str>) -> Option<String> {
    if is_example() {
        let (_, main) = EXAMPLES.iter().find(|(known, _)| *known == name).unwrap();
        main().unwrap();
        return None;
    }
    let bundle = Bundle::new()?;
    let rootfs = bundle.rootfs();
    // User namespaces reach it.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bundle.outside(), open).unwrap();
    // Every run of an example has the same state root and ids.
    let lock = File::create(std::env::temp_dir().join("cofferdam-examples.lock")).unwrap();
    lock.lock().unwrap();
    let mut command = command(name, &rootfs, terminal.is_some());
    command.env(INSIDE, "").stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(terminal.unwrap_or_default().as_bytes())
        .unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    // A test program that runs one test at a time says its name first.
    let text = text.replace(&format!("test examples::{name} ... "), "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {text}\n{said}");
    Some(text)
}

/// This program, to run only the test of an example, which then is the example. Its first argument
/// is the root file system, as that of the examples: for a test program it is one more name of a
/// test.
fn command(name: &str, rootfs: &Path, terminal: bool) -> Command {
    let program = std::env::current_exe().unwrap();
    let rest = format!("--exact examples::{name} --nocapture");
    if terminal {
        let line = format!("{} {} {rest}", program.display(), rootfs.display());
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        return command;
    }
    let mut command = Command::new(program);
    command.arg(rootfs).args(rest.split(' '));
    command
}

/// The output has these lines, in this order.
#[track_caller]
fn prints(name: &str, lines: &[&str]) {
    let Some(text) = run(name, None) else { return };
    let mut found = text.lines();
    for line in lines {
        assert!(found.any(|other| other == *line), "{line}: {text}");
    }
}

#[test]
fn every_example_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let Ok(entries) = std::fs::read_dir(folder) else {
        eprintln!("skipped: the source is not here");
        return;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = paths
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    // Needs a feature.
    if cfg!(not(feature = "tokio")) {
        names.retain(|name| name != "async_sandboxes");
    }
    let known: Vec<&str> = EXAMPLES.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, known);
}

#[test]
fn readme() {
    prints(
        "readme",
        &[
            "readme is created",
            "hello from process 1 on readme",
            "exit status 0",
        ],
    );
}

#[test]
fn factory() {
    prints(
        "factory",
        &[
            "a process of factory",
            "it exit status 0",
            "1 process",
            "paused",
            "running",
        ],
    );
}

#[test]
fn network() {
    if !is_example() && !crate::network::enter_with_bridge("cfd-example", "192.0.2.1/24") {
        return;
    }
    let Some(text) = run("network", None) else {
        return;
    };
    assert!(text.contains("cfd-network has received "), "{text}");
    // 198.51.100.0 as `/proc/net/route` has it.
    for part in ["\neth0\t", "006433C6", "010200C0"] {
        assert!(text.contains(part), "{part:?}: {text}");
    }
}

#[test]
fn user_namespace() {
    prints(
        "user_namespace",
        &["user 0 on testing, 0 100000 65536", "exit status 0"],
    );
}

#[test]
fn container_json() {
    prints(
        "container_json",
        &[
            "a file of revision A",
            "process 1 on spring",
            "exit status 0",
        ],
    );
}

#[test]
fn lifecycle() {
    prints(
        "lifecycle",
        &[
            "running",
            "20 processes at most",
            "exit status 3",
            "stopped",
        ],
    );
}

#[test]
fn threaded_host() {
    let names: Vec<String> = (0..8).map(|n| format!("threaded-host-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    prints("threaded_host", &names);
}

#[cfg(feature = "tokio")]
#[test]
fn async_sandboxes() {
    let lines: Vec<String> = (0..8).map(|code| format!("exit status {code}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    prints("async_sandboxes", &lines);
}

#[test]
fn sandbox() {
    prints("sandbox", &["42", "exit status 0"]);
}

#[test]
fn stats() {
    let Some(text) = run("stats", None) else {
        return;
    };
    assert!(text.contains("s of CPU time"), "{text}");
}

#[test]
fn interactive_terminal() {
    if !Path::new("/usr/bin/script").exists() {
        eprintln!("skipped: needs script");
        return;
    }
    let typed = "echo on $(hostname); exit 3\n";
    let Some(text) = run("interactive_terminal", Some(typed)) else {
        return;
    };
    let printed = |line| text.lines().any(|other| other == line);
    assert!(printed("on interactive-terminal"), "{text}");
    assert!(printed("exit status 3"), "{text}");
}

#[test]
fn counter() {
    let criu = Command::new("criu").arg("check").output();
    if !criu.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: needs a criu that works with this kernel");
        return;
    }
    let Some(text) = run("counter", None) else {
        return;
    };
    assert!(text.contains("counted to 3"), "{text}");
    // It may have gone on for a while before it was dumped.
    let after = text
        .lines()
        .find_map(|line| line.strip_prefix("went on to "));
    let after = after.and_then(|count| count.parse::<u32>().ok());
    assert!(after.is_some_and(|count| count >= 6), "{text}");
}
