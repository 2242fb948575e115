//! The same for containers that have more than most: a terminal, hooks, devices of a network,
//! limits.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use cofferdam_integration::attack::{Layout, Role, Written, observe, observe_line};
use cofferdam_integration::console::ConsoleSocket;
use cofferdam_integration::library::quiet;
use cofferdam_integration::{Case, need, networks, program};
use runtime::Runtime;
use serde_json::json;

use crate::{general, hierarchies, judge};

/// What the commands have written, and what of it is not on the list.
#[derive(Default)]
struct Audit {
    more: BTreeSet<String>,
    seen: BTreeSet<String>,
}

impl Audit {
    fn command(&mut self, case: &Case, arguments: &[&str]) {
        let found = observe(case, arguments).unwrap_or_else(|error| panic!("{error}"));
        self.take(case, arguments.first().expect("a command"), &found);
    }

    fn take(&mut self, case: &Case, command: &str, found: &BTreeSet<(Role, Written)>) {
        let hierarchies = hierarchies();
        let no_images = Path::new("/no/images");
        let general = |place: &str| general(place, case, no_images, &hierarchies);
        judge(found, command, general, &mut self.more, &mut self.seen);
    }

    /// Fails if there is more than the list has, or if something was not seen at all.
    fn finish(self, expected: &[&str]) {
        let Self { more, seen } = self;
        assert!(more.is_empty(), "not in writes.list: {more:#?}");
        for place in expected {
            assert!(seen.contains(*place), "{place} is not written: {seen:#?}");
        }
    }
}

/// On each layout of cgroups.
fn in_each_layout(audit: fn()) {
    for layout in [Layout::Own, Layout::Unified] {
        if layout.is_possible() {
            let entered = std::thread::spawn(move || {
                layout.enter();
                audit();
            });
            if let Err(panic) = entered.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// The cgroups of this process, but for roots.
fn own_cgroups() -> BTreeSet<String> {
    let text = std::fs::read_to_string("/proc/thread-self/cgroup").expect("read the cgroups");
    let paths = text.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths
        .filter(|path| *path != "/")
        .map(str::to_owned)
        .collect()
}

/// A case whose program goes on.
fn resident() -> Case {
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case
}

/// A detached run and a forced delete write what is listed, the state among it.
fn run_and_delete(case: &Case) {
    let mut audit = Audit::default();
    audit.command(case, &["run", "--detach", &case.id]);
    audit.command(case, &["delete", "--force", &case.id]);
    audit.finish(&["STATE/ID/state.json"]);
}

#[test]
fn with_a_terminal_only_what_is_listed_is_written() {
    need!(Root, Busybox, Cofferdam, Ptrace);
    in_each_layout(|| {
        let mut case = resident();
        case.bundle.config["process"]["terminal"] = json!(true);
        let first = ConsoleSocket::bind(&case.bundle.path().join("first"));
        let second = ConsoleSocket::bind(&case.bundle.path().join("second"));
        let id = case.id.as_str();
        let mut audit = Audit::default();
        audit.command(
            &case,
            &["run", "--detach", "--console-socket", first.path(), id],
        );
        let console = ["--console-socket", second.path(), id, "/bin/true"];
        let exec = [&["exec", "--detach", "--tty"][..], &console].concat();
        audit.command(&case, &exec);
        let _terminals = (first.receive(), second.receive());
        audit.command(&case, &["delete", "--force", id]);
        audit.finish(&["STATE/ID/state.json"]);
        case.finish();
    });
}

#[test]
fn with_hooks_only_what_is_listed_is_written() {
    need!(Root, Busybox, Cofferdam, Ptrace);
    in_each_layout(|| {
        let mut case = resident();
        for point in [
            "prestart",
            "createRuntime",
            "createContainer",
            "startContainer",
            "poststart",
            "poststop",
        ] {
            case.bundle.config["hooks"][point] = json!([{ "path": "/bin/true" }]);
        }
        run_and_delete(&case);
        case.finish();
    });
}

#[test]
fn with_limits_only_what_is_listed_is_written() {
    need!(Root, Busybox, Cofferdam, Ptrace);
    in_each_layout(|| {
        let mut case = resident();
        let unified = Path::new("/sys/fs/cgroup/cgroup.controllers");
        let controllers = std::fs::read_to_string(unified).unwrap_or_else(|_| {
            // Version 1 has them all.
            "cpu memory pids".to_owned()
        });
        let resources = &mut case.bundle.config["linux"]["resources"];
        for (controller, limits) in [
            ("memory", json!({ "limit": 64 << 20 })),
            ("pids", json!({ "limit": 100 })),
            (
                "cpu",
                json!({ "shares": 512, "quota": 50_000, "period": 100_000 }),
            ),
        ] {
            if controllers.split_whitespace().any(|one| one == controller) {
                resources[controller] = limits;
            }
        }
        run_and_delete(&case);
        case.finish();
    });
}

#[test]
fn with_a_device_of_the_host_only_what_is_listed_is_written() {
    need!(Root, Busybox, Cofferdam, Ptrace, VirtualNetworks);
    networks::enter();
    let _ = networks::ip("link add name moved0 type veth peer name peer0");
    let mut case = resident();
    case.bundle.config["linux"]["netDevices"] = json!({ "moved0": { "name": "eth7" } });
    run_and_delete(&case);
    case.network_devices_are_others();
    case.finish();
}

#[test]
fn with_a_veth_pair_only_what_is_listed_is_written() {
    need!(Root, Busybox, Cofferdam, Ptrace, VirtualNetworks);
    networks::enter();
    let case = resident();
    let mut audit = Audit::default();
    // The command line of nsinit makes such containers.
    let line = [
        program::nsinit().into_os_string(),
        OsString::from("--root"),
        case.root().as_os_str().to_owned(),
        OsString::from("exec"),
        OsString::from(format!("--id={}", case.id)),
        OsString::from(format!("--veth-bridge={}", networks::BRIDGE)),
        OsString::from("--veth-address=10.211.3.2/24"),
        OsString::from("--veth-gateway=10.211.3.1"),
        OsString::from("/bin/true"),
    ];
    let found = observe_line(&line, &case.bundle.rootfs());
    let mut found = found.unwrap_or_else(|error| panic!("{error}"));
    // Its containers are below the cgroup of the caller.
    for own in own_cgroups() {
        let rest = found.into_iter().map(|(role, mut written)| {
            written.place = written.place.replace(&own, "");
            (role, written)
        });
        found = rest.collect();
    }
    audit.take(&case, "nsinit", &found);
    // And a host program, whose containers the commands know.
    let host = Runtime::new(case.root()).unwrap();
    let mut process = quiet("/bin/sh");
    process.args(["/bin/sh", "-c", "sleep 100000"]);
    let configuration = networks::configuration(&case);
    drop(
        host.run(&case.id.parse().unwrap(), configuration, process)
            .unwrap(),
    );
    audit.command(&case, &["delete", "--force", &case.id]);
    audit.finish(&["STATE/ID/state.json"]);
    case.finish();
}
