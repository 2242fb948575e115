//! The lines of a log that say why CRIU failed.

use std::collections::VecDeque;
use std::io::{self, BufRead};

/// Lines before an error that are quoted with it.
const BEFORE: usize = 5;

/// A line is cut after so many bytes.
const LONGEST_LINE: u64 = 4 << 10;

/// No more than so many errors are quoted. The last ones are: what CRIU logs as an error while it
/// looks at the kernel, and goes on after, comes first.
const MOST_ERRORS: usize = 16;

/// Errors that say nothing of the reason: CRIU goes on after them, or has given up before.
const NO_REASONS: [&str; 5] = [
    "Can't setup RLIMIT_NOFILE for self",
    "cgroupd: recv req error",
    "Dumping FAILED",
    "Pre-dumping FAILED",
    "Restoring FAILED",
];

/// Errors that report the end of a process. If it had a reason that was logged before.
const ENDS: [&str; 5] = [
    "Can't attach to init",
    " exited, status=",
    " killed by signal ",
    " stopped by signal ",
    " failed with -1",
];

/// What a log says of a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quotation {
    /// The last lines with `Error`, each with its number and the five lines before it. Lines that
    /// belong together are next to each other; `...` is between those that do not.
    pub text: String,
    /// The error that CRIU gave up for, without its number, as far as the log has one.
    ///
    /// An error is often logged by each function that it goes through. So this is the first of
    /// the last errors that are next to each other, without those that are logged in each failure
    /// and, if there are others, those that report the end of a process.
    pub cause: Option<String>,
}

/// A line with its number.
type Line = (usize, String);

/// The lines with `Error` in a log.
///
/// # Errors
/// The log cannot be read.
pub fn quote_errors(mut log: impl BufRead) -> io::Result<Quotation> {
    let mut before: VecDeque<Line> = VecDeque::with_capacity(BEFORE);
    // Each error, after the lines before it.
    let mut quoted: VecDeque<Vec<Line>> = VecDeque::with_capacity(MOST_ERRORS);
    let mut number: usize = 0;
    while let Some(line) = read_line(&mut log)? {
        number = number.saturating_add(1);
        if line.contains("Error") {
            if quoted.len() == MOST_ERRORS {
                quoted.pop_front();
            }
            quoted.push_back(before.drain(..).chain([(number, line)]).collect());
        } else {
            if before.len() == BEFORE {
                before.pop_front();
            }
            before.push_back((number, line));
        }
    }
    let errors = quoted.iter().filter_map(|lines| lines.last());
    Ok(Quotation {
        cause: cause(&errors.collect::<Vec<_>>()),
        text: numbered(quoted.iter().flatten()),
    })
}

/// The lines with their numbers, and `...` where some are left out.
fn numbered<'a>(lines: impl Iterator<Item = &'a Line>) -> String {
    let mut text = String::new();
    let mut last = 0;
    for (number, line) in lines {
        if last != 0 && *number > last + 1 {
            text.push_str("...\n");
        }
        text.push_str(&format!("{number}:{line}\n"));
        last = *number;
    }
    text
}

/// How much an error says of the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Nothing,
    End,
    Reason,
}

fn weight(line: &str) -> Weight {
    let has = |texts: &[&str]| texts.iter().any(|text| line.contains(text));
    // Of helpers, which write to the log, too.
    if has(&NO_REASONS) || !line.contains("Error (") {
        Weight::Nothing
    } else if has(&ENDS) {
        Weight::End
    } else {
        Weight::Reason
    }
}

fn cause(errors: &[&Line]) -> Option<String> {
    let most = errors.iter().map(|(_, line)| weight(line)).max()?;
    let mut heaviest = errors.iter().rev().filter(|(_, line)| weight(line) == most);
    let (last, cause) = heaviest.next()?;
    let (mut number, mut cause) = (*last, cause);
    if most > Weight::Nothing {
        for (before, line) in heaviest {
            if before + 1 != number {
                break;
            }
            (number, cause) = (*before, line);
        }
    }
    Some(cause.clone())
}

/// The next line, at most [`LONGEST_LINE`] bytes of it, without what a terminal would obey.
fn read_line(log: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if io::Read::take(&mut *log, LONGEST_LINE).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if !bytes.ends_with(b"\n") {
        log.skip_until(b'\n')?;
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(Some(
        text.trim_end()
            .replace(|c: char| c.is_control() && c != '\t', "?"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: usize, errors: &[usize]) -> String {
        let line = |number| match errors.contains(&number) {
            true => format!("(00.01) Error (criu/x.c:{number}): no\n"),
            false => format!("line {number}\n"),
        };
        (1..=lines).map(line).collect()
    }

    #[test]
    fn an_error_comes_with_the_lines_before_it() {
        let quoted = quote_errors(log(20, &[8]).as_bytes()).unwrap().text;
        assert_eq!(
            quoted,
            "3:line 3\n4:line 4\n5:line 5\n6:line 6\n7:line 7\n8:(00.01) Error (criu/x.c:8): no\n"
        );
    }

    #[test]
    fn no_line_is_quoted_twice() {
        let quoted = quote_errors(log(20, &[1, 3, 4, 20]).as_bytes())
            .unwrap()
            .text;
        let numbers: Vec<&str> = quoted
            .lines()
            .map(|line| line.split(':').next().unwrap())
            .collect();
        assert_eq!(
            numbers,
            [
                "1", "2", "3", "4", "...", "15", "16", "17", "18", "19", "20"
            ]
        );
    }

    #[test]
    fn a_log_without_errors_is_not_quoted() {
        let none = Quotation::default();
        assert_eq!(quote_errors(log(9, &[]).as_bytes()).unwrap(), none);
        assert_eq!(quote_errors(&b""[..]).unwrap(), none);
    }

    #[test]
    fn the_last_errors_are_enough() {
        let all: Vec<usize> = (1..=1000).collect();
        let quoted = quote_errors(log(1000, &all).as_bytes()).unwrap().text;
        assert_eq!(quoted.lines().count(), MOST_ERRORS);
        assert!(quoted.ends_with("1000:(00.01) Error (criu/x.c:1000): no\n"));
    }

    /// What CRIU 4.1.1 has logged, with what has made it fail in the place of the star.
    #[test]
    fn the_cause_is_what_criu_gave_up_for() {
        const HARMLESS: &str =
            "Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not";
        for lines in [
            &["*Error (criu/protobuf.c:93): Read 35 bytes while 78 expected"][..],
            &[
                "*     1: Error (criu/cgroup.c:1282): cg: No set 2 found",
                "fine",
                "Error (criu/cr-restore.c:2320): Restoring FAILED.",
            ],
            &[
                "     1: Error (criu/x.c:1): long before",
                "fine",
                "*     1: Error (criu/protobuf.c:93): Read 29 bytes while 70 expected",
                "     1: Error (criu/ipc_ns.c:953): Failed to read IPC namespace variables",
                "fine",
                "Error (criu/cr-restore.c:2320): Restoring FAILED.",
                "Error (criu/cgroup.c:1998): cg: cgroupd: recv req error: No such file",
            ],
            &[
                "*     4: Error (criu/pagemap.c:242): Failed getting raw image fd",
                "fine",
                "     1: Error (criu/cr-restore.c:1258): 4 exited, status=1",
                "Error (criu/cr-restore.c:2320): Restoring FAILED.",
            ],
            &[
                "*Error (criu/cr-restore.c:1274): 23 stopped by signal 11: Segmentation fault",
                "fine",
                "Error (criu/cr-restore.c:2320): Restoring FAILED.",
            ],
            &[
                "tar: Error is not recoverable: exiting now",
                "     1: Error (criu/util.c:656): exited, status=2",
                "*     1: Error (criu/filesystems.c:460): Can't restore tmpfs content",
                "Error (criu/cr-restore.c:2320): Restoring FAILED.",
            ],
            &["*Error (criu/cr-restore.c:2320): Restoring FAILED."],
        ] {
            let text = format!("(00.1) {HARMLESS}\n(00.1) {}\n", lines.join("\n(00.1) "));
            let quoted = quote_errors(text.replace('*', "").as_bytes()).unwrap();
            let expected = lines
                .iter()
                .find_map(|line| line.strip_prefix('*'))
                .unwrap();
            assert_eq!(
                quoted.cause.unwrap(),
                format!("(00.1) {expected}"),
                "{lines:?}"
            );
        }
        // Better than nothing.
        let quoted = quote_errors(HARMLESS.as_bytes()).unwrap();
        assert_eq!(quoted.cause.as_deref(), Some(HARMLESS));
    }

    #[test]
    fn what_an_image_put_into_a_line_reaches_no_terminal() {
        let mut text = b"Error: \x1b]0;owned\x07 \xff".to_vec();
        text.extend(vec![b'x'; 100_000]);
        text.extend(b"\nError: second\n");
        let quoted = quote_errors(text.as_slice()).unwrap().text;
        assert!(
            quoted.starts_with("1:Error: ?]0;owned? \u{fffd}xxx"),
            "{quoted}"
        );
        assert!(quoted.ends_with("\n2:Error: second\n"), "{quoted}");
        assert!(quoted.len() < 5000);
    }
}
