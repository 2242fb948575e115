use crate::Result;

/// What [`Cgroup::set`](crate::Cgroup::set) did beside writing the values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Applied {
    /// What was asked for and is not in force.
    pub warnings: Vec<Warning>,
}

/// Something that was asked for, is not in force, and does not fail the call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// The setting, by the name of its field in [`Resources`](crate::Resources).
    pub setting: String,
    /// Why it is not in force.
    pub reason: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not in force: {}", self.setting, self.reason)
    }
}

impl Applied {
    /// Takes down what became of the device rules. Rootless callers do without: what they could
    /// reach by a device node, they may reach anyway.
    pub(crate) fn devices(
        &mut self,
        outcome: Result<Option<String>>,
        rootless: bool,
    ) -> Result<()> {
        match outcome {
            Ok(None) => {}
            Ok(Some(reason)) => self.warn("devices", reason),
            Err(error) if rootless => self.warn("devices", error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    pub(crate) fn warn(&mut self, setting: &str, reason: impl ToString) {
        self.warnings.push(Warning {
            setting: setting.to_owned(),
            reason: reason.to_string(),
        });
    }
}
