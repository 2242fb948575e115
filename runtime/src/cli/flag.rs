//! Flags as data, and the parser that reads them from an argument list.
//!
//! The syntax is that of Go's `flag` package, which every caller of an OCI runtime speaks: one dash
//! or two, `-flag value`, `-flag=value`, switches that take `=true` or `=false`, and `--` to end
//! the flags.

use std::ffi::OsString;
use std::time::Duration;

use super::{duration, suggestion};

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing; present means true, `=false` takes it back.
    Nothing,
    /// A text.
    Text,
    /// A text, any number of times.
    Texts,
    /// A whole number.
    Integer,
    /// A duration as Go writes it: `5s`, `1m30s`, `100ms`.
    Duration,
}

/// What a shell can complete a value or an argument with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    /// Nothing is known about it.
    Nothing,
    /// The path of a file.
    File,
    /// The path of a directory.
    Directory,
    /// The id of a container below the state root.
    Container,
    /// The id of a container, or the path of a directory.
    #[allow(
        dead_code,
        reason = "only commands of the features audit and explain take one"
    )]
    ContainerOrDirectory,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// One flag: the only place that knows its names, what it takes and what it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    /// The long name, without dashes.
    pub(crate) name: &'static str,
    /// The one-letter name.
    pub(crate) letter: Option<&'static str>,
    /// What it takes.
    pub(crate) takes: Takes,
    /// One line of help.
    pub(crate) help: &'static str,
    /// The value when the flag is not given, shown in the help.
    pub(crate) default: Option<&'static str>,
    /// Accepted, but not shown in the help.
    pub(crate) hidden: bool,
    /// What a shell can complete the value with.
    pub(crate) completion: Completion,
}

impl Flag {
    const fn new(name: &'static str, takes: Takes, help: &'static str) -> Self {
        Self {
            name,
            letter: None,
            takes,
            help,
            default: None,
            hidden: false,
            completion: Completion::Nothing,
        }
    }

    /// A flag that takes nothing.
    pub(crate) const fn switch(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::Nothing, help)
    }

    /// A flag that takes a text.
    pub(crate) const fn text(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::Text, help)
    }

    /// A flag that takes a text and may be repeated.
    pub(crate) const fn texts(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::Texts, help)
    }

    /// A flag that takes a whole number.
    pub(crate) const fn integer(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::Integer, help)
    }

    /// A flag that takes a duration.
    pub(crate) const fn duration(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Takes::Duration, help)
    }

    /// The same flag with a one-letter name.
    pub(crate) const fn letter(mut self, letter: &'static str) -> Self {
        self.letter = Some(letter);
        self
    }

    /// The same flag with a default, as it would be typed.
    pub(crate) const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// The same flag; its value is the path of a file.
    pub(crate) const fn file(mut self) -> Self {
        self.completion = Completion::File;
        self
    }

    /// The same flag; its value is the path of a directory.
    pub(crate) const fn directory(mut self) -> Self {
        self.completion = Completion::Directory;
        self
    }

    /// The same flag; its value is the id of a container.
    pub(crate) const fn container(mut self) -> Self {
        self.completion = Completion::Container;
        self
    }

    /// The same flag; its value is one of these words. The command checks it, not the parser.
    pub(crate) const fn one_of(mut self, words: &'static [&'static str]) -> Self {
        self.completion = Completion::OneOf(words);
        self
    }

    /// The same flag, left out of the help.
    pub(crate) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.letter == Some(name)
    }
}

/// Whether flags may come after the first positional argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Known flags are picked out wherever they are.
    Any,
    /// The first positional argument ends the flags: what follows belongs to another program.
    FlagsFirst,
}

/// What was typed, before it means anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parsed {
    values: Vec<(&'static Flag, OsString)>,
    /// The positional arguments, in order.
    pub(crate) positional: Vec<OsString>,
    /// Help was asked for with `-h` or `--help`.
    pub(crate) help: bool,
}

impl Parsed {
    /// Reads `arguments` against `table`.
    ///
    /// Values are checked here against what their flag takes, so that reading them later cannot
    /// fail.
    ///
    /// # Errors
    ///
    /// The one-line message that the callers of the reference implementation know.
    pub(crate) fn read(
        table: &'static [Flag],
        order: Order,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, String> {
        let mut parsed = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let Some((name, value)) = as_flag(&argument)? else {
                if argument == "--" {
                    parsed.positional.extend(arguments);
                    break;
                }
                parsed.positional.push(argument);
                if order == Order::FlagsFirst {
                    parsed.positional.extend(arguments);
                    break;
                }
                continue;
            };
            let Some(flag) = table.iter().find(|flag| flag.is_called(&name)) else {
                if name == "help" || name == "h" {
                    parsed.help = true;
                    continue;
                }
                if parsed.positional.is_empty() {
                    return Err(undefined(table, &name));
                }
                // After a positional argument, anything but a flag of ours is the next one: `kill
                // ID -9`.
                parsed.positional.push(argument);
                continue;
            };
            let value = match (value, flag.takes) {
                (Some(value), _) => value,
                (None, Takes::Nothing) => "true".into(),
                (None, _) => arguments
                    .next()
                    .ok_or_else(|| format!("flag needs an argument: -{name}"))?,
            };
            check(flag, &name, &value)?;
            parsed.values.push((flag, value));
        }
        Ok(parsed)
    }

    fn last(&self, name: &str) -> Option<&OsString> {
        self.values
            .iter()
            .rev()
            .find(|(flag, _)| flag.name == name)
            .map(|(_, value)| value)
    }

    /// Whether the flag is among the arguments at all.
    pub(crate) fn given(&self, name: &str) -> bool {
        self.last(name).is_some()
    }

    /// The value of a switch.
    pub(crate) fn switch(&self, name: &str) -> bool {
        self.last(name)
            .and_then(|value| value.to_str())
            .and_then(parse_bool)
            .unwrap_or(false)
    }

    /// The value of a flag that takes a text, the last one given. An empty value counts as not
    /// given.
    pub(crate) fn text(&self, name: &str) -> Option<&OsString> {
        self.last(name).filter(|value| !value.is_empty())
    }

    /// The value of a flag that takes a text, as UTF-8; invalid UTF-8 is shown with replacement
    /// characters.
    pub(crate) fn string(&self, name: &str) -> Option<String> {
        self.text(name)
            .map(|value| value.to_string_lossy().into_owned())
    }

    /// Every value of a repeated flag, in order.
    pub(crate) fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a OsString> {
        self.values
            .iter()
            .filter(move |(flag, _)| flag.name == name)
            .map(|(_, value)| value)
    }

    /// The value of a flag that takes a whole number.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.last(name)
            .and_then(|value| value.to_str())
            .and_then(parse_integer)
    }

    /// The value of a flag that takes a duration; `None` when not given. Negative durations come as
    /// zero.
    pub(crate) fn duration(&self, name: &str) -> Option<Duration> {
        self.last(name)
            .and_then(|value| value.to_str())
            .and_then(|value| duration::parse(value).ok())
    }
}

/// The complaint about a flag that `table` does not have, with the one that was probably meant.
#[cold]
fn undefined(table: &'static [Flag], name: &str) -> String {
    let shown = table.iter().filter(|flag| !flag.hidden);
    let names = shown.map(|flag| flag.name).chain(["help"]);
    match suggestion::nearest(name, names) {
        Some(meant) => {
            format!("flag provided but not defined: -{name}; did you mean --{meant}?")
        }
        None => format!("flag provided but not defined: -{name}"),
    }
}

/// Splits `-name`, `--name`, `-name=value`; `None` for anything but a flag.
fn as_flag(argument: &OsString) -> Result<Option<(String, Option<OsString>)>, String> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let bytes = argument.as_bytes();
    if bytes == b"--" || bytes.len() < 2 {
        return Ok(None);
    }
    let Some(rest) = bytes
        .strip_prefix(b"--")
        .or_else(|| bytes.strip_prefix(b"-"))
    else {
        return Ok(None);
    };
    let (name, value) = match rest.iter().position(|&byte| byte == b'=') {
        Some(at) => {
            let (name, value) = rest.split_at(at);
            (
                name,
                Some(OsString::from_vec(
                    value.get(1..).unwrap_or_default().to_vec(),
                )),
            )
        }
        None => (rest, None),
    };
    if name.is_empty() || name.starts_with(b"-") {
        return Err(format!("bad flag syntax: {}", argument.to_string_lossy()));
    }
    Ok(Some((String::from_utf8_lossy(name).into_owned(), value)))
}

fn check(flag: &Flag, name: &str, value: &OsString) -> Result<(), String> {
    let text = value.to_string_lossy();
    let good = match flag.takes {
        Takes::Nothing => {
            return parse_bool(&text)
                .map(|_| ())
                .ok_or_else(|| format!("invalid boolean value {text:?} for -{name}: parse error"));
        }
        Takes::Text | Takes::Texts => true,
        Takes::Integer => parse_integer(&text).is_some(),
        Takes::Duration => duration::parse(&text).is_ok(),
    };
    if good {
        Ok(())
    } else {
        Err(format!(
            "invalid value {text:?} for flag -{name}: parse error"
        ))
    }
}

/// A boolean in one of the spellings that Go accepts.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A whole number: decimal, or with one of the prefixes `0x`, `0o`, `0b`, `0`.
fn parse_integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (lower.get(2..)?, 16),
        [b'0', b'o', ..] => (lower.get(2..)?, 8),
        [b'0', b'b', ..] => (lower.get(2..)?, 2),
        [b'0', _, ..] => (lower.get(1..)?, 8),
        _ => (lower.as_str(), 10),
    };
    let signed = if negative {
        format!("-{digits}")
    } else {
        digits.to_owned()
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(&signed, radix).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    static TABLE: &[Flag] = &[
        Flag::switch("detach", "run in the background").letter("d"),
        Flag::text("bundle", "the bundle").letter("b"),
        Flag::texts("env", "environment").letter("e"),
        Flag::integer("preserve-fds", "descriptors"),
        Flag::duration("interval", "time").default("5s"),
    ];

    fn read(order: Order, arguments: &[&str]) -> Result<Parsed, String> {
        Parsed::read(TABLE, order, arguments.iter().map(OsString::from))
    }

    #[test]
    fn one_dash_and_two_dashes_are_the_same() {
        for spelling in [
            &["-bundle", "/b"][..],
            &["--bundle", "/b"],
            &["-b=/b"],
            &["--bundle=/b"],
            &["--b", "/b"],
        ] {
            let parsed = read(Order::Any, spelling).unwrap();
            assert_eq!(
                parsed.string("bundle").as_deref(),
                Some("/b"),
                "{spelling:?}"
            );
            assert!(parsed.positional.is_empty());
        }
    }

    #[test]
    fn switches_take_an_explicit_value_only_after_an_equals_sign() {
        assert!(read(Order::Any, &["-d"]).unwrap().switch("detach"));
        assert!(!read(Order::Any, &["-d=false"]).unwrap().switch("detach"));
        let parsed = read(Order::Any, &["--detach", "false"]).unwrap();
        assert!(parsed.switch("detach"));
        assert_eq!(parsed.positional, ["false"]);
        assert_eq!(
            read(Order::Any, &["-d=maybe"]).unwrap_err(),
            "invalid boolean value \"maybe\" for -d: parse error"
        );
    }

    #[test]
    fn flags_after_a_positional_argument_are_read_unless_they_belong_to_another_program() {
        let parsed = read(Order::Any, &["id", "--bundle", "/b", "-d"]).unwrap();
        assert_eq!(parsed.positional, ["id"]);
        assert!(parsed.switch("detach"));
        let parsed = read(Order::FlagsFirst, &["-d", "id", "ls", "-d", "--help"]).unwrap();
        assert_eq!(parsed.positional, ["id", "ls", "-d", "--help"]);
        assert!(!parsed.help);
    }

    #[test]
    fn unknown_flags_are_an_error_first_and_an_argument_later() {
        assert_eq!(
            read(Order::Any, &["--bogus", "id"]).unwrap_err(),
            "flag provided but not defined: -bogus"
        );
        assert_eq!(
            read(Order::Any, &["id", "-9"]).unwrap().positional,
            ["id", "-9"]
        );
    }

    #[test]
    fn a_misspelt_flag_is_told_which_one_was_meant() {
        assert_eq!(
            read(Order::Any, &["--bundel=/b", "id"]).unwrap_err(),
            "flag provided but not defined: -bundel; did you mean --bundle?"
        );
        assert_eq!(
            read(Order::Any, &["--hlep"]).unwrap_err(),
            "flag provided but not defined: -hlep; did you mean --help?"
        );
    }

    #[test]
    fn two_dashes_end_the_flags() {
        assert_eq!(read(Order::Any, &["--", "-d"]).unwrap().positional, ["-d"]);
        assert_eq!(
            read(Order::Any, &["-", "x"]).unwrap().positional,
            ["-", "x"]
        );
    }

    #[test]
    fn values_are_checked_when_they_are_read() {
        assert_eq!(
            read(Order::Any, &["-bundle"]).unwrap_err(),
            "flag needs an argument: -bundle"
        );
        assert_eq!(
            read(Order::Any, &["--preserve-fds", "two"]).unwrap_err(),
            "invalid value \"two\" for flag -preserve-fds: parse error"
        );
        assert_eq!(
            read(Order::Any, &["--preserve-fds=0x10"])
                .unwrap()
                .integer("preserve-fds"),
            Some(16)
        );
        assert_eq!(
            read(Order::Any, &["--interval=1m30s"])
                .unwrap()
                .duration("interval"),
            Some(Duration::from_secs(90))
        );
        assert!(read(Order::Any, &["--interval", "5"]).is_err());
        assert_eq!(
            read(Order::Any, &["---x"]).unwrap_err(),
            "bad flag syntax: ---x"
        );
    }

    #[test]
    fn the_last_value_counts_and_repeated_flags_keep_all() {
        let parsed = read(
            Order::Any,
            &["-e", "A=1", "-b", "one", "--env=B=2=3", "-b", "two"],
        )
        .unwrap();
        assert_eq!(parsed.string("bundle").as_deref(), Some("two"));
        assert_eq!(parsed.texts("env").collect::<Vec<_>>(), ["A=1", "B=2=3"]);
        assert!(!parsed.given("detach"));
    }

    #[test]
    fn help_is_found_among_other_flags() {
        for spelling in ["-h", "--help", "-help"] {
            assert!(
                read(Order::Any, &["-d", spelling]).unwrap().help,
                "{spelling}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_argument_list_is_read_or_refused(arguments in proptest::collection::vec("[-=a-z0-9 ]{0,12}", 0..8)) {
            for order in [Order::Any, Order::FlagsFirst] {
                let _ = Parsed::read(TABLE, order, arguments.iter().map(OsString::from));
            }
        }

        #[test]
        fn integers_survive_a_round_trip(number in any::<i64>()) {
            prop_assert_eq!(parse_integer(&number.to_string()), Some(number));
        }
    }
}
