//! The commands of the documentation do what it says. A block of commands says in its first line
//! what becomes of it:
//!
//! * ```` ```sh run ````: it is run here, on a terminal, by a user who may make containers;
//! * ```` ```sh run: SURROUNDINGS ````: it is run there, see [`RUN`];
//! * ```` ```sh not-run: REASON ````.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use cofferdam_integration::ordinary_user::OrdinaryUser;
use cofferdam_integration::{Limited, need, program};

use crate::repository;

/// Pages with blocks that are run, and where: each has a test below, but for those that
/// `integration/vm/guest/package` types into a Debian that has nothing but the package.
const RUN: &[(&str, &str)] = &[
    ("README.md", ""),
    ("docs/start.md", ""),
    ("docs/start.md", "in a clean Debian"),
    ("docs/start.md", "in a clean Debian, too"),
    ("docs/rootless.md", "as an ordinary user"),
    ("docs/checkpoint.md", "with CRIU"),
];

/// In the virtual machine there is no repository.
const CHECKPOINT: &str = include_str!("../../../docs/checkpoint.md");

/// Languages of blocks that readers type.
const TYPED: [&str; 4] = ["bash", "console", "sh", "shell"];

/// A block of code.
struct Block<'a> {
    language: &'a str,
    /// What follows the language in its first line.
    mark: &'a str,
    text: String,
}

/// The blocks of a page, in their order.
fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in page.lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(info)) => {
                let (language, mark) = info.split_once(' ').unwrap_or((info, ""));
                let text = String::new();
                open = Some(Block {
                    language,
                    mark,
                    text,
                });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "the last block has no end");
    found
}

/// Where a block is run by its mark; `None` if it is not run.
fn surroundings(mark: &str) -> Option<&str> {
    let rest = mark.strip_prefix("run")?;
    if rest.is_empty() {
        return Some("");
    }
    rest.strip_prefix(": ")
}

/// What the blocks of a page type in these surroundings.
fn typed(page: &str, wanted: &str) -> String {
    let text: String = blocks(page)
        .iter()
        .filter(|block| surroundings(block.mark) == Some(wanted))
        .map(|block| block.text.as_str())
        .collect();
    assert!(!text.is_empty(), "no block is run {wanted}");
    text
}

/// A folder with `cofferdam` and `nsinit` in `bin`, with a state root of their own.
fn prepared(runtime: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for (name, program) in [("cofferdam", runtime), ("nsinit", &program::nsinit())] {
        let root = folder.path().join(name).display().to_string();
        let lines = format!(
            "#!/bin/sh\nexec '{}' --root '{root}' \"$@\"\n",
            program.display()
        );
        fs::write(bin.join(name), lines).unwrap();
        fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    folder
}

/// Whether the last line of a terminal is the prompt of busybox' shell, before which it may ask
/// the terminal where the cursor is.
fn is_prompt(shown: &[u8]) -> bool {
    let text = String::from_utf8_lossy(shown);
    let line = text.rsplit('\n').next().unwrap_or_default();
    let line = line.trim_end_matches("\u{1b}[6n");
    ["/ # ", "/ $ ", "# ", "$ "].contains(&line)
}

/// Types the text into a shell on a terminal; a shell in a container is left at once.
fn run(text: &str, folder: &Path, prefix: &[OsString]) {
    let file = folder.join("typed");
    fs::write(&file, format!("set -eux\n{text}")).unwrap();
    let mut line = prefix.to_vec();
    // The limit ends what hangs, in the emulated test bed as well.
    line.extend(["timeout", "--foreground", "--kill-after=5", "300"].map(OsString::from));
    line.extend(["script", "--quiet", "--return", "--command"].map(OsString::from));
    line.extend([format!("sh {}", file.display()).into(), "/dev/null".into()]);
    let path = format!(
        "{}:{}",
        folder.join("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let mut child = Command::new(&line[0])
        .args(&line[1..])
        .env("PATH", path)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    let mut screen = child.stdout.take().unwrap();
    let (mut shown, mut answered, mut buffer) = (Vec::new(), 0, [0; 4096]);
    loop {
        let count = screen.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        shown.extend_from_slice(&buffer[..count]);
        if is_prompt(&shown[answered..]) {
            keyboard.write_all(b"exit\n").unwrap();
            answered = shown.len();
        }
    }
    let status = child.wait().unwrap();
    let shown = String::from_utf8_lossy(&shown);
    assert!(status.success(), "{status}: {shown}");
    // What is left would be listed.
    let left = Limited::new("env")
        .args(prefix)
        .args([folder.join("bin/cofferdam")])
        .args(["list", "--quiet"])
        .output()
        .ok();
    assert_eq!(left.stdout, "", "{shown}");
}

fn run_page(page: &str) {
    let folder = prepared(&program::under_test());
    let text = fs::read_to_string(repository(page)).unwrap();
    run(&typed(&text, ""), folder.path(), &[]);
}

#[test]
fn a_container_by_hand() {
    need!(Root, Busybox, Script, Cofferdam);
    run_page("README.md");
}

#[test]
fn the_first_page_of_the_book() {
    need!(Containers, Busybox, Script, Cofferdam);
    run_page("docs/start.md");
}

#[test]
fn a_container_of_an_ordinary_user() {
    need!(Root, Busybox, Script, UserNamespaces, Cofferdam);
    let user = OrdinaryUser::new(&program::under_test());
    let folder = prepared(user.program());
    user.own(folder.path());
    let text = fs::read_to_string(repository("docs/rootless.md")).unwrap();
    let text = typed(&text, "as an ordinary user");
    run(&text, folder.path(), &user.prefix());
}

#[test]
fn a_checkpoint_and_a_restore() {
    need!(Root, Busybox, Script, Checkpoints, Cofferdam);
    let folder = prepared(&program::under_test());
    run(&typed(CHECKPOINT, "with CRIU"), folder.path(), &[]);
}

#[test]
fn every_block_of_commands_is_run_or_says_why_not() {
    let mut pages = vec!["README.md".to_owned()];
    for page in fs::read_dir(repository("docs")).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        if Path::new(&name).extension().is_some_and(|it| it == "md") {
            pages.push(format!("docs/{name}"));
        }
    }
    let mut run = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(repository(page)).unwrap();
        for block in blocks(&text) {
            if !TYPED.contains(&block.language) {
                continue;
            }
            let reason = block.mark.strip_prefix("not-run: ");
            let Some(wanted) = surroundings(block.mark) else {
                assert!(
                    reason.is_some_and(|reason| !reason.is_empty()),
                    "{page}: a block of commands is neither run nor says why not:\n{}",
                    block.text
                );
                continue;
            };
            assert!(
                RUN.contains(&(page.as_str(), wanted)),
                "{page}: nothing runs this block, whose mark is {:?}:\n{}",
                block.mark,
                block.text
            );
            run.push((page.clone(), wanted.to_owned()));
        }
    }
    for (page, wanted) in RUN {
        let block = ((*page).to_owned(), (*wanted).to_owned());
        assert!(
            run.contains(&block),
            "{page} has no block that is run {wanted}"
        );
    }
    let guest = fs::read_to_string(repository("integration/vm/guest/package")).unwrap();
    for (page, wanted) in RUN
        .iter()
        .filter(|(_, it)| it.starts_with("in a clean Debian"))
    {
        let typed = format!("typed '{wanted}'");
        assert!(
            guest.contains(&typed),
            "{page}: the guest does not have {typed}"
        );
    }
}
