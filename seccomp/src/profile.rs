//! The OCI seccomp object.

use crate::action::{Action, ActionName};
use crate::architecture::Architecture;
use crate::error::{Error, Result};
use crate::flags::FilterFlag;
use crate::operator::Operator;
use crate::program::Program;

/// A seccomp profile: the content of `linux.seccomp` in an OCI configuration (runtime-spec 1.3,
/// "config-linux.md", section Seccomp).
///
/// With the feature `serde` the JSON names are the specification's, and `null` means an absent
/// value. A key, or a name of an action, an operator, an architecture or a flag, that is not one of
/// the specification's is an error that names it: a filter without it can be weaker than was meant.
/// For a document in Docker's form there is [`DockerProfile`](crate::DockerProfile).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "camelCase", deny_unknown_fields)
)]
pub struct Profile {
    /// The action for system calls without a rule.
    pub default_action: ActionName,
    /// The error number of the default action, when it is `SCMP_ACT_ERRNO` or `SCMP_ACT_TRACE`;
    /// `EPERM` if absent.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub default_errno_ret: Option<u32>,
    /// Architectures besides the native one, which is always part of the filter.
    #[cfg_attr(
        feature = "serde",
        serde(
            default,
            deserialize_with = "null_is_default",
            skip_serializing_if = "Vec::is_empty"
        )
    )]
    pub architectures: Vec<Architecture>,
    /// Flags for the kernel. Absent means [`SpecAllow`](FilterFlag::SpecAllow) where the kernel has
    /// it; an empty list means no flag.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub flags: Option<Vec<FilterFlag>>,
    /// Path of the UNIX socket that receives the listener descriptor of `SCMP_ACT_NOTIFY` rules; a
    /// leading `@` means the abstract namespace.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub listener_path: Option<String>,
    /// Opaque data sent along with the listener descriptor.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub listener_metadata: Option<String>,
    /// The rules.
    #[cfg_attr(
        feature = "serde",
        serde(
            default,
            deserialize_with = "null_is_default",
            skip_serializing_if = "Vec::is_empty"
        )
    )]
    pub syscalls: Vec<Rule>,
}

/// One action for a set of system calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "camelCase", deny_unknown_fields)
)]
pub struct Rule {
    /// Names of system calls; those that no architecture has are reported and left out.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "null_is_default")
    )]
    pub names: Vec<String>,
    /// The action.
    pub action: ActionName,
    /// The error number of `SCMP_ACT_ERRNO` or the message of `SCMP_ACT_TRACE`; `EPERM` if absent.
    /// Other actions ignore it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub errno_ret: Option<u32>,
    /// Conditions on arguments. Conditions on different arguments must all hold; if an argument is
    /// named twice, any single condition suffices.
    #[cfg_attr(
        feature = "serde",
        serde(
            default,
            deserialize_with = "null_is_default",
            skip_serializing_if = "Vec::is_empty"
        )
    )]
    pub args: Vec<Arg>,
}

/// A condition on one argument of a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "camelCase", deny_unknown_fields)
)]
pub struct Arg {
    /// Which argument, 0 to 5.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "null_is_default")
    )]
    pub index: u32,
    /// The value to compare with; for `SCMP_CMP_MASKED_EQ` the mask.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "null_is_default")
    )]
    pub value: u64,
    /// For `SCMP_CMP_MASKED_EQ` the value of the masked argument; unused otherwise.
    #[cfg_attr(
        feature = "serde",
        serde(
            default,
            deserialize_with = "null_is_default",
            skip_serializing_if = "is_zero"
        )
    )]
    pub value_two: u64,
    /// The comparison.
    pub op: Operator,
}

impl Profile {
    /// A profile without rules: every system call of the native architecture gets `action`.
    #[must_use]
    pub fn new(action: Action) -> Self {
        let (default_action, default_errno_ret) = action.name_and_data();
        Self {
            default_action,
            default_errno_ret,
            architectures: Vec::new(),
            flags: None,
            listener_path: None,
            listener_metadata: None,
            syscalls: Vec::new(),
        }
    }

    /// Adds an architecture to the native one.
    #[must_use]
    pub fn architecture(mut self, architecture: Architecture) -> Self {
        self.architectures.push(architecture);
        self
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.syscalls.push(rule);
        self
    }

    /// Reads the JSON text of a profile in the OCI form.
    ///
    /// # Errors
    ///
    /// [`InvalidProfile`](crate::ErrorKind::InvalidProfile): the text is not JSON, a key is unknown
    /// or given twice, or a value has the wrong type. The source names the key and where it is.
    /// The keys that only Docker's form has are unknown here.
    #[cfg(feature = "serde")]
    pub fn from_slice(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).map_err(|error| Error::json("seccomp profile", error))
    }

    /// The socket that must get the listener descriptor of `program`, the compiled form of this
    /// profile.
    ///
    /// `None` when no rule is `SCMP_ACT_NOTIFY`: `listenerPath` is then ignored.
    ///
    /// # Errors
    ///
    /// There is such a rule, and `listenerPath` is absent, empty, or `@` alone. A socket address
    /// made of an empty name is that of an abstract socket (unix(7)), which any user may have
    /// bound.
    pub fn listener_for(&self, program: &Program) -> Result<Option<&str>> {
        if !program.notify() {
            return Ok(None);
        }
        match self.listener_path.as_deref() {
            None | Some("") => Err(Error::invalid("seccomp listenerPath is not set")),
            Some("@") => Err(Error::invalid(
                "seccomp listenerPath \"@\" names no abstract socket",
            )),
            path => Ok(path),
        }
    }
}

impl Rule {
    /// A rule that gives calls with these names an action, whatever their arguments.
    #[must_use]
    pub fn new<Names>(action: Action, names: Names) -> Self
    where
        Names: IntoIterator,
        Names::Item: Into<String>,
    {
        let (action, errno_ret) = action.name_and_data();
        Self {
            names: names.into_iter().map(Into::into).collect(),
            action,
            errno_ret,
            args: Vec::new(),
        }
    }

    /// Adds a condition on an argument, see [`args`](Self::args).
    #[must_use]
    pub fn when(mut self, arg: Arg) -> Self {
        self.args.push(arg);
        self
    }
}

impl Arg {
    /// The argument `index` (0 to 5) compared with a value.
    ///
    /// With [`Operator::MaskedEqual`], `value` is the mask and the masked argument must be 0; see
    /// [`masked`](Self::masked) for another value.
    #[must_use]
    pub fn new(index: u32, operator: Operator, value: u64) -> Self {
        Self {
            index,
            value,
            value_two: 0,
            op: operator,
        }
    }

    /// The condition that argument `index` (0 to 5), reduced to the bits of `mask`, is `value`.
    #[must_use]
    pub fn masked(index: u32, mask: u64, value: u64) -> Self {
        Self {
            value_two: value,
            ..Self::new(index, Operator::MaskedEqual, mask)
        }
    }
}

#[cfg(feature = "serde")]
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> std::result::Result<T, D::Error>
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
