//! Messages in the terms of this program.
//!
//! The library names fields as an OCI configuration does, and elements of lists by their number.
//! Here a container is described by flags or by an older file, and the lists have elements that
//! neither names: the mounts of every container, the loopback interface.

use configs::Config;

use super::create_flags;
use crate::cli::failure::Failure;

/// What describes a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The flags of the command line.
    Flags,
    /// A file of any year, or a record, which has its form.
    File,
}

/// The names that messages about one container use.
#[derive(Debug)]
pub(crate) struct Terms {
    origin: Origin,
    mounts: Vec<String>,
    networks: Vec<String>,
}

/// Where the two names of a field differ by more than their spelling. A name with a space is no
/// key: it is that of something that comes from a flag or from a file.
const NAMES: [(&str, &str); 13] = [
    ("linux.cgroupsPath", "cgroups.name"),
    ("linux.maskedPaths", "mask_paths"),
    ("linux.netDevices", "netDevices"),
    ("linux.resources", "cgroups"),
    ("linux.rootfsPropagation", "rootPropagation"),
    ("process.args", "the command"),
    ("process.cwd", "the working directory"),
    ("process.env", "the environment"),
    ("process.execCPUAffinity", "exec_cpu_affinity"),
    ("process.selinuxLabel", "process_label"),
    ("process.user", "the user"),
    ("process.user.additionalGids", "the supplementary groups"),
    ("root.path", "rootfs"),
];

/// Advice that this program cannot follow, and a name that is not its own.
const PHRASES: [(&str, &str); 2] = [
    (" (use --ignore-paused to override)", ""),
    ("the OCI \"hostname\" field", "the host name"),
];

impl Terms {
    pub(crate) fn of(config: &Config, origin: Origin) -> Self {
        let mounts = config.mounts.iter();
        let networks = config.networks.iter();
        Self {
            origin,
            mounts: mounts.map(|mount| mount.destination.clone()).collect(),
            networks: networks.map(|network| network.name.clone()).collect(),
        }
    }

    /// The failure with all of its messages in these terms.
    pub(crate) fn translate(&self, mut failure: Failure) -> Failure {
        failure.message = self.text(&failure.message);
        for warning in &mut failure.warnings {
            *warning = self.text(warning);
        }
        failure
    }

    fn text(&self, message: &str) -> String {
        let mut message = message.to_owned();
        for (theirs, ours) in PHRASES {
            message = message.replace(theirs, ours);
        }
        let mut text = String::with_capacity(message.len());
        let mut rest = message.as_str();
        while let Some((before, field, after)) = next_field(rest) {
            text.push_str(before);
            text.push_str(&self.name(field));
            rest = after;
        }
        text.push_str(rest);
        text
    }

    /// The name of a field: `linux.sysctl`, `mounts[6].source`.
    fn name(&self, field: &str) -> String {
        for (list, elements) in [("mounts", &self.mounts), ("networks", &self.networks)] {
            let Some((number, key)) = element(field, list) else {
                continue;
            };
            let Some(element) = elements.get(number) else {
                return field.to_owned();
            };
            if list == "networks"
                && self.origin == Origin::Flags
                && let Some(flag) = flag(&format!("veth_{key}"))
            {
                return flag;
            }
            let kind = list.trim_end_matches('s');
            return match key {
                "" => format!("{kind} {element:?}"),
                key => format!("{kind} {element:?}: {key}"),
            };
        }
        let own = NAMES.iter().find(|(theirs, _)| *theirs == field);
        let key = match own {
            Some((_, name)) => (*name).to_owned(),
            None => snake_case(field.split_once('.').map_or(field, |(_, name)| name)),
        };
        match self.origin {
            Origin::Flags => flag(&key).unwrap_or(key),
            Origin::File => key,
        }
    }
}

/// The flag that says what a key of a file says.
fn flag(key: &str) -> Option<String> {
    let name = key.replace('_', "-");
    let known = create_flags::TABLE.iter().any(|flag| flag.name == name);
    known.then(|| format!("--{name}"))
}

/// The number of an element of a list, and the key below it.
fn element<'a>(field: &'a str, list: &str) -> Option<(usize, &'a str)> {
    let (number, key) = field
        .strip_prefix(list)?
        .strip_prefix('[')?
        .split_once(']')?;
    Some((number.parse().ok()?, key.trim_start_matches('.')))
}

fn snake_case(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// The first field of an OCI configuration that a text names, with what is before and after it.
fn next_field(text: &str) -> Option<(&str, &str, &str)> {
    const STARTS: [&str; 5] = ["linux.", "process.", "root.", "mounts[", "networks["];
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "._-/\\\"".contains(letter);
    for (start, _) in text.char_indices() {
        let (before, tail) = text.split_at_checked(start)?;
        // In a path or a quoted text it is something else.
        if before.ends_with(is_part) || !STARTS.iter().any(|it| tail.starts_with(it)) {
            continue;
        }
        let is_of_field = |letter: char| letter.is_ascii_alphanumeric() || ".[]".contains(letter);
        let end = tail.find(|letter| !is_of_field(letter));
        let field = tail.get(..end.unwrap_or(tail.len()))?;
        let field = field.trim_end_matches('.');
        if !field.contains(['.', '[']) {
            continue;
        }
        return Some((before, field, tail.get(field.len()..)?));
    }
    None
}

#[cfg(test)]
mod tests {
    use configs::config::{Mount, Network};

    use super::*;

    fn config() -> Config {
        let mount = |destination: &str| Mount {
            destination: destination.to_owned(),
            ..Mount::default()
        };
        let veth = Network {
            name: "eth0".to_owned(),
            ..Network::default()
        };
        Config {
            mounts: vec![mount("/proc"), mount("/data")],
            networks: vec![Network::loopback(), veth],
            ..Config::default()
        }
    }

    fn text(origin: Origin, message: &str) -> String {
        Terms::of(&config(), origin).text(message)
    }

    #[test]
    fn fields_have_the_name_of_their_key_or_of_their_flag() {
        for (theirs, of_file, of_flags) in [
            ("linux.intelRdt: no", "intel_rdt: no", "intel_rdt: no"),
            (
                "bad linux.sysctl \"x\"",
                "bad sysctl \"x\"",
                "bad --sysctl \"x\"",
            ),
            ("linux.resources: x", "cgroups: x", "cgroups: x"),
            (
                "process.apparmorProfile: x",
                "apparmor_profile: x",
                "--apparmor-profile: x",
            ),
            ("process.user: x", "the user: x", "the user: x"),
            (
                "linux.uidMappings and linux.gidMappings",
                "uid_mappings and gid_mappings",
                "uid_mappings and gid_mappings",
            ),
        ] {
            assert_eq!(text(Origin::File, theirs), of_file);
            assert_eq!(text(Origin::Flags, theirs), of_flags);
        }
    }

    #[test]
    fn elements_are_named_instead_of_counted() {
        let mounts = "a: mounts[1].source \"rel\" is not absolute";
        let named = "a: mount \"/data\": source \"rel\" is not absolute";
        assert_eq!(text(Origin::File, mounts), named);
        assert_eq!(text(Origin::Flags, mounts), named);
        assert_eq!(text(Origin::File, "mounts[0]: x"), "mount \"/proc\": x");
        let networks = "networks[1].bridge \"br0\": x";
        let named = "network \"eth0\": bridge \"br0\": x";
        assert_eq!(text(Origin::File, networks), named);
        assert_eq!(text(Origin::Flags, networks), "--veth-bridge \"br0\": x");
        let inner = "networks[1].name \"eth0\": x";
        let named = "network \"eth0\": name \"eth0\": x";
        assert_eq!(text(Origin::Flags, inner), named);
    }

    #[test]
    fn what_only_looks_like_a_field_stays() {
        for same in [
            "open /etc/linux.conf: x",
            "exec: \"process.x\": not found",
            "mounts[9]: x",
            "mounts[x]: y",
            "a process. Then",
        ] {
            assert_eq!(text(Origin::File, same), same);
        }
        let paused = "cannot exec in a paused container (use --ignore-paused to override)";
        let said = "cannot exec in a paused container";
        assert_eq!(text(Origin::Flags, paused), said);
    }
}
