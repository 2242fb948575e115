use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Repr, Result};

/// Where distributions put `apparmor_parser(8)`.
const PROGRAMS: [&str; 2] = ["/usr/sbin/apparmor_parser", "/sbin/apparmor_parser"];

/// The compiler of AppArmor policy, `apparmor_parser(8)`.
///
/// Each call runs the program once, with an empty environment and the policy on its standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parser {
    program: PathBuf,
}

impl Parser {
    /// The installed program, if there is one.
    #[must_use]
    pub fn system() -> Option<Self> {
        PROGRAMS
            .iter()
            .map(Path::new)
            .find(|path| path.exists())
            .map(Self::new)
    }

    /// The program at this path.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
        }
    }

    /// Compiles a policy and loads its profiles, replacing those of the same name. Needs
    /// `CAP_MAC_ADMIN`.
    ///
    /// # Errors
    /// [`Parser`](crate::ErrorKind::Parser) with the first line of what the program said.
    pub fn load(&self, policy: &str) -> Result<()> {
        self.run(
            &["--replace", "--write-cache=no", "--skip-read-cache"],
            policy,
        )
    }

    /// Compiles a policy and discards the result: a check that needs neither rights nor AppArmor in
    /// the kernel.
    ///
    /// # Errors
    /// As [`Parser::load`].
    pub fn check(&self, policy: &str) -> Result<()> {
        self.run(&["--skip-kernel-load", "--skip-cache"], policy)
    }

    /// Removes the profiles of a policy from the kernel. Needs `CAP_MAC_ADMIN`.
    ///
    /// # Errors
    /// As [`Parser::load`].
    pub fn unload(&self, policy: &str) -> Result<()> {
        self.run(&["--remove", "--skip-cache"], policy)
    }

    fn run(&self, options: &[&str], policy: &str) -> Result<()> {
        let failed = |source: io::Error| Repr::Run {
            program: self.program.clone(),
            source,
        };
        let mut child = Command::new(&self.program)
            .args(options)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        // The program reads everything before it complains; a pipe it closed early shows in its
        // exit status.
        let written = child
            .stdin
            .take()
            .map_or(Ok(()), |mut stdin| stdin.write_all(policy.as_bytes()));
        // Not `wait_with_output`, which panics when the pipe cannot be read.
        let mut complaints = Vec::new();
        let read = child
            .stderr
            .take()
            .map_or(Ok(0), |mut stderr| stderr.read_to_end(&mut complaints));
        let status = child.wait().map_err(failed)?;
        read.map_err(failed)?;
        if status.success() {
            return written.map_err(|source| failed(source).into());
        }
        Err(Repr::Parser {
            program: self.program.clone(),
            status,
            message: complaint(&complaints),
        }
        .into())
    }
}

/// The line that says what is wrong, or the last one there is; at most 500 characters.
fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.clone().next_back();
    lines
        .find(|line| line.to_ascii_lowercase().contains("error"))
        .or(last)
        .unwrap_or("no message")
        .chars()
        .take(500)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, container_profile};

    fn installed() -> Option<Parser> {
        let parser = Parser::system();
        if parser.is_none() {
            eprintln!("skipped: needs apparmor_parser");
        }
        parser
    }

    #[test]
    fn the_container_profile_compiles() {
        if let Some(parser) = installed() {
            parser
                .check(&container_profile("cofferdam-test").unwrap())
                .unwrap();
        }
    }

    #[test]
    fn a_broken_policy_is_refused_with_the_programs_words() {
        if let Some(parser) = installed() {
            let error = parser.check("profile broken {").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Parser);
            assert!(error.to_string().contains("syntax error"), "{error}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
    }

    #[test]
    fn a_program_that_is_missing() {
        let error = Parser::new("/nonexistent/parser").check("").unwrap_err();
        assert_eq!(error.to_string(), "run /nonexistent/parser");
        assert_eq!(error.raw_os_error(), Some(2));
    }

    #[test]
    fn a_program_that_fails_without_reading() {
        let policy = "#".repeat(1 << 20);
        let error = Parser::new("/bin/false").check(&policy).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/bin/false ended with exit status: 1: no message"
        );
    }

    #[test]
    fn the_complaint_is_the_error_line() {
        assert_eq!(
            complaint(b"Warning x\nparser error: y\nbye\n"),
            "parser error: y"
        );
        assert_eq!(complaint(b"\none\ntwo\n\n"), "two");
        assert_eq!(complaint(b""), "no message");
        assert_eq!(complaint("é".repeat(900).as_bytes()).chars().count(), 500);
    }
}
