//! The manual pages of the two programs, made of the same tables as their parsers and help texts.
//!
//! `docs/man` holds them; the test compares, and `./x man` writes them.

use std::fmt::Write as _;
use std::path::Path;

use crate::cli::COFFERDAM;
use crate::cli::command::Command;
use crate::cli::flag::{Flag, Takes};
use crate::cli::program::Program;
use crate::cli::version::VERSION;
use crate::nsinit;

/// Commands of a program, under a title.
type List = (&'static str, &'static [&'static Command]);

/// The date of the pages, which `man(7)` wants: that of the version.
const DATE: &str = "2026-11-30";

/// A page in the macros of `man(7)`, with every command in it or, where commands have pages of
/// their own, their list.
fn page(program: &Program, lists: &[List], own_pages: bool, see_also: &str) -> String {
    let name = program.name;
    let mut text = title(name);
    let _ = write!(
        text,
        ".SH NAME\n{name} \\- {}\n.SH SYNOPSIS\n.B {name}\n\
         [global options] command [command options] [arguments...]\n.SH DESCRIPTION\n",
        escaped(program.about)
    );
    paragraphs(&mut text, &program.introduction.replace("{program}", name));
    text.push_str(".SH GLOBAL OPTIONS\n");
    options(&mut text, program.flags);
    text.push_str(
        ".TP\n\\fB\\-\\-help\\fR, \\fB\\-h\\fR\nshow help, of a command if it stands after one\n\
         .TP\n\\fB\\-\\-version\\fR, \\fB\\-v\\fR\nprint the version\n",
    );
    for (title, commands) in lists {
        let _ = writeln!(text, ".SH {title}");
        for command in *commands {
            if own_pages {
                let _ = writeln!(text, ".TP\n.BR {name}\\-{} (1)", command.name);
                fill(&mut text, &sentence(command.about));
            } else {
                let _ = writeln!(text, ".SS {}", escaped(command.name));
                usage(&mut text, name, command);
                text.push_str(".PP\n");
                describe(&mut text, command);
                options(&mut text, command.flags);
            }
        }
    }
    for topic in program.topics {
        let _ = writeln!(text, ".SH {}", topic.name.to_uppercase().replace('-', " "));
        paragraphs(&mut text, topic.text);
    }
    let _ = write!(text, ".SH SEE ALSO\n.BR {see_also} (1)\n");
    text
}

/// The page of a command.
fn command_page(program: &Program, command: &Command) -> String {
    let name = program.name;
    let mut text = title(&format!("{name}-{}", command.name));
    text.push_str(".SH NAME\n");
    fill(
        &mut text,
        &format!("{name}-{} - {}", command.name, command.about),
    );
    text.push_str(".SH SYNOPSIS\n");
    usage(&mut text, name, command);
    text.push_str(".SH DESCRIPTION\n");
    describe(&mut text, command);
    if command.flags.iter().any(|flag| !flag.hidden) {
        text.push_str(".SH OPTIONS\n");
        options(&mut text, command.flags);
    }
    let _ = write!(text, ".SH SEE ALSO\n.BR {name} (1)\n");
    text
}

fn title(page: &str) -> String {
    format!(
        ".TH {} 1 {DATE} \"cofferdam {VERSION}\" \"User Commands\"\n",
        escaped(&page.to_uppercase())
    )
}

fn usage(text: &mut String, program: &str, command: &Command) {
    let options_word = if command.flags.is_empty() {
        ""
    } else {
        " [command options]"
    };
    let line = format!("{}{options_word} {}", command.name, command.arguments);
    let _ = writeln!(text, ".B {program}");
    fill(text, &line);
}

fn describe(text: &mut String, command: &Command) {
    fill(text, &sentence(command.about));
    if !command.description.is_empty() {
        paragraphs(text, command.description);
    }
}

/// One line of help as a sentence.
fn sentence(about: &str) -> String {
    let mut letters = about.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    let about: String = first.into_iter().chain(letters).collect();
    format!("{about}.")
}

fn options(text: &mut String, flags: &[Flag]) {
    for flag in flags.iter().filter(|flag| !flag.hidden) {
        let value = if flag.takes == Takes::Nothing {
            ""
        } else {
            " \\fIvalue\\fR"
        };
        let _ = write!(
            text,
            ".TP\n\\fB{}\\fR{value}",
            escaped(&format!("--{}", flag.name))
        );
        if let Some(letter) = flag.letter {
            let _ = write!(text, ", \\fB{}\\fR{value}", escaped(&format!("-{letter}")));
        }
        let default = flag.default.map(|default| format!(" (default: {default})"));
        text.push('\n');
        fill(
            text,
            &format!("{}{}", flag.help, default.unwrap_or_default()),
        );
    }
}

/// Paragraphs are separated by an empty line; an indented one is an example.
fn paragraphs(text: &mut String, prose: &str) {
    for paragraph in prose.split("\n\n") {
        let example = paragraph.starts_with("    ");
        // A heading is followed by a paragraph as it is.
        let heading = text
            .lines()
            .last()
            .is_some_and(|line| line.starts_with(".SH ") || line.starts_with(".SS "));
        if !heading {
            text.push_str(".PP\n");
        }
        if example {
            text.push_str(".RS 4\n.nf\n");
        }
        if example {
            for line in paragraph.lines() {
                let _ = writeln!(text, "{}", escaped(line.get(4..).unwrap_or_default()));
            }
            text.push_str(".fi\n.RE\n");
        } else {
            fill(text, paragraph);
        }
    }
}

/// Breaks text, which is filled anyway, into the lines of 80 columns that `mandoc -T lint` wants.
fn fill(text: &mut String, prose: &str) {
    let mut line = String::new();
    for word in prose.split_whitespace() {
        if !line.is_empty() && escaped(&format!("{line} {word}")).chars().count() > 78 {
            let _ = writeln!(text, "{}", escaped(&line));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(text, "{}", escaped(&line));
}

/// A backslash begins a command of roff, as a dot or a quotation mark at the start of a line do; a
/// bare `-` is set as a hyphen, not as the minus of a flag.
fn escaped(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    if escaped.starts_with(['.', '\'']) {
        format!("\\&{escaped}")
    } else {
        escaped
    }
}

#[test]
fn the_pages_in_the_repository_are_those_of_the_tables() {
    let early = nsinit::commands_of("2014");
    let late = nsinit::commands_of("2015");
    let own = (COFFERDAM.commands)(&Default::default()).unwrap();
    let commands = own.iter().map(|command| {
        (
            format!("cofferdam-{}.1", command.name),
            command_page(&COFFERDAM, command),
        )
    });
    let programs = [
        (
            "cofferdam.1".to_owned(),
            page(&COFFERDAM, &[("COMMANDS", own)], true, "nsinit"),
        ),
        (
            "nsinit.1".to_owned(),
            page(
                &nsinit::NSINIT,
                &[
                    ("COMMANDS", late),
                    ("COMMANDS WITH \\-\\-compat 2014", early),
                ],
                false,
                "cofferdam",
            ),
        ),
    ];
    let pages: Vec<(String, String)> = programs.into_iter().chain(commands).collect();
    // The folder is of the workspace, not of the package.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/man");
    for (name, page) in &pages {
        let path = folder.join(name);
        if std::env::var_os("COFFERDAM_WRITE_MAN").is_some() {
            std::fs::write(&path, page).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(&kept == page, "{name} is not what the tables say: ./x man");
    }
    let kept = std::fs::read_dir(&folder).unwrap();
    let mut kept: Vec<String> = kept
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    let mut expected: Vec<String> = pages.into_iter().map(|(name, _)| name).collect();
    expected.sort();
    assert_eq!(kept, expected, "docs/man has a page that nothing writes");
}

#[test]
fn what_roff_would_take_for_its_own_is_escaped() {
    assert_eq!(escaped(".a-b\\c"), "\\&.a\\-b\\ec");
}
