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

/// A page in the macros of `man(7)`.
fn page(program: &Program, lists: &[List], see_also: &str) -> String {
    let name = program.name;
    let mut text = format!(
        ".TH {} 1 \"\" \"cofferdam {VERSION}\" \"User Commands\"\n.SH NAME\n{name} \\- {}\n",
        name.to_uppercase(),
        escaped(program.about)
    );
    let _ = write!(
        text,
        ".SH SYNOPSIS\n.B {name}\n[global options] command [command options] [arguments...]\n\
         .SH DESCRIPTION\n"
    );
    paragraphs(&mut text, &program.introduction.replace("{program}", name));
    text.push_str(".SH GLOBAL OPTIONS\n");
    options(&mut text, program.flags);
    for (title, commands) in lists {
        let _ = writeln!(text, ".SH {title}");
        for command in *commands {
            describe(&mut text, name, command);
        }
    }
    let _ = write!(text, ".SH SEE ALSO\n.BR {see_also} (1)\n");
    text
}

fn describe(text: &mut String, program: &str, command: &Command) {
    let options_word = if command.flags.is_empty() {
        ""
    } else {
        " [command options]"
    };
    let line = format!("{}{options_word} {}", command.name, command.arguments);
    let _ = writeln!(text, ".SS {}", escaped(command.name));
    let _ = writeln!(text, ".B {program}\n{}\n.PP", escaped(line.trim_end()));
    let mut about = command.about.chars();
    let first = about.next().map(|first| first.to_ascii_uppercase());
    let about: String = first.into_iter().chain(about).collect();
    let _ = writeln!(text, "{}.", escaped(&about));
    if !command.description.is_empty() {
        text.push_str(".PP\n");
        paragraphs(text, command.description);
    }
    options(text, command.flags);
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
        let _ = writeln!(
            text,
            "\n{}{}",
            escaped(flag.help),
            escaped(&default.unwrap_or_default())
        );
    }
}

/// Paragraphs are separated by an empty line; an indented one is an example.
fn paragraphs(text: &mut String, prose: &str) {
    for paragraph in prose.split("\n\n") {
        let example = paragraph.starts_with("    ");
        if example {
            text.push_str(".PP\n.nf\n.RS\n");
        } else {
            text.push_str(".PP\n");
        }
        for line in paragraph.lines() {
            let _ = writeln!(text, "{}", escaped(line.trim()));
        }
        if example {
            text.push_str(".RE\n.fi\n");
        }
    }
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
    let pages = [
        (
            "cofferdam.1",
            page(&COFFERDAM, &[("COMMANDS", own)], "nsinit"),
        ),
        (
            "nsinit.1",
            page(
                &nsinit::NSINIT,
                &[
                    ("COMMANDS", late),
                    ("COMMANDS WITH \\-\\-compat 2014", early),
                ],
                "cofferdam",
            ),
        ),
    ];
    // The folder is of the workspace, not of the package.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/man");
    for (name, page) in pages {
        let path = folder.join(name);
        if std::env::var_os("COFFERDAM_WRITE_MAN").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(kept == page, "{name} is not what the tables say: ./x man");
    }
}

#[test]
fn what_roff_would_take_for_its_own_is_escaped() {
    assert_eq!(escaped(".a-b\\c"), "\\&.a\\-b\\ec");
}
