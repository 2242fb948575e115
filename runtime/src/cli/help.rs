//! The help texts, generated from the tables of flags and commands.

use std::fmt::Write as _;

use super::command::Command;
use super::flag::{Flag, Takes};
use super::program::Program;
use super::topic::Topic;

/// `NAME`, `USAGE`, `COMMANDS`, `GLOBAL OPTIONS`.
pub(crate) fn program(name: &str, program: &Program, commands: &[&Command]) -> String {
    let mut text = format!(
        "NAME:\n   {name} - {}\n\n{}\n\n\
         USAGE:\n   {name} [global options] command [command options] [arguments...]\n\n\
         VERSION:\n   {}\n\nCOMMANDS:\n",
        program.about,
        program.introduction.replace("{program}", name),
        (program.version)().trim_end()
    );
    let entries: Vec<(String, &str)> = commands
        .iter()
        .map(|command| (command.name.to_owned(), command.about))
        .chain([(
            "help, h".to_owned(),
            "show a list of commands, or the help of one command or topic",
        )])
        .collect();
    columns(&mut text, &entries);
    text.push_str("\nGLOBAL OPTIONS:\n");
    let mut entries = options(program.flags);
    entries.push(("--help, -h".to_owned(), "show help".to_owned()));
    entries.push(("--version, -v".to_owned(), "print the version".to_owned()));
    columns(&mut text, &entries);
    if !program.topics.is_empty() {
        let _ = write!(text, "\nTOPICS of {name} help:\n");
        let entries: Vec<(String, &str)> = program
            .topics
            .iter()
            .map(|topic| (topic.name.to_owned(), topic.about))
            .collect();
        columns(&mut text, &entries);
    }
    text
}

/// What there is to know about a topic.
pub(crate) fn topic(topic: &Topic) -> String {
    format!(
        "{} - {}\n\n{}\n",
        topic.name.to_uppercase().replace('-', " "),
        topic.about,
        topic.text
    )
}

/// The help of one command.
pub(crate) fn command(program: &str, command: &Command) -> String {
    let Command {
        name,
        about,
        arguments,
        description,
        flags,
        ..
    } = command;
    let options_word = if flags.is_empty() {
        ""
    } else {
        "[command options] "
    };
    let mut text = format!(
        "NAME:\n   {program} {name} - {about}\n\nUSAGE:\n   {program} {name} {options_word}{arguments}"
    );
    text.truncate(text.trim_end().len());
    text.push('\n');
    if !description.is_empty() {
        let _ = write!(
            text,
            "\nDESCRIPTION:\n   {}\n",
            description.replace('\n', "\n   ")
        );
    }
    let entries = options(flags);
    if !entries.is_empty() {
        text.push_str("\nOPTIONS:\n");
        columns(&mut text, &entries);
    }
    text
}

fn options(flags: &[Flag]) -> Vec<(String, String)> {
    flags
        .iter()
        .filter(|flag| !flag.hidden)
        .map(|flag| (names(flag), what_for(flag)))
        .collect()
}

fn names(flag: &Flag) -> String {
    let value = if flag.takes == Takes::Nothing {
        ""
    } else {
        " value"
    };
    match flag.letter {
        Some(letter) => format!("--{}{value}, -{letter}{value}", flag.name),
        None => format!("--{}{value}", flag.name),
    }
}

fn what_for(flag: &Flag) -> String {
    match flag.default {
        None => flag.help.to_owned(),
        Some(default) if matches!(flag.takes, Takes::Text | Takes::Texts) => {
            format!("{} (default: \"{default}\")", flag.help)
        }
        Some(default) => format!("{} (default: {default})", flag.help),
    }
}

/// Two columns, indented; the second begins two spaces after the widest entry of the first.
fn columns(text: &mut String, entries: &[(String, impl AsRef<str>)]) {
    let width = entries
        .iter()
        .map(|(left, _)| left.len())
        .max()
        .unwrap_or_default();
    for (left, right) in entries {
        let _ = writeln!(text, "   {left:width$}  {}", right.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{COFFERDAM, COMMANDS, GLOBAL_FLAGS};

    #[test]
    fn every_command_and_every_shown_flag_is_in_the_help() {
        let text = program("cofferdam", &COFFERDAM, COMMANDS);
        for command in COMMANDS {
            assert!(
                text.contains(&format!("\n   {} ", command.name)),
                "{}",
                command.name
            );
            let own = super::command("cofferdam", command);
            assert!(own.starts_with(&format!("NAME:\n   cofferdam {} - ", command.name)));
            assert!(own.contains(&format!("USAGE:\n   cofferdam {}", command.name)));
            for flag in command.flags {
                assert_eq!(
                    own.contains(&format!("--{}", flag.name)),
                    !flag.hidden,
                    "{} --{}",
                    command.name,
                    flag.name
                );
            }
        }
    }

    #[test]
    fn no_flag_shadows_another() {
        for flags in COMMANDS
            .iter()
            .map(|command| command.flags)
            .chain([GLOBAL_FLAGS])
        {
            let mut names: Vec<&str> = flags
                .iter()
                .flat_map(|flag| [Some(flag.name), flag.letter])
                .flatten()
                .collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{names:?}");
            assert!(!names.contains(&"help") && !names.contains(&"h"));
        }
    }

    #[test]
    fn defaults_are_shown_as_they_would_be_typed() {
        assert_eq!(
            what_for(&Flag::text("format", "how").default("table")),
            "how (default: \"table\")"
        );
        assert_eq!(
            what_for(&Flag::duration("interval", "how often").default("5s")),
            "how often (default: 5s)"
        );
        assert_eq!(
            names(&Flag::text("bundle", "").letter("b")),
            "--bundle value, -b value"
        );
    }
}
