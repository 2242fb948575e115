//! System call filters: by number in 2015, by name since.

use ::seccomp::{ActionName, Architecture, Arg, FilterFlag, Operator};
use serde::de::value::{Error as ValueError, StrDeserializer, U32Deserializer};

use super::reading::{Reading, below, keys, number, refused};
use crate::Result;
use crate::config::{Seccomp, SeccompSyscall};
use crate::stored::Stored;

keys! {
    /// The filter.
    struct RawSeccomp {
        default_action: u32;
        architectures: Vec<String>;
        flags: Vec<FilterFlag>;
        syscalls: Vec<RawSyscall>;
        default_errno_ret: u32;
        listener_path: String;
        listener_metadata: String;
    }
}

keys! {
    /// A rule about one call.
    struct RawSyscall {
        value: u32;
        name: String;
        action: i64;
        errno_ret as "errnoRet": u32;
        args: Vec<RawArg>;
    }
}

keys! {
    /// A condition on an argument.
    struct RawArg {
        index: u32;
        value: u64;
        value_two: u64;
        op: u32;
    }
}

/// Converts a filter of either form.
pub(super) fn convert(filter: RawSeccomp, reading: &Reading<'_>) -> Result<Seccomp> {
    let Some(action) = filter.default_action else {
        return by_number(filter, reading);
    };
    let text = |text: Option<String>| text.unwrap_or_default();
    let mut syscalls = Vec::new();
    for (index, raw) in filter.syscalls.unwrap_or_default().into_iter().enumerate() {
        syscalls.push(named_rule(raw, &format!("seccomp.syscalls[{index}]"))?);
    }
    let mut architectures = Vec::new();
    for (index, name) in filter.architectures.unwrap_or_default().iter().enumerate() {
        let read = Architecture::read(StrDeserializer::<ValueError>::new(name));
        let place = format!("seccomp.architectures[{index}]");
        architectures.push(read.map_err(|error| refused(place, error))?);
    }
    Ok(Seccomp {
        default_action: stored(action, "seccomp.default_action")?,
        architectures,
        flags: filter.flags.unwrap_or_default(),
        syscalls,
        default_errno_ret: filter.default_errno_ret,
        listener_path: text(filter.listener_path),
        listener_metadata: text(filter.listener_metadata),
    })
}

/// The value of a number as it is stored today.
fn stored<T: Stored>(number: u32, place: &str) -> Result<T> {
    T::read(U32Deserializer::<ValueError>::new(number)).map_err(|error| refused(place, error))
}

fn named_rule(raw: RawSyscall, place: &str) -> Result<SeccompSyscall> {
    let name = raw.name.unwrap_or_default();
    if name.is_empty() {
        return Err(refused(
            below(place, "name"),
            "the name of a call is missing",
        ));
    }
    let action = below(place, "action");
    let mut args = Vec::new();
    for (index, arg) in raw.args.unwrap_or_default().into_iter().enumerate() {
        let op = format!("{place}.args[{index}].op");
        args.push(Arg {
            index: arg.index.unwrap_or_default(),
            value: arg.value.unwrap_or_default(),
            value_two: arg.value_two.unwrap_or_default(),
            op: stored(arg.op.unwrap_or_default(), &op)?,
        });
    }
    Ok(SeccompSyscall {
        name,
        action: stored(number(raw.action.unwrap_or_default(), &action)?, &action)?,
        errno_ret: raw.errno_ret,
        args,
    })
}

/// A filter of 2015: what no rule is about is allowed, and calls are numbers of the machine that
/// wrote the file, which was an x86_64 one.
fn by_number(filter: RawSeccomp, reading: &Reading<'_>) -> Result<Seccomp> {
    let mut syscalls = Vec::new();
    for (index, raw) in filter.syscalls.unwrap_or_default().into_iter().enumerate() {
        let place = format!("seccomp.syscalls[{index}]");
        syscalls.push(numbered_rule(raw, &place, reading)?);
    }
    Ok(Seccomp {
        default_action: ActionName::Allow,
        architectures: Vec::new(),
        flags: Vec::new(),
        syscalls,
        default_errno_ret: None,
        listener_path: String::new(),
        listener_metadata: String::new(),
    })
}

fn numbered_rule(raw: RawSyscall, place: &str, reading: &Reading<'_>) -> Result<SeccompSyscall> {
    let value = below(place, "value");
    let Some(call) = raw.value else {
        return Err(refused(value, "the number of a call is missing"));
    };
    if reading.options.architecture != Architecture::X86_64 {
        let message = "numbers of system calls are those of x86_64, and this is another machine";
        return Err(refused(value, message));
    }
    let name = Architecture::X86_64.syscall_name(call).ok_or_else(|| {
        refused(
            value,
            format_args!("no system call of x86_64 has the number {call}"),
        )
    })?;
    let (action, errno_ret) = match raw.action.unwrap_or_default() {
        -3 => (ActionName::Kill, None),
        -2 => (ActionName::Trap, None),
        -1 => (ActionName::Allow, None),
        errno => {
            let errno = number(errno, &below(place, "action"))?;
            (ActionName::Errno, Some(errno))
        }
    };
    let mut args = Vec::new();
    for (index, arg) in raw.args.unwrap_or_default().into_iter().enumerate() {
        args.push(numbered_arg(&arg, &format!("{place}.args[{index}]"))?);
    }
    Ok(SeccompSyscall {
        name: name.to_owned(),
        action,
        errno_ret,
        args,
    })
}

fn numbered_arg(arg: &RawArg, place: &str) -> Result<Arg> {
    let value = arg.value.unwrap_or_default();
    if u32::try_from(value).is_err() {
        let message = format!("{value} is out of range");
        return Err(refused(below(place, "value"), message));
    }
    let op = match arg.op.unwrap_or_default() {
        0 => Operator::Equal,
        1 => Operator::NotEqual,
        2 => Operator::Greater,
        3 => Operator::Less,
        4 => Operator::MaskedEqual,
        other => {
            let message = format!("{other} is not an operator");
            return Err(refused(below(place, "op"), message));
        }
    };
    Ok(Arg {
        index: arg.index.unwrap_or_default(),
        value,
        // All bits of the mask are set.
        value_two: if op == Operator::MaskedEqual {
            value
        } else {
            0
        },
        op,
    })
}
