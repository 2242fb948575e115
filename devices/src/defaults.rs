//! The devices that every container gets.
//!
//! runtime-spec, config-linux.md, "Default Devices", and what engines have come to rely on beyond
//! it: creating (not opening) any node, pseudo terminals, and `/dev/net/tun`.

use std::path::PathBuf;

use crate::{Access, Device, Kind, Rule};

/// One entry of the default allow list: a rule, and the node that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Default {
    /// What is allowed.
    pub rule: Rule,
    /// The path of the node that every root file system gets, if the entry has one.
    pub node: Option<&'static str>,
}

const fn character(major: Option<u32>, minor: Option<u32>) -> Rule {
    Rule::allow(Kind::Char, major, minor, Access::ALL)
}

const fn node(path: &'static str, major: u32, minor: u32) -> Default {
    Default {
        rule: character(Some(major), Some(minor)),
        node: Some(path),
    }
}

const fn rule(rule: Rule) -> Default {
    Default { rule, node: None }
}

/// The default list, in the order in which it is appended to a container's own rules.
///
/// A configured device with the path of one of these nodes takes the place of the whole entry,
/// rule included.
pub const DEFAULTS: [Default; 11] = [
    rule(Rule::allow(Kind::Char, None, None, Access::MKNOD)),
    rule(Rule::allow(Kind::Block, None, None, Access::MKNOD)),
    node("/dev/null", 1, 3),
    node("/dev/random", 1, 8),
    node("/dev/full", 1, 7),
    node("/dev/tty", 5, 0),
    node("/dev/zero", 1, 5),
    node("/dev/urandom", 1, 9),
    // Pseudo terminals: /dev/pts/N and /dev/ptmx.
    rule(character(Some(136), None)),
    rule(character(Some(5), Some(2))),
    // tun and tap interfaces; the node is up to the image.
    rule(character(Some(10), Some(200))),
];

/// The rules of [`DEFAULTS`].
pub fn rules() -> impl Iterator<Item = Rule> {
    DEFAULTS.iter().map(|default| default.rule)
}

/// The nodes of [`DEFAULTS`]: mode 0666, owned by 0:0.
pub fn nodes() -> impl Iterator<Item = Device> {
    DEFAULTS.iter().filter_map(|default| {
        Some(Device {
            path: PathBuf::from(default.node?),
            kind: default.rule.kind,
            major: default.rule.major?,
            minor: default.rule.minor?,
            mode: 0o666,
            uid: 0,
            gid: 0,
        })
    })
}

/// The symbolic links every `/dev` gets, as (path, target).
///
/// `/dev/core` is only wanted where the host has `/proc/kcore`.
pub const LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/core", "/proc/kcore"),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn nodes_match_the_numbers_of_this_kernel() {
        for node in nodes() {
            let Ok(host) = crate::from_path(Path::new(&node.path)) else {
                println!("skipped {}: not on this host", node.path.display());
                continue;
            };
            assert_eq!(
                (node.kind, node.major, node.minor),
                (host.kind, host.major, host.minor),
                "{}",
                node.path.display()
            );
        }
        assert_eq!(nodes().count(), 6);
    }

    #[test]
    fn rules_in_order() {
        let text: Vec<_> = rules().map(|rule| rule.to_string()).collect();
        assert_eq!(text[0], "c *:* m");
        assert_eq!(text[1], "b *:* m");
        assert_eq!(text[8..], ["c 136:* rwm", "c 5:2 rwm", "c 10:200 rwm"]);
        assert!(rules().all(|rule| rule.allow));
    }
}
