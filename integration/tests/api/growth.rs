//! A new field of a public struct breaks no user of a crate.

use std::collections::BTreeSet;

/// Structs with public fields only that are neither `non_exhaustive` nor have a `Default`.
///
/// * The form is fixed, by the kernel or by the specification.
/// * They have a constructor for the fields that are required: a literal ends in
///   `..Profile::new(action)`, `..Spec::example()`.
/// * What a caller forgot would be a hole: a new field has to be decided where the struct is made.
const WITHOUT_DEFAULT: [(&str, &[&str]); 9] = [
    ("cgroups", &["events::PressureTrigger"]),
    (
        "configs",
        &[
            "config::Device",
            "config::MemoryPolicy",
            "config::Namespace",
            "config::Personality",
            "config::Rlimit",
            "config::Seccomp",
            "config::SeccompSyscall",
            "config::SystemdProperty",
            "legacy::Options",
            "oci::Spec",
            "process::IoPriority",
            "process::SchedulingAttributes",
        ],
    ),
    (
        "criu",
        &[
            "CgroupRoot",
            "ExternalMount",
            "Features",
            "InheritedDescriptor",
            "JoinNamespace",
            "Options",
            "PageServer",
            "VethPair",
        ],
    ),
    ("devices", &["Device", "Rule", "bpf::Insn"]),
    ("netlink", &["NetDevice", "NewLink"]),
    ("nsenter", &["Program", "Spawn", "plan::HookCommand"]),
    (
        "runtime",
        &[
            "PageServer",
            "plan::Filter",
            "plan::HostFacts",
            "plan::InitRequest",
            "plan::LegacyHierarchy",
            "plan::ProcessRequest",
        ],
    ),
    (
        "seccomp",
        &["Arg", "DockerConditions", "Instruction", "Profile", "Rule"],
    ),
    ("user", &["subid::Owner"]),
];

/// Structs that others can make with a literal and have no `Default` to fill it up, in the lines of
/// an interface.
fn without_default(interface: &str) -> BTreeSet<&str> {
    let mut found: BTreeSet<&str> = interface
        .lines()
        .filter_map(|line| line.strip_prefix("field ")?.split_once(": "))
        .filter_map(|(path, _)| Some(path.rsplit_once("::")?.0))
        .collect();
    for line in interface.lines() {
        let closed = [
            "private fields in ",
            "#[non_exhaustive] ",
            "impl Default for ",
        ];
        let closed = closed.iter().find_map(|start| line.strip_prefix(start));
        let derived = line.strip_prefix("derive(").and_then(|line| {
            let (traits, name) = line.split_once(") for ")?;
            traits
                .split(", ")
                .any(|one| one == "Default")
                .then_some(name)
        });
        for name in closed.into_iter().chain(derived) {
            found.remove(name.split(' ').next().unwrap_or(name));
        }
    }
    found
}

#[test]
fn a_new_field_of_a_struct_breaks_no_literal() {
    for name in crate::CRATES {
        let interface = crate::interface(name).to_string();
        let listed = WITHOUT_DEFAULT.iter().find(|(listed, _)| *listed == name);
        let listed = listed.map_or(&[][..], |(_, structs)| structs);
        assert_eq!(
            without_default(&interface),
            listed.iter().copied().collect(),
            "structs of {name} that are neither #[non_exhaustive] nor have a Default, \
             and those that are listed here"
        );
    }
}

#[test]
fn structs_that_grow_are_seen() {
    let interface = "field a::Open::x: u8\nderive(Debug) for a::Open\n\
                     field b::Filled::x: u8\nderive(Debug, Default) for b::Filled #[cfg(x)]\n\
                     field Closed::x: u8\n#[non_exhaustive] Closed\n\
                     field Hidden::x: u8\nprivate fields in Hidden\n\
                     field Made::x: u8\nimpl Default for Made";
    assert_eq!(without_default(interface), BTreeSet::from(["a::Open"]));
}
