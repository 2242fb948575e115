//! The `seccomp` object: the system call filter as the bundle writes it.
//!
//! Elsewhere in a configuration an unknown key is ignored, as the specification demands. A filter
//! is weaker for what it leaves out: `includes` and `excludes`, from profiles in Docker's own form,
//! say when a rule applies, and without them it always would. So here an unknown key is an error
//! that names it.

use serde::{Deserialize, Serialize};

use crate::nullable::{is_default, none_or_empty, or_default};

/// A system call filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Seccomp {
    /// `SCMP_ACT_…` for what no rule matches.
    #[serde(deserialize_with = "or_default")]
    pub default_action: String,
    /// Errno for a default action of ERRNO or TRACE; absent means EPERM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// `SCMP_ARCH_…` names added to the native architecture.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// `SECCOMP_FILTER_FLAG_…` names. Absent asks for the runtime's default (SPEC_ALLOW where
    /// supported), empty for none.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub flags: Option<Vec<String>>,
    /// Socket that receives the notification descriptor.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub listener_path: String,
    /// Opaque data for the listener.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub listener_metadata: String,
    /// The rules.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub syscalls: Vec<Syscall>,
}

/// One rule for a list of system calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Syscall {
    /// System call names.
    #[serde(deserialize_with = "or_default")]
    pub names: Vec<String>,
    /// `SCMP_ACT_…`.
    #[serde(deserialize_with = "or_default")]
    pub action: String,
    /// Errno for ERRNO and TRACE; absent means EPERM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// Conditions on the arguments.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<SeccompArg>,
}

/// A condition on one argument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SeccompArg {
    /// Argument number, 0..=5.
    #[serde(deserialize_with = "or_default")]
    pub index: u32,
    /// Value compared with, or the mask of `SCMP_CMP_MASKED_EQ`.
    #[serde(deserialize_with = "or_default")]
    pub value: u64,
    /// Value compared with after masking.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub value_two: u64,
    /// `SCMP_CMP_…`.
    #[serde(deserialize_with = "or_default")]
    pub op: String,
}
