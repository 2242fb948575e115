//! The system call filter as libcontainer stores it: names of actions and operators as numbers,
//! architectures under Go's names, one rule for each system call.

use seccomp::{ActionName, Architecture, Arg, FilterFlag, Operator, Profile, Rule};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::nullable::{is_default, or_default};
use crate::stored::{self, Stored};

/// Gives the names of an enumeration the numbers that libcontainer stores.
macro_rules! numbers {
    ($enum:ident { $($number:literal = $variant:ident,)* }) => {
        impl Stored for $enum {
            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u32(match self { $(Self::$variant => $number,)* })
            }

            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match u32::deserialize(deserializer)? {
                    $($number => Ok(Self::$variant),)*
                    other => Err(D::Error::custom(format_args!(
                        concat!("{} is no value of ", stringify!($enum)), other
                    ))),
                }
            }
        }
    };
}

numbers! {
    ActionName {
        1 = Kill,
        2 = Errno,
        3 = Trap,
        4 = Allow,
        5 = Trace,
        6 = Log,
        7 = Notify,
        8 = KillThread,
        9 = KillProcess,
    }
}

numbers! {
    Operator {
        1 = Equal,
        2 = NotEqual,
        3 = Greater,
        4 = GreaterOrEqual,
        5 = Less,
        6 = LessOrEqual,
        7 = MaskedEqual,
    }
}

impl Stored for Architecture {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.short_name())
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_short_name(&name)
            .ok_or_else(|| D::Error::custom(format_args!("{name:?} is no value of Architecture")))
    }
}

/// The form of state.json: the operator is a number.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Arg")]
struct StoredArg {
    index: u32,
    value: u64,
    #[serde(default, deserialize_with = "or_default")]
    value_two: u64,
    #[serde(with = "stored::one")]
    op: Operator,
}

impl Stored for Arg {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        StoredArg::serialize(self, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        StoredArg::deserialize(deserializer)
    }
}

/// A system call filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seccomp {
    /// For what no rule matches.
    #[serde(with = "stored::one")]
    pub default_action: ActionName,
    /// Architectures added to the native one.
    #[serde(default, with = "stored::list")]
    pub architectures: Vec<Architecture>,
    /// Flags for the kernel.
    #[serde(default, deserialize_with = "or_default")]
    pub flags: Vec<FilterFlag>,
    /// One rule for each system call name and block of the bundle.
    #[serde(default, deserialize_with = "or_default")]
    pub syscalls: Vec<SeccompSyscall>,
    /// Errno of the default action; `None` means EPERM.
    #[serde(default)]
    pub default_errno_ret: Option<u32>,
    /// Socket that receives the notification descriptor.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub listener_path: String,
    /// Opaque data for the listener.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub listener_metadata: String,
}

/// A rule for one system call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeccompSyscall {
    /// Name of the call.
    pub name: String,
    /// What happens.
    #[serde(with = "stored::one")]
    pub action: ActionName,
    /// Errno of the action; `None` means EPERM.
    #[serde(rename = "errnoRet", default)]
    pub errno_ret: Option<u32>,
    /// Conditions; none means every call.
    #[serde(default, with = "stored::list")]
    pub args: Vec<Arg>,
}

impl Seccomp {
    /// The profile to compile.
    #[must_use]
    pub fn profile(&self) -> Profile {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Profile {
            default_action: self.default_action,
            default_errno_ret: self.default_errno_ret,
            architectures: self.architectures.clone(),
            flags: Some(self.flags.clone()),
            listener_path: some(&self.listener_path),
            listener_metadata: some(&self.listener_metadata),
            syscalls: self.syscalls.iter().map(SeccompSyscall::rule).collect(),
        }
    }
}

impl SeccompSyscall {
    fn rule(&self) -> Rule {
        Rule {
            names: vec![self.name.clone()],
            action: self.action,
            errno_ret: self.errno_ret,
            args: self.args.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Form<T: Stored>(#[serde(with = "stored::list")] Vec<T>);

    fn check<T: Stored + Copy + Debug + PartialEq>(values: &[T], text: &str) {
        assert_eq!(serde_json::to_string(&Form(values.to_vec())).unwrap(), text);
        let Form(read): Form<T> = serde_json::from_str(text).unwrap();
        assert_eq!(read, values);
        let Form(none): Form<T> = serde_json::from_str("null").unwrap();
        assert_eq!(none, []);
        assert!(serde_json::from_str::<Form<T>>("[0]").is_err());
        assert!(serde_json::from_str::<Form<T>>("[10]").is_err());
        assert!(serde_json::from_str::<Form<T>>("[\"SCMP_ARCH_X86\"]").is_err());
    }

    #[test]
    fn values_are_stored_as_libcontainer_does() {
        use ActionName::{Allow, Errno, Kill, KillProcess, KillThread, Log, Notify, Trace, Trap};
        let actions = [
            Kill,
            Errno,
            Trap,
            Allow,
            Trace,
            Log,
            Notify,
            KillThread,
            KillProcess,
        ];
        check(&actions, "[1,2,3,4,5,6,7,8,9]");
        use Operator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, MaskedEqual, NotEqual};
        let operators = [
            Equal,
            NotEqual,
            Greater,
            GreaterOrEqual,
            Less,
            LessOrEqual,
            MaskedEqual,
        ];
        check(&operators, "[1,2,3,4,5,6,7]");
        check(
            Architecture::ALL,
            "[\"arm64\",\"arm\",\"loong64\",\"mips\",\"mips64\",\"mips64n32\",\"mipsel\",\
             \"mipsel64\",\"mipsel64n32\",\"ppc\",\"ppc64\",\"ppc64le\",\"riscv64\",\"s390\",\
             \"s390x\",\"x32\",\"x86\",\"amd64\"]",
        );
    }
}
