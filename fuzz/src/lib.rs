//! What strangers can write, and what must hold for it: each fuzz target is a function that panics
//! where it does not hold. libFuzzer calls it with what it makes up (`libfuzzer`), the tests with
//! the inputs that are kept (`seeds`).

// Two targets compile parsers that their crates keep to themselves, whose unit tests run there.
#![cfg(not(test))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a target reports"
)]

mod cursor;
mod machine;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called, also the folder of its seeds.
    pub name: &'static str,
    run: fn(&[u8]),
    /// The parsers that it is for, of which its inputs have to reach nearly everything: files, or
    /// folders with the file beside them, from the folder of the workspace. None where the target
    /// is for what is done after the parsing, for a parser that serde derives, which has no regions
    /// of its own, or for the stub, which is a program of its own.
    pub parsers: &'static [&'static str],
}

impl Target {
    /// Looks at one input. Panics if what must hold does not.
    pub fn run(&self, input: &[u8]) {
        (self.run)(input);
    }
}

/// Defines the targets, each a module with a function `run`.
macro_rules! targets {
    ($($name:ident: $parsers:expr;)*) => {
        $(mod $name;)*

        /// Every target.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            run: $name::run,
            parsers: &$parsers,
        },)*];
    };
}

targets! {
    accounts: [
        "user/src/passwd.rs",
        "user/src/group.rs",
        "user/src/lines.rs",
        "user/src/subid.rs",
        "user/src/exec_user",
        "user/src/idmap"
    ];
    cgroup_files: ["cgroups/src/v1/stats.rs", "cgroups/src/v2/stats.rs"];
    config_json: ["configs/src/specconv", "configs/src/validate"];
    config_plan: [];
    device_rules: ["devices/src/emulator.rs"];
    flags: ["runtime/src/cli/flag.rs"];
    labels: ["selinux/src/label.rs"];
    legacy_json: ["configs/src/legacy"];
    life: [];
    lists: ["configs/src/config/cpu_set.rs"];
    mountinfo: ["intelrdt/src/mountinfo.rs"];
    netlink_answers: ["netlink/src/wire.rs"];
    path_walk: [];
    plan: ["nsenter/src/plan/decode.rs"];
    rdt_schema: ["intelrdt/src/schema.rs"];
    seccomp_profile: ["seccomp/src/native"];
    seccomp_program: ["seccomp/src/evaluate.rs"];
    state_json: [];
    state_file: ["runtime/src/state/scan.rs"];
    stub_messages: ["nsenter/src/supervise.rs", "nsenter/src/supervise/control.rs"];
    systemd_bus: ["cgroups/src/systemd/gvariant.rs", "cgroups/src/systemd/message.rs"];
}

/// Gives an input to the target of this name.
///
/// # Panics
/// If there is no such target, or if what must hold does not.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    target
        .unwrap_or_else(|| panic!("no target is called {name}"))
        .run(input);
}
