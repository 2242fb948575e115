//! The system call filter: names to numbers, one rule for each name.

use crate::config::{ActionName, Architecture, Arg, FilterFlag, Operator, Seccomp, SeccompSyscall};
use crate::{Error, HostInfo, Result, oci};

/// Converts a filter; `None` when there is nothing to filter.
///
/// # Errors
/// An action, operator, architecture or flag is not known, or the kernel does not have the flag.
pub fn seccomp(filter: &oci::Seccomp, host: &HostInfo) -> Result<Option<Seccomp>> {
    if filter.default_action.is_empty() && filter.syscalls.is_empty() {
        return Ok(None);
    }
    let mut syscalls =
        Vec::with_capacity(filter.syscalls.iter().map(|block| block.names.len()).sum());
    let flags = match &filter.flags {
        Some(names) => names
            .iter()
            .map(|name| flag(name, host))
            .collect::<Result<_>>()?,
        None => Some(FilterFlag::SpecAllow)
            .filter(|flag| host.seccomp_flags.contains(flag))
            .into_iter()
            .collect(),
    };
    let architectures = filter
        .architectures
        .iter()
        .map(|name| architecture(name))
        .collect::<Result<_>>()?;
    let default_action = action(&filter.default_action)?;
    for block in &filter.syscalls {
        let action = action(&block.action)?;
        let args: Vec<_> = block.args.iter().map(argument).collect::<Result<_>>()?;
        syscalls.extend(block.names.iter().map(|name| SeccompSyscall {
            name: name.clone(),
            action,
            errno_ret: block.errno_ret,
            args: args.clone(),
        }));
    }
    Ok(Some(Seccomp {
        default_action,
        architectures,
        flags,
        syscalls,
        default_errno_ret: filter.default_errno_ret,
        listener_path: filter.listener_path.clone(),
        listener_metadata: filter.listener_metadata.clone(),
    }))
}

fn flag(name: &str, host: &HostInfo) -> Result<FilterFlag> {
    let flag = FilterFlag::from_name(name)
        .ok_or_else(|| Error::conversion(format!("seccomp flag {name:?} is not known")))?;
    // TSYNC has no effect on a process with one thread, and is not passed on.
    if flag != FilterFlag::Tsync && !host.seccomp_flags.contains(&flag) {
        return Err(Error::conversion(format!(
            "seccomp flag {name:?} is not supported by the kernel"
        )));
    }
    Ok(flag)
}

fn architecture(name: &str) -> Result<Architecture> {
    Architecture::from_name(name)
        .ok_or_else(|| Error::conversion(format!("string {name} is not a valid arch for seccomp")))
}

fn action(name: &str) -> Result<ActionName> {
    ActionName::from_name(name).ok_or_else(|| {
        Error::conversion(format!("string {name} is not a valid action for seccomp"))
    })
}

fn argument(arg: &oci::SeccompArg) -> Result<Arg> {
    let op = Operator::from_name(&arg.op).ok_or_else(|| {
        Error::conversion(format!(
            "string {} is not a valid operator for seccomp",
            arg.op
        ))
    })?;
    Ok(Arg {
        index: arg.index,
        value: arg.value,
        value_two: arg.value_two,
        op,
    })
}

#[cfg(test)]
mod tests;
