//! The completions of shells, made of the tables of commands and flags.
//!
//! A script has a fixed part, its template, and what the tables say in the syntax of its shell. It
//! runs nothing: the ids of containers are the names of directories below the state root.

use std::fmt::Write as _;

use super::command::{Command, Vocabulary};
use super::flag::{Completion, Flag, Order, Takes};

/// A shell that completions are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shell {
    /// GNU bash.
    Bash,
    /// The Z shell.
    Zsh,
    /// fish, the friendly interactive shell.
    Fish,
}

impl Shell {
    /// Their names.
    pub(crate) const NAMES: &'static [&'static str] = &["bash", "zsh", "fish"];

    /// The shell of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "bash" => Some(Self::Bash),
            "zsh" => Some(Self::Zsh),
            "fish" => Some(Self::Fish),
            _ => None,
        }
    }
}

/// The script for a shell.
#[cold]
pub(crate) fn script(shell: Shell, words: &Vocabulary) -> String {
    let (template, user_root) = match shell {
        Shell::Bash => (
            include_str!("completion/template.bash"),
            "        [[ $EUID == 0 || ! ${XDG_RUNTIME_DIR-} ]] || directory=$XDG_RUNTIME_DIR/@PROGRAM@",
        ),
        Shell::Zsh => (
            include_str!("completion/template.zsh"),
            "        [[ $EUID == 0 || -z $XDG_RUNTIME_DIR ]] || directory=$XDG_RUNTIME_DIR/@PROGRAM@",
        ),
        Shell::Fish => (
            include_str!("completion/template.fish"),
            "        test (id -u) != 0; and set -q XDG_RUNTIME_DIR; and set root $XDG_RUNTIME_DIR/@PROGRAM@",
        ),
    };
    let user_root = if words.has_user_root { user_root } else { "" };
    let mut text = String::with_capacity(16 << 10);
    for line in template.lines() {
        let generated = match line {
            "@USER_ROOT@" => user_root.to_owned(),
            "@COMMANDS@" if shell == Shell::Bash => bash_commands(words),
            "@VALUES@" => bash_values(words),
            "@FLAGS@" => zsh_flags(words.flags, "        "),
            "@COMMANDS@" => zsh_commands(words),
            "@ARGUMENTS@" => zsh_arguments(words),
            "@LINES@" => fish_lines(words),
            line => line.replace("@VALUED@", &valued(words)),
        };
        if generated.is_empty() && line.starts_with('@') {
            continue;
        }
        text.push_str(generated.trim_end_matches('\n'));
        text.push('\n');
    }
    text.replace("@ROOT@", words.state_root)
        .replace("@PROGRAM@", words.program)
}

/// A list of flags and the command that they belong to; the flags before the command have none.
fn lists(words: &Vocabulary) -> impl Iterator<Item = (&'static str, &'static [Flag])> {
    let own = words
        .commands
        .iter()
        .map(|command| (command.name, command.flags));
    std::iter::once(("", words.flags)).chain(own)
}

fn shown(flags: &'static [Flag]) -> impl Iterator<Item = &'static Flag> {
    flags.iter().filter(|flag| !flag.hidden)
}

/// What `help` takes: commands and topics.
fn explained(words: &Vocabulary) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
    let commands = words
        .commands
        .iter()
        .map(|command| (command.name, command.about));
    let is_command = |name| words.commands.iter().any(|command| command.name == name);
    let topics = words
        .topics
        .iter()
        .filter(move |topic| !is_command(topic.name));
    commands.chain(topics.map(|topic| (topic.name, topic.about)))
}

/// The commands, `help` among them, and what they do.
fn commands(words: &Vocabulary) -> impl Iterator<Item = (&'static str, &'static str)> {
    let commands = words
        .commands
        .iter()
        .map(|command| (command.name, command.about));
    commands.chain([("help", "show the help of a command, or about a topic")])
}

fn joined<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(" ")
}

/// The flags that take a value, as fish looks them up.
fn valued(words: &Vocabulary) -> String {
    let mut text = Vec::new();
    for (command, flags) in lists(words) {
        for flag in flags.iter().filter(|flag| flag.takes != Takes::Nothing) {
            for name in [Some(flag.name), flag.letter].into_iter().flatten() {
                text.push(format!("'{command} {name}'"));
            }
        }
    }
    text.join(" ")
}

/// What the fixed part of the script for bash calls it.
fn bash_word(completion: Completion) -> String {
    match completion {
        Completion::Nothing => "-".to_owned(),
        Completion::File => "@file".to_owned(),
        Completion::Directory => "@directory".to_owned(),
        Completion::Container => "@container".to_owned(),
        Completion::ContainerOrDirectory => "@container-or-directory".to_owned(),
        Completion::OneOf(words) => words.join(" "),
    }
}

fn bash_commands(words: &Vocabulary) -> String {
    let mut text = String::new();
    let mut line = |name: &str, flags: &'static [Flag], operands: &str, first: bool| {
        let names: Vec<String> = shown(flags)
            .map(|flag| format!("--{}", flag.name))
            .collect();
        let version = if name == "''" { " --version" } else { "" };
        let first = if first { " flags_first=1" } else { "" };
        let mut flags = names.join(" ");
        flags.push_str(" --help");
        flags.push_str(version);
        let _ = writeln!(
            text,
            "    {name}) flags='{}' operands=({operands}){first} ;;",
            flags.trim_start()
        );
    };
    let names = joined(commands(words).map(|(name, _)| name));
    line("''", words.flags, &format!("'{names}'"), false);
    for command in words.commands {
        let operands: Vec<String> = command
            .completions
            .iter()
            .map(|&completion| format!("'{}'", bash_word(completion)))
            .collect();
        let first = command.order == Order::FlagsFirst;
        line(command.name, command.flags, &operands.join(" "), first);
    }
    let names = joined(explained(words).map(|(name, _)| name));
    line("help", &[], &format!("'{names}'"), false);
    text
}

fn bash_values(words: &Vocabulary) -> String {
    let mut text = String::new();
    for (command, flags) in lists(words) {
        for flag in flags.iter().filter(|flag| flag.takes != Takes::Nothing) {
            let letter = flag
                .letter
                .map_or(String::new(), |letter| format!(" | '{command} {letter}'"));
            let _ = writeln!(
                text,
                "    '{command} {}'{letter}) value='{}' ;;",
                flag.name,
                bash_word(flag.completion)
            );
        }
    }
    text
}

/// Within single quotes, in the explanation of an option: brackets and colons end it.
fn zsh_quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\'' => quoted.push_str("'\\''"),
            '[' | ']' | ':' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            _ => quoted.push(letter),
        }
    }
    quoted
}

fn zsh_action(completion: Completion) -> String {
    match completion {
        Completion::Nothing => ":value: ".to_owned(),
        Completion::File => ":file:_files".to_owned(),
        Completion::Directory => ":directory:_files -/".to_owned(),
        Completion::Container => ":container:_@PROGRAM@_containers".to_owned(),
        Completion::ContainerOrDirectory => {
            ":container or bundle:_@PROGRAM@_containers_or_directories".to_owned()
        }
        Completion::OneOf(words) => format!(":value:({})", words.join(" ")),
    }
}

/// Specifications of `_arguments`, a line each, continued.
fn zsh_flags(flags: &'static [Flag], indent: &str) -> String {
    let mut text = String::new();
    for flag in shown(flags) {
        let about = zsh_quoted(flag.help);
        let (value, action) = match flag.takes {
            Takes::Nothing => ("", String::new()),
            _ => ("=", zsh_action(flag.completion)),
        };
        let repeated = flag.takes == Takes::Texts;
        // The two names exclude each other, unless the flag may be repeated.
        let others = match (repeated, flag.letter) {
            (true, _) => "*".to_owned(),
            (false, Some(letter)) => format!("(-{letter} --{})", flag.name),
            (false, None) => String::new(),
        };
        let _ = writeln!(
            text,
            "{indent}'{others}--{}{value}[{about}]{action}' \\",
            flag.name
        );
        if let Some(letter) = flag.letter {
            let value = if value.is_empty() { "" } else { "+" };
            let _ = writeln!(
                text,
                "{indent}'{others}-{letter}{value}[{about}]{action}' \\"
            );
        }
    }
    let _ = write!(text, "{indent}'(- *)'{{-h,--help}}'[show help]' \\");
    if indent.len() == 8 {
        let _ = write!(
            text,
            "\n{indent}'(- *)'{{-v,--version}}'[print the version]' \\"
        );
    }
    text
}

fn zsh_commands(words: &Vocabulary) -> String {
    let mut text = String::new();
    for (name, about) in commands(words) {
        let _ = writeln!(
            text,
            "            '{name}:{}'",
            about.replace('\'', "'\\''")
        );
    }
    text
}

fn zsh_arguments(words: &Vocabulary) -> String {
    let mut text = String::new();
    for command in words.commands {
        let indent = "                ";
        let order = match command.order {
            Order::FlagsFirst => " -A '-*'",
            Order::Any => "",
        };
        let _ = writeln!(
            text,
            "            {})\n{indent}_arguments{order} \\",
            command.name
        );
        text.push_str(&zsh_flags(command.flags, &format!("{indent}    ")));
        for (at, &completion) in command.completions.iter().enumerate() {
            let _ = write!(
                text,
                "\n{indent}    '{}{}' \\",
                at + 1,
                zsh_action(completion)
            );
        }
        let _ = writeln!(text, "\n{indent}    '*: : '\n{indent};;");
    }
    let names = joined(explained(words).map(|(name, _)| name));
    let _ = write!(text, "            help) _arguments '1:topic:({names})' ;;");
    text
}

fn fish_quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

/// The flags of `complete` that say what a value is.
fn fish_value(completion: Completion) -> String {
    match completion {
        Completion::Nothing => "-x".to_owned(),
        Completion::File => "-r -F".to_owned(),
        Completion::Directory => "-x -a '(__fish_complete_directories)'".to_owned(),
        Completion::Container => "-x -a '(__@PROGRAM@_containers)'".to_owned(),
        Completion::ContainerOrDirectory => {
            "-x -a '(__@PROGRAM@_containers; __fish_complete_directories)'".to_owned()
        }
        Completion::OneOf(words) => format!("-x -a '{}'", words.join(" ")),
    }
}

fn fish_lines(words: &Vocabulary) -> String {
    let mut text = String::new();
    let mut named = |condition: &str, name: &str, about: &str| {
        let about = fish_quoted(about);
        let _ = writeln!(
            text,
            "complete -c @PROGRAM@ -n '{condition}' -a {name} -d '{about}'"
        );
    };
    for (name, about) in commands(words) {
        named("__@PROGRAM@_at \"\" 0", name, about);
    }
    for (name, about) in explained(words) {
        named("__@PROGRAM@_at help 0", name, about);
    }
    for (command, flags) in lists(words) {
        let ends = |known: &&&Command| known.name == command && known.order == Order::FlagsFirst;
        let within = match command {
            "" => "in \"\"".to_owned(),
            name if words.commands.iter().any(|known| ends(&known)) => format!("at {name} 0"),
            name => format!("in {name}"),
        };
        for flag in shown(flags) {
            let letter = flag
                .letter
                .map_or(String::new(), |letter| format!(" -s {letter}"));
            let value = match flag.takes {
                Takes::Nothing => String::new(),
                _ => format!(" {}", fish_value(flag.completion)),
            };
            let _ = writeln!(
                text,
                "complete -c @PROGRAM@ -n '__@PROGRAM@_{within}' -l {}{letter}{value} -d '{}'",
                flag.name,
                fish_quoted(flag.help)
            );
        }
    }
    for command in words.commands {
        fish_operands(&mut text, command);
    }
    let _ = write!(
        text,
        "complete -c @PROGRAM@ -s h -l help -d 'show help'\n\
         complete -c @PROGRAM@ -n '__@PROGRAM@_in \"\"' -s v -l version -d 'print the version'"
    );
    text
}

fn fish_operands(text: &mut String, command: &Command) {
    for (at, &completion) in command.completions.iter().enumerate() {
        let _ = writeln!(
            text,
            "complete -c @PROGRAM@ -n '__@PROGRAM@_at {} {at}' {}",
            command.name,
            fish_value(completion)
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::COFFERDAM;
    use crate::nsinit;

    /// The words of both programs; of `nsinit` those of its later year.
    fn programs() -> [Vocabulary; 2] {
        let own = (COFFERDAM.commands)(&Default::default()).unwrap();
        [
            COFFERDAM.vocabulary(own),
            nsinit::NSINIT.vocabulary(nsinit::commands_of("2015")),
        ]
    }

    #[test]
    fn the_files_in_the_repository_are_those_of_the_tables() {
        // The folder is of the workspace, not of the package.
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/completions");
        for words in programs() {
            let name = words.program;
            for (shell, file) in [
                (Shell::Bash, format!("bash/{name}")),
                (Shell::Zsh, format!("zsh/_{name}")),
                (Shell::Fish, format!("fish/{name}.fish")),
            ] {
                let path = folder.join(&file);
                let script = script(shell, &words);
                if std::env::var_os("COFFERDAM_WRITE_MAN").is_some() {
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(&path, &script).unwrap();
                }
                let kept = std::fs::read_to_string(&path).unwrap();
                assert!(kept == script, "{file} is not what the tables say: ./x man");
            }
        }
    }

    #[test]
    fn every_command_and_every_shown_flag_is_in_each_script() {
        for words in programs() {
            for name in Shell::NAMES {
                let shell = Shell::from_name(name).unwrap();
                let script = script(shell, &words);
                assert!(
                    !script.contains('@') || !script.contains("@PROGRAM@"),
                    "{name}"
                );
                for (command, flags) in lists(&words) {
                    assert!(script.contains(command), "{name}: {command}");
                    for flag in shown(flags) {
                        let long = match shell {
                            Shell::Fish => format!(" -l {}", flag.name),
                            _ => format!("--{}", flag.name),
                        };
                        assert!(script.contains(&long), "{name}: {command} {long}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_shell_would_take_for_its_own_is_quoted() {
        assert_eq!(zsh_quoted("it's [a:b]"), "it'\\''s \\[a\\:b\\]");
        assert_eq!(fish_quoted("it's a\\b"), "it\\'s a\\\\b");
    }

    #[test]
    fn values_of_flags_that_take_nothing_are_not_completed() {
        for words in programs() {
            for (command, flags) in lists(&words) {
                for flag in flags.iter().filter(|flag| flag.takes == Takes::Nothing) {
                    assert_eq!(
                        flag.completion,
                        Completion::Nothing,
                        "{command} {}",
                        flag.name
                    );
                }
            }
        }
    }
}
