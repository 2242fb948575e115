//! The rules of the cgroup v1 `devices` controller, computed in user space.
//!
//! A list of rules means the same whether it ends in `devices.allow`, in an eBPF program or in
//! systemd's `DeviceAllow=`: what it would have left in a v1 `devices.list`. See
//! `Documentation/admin-guide/cgroup-v1/devices.rst` and `security/device_cgroup.c`.

use std::collections::BTreeMap;

use crate::{Access, Error, ErrorKind, Kind, Result, Rule};

/// What a rule matches: type, major and minor.
type Key = (Kind, Option<u32>, Option<u32>);

/// The state of one v1 device cgroup: a default verdict, and the exceptions from it.
///
/// ```
/// use cofferdam_devices::{Access, Emulator, Kind, Rule};
///
/// let mut now = Emulator::new();
/// now.apply(&Rule::allow(Kind::Char, Some(1), Some(3), Access::ALL))?;
/// let mut wanted = now.clone();
/// wanted.apply(&Rule::deny(Kind::Char, Some(1), Some(3), Access::MKNOD))?;
/// let steps = now.transition_to(&wanted);
/// assert_eq!(steps, [Rule::deny(Kind::Char, Some(1), Some(3), Access::MKNOD)]);
/// # Ok::<(), cofferdam_devices::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Emulator {
    allow_by_default: bool,
    exceptions: BTreeMap<Key, Access>,
}

impl Emulator {
    /// Everything is denied.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The state after all of `rules`, starting from deny-all.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn from_rules<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Result<Self> {
        let mut state = Self::new();
        for rule in rules {
            state.apply(rule)?;
        }
        Ok(state)
    }

    /// Whether a device without an exception may be used.
    #[must_use]
    pub fn allows_by_default(&self) -> bool {
        self.allow_by_default
    }

    /// Whether every access to every device is allowed.
    #[must_use]
    pub fn allows_everything(&self) -> bool {
        self.allow_by_default && self.exceptions.is_empty()
    }

    /// The exceptions as rules, sorted by type, major and minor, wildcards first.
    pub fn exceptions(&self) -> impl Iterator<Item = Rule> + '_ {
        self.exceptions
            .iter()
            .map(|(&key, &access)| exception(key, access, !self.allow_by_default))
    }

    /// Does to the state what writing `rule` to `devices.allow` or `devices.deny` would do.
    ///
    /// A rule for [`Kind::All`] forgets everything before it and sets the default. Any other rule
    /// adds to, or takes from, the exception with exactly the same type and numbers; taking from
    /// one that does not exist changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::HolePunch`] when the access to be taken away is still granted by a wildcard
    /// exception that also matches other devices. [`ErrorKind::InvalidType`] for a FIFO.
    pub fn apply(&mut self, rule: &Rule) -> Result<()> {
        match rule.kind {
            Kind::All => {
                self.allow_by_default = rule.allow;
                self.exceptions.clear();
                return Ok(());
            }
            Kind::Fifo => {
                return Err(Error::new(
                    ErrorKind::InvalidType,
                    format_args!("device cgroup rule [{rule}] has type {:?}", "p"),
                ));
            }
            Kind::Block | Kind::Char => {}
        }
        let key = (rule.kind, rule.major, rule.minor);
        if rule.allow == self.allow_by_default {
            self.take(key, rule)
        } else {
            if !rule.access.is_empty() {
                let access = self.exceptions.entry(key).or_default();
                *access = *access | rule.access;
            }
            Ok(())
        }
    }

    fn take(&mut self, key: Key, rule: &Rule) -> Result<()> {
        for (&other, &access) in &self.exceptions {
            let overlaps = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
            let wider = other != key
                && other.0 == key.0
                && overlaps(other.1, key.1)
                && overlaps(other.2, key.2)
                // An exception with both numbers matches one device: a wider rule leaves it alone.
                && (other.1.is_none() || other.2.is_none());
            if wider && !(access & rule.access).is_empty() {
                return Err(Error::new(
                    ErrorKind::HolePunch,
                    format_args!(
                        "requested rule [{rule}] not supported by devices cgroupv1 (cannot punch \
                         hole in existing wildcard rule [{}])",
                        exception(other, access, !self.allow_by_default)
                    ),
                ));
            }
        }
        if let Some(access) = self.exceptions.get_mut(&key) {
            *access = *access - rule.access;
            if access.is_empty() {
                self.exceptions.remove(&key);
            }
        }
        Ok(())
    }

    /// The shortest list of writes that turns `self` into `target` without taking away, on the
    /// way, an access that both allow.
    ///
    /// Only a change of the default, or a target and a source that both allow by default, needs
    /// the reset `a *:* rwm`: the kernel offers no way to list what an allow-all cgroup denies.
    #[must_use]
    pub fn transition_to(&self, target: &Self) -> Vec<Rule> {
        let mut steps = Vec::new();
        let empty = BTreeMap::new();
        let mut source = &self.exceptions;
        if self.allow_by_default || self.allow_by_default != target.allow_by_default {
            steps.push(Rule::everything(target.allow_by_default));
            source = &empty;
        }
        let verdict = !target.allow_by_default;
        for (&key, &before) in source {
            let after = target.exceptions.get(&key).copied().unwrap_or_default();
            let dropped = before - after;
            if !dropped.is_empty() {
                steps.push(exception(key, dropped, !verdict));
            }
        }
        for (&key, &after) in &target.exceptions {
            let before = source.get(&key).copied().unwrap_or_default();
            let gained = after - before;
            if !gained.is_empty() {
                steps.push(exception(key, gained, verdict));
            }
        }
        steps
    }

    /// Reads the text of `devices.list`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidList`] for a line that is not `TYPE MAJOR:MINOR ACCESS`.
    pub fn parse_list(text: &str) -> Result<Self> {
        let mut state = Self::new();
        for line in text.lines() {
            let invalid = || {
                Error::new(
                    ErrorKind::InvalidList,
                    format_args!("invalid line {line:?} in devices.list"),
                )
            };
            let mut fields = line.split([' ', ':']);
            let (Some(kind), Some(major), Some(minor), Some(access), None) = (
                fields.next(),
                fields.next(),
                fields.next(),
                fields.next(),
                fields.next(),
            ) else {
                return Err(invalid());
            };
            let kind = match kind {
                "a" => Kind::All,
                "b" => Kind::Block,
                "c" => Kind::Char,
                _ => return Err(invalid()),
            };
            let number = |text: &str| match text {
                "*" => Ok(None),
                _ => text.parse().map(Some).map_err(|_| invalid()),
            };
            let rule = Rule::allow(
                kind,
                number(major)?,
                number(minor)?,
                access.parse::<Access>().map_err(|_| invalid())?,
            );
            // In allow mode the kernel prints one line and hides the exceptions.
            state.apply(&rule)?;
        }
        Ok(state)
    }
}

fn exception((kind, major, minor): Key, access: Access, allow: bool) -> Rule {
    Rule {
        kind,
        major,
        minor,
        access,
        allow,
    }
}

#[cfg(test)]
mod tests;
