//! A profile that was checked: what both backends work from.

use crate::action::Action;
use crate::architecture::Architecture;
use crate::error::{Error, ErrorKind, Result};
use crate::features;
use crate::flags::{FilterFlag, FilterFlags};
use crate::operator::Operator;
use crate::profile::{Arg, Profile};
use crate::warning::Warning;

/// The last index of an argument.
const MAX_ARG_INDEX: u32 = 5;

/// The kernel support that `SCMP_ACT_NOTIFY` needs, in libseccomp's API levels
/// (seccomp_api_get(3)).
const NOTIFY_API_LEVEL: u32 = 6;

/// A profile that was checked.
#[derive(Debug)]
pub(crate) struct Rules<'profile> {
    /// For system calls without a rule.
    pub(crate) default_action: Action,
    /// The native architecture, then those of the profile, each once.
    pub(crate) architectures: Vec<Architecture>,
    /// The flags to load the filter with.
    pub(crate) flags: FilterFlags,
    /// In the order of the profile.
    pub(crate) entries: Vec<Entry<'profile>>,
}

/// One rule of the profile.
#[derive(Debug)]
pub(crate) struct Entry<'profile> {
    /// Names, none of them empty.
    pub(crate) names: &'profile [String],
    /// What to do.
    pub(crate) action: Action,
    /// The rule matches if all conditions of one of these hold; no element means that it matches
    /// always.
    pub(crate) alternatives: Vec<Vec<Condition>>,
}

/// A condition on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition {
    /// 0 to 5.
    pub(crate) index: u8,
    pub(crate) operator: Operator,
    pub(crate) value: u64,
    /// For [`Operator::MaskedEqual`], what the masked argument is compared with.
    pub(crate) value_two: u64,
}

impl Condition {
    /// Whether the condition asks for nothing: a mask without bits. `wide` says whether arguments
    /// have 64 bits.
    pub(crate) fn always_holds(&self, wide: bool) -> bool {
        let seen = if wide { u64::MAX } else { u64::from(u32::MAX) };
        self.operator == Operator::MaskedEqual && self.value & seen == 0
    }
}

impl<'profile> Rules<'profile> {
    /// Checks a profile for the native architecture.
    pub(crate) fn new(profile: &'profile Profile, warnings: &mut Vec<Warning>) -> Result<Self> {
        let default_action = profile.default_action.action(profile.default_errno_ret)?;
        let architectures = architectures(profile)?;
        let mut flags = requested_flags(profile)?;
        let mut entries = Vec::with_capacity(profile.syscalls.len());
        for rule in &profile.syscalls {
            if rule.names.iter().any(String::is_empty) {
                return Err(Error::invalid("empty string is not a valid syscall"));
            }
            entries.push(Entry {
                names: &rule.names,
                action: rule.action.action(rule.errno_ret)?,
                alternatives: alternatives(&rule.args)?,
            });
        }
        check_notify(default_action, &entries)?;
        if entries.iter().any(|entry| entry.action == Action::Notify) {
            flags |= FilterFlags::NEW_LISTENER;
        } else if flags.contains(FilterFlags::WAIT_KILLABLE_RECV) {
            // The kernel refuses the flag without a listener, to which alone it applies.
            flags = FilterFlags::from_bits_retain(
                flags.bits() & !FilterFlags::WAIT_KILLABLE_RECV.bits(),
            );
            warnings.push(Warning::FlagWithoutListener(
                "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
            ));
        }
        Ok(Self {
            default_action,
            architectures,
            flags,
            entries,
        })
    }

    /// Whether calls newer than the profile get `ENOSYS`: programs fall back to an older call then,
    /// which they do not for `EPERM`. Where such calls are let through or traced anyway there
    /// is nothing to do.
    pub(crate) fn answers_enosys(&self) -> bool {
        !matches!(
            self.default_action,
            Action::Allow | Action::Log | Action::Trace(_)
        )
    }

    /// Whether a rule does what happens without it.
    pub(crate) fn is_redundant(&self, entry: &Entry<'_>) -> bool {
        entry.action == self.default_action
    }
}

fn architectures(profile: &Profile) -> Result<Vec<Architecture>> {
    let native = Architecture::native().ok_or_else(|| {
        Error::new(
            ErrorKind::Unsupported,
            "seccomp is not supported on this architecture",
        )
    })?;
    let mut architectures = vec![native];
    for arch in &profile.architectures {
        if !architectures.contains(arch) {
            architectures.push(*arch);
        }
    }
    Ok(architectures)
}

fn requested_flags(profile: &Profile) -> Result<FilterFlags> {
    let Some(flags) = &profile.flags else {
        let default = FilterFlag::SpecAllow;
        return Ok(if default.is_supported() {
            default.flags()
        } else {
            FilterFlags::empty()
        });
    };
    let mut requested = FilterFlags::empty();
    for flag in flags {
        // All threads of the container's process come after the filter, so this one has nothing to
        // do.
        if *flag == FilterFlag::Tsync {
            continue;
        }
        if !flag.is_supported() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "seccomp flag {} is not supported by the kernel",
                    flag.name()
                ),
            ));
        }
        requested |= flag.flags();
    }
    Ok(requested)
}

fn alternatives(args: &[Arg]) -> Result<Vec<Vec<Condition>>> {
    let conditions = args.iter().map(condition).collect::<Result<Vec<_>>>()?;
    let mut seen = 0_u8;
    let mut twice = false;
    for condition in &conditions {
        let bit = 1 << condition.index;
        twice |= seen & bit != 0;
        seen |= bit;
    }
    Ok(match conditions.is_empty() {
        true => Vec::new(),
        false if twice => conditions
            .into_iter()
            .map(|condition| vec![condition])
            .collect(),
        false => vec![conditions],
    })
}

fn condition(arg: &Arg) -> Result<Condition> {
    let index = u8::try_from(arg.index)
        .ok()
        .filter(|index| u32::from(*index) <= MAX_ARG_INDEX);
    Ok(Condition {
        index: index.ok_or_else(|| {
            Error::invalid(format!(
                "seccomp argument index {} is above {MAX_ARG_INDEX}",
                arg.index
            ))
        })?,
        operator: arg.op,
        value: arg.value,
        value_two: arg.value_two,
    })
}

fn check_notify(default_action: Action, entries: &[Entry<'_>]) -> Result<()> {
    let mut notify = entries
        .iter()
        .filter(|entry| entry.action == Action::Notify)
        .peekable();
    if notify.peek().is_none() && default_action != Action::Notify {
        return Ok(());
    }
    let level = features::api_level();
    if level < NOTIFY_API_LEVEL {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "seccomp notify unsupported: API level: got {level}, want at least {NOTIFY_API_LEVEL}. \
                 Please try with libseccomp >= 2.5.0 and Linux >= 5.7"
            ),
        ));
    }
    // The listener's number is still to be written to the runtime when the filter is in force.
    if notify.any(|entry| entry.names.iter().any(|name| name == "write")) {
        return Err(Error::invalid(
            "SCMP_ACT_NOTIFY cannot be used for the write syscall",
        ));
    }
    if default_action == Action::Notify {
        return Err(Error::invalid(
            "SCMP_ACT_NOTIFY cannot be used as default action",
        ));
    }
    Ok(())
}
