//! What a process needs before anything is made for it.

use super::{Process, Spec};
use crate::{Error, Result};

impl Spec {
    /// The process of the bundle, checked as [`Process::check`] does.
    ///
    /// # Errors
    /// The process is missing, or not usable.
    pub fn checked_process(&self, selinux_enabled: bool) -> Result<&Process> {
        let process = self
            .process
            .as_ref()
            .ok_or_else(|| Error::invalid("process property must not be empty"))?;
        process.check(selinux_enabled)?;
        Ok(process)
    }
}

impl Process {
    /// Checks what every process needs: an absolute working directory, arguments, and SELinux if it
    /// has a label.
    ///
    /// # Errors
    /// The first of these that is missing.
    pub fn check(&self, selinux_enabled: bool) -> Result<()> {
        if self.cwd.is_empty() {
            return Err(Error::invalid("Cwd property must not be empty"));
        }
        if !self.cwd.starts_with('/') {
            return Err(Error::invalid("Cwd must be an absolute path"));
        }
        if self.args.is_empty() {
            return Err(Error::invalid("args must not be empty"));
        }
        if !self.selinux_label.is_empty() && !selinux_enabled {
            return Err(Error::invalid(
                "selinux label is specified in config, but selinux is disabled or not supported",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(process: Option<Process>) -> String {
        Spec {
            process,
            ..Spec::default()
        }
        .checked_process(false)
        .unwrap_err()
        .to_string()
    }

    #[test]
    fn each_missing_part_has_its_text() {
        assert_eq!(message(None), "process property must not be empty");
        let mut process = Process::default();
        assert_eq!(
            message(Some(process.clone())),
            "Cwd property must not be empty"
        );
        process.cwd = "tmp".into();
        assert_eq!(
            message(Some(process.clone())),
            "Cwd must be an absolute path"
        );
        process.cwd = "/".into();
        assert_eq!(message(Some(process.clone())), "args must not be empty");
        process.args = vec!["sh".into()];
        assert!(process.check(false).is_ok());
        process.selinux_label = "system_u:system_r:container_t:s0".into();
        assert_eq!(
            message(Some(process.clone())),
            "selinux label is specified in config, but selinux is disabled or not supported"
        );
        assert!(process.check(true).is_ok());
    }
}
