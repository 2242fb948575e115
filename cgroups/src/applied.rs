/// What [`Cgroup::set`](crate::Cgroup::set) did beside writing the values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// What was asked for and is not in force.
    pub warnings: Vec<Warning>,
}

/// Something that was asked for, is not in force, and is no error.
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
    pub(crate) fn warn(&mut self, setting: &str, reason: impl ToString) {
        self.warnings.push(Warning {
            setting: setting.to_owned(),
            reason: reason.to_string(),
        });
    }
}
