//! The lines of a log that say why CRIU failed.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, BufRead};

/// Lines before an error that are quoted with it.
const BEFORE: usize = 5;

/// A line is cut after so many bytes.
const LONGEST_LINE: u64 = 4 << 10;

/// No more than so many errors are quoted: the first is mostly the cause of the others.
const MOST_ERRORS: usize = 16;

/// The lines with `Error` in a log, each with its number and the five lines before it, or nothing
/// without one. Lines that belong together are next to each other; `...` is between those
/// that do not.
///
/// # Errors
/// The log cannot be read.
pub fn quote_errors(mut log: impl BufRead) -> io::Result<String> {
    let mut quoted = String::new();
    let mut before = VecDeque::with_capacity(BEFORE);
    let (mut errors, mut last) = (0, 0);
    for number in 1_usize.. {
        let Some(line) = read_line(&mut log)? else {
            break;
        };
        if !line.contains("Error") {
            if before.len() == BEFORE {
                before.pop_front();
            }
            before.push_back(line);
            continue;
        }
        let first = number - before.len();
        if last != 0 && first > last + 1 {
            quoted.push_str("...\n");
        }
        for (number, line) in (first..).zip(before.drain(..).chain([line])) {
            let _ = writeln!(quoted, "{number}:{line}");
        }
        last = number;
        errors += 1;
        if errors == MOST_ERRORS {
            break;
        }
    }
    Ok(quoted)
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
        let quoted = quote_errors(log(20, &[8]).as_bytes()).unwrap();
        assert_eq!(
            quoted,
            "3:line 3\n4:line 4\n5:line 5\n6:line 6\n7:line 7\n8:(00.01) Error (criu/x.c:8): no\n"
        );
    }

    #[test]
    fn no_line_is_quoted_twice() {
        let quoted = quote_errors(log(20, &[1, 3, 4, 20]).as_bytes()).unwrap();
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
        assert_eq!(quote_errors(log(9, &[]).as_bytes()).unwrap(), "");
        assert_eq!(quote_errors(&b""[..]).unwrap(), "");
    }

    #[test]
    fn the_first_errors_are_enough() {
        let all: Vec<usize> = (1..=1000).collect();
        let quoted = quote_errors(log(1000, &all).as_bytes()).unwrap();
        assert_eq!(quoted.lines().count(), MOST_ERRORS);
    }

    #[test]
    fn what_an_image_put_into_a_line_reaches_no_terminal() {
        let mut text = b"Error: \x1b]0;owned\x07 \xff".to_vec();
        text.extend(vec![b'x'; 100_000]);
        text.extend(b"\nError: second\n");
        let quoted = quote_errors(text.as_slice()).unwrap();
        assert!(
            quoted.starts_with("1:Error: ?]0;owned? \u{fffd}xxx"),
            "{quoted}"
        );
        assert!(quoted.ends_with("\n2:Error: second\n"), "{quoted}");
        assert!(quoted.len() < 5000);
    }
}
