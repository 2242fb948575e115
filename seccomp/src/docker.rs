//! Profiles in Docker's form: rules with conditions on the container and the host, resolved to an
//! OCI profile.

use serde::{Deserialize, Deserializer};

use crate::action::ActionName;
use crate::architecture::Architecture;
use crate::error::{Error, Result};
use crate::flags::FilterFlag;
use crate::profile::{Arg, Profile, Rule, null_is_default};

/// A profile in the form that Docker's `--security-opt seccomp=FILE` takes and its default profile
/// has.
///
/// It is the OCI form with additions: `archMap` in place of `architectures`, and for each rule
/// `name` in place of `names` (the form before Docker 1.12), a `comment`, and the conditions
/// `includes` and `excludes` with `caps`, `arches` and `minKernel`. Read as an OCI profile such a
/// document would mean something else: its rules would always apply. So [`Profile`] refuses it, and
/// this type refuses every key that it does not know, at any level, by name.
///
/// [`resolve`](Self::resolve) decides the conditions. Source: the `seccomp` folder of
/// `github.com/moby/profiles`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerProfile {
    default_action: ActionName,
    default_errno_ret: Option<u32>,
    #[serde(default, deserialize_with = "null_is_default")]
    architectures: Vec<Architecture>,
    #[serde(default, deserialize_with = "null_is_default")]
    arch_map: Vec<ArchitectureGroup>,
    flags: Option<Vec<FilterFlag>>,
    listener_path: Option<String>,
    listener_metadata: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    syscalls: Vec<ConditionalRule>,
}

/// An architecture with those that programs on it may use as well.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ArchitectureGroup {
    architecture: Architecture,
    #[serde(default, deserialize_with = "null_is_default")]
    sub_architectures: Vec<Architecture>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConditionalRule {
    #[serde(default, deserialize_with = "null_is_default")]
    name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    names: Vec<String>,
    action: ActionName,
    errno_ret: Option<u32>,
    #[serde(default, deserialize_with = "null_is_default")]
    args: Vec<Arg>,
    #[serde(default, deserialize_with = "null_is_default")]
    includes: Condition,
    #[serde(default, deserialize_with = "null_is_default")]
    excludes: Condition,
    #[allow(dead_code, reason = "read so that a value of another type is an error")]
    #[serde(default, deserialize_with = "null_is_default")]
    comment: String,
}

/// What a rule depends on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Condition {
    #[serde(deserialize_with = "null_is_default")]
    caps: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    arches: Vec<String>,
    #[serde(deserialize_with = "kernel_or_null")]
    min_kernel: Option<(u32, u32)>,
}

/// What the conditions of a [`DockerProfile`] are decided by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerConditions {
    /// The architecture that the container's program starts with.
    pub architecture: Architecture,
    /// The first two numbers of the kernel's release.
    pub kernel: (u32, u32),
    /// The names (`CAP_…`, `capabilities(7)`) in the bounding set of the container's process.
    pub bounding: Vec<String>,
}

impl DockerConditions {
    /// Those of this machine, for a container with this bounding set: the architecture of this
    /// build and the release that uname(2) returns.
    ///
    /// # Errors
    ///
    /// The architecture of this build has no name in profiles, or the release does not begin with
    /// two numbers.
    pub fn here<Names>(bounding: Names) -> Result<Self>
    where
        Names: IntoIterator,
        Names::Item: Into<String>,
    {
        let uname = rustix::system::uname();
        let release = uname.release().to_string_lossy();
        Ok(Self {
            architecture: Architecture::native().ok_or_else(|| {
                Error::new(
                    crate::ErrorKind::Unsupported,
                    "this architecture has no name in seccomp profiles",
                )
            })?,
            kernel: release_numbers(&release).ok_or_else(|| {
                Error::new(
                    crate::ErrorKind::Unsupported,
                    format!("kernel release {release:?} does not begin with two numbers"),
                )
            })?,
            bounding: bounding.into_iter().map(Into::into).collect(),
        })
    }
}

impl DockerProfile {
    /// Reads the JSON text of a profile. A profile in the OCI form is one without conditions.
    ///
    /// # Errors
    ///
    /// [`InvalidProfile`](crate::ErrorKind::InvalidProfile): the text is not JSON, a key is unknown
    /// or given twice, or a value has the wrong type. The source names the key and where it is.
    pub fn from_slice(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).map_err(|error| Error::json("seccomp profile", error))
    }

    /// The OCI profile that this one is for a container: without the rules whose conditions do not
    /// hold, and with the architectures that `archMap` has for the container's.
    ///
    /// A rule applies if none of its `excludes` holds and all of its `includes` do: an architecture
    /// holds if it is one of those listed, the capabilities of `includes` if all are in the
    /// bounding set, those of `excludes` if one is, and `minKernel` if the kernel is that one
    /// or newer.
    ///
    /// # Errors
    ///
    /// [`InvalidProfile`](crate::ErrorKind::InvalidProfile): `architectures` together with
    /// `archMap`, `name` together with `names`, a capability without `CAP_` in front, or an
    /// architecture in a condition that has no such name: what can never match would silently
    /// drop a rule, or keep one.
    pub fn resolve(&self, conditions: &DockerConditions) -> Result<Profile> {
        if !self.architectures.is_empty() && !self.arch_map.is_empty() {
            return Err(Error::invalid(
                "seccomp profile has both architectures and archMap",
            ));
        }
        let mut architectures = self.architectures.clone();
        let own = conditions.architecture;
        for group in &self.arch_map {
            if group.architecture == own && architectures.is_empty() {
                architectures.push(own);
                architectures.extend_from_slice(&group.sub_architectures);
            }
        }
        let mut syscalls = Vec::with_capacity(self.syscalls.len());
        for (index, rule) in self.syscalls.iter().enumerate() {
            let names = match (rule.name.is_empty(), rule.names.is_empty()) {
                (true, _) => rule.names.clone(),
                (false, true) => vec![rule.name.clone()],
                (false, false) => {
                    return Err(Error::invalid(format!(
                        "seccomp profile has both name and names in syscalls[{index}]"
                    )));
                }
            };
            rule.includes.check(index, "includes")?;
            rule.excludes.check(index, "excludes")?;
            if rule.applies(conditions) {
                syscalls.push(Rule {
                    names,
                    action: rule.action,
                    errno_ret: rule.errno_ret,
                    args: rule.args.clone(),
                });
            }
        }
        Ok(Profile {
            default_action: self.default_action,
            default_errno_ret: self.default_errno_ret,
            architectures,
            flags: self.flags.clone(),
            listener_path: self.listener_path.clone(),
            listener_metadata: self.listener_metadata.clone(),
            syscalls,
        })
    }
}

impl ConditionalRule {
    fn applies(&self, conditions: &DockerConditions) -> bool {
        let has = |capability: &String| conditions.bounding.contains(capability);
        let own = |name: &String| names(conditions.architecture).any(|own| own == name);
        let (includes, excludes) = (&self.includes, &self.excludes);
        let excluded = excludes.arches.iter().any(own)
            || excludes.caps.iter().any(has)
            || excludes
                .min_kernel
                .is_some_and(|min| conditions.kernel >= min);
        let included = (includes.arches.is_empty() || includes.arches.iter().any(own))
            && includes.caps.iter().all(has)
            && includes
                .min_kernel
                .is_none_or(|min| conditions.kernel >= min);
        included && !excluded
    }
}

impl Condition {
    /// Every name must be one that can match somewhere.
    fn check(&self, rule: usize, which: &str) -> Result<()> {
        if let Some(name) = self.caps.iter().find(|name| !name.starts_with("CAP_")) {
            return Err(Error::invalid(format!(
                "seccomp profile syscalls[{rule}].{which}.caps: {name:?} is no capability"
            )));
        }
        let known = |name: &str| {
            Architecture::ALL
                .iter()
                .any(|architecture| names(*architecture).any(|one| one == name))
        };
        if let Some(name) = self.arches.iter().find(|name| !known(name)) {
            return Err(Error::invalid(format!(
                "seccomp profile syscalls[{rule}].{which}.arches: {name:?} is no architecture"
            )));
        }
        Ok(())
    }
}

/// The names that `arches` has for an architecture: the short one, and where they differ that of
/// Go or of libseccomp.
fn names(architecture: Architecture) -> impl Iterator<Item = &'static str> {
    let other = match architecture {
        Architecture::Aarch64 => Some("aarch64"),
        Architecture::Loongarch64 => Some("loongarch64"),
        Architecture::Mipsel => Some("mipsle"),
        Architecture::Mipsel64 => Some("mips64le"),
        Architecture::Mipsel64N32 => Some("mips3l64n32"),
        Architecture::X86 => Some("386"),
        Architecture::X86_64 => Some("x86_64"),
        _ => None,
    };
    std::iter::once(architecture.short_name()).chain(other)
}

/// `"4.8"`; as with Docker an empty text is older than every kernel.
fn kernel_or_null<'de, D>(deserializer: D) -> std::result::Result<Option<(u32, u32)>, D::Error>
where
    D: Deserializer<'de>,
{
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    if text.is_empty() {
        return Ok(Some((0, 0)));
    }
    let number = |text: &str| text.parse::<u8>().ok().map(u32::from);
    text.split_once('.')
        .and_then(|(first, second)| Some((number(first)?, number(second)?)))
        .filter(|version| *version != (0, 0))
        .map(Some)
        .ok_or_else(|| {
            serde::de::Error::custom(format!(
                "invalid kernel version {text:?}, expected \"<kernel>.<major>\""
            ))
        })
}

/// The first two numbers of a release such as `6.18.1-arch`.
fn release_numbers(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(second))) => Some((first, second)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_begin_with_two_numbers() {
        assert_eq!(release_numbers("6.18.1-arch"), Some((6, 18)));
        assert_eq!(release_numbers("10.0"), Some((10, 0)));
        assert_eq!(release_numbers("3.12-rc5"), Some((3, 12)));
        assert_eq!(release_numbers("weird"), None);
        let here = DockerConditions::here(["CAP_KILL"]).unwrap();
        assert!(here.kernel >= (5, 10), "{here:?}");
        assert_eq!(here.bounding, ["CAP_KILL"]);
    }

    #[test]
    fn no_two_architectures_share_a_name() {
        let mut all: Vec<&str> = Architecture::ALL.iter().copied().flat_map(names).collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
