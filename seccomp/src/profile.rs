//! The OCI seccomp object.

use crate::error::{Error, Result};
use crate::program::Program;

/// A seccomp profile: the content of `linux.seccomp` in an OCI configuration (runtime-spec 1.3,
/// "config-linux.md", section Seccomp).
///
/// Names of actions, operators, architectures and flags are open strings, so that a profile can be carried and
/// printed unchanged; [`compile`](crate::compile()) reports what it does not know. With the feature `serde` the JSON
/// names are the specification's, unknown keys are ignored and `null` stands for an absent value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct Profile {
    /// The action for system calls without a rule, a `SCMP_ACT_*` name.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "null_is_default"))]
    pub default_action: String,
    /// The error number of the default action, when it is `SCMP_ACT_ERRNO` or `SCMP_ACT_TRACE`; `EPERM` if absent.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub default_errno_ret: Option<u32>,
    /// Architectures (`SCMP_ARCH_*`) besides the native one, which is always part of the filter.
    #[cfg_attr(
        feature = "serde",
        serde(
            deserialize_with = "null_is_default",
            skip_serializing_if = "Vec::is_empty"
        )
    )]
    pub architectures: Vec<String>,
    /// `SECCOMP_FILTER_FLAG_*` names. Absent means `SECCOMP_FILTER_FLAG_SPEC_ALLOW` where the kernel has it; an
    /// empty list means no flag.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub flags: Option<Vec<String>>,
    /// Path of the UNIX socket that receives the listener descriptor of `SCMP_ACT_NOTIFY` rules; a leading `@`
    /// stands for the abstract namespace.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub listener_path: Option<String>,
    /// Opaque data sent along with the listener descriptor.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub listener_metadata: Option<String>,
    /// The rules.
    #[cfg_attr(
        feature = "serde",
        serde(
            deserialize_with = "null_is_default",
            skip_serializing_if = "Vec::is_empty"
        )
    )]
    pub syscalls: Vec<Rule>,
}

/// One action for a set of system calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct Rule {
    /// Names of system calls; those that no architecture has are reported and left out.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "null_is_default"))]
    pub names: Vec<String>,
    /// The action, a `SCMP_ACT_*` name.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "null_is_default"))]
    pub action: String,
    /// The error number of `SCMP_ACT_ERRNO` or the message of `SCMP_ACT_TRACE`; `EPERM` if absent. Other actions
    /// ignore it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub errno_ret: Option<u32>,
    /// Conditions on arguments. Conditions on different arguments must all hold; if an argument is named twice,
    /// any single condition suffices.
    #[cfg_attr(
        feature = "serde",
        serde(
            deserialize_with = "null_is_default",
            skip_serializing_if = "Vec::is_empty"
        )
    )]
    pub args: Vec<Arg>,
}

/// A condition on one argument of a system call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct Arg {
    /// Which argument, 0 to 5.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "null_is_default"))]
    pub index: u32,
    /// The value to compare with; for `SCMP_CMP_MASKED_EQ` the mask.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "null_is_default"))]
    pub value: u64,
    /// For `SCMP_CMP_MASKED_EQ` the value of the masked argument; unused otherwise.
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "null_is_default", skip_serializing_if = "is_zero")
    )]
    pub value_two: u64,
    /// The comparison, a `SCMP_CMP_*` name.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "null_is_default"))]
    pub op: String,
}

impl Profile {
    /// Whether the object asks for nothing (no default action and no rules), which means "no filter".
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.default_action.is_empty() && self.syscalls.is_empty()
    }

    /// The socket that must get the listener descriptor of `program`, the compiled form of this profile.
    ///
    /// `None` when no rule is `SCMP_ACT_NOTIFY`: `listenerPath` is then ignored.
    ///
    /// # Errors
    ///
    /// There is such a rule, and `listenerPath` is absent or empty.
    pub fn listener_for(&self, program: &Program) -> Result<Option<&str>> {
        if !program.notify() {
            return Ok(None);
        }
        match self.listener_path.as_deref() {
            None | Some("") => Err(Error::invalid("seccomp listenerPath is not set")),
            path => Ok(path),
        }
    }
}

#[cfg(feature = "serde")]
fn null_is_default<'de, D, T>(deserializer: D) -> std::result::Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + serde::Deserialize<'de>,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(feature = "serde")]
#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference to the field"
)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
