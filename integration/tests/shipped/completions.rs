//! What bash, zsh and fish offer at the end of a line.

use std::path::Path;
use std::sync::OnceLock;

use cofferdam_integration::{Limited, need, program};

use crate::repository;

/// What a shell offers at the end of a line of a program, sorted.
type Offer = fn(&Path, &str) -> Vec<String>;

fn sorted(text: &str) -> Vec<String> {
    let mut offered: Vec<String> = text
        .lines()
        .map(|line| line.trim_end().trim_end_matches('/').to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    offered.sort();
    offered.dedup();
    offered
}

/// Splits the line as readline does, at spaces and equals signs, and calls the function that the
/// script has registered for the program.
fn in_bash(script: &Path, line: &str) -> Vec<String> {
    const CALL: &str = r#"
        source "$1"
        read -ra COMP_WORDS <<<"${2//=/ = }"
        [[ $2 != *' ' ]] || COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        COMP_LINE=$2
        function=$(complete -p "${COMP_WORDS[0]}")
        function=${function#*-F }
        "${function%% *}"
        [[ ${#COMPREPLY[@]} = 0 ]] || printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let script = script.join(format!("bash/{}", line.split(' ').next().unwrap()));
    let output = Limited::new("bash")
        .args(["--norc", "-c", CALL, "bash", script.to_str().unwrap(), line])
        .output()
        .ok();
    assert_eq!(output.stderr, "", "{line}");
    sorted(&output.stdout)
}

/// On a terminal that zsh makes itself.
fn in_zsh(script: &Path, line: &str) -> Vec<String> {
    let script = script.join(format!("zsh/_{}", line.split(' ').next().unwrap()));
    let driver = repository("integration/tests/shipped/complete.zsh");
    // Kept by this test from line to line.
    static DUMP: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dump = DUMP.get_or_init(|| tempfile::tempdir().unwrap());
    let output = Limited::new("zsh")
        .env("DUMP", dump.path().join("dump"))
        .args([
            "-f",
            driver.to_str().unwrap(),
            script.to_str().unwrap(),
            line,
        ])
        .output()
        .ok();
    sorted(&output.stdout)
}

/// By the builtin that says what would be offered; a description follows after a tab.
fn in_fish(script: &Path, line: &str) -> Vec<String> {
    let script = script.join(format!("fish/{}.fish", line.split(' ').next().unwrap()));
    let home = tempfile::tempdir().unwrap();
    let output = Limited::new("fish")
        .args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"])
        .args([script.to_str().unwrap(), line])
        .env("HOME", home.path())
        .output()
        .ok();
    assert_eq!(output.stderr, "", "{line}");
    let names: String = output
        .stdout
        .lines()
        .map(|line| format!("{}\n", line.split('\t').next().unwrap()))
        .collect();
    sorted(&names)
}

/// Lines, and what every shell offers at their ends. `ROOT` is a state root with two containers.
const LINES: &[(&str, &[&str])] = &[
    ("cofferdam st", &["start", "state", "stats"]),
    (
        "cofferdam --debug --log /x sta",
        &["start", "state", "stats"],
    ),
    ("cofferdam help cg", &["cgroups"]),
    ("cofferdam help exi", &["exit-status"]),
    ("cofferdam completion ", &["bash", "fish", "zsh"]),
    ("cofferdam --log-format ", &["json", "text"]),
    ("cofferdam list -f ", &["json", "table"]),
    ("cofferdam list --format j", &["json"]),
    ("cofferdam run --no-p", &["--no-pivot"]),
    ("cofferdam run one --no-p", &["--no-pivot"]),
    ("cofferdam --root ROOT state ", &["one", "other-2"]),
    ("cofferdam --root=ROOT kill ot", &["other-2"]),
    ("cofferdam --root ROOT kill one T", &["TERM", "TSTP"]),
    (
        "cofferdam --root ROOT delete --force o",
        &["one", "other-2"],
    ),
    ("cofferdam --root ROOT exec --cwd /x o", &["one", "other-2"]),
    // A container that does not exist yet has no name.
    ("cofferdam --root ROOT run ", &[]),
    // What follows the container of exec is another program's.
    ("cofferdam --root ROOT exec one --cw", &[]),
    (
        "cofferdam update --resources ROOT/o",
        &["ROOT/one", "ROOT/other-2"],
    ),
    (
        "cofferdam run --bundle ROOT/o",
        &["ROOT/one", "ROOT/other-2"],
    ),
    (
        "cofferdam exec --process ROOT/one/s",
        &["ROOT/one/state.json"],
    ),
    ("nsinit --compat ", &["2014", "2015"]),
    ("nsinit unp", &["unpause"]),
    ("nsinit exec --secur", &["--security"]),
    ("nsinit --root ROOT exec --id ", &["one", "other-2"]),
];

fn compare(offer: Offer) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().to_str().unwrap();
    for id in ["one", "other-2"] {
        std::fs::create_dir(root.path().join(id)).unwrap();
        std::fs::write(root.path().join(id).join("state.json"), "{}").unwrap();
    }
    // Not a container: it has no state.
    std::fs::create_dir(root.path().join("hooks")).unwrap();
    let scripts = repository("docs/completions");
    for (line, expected) in LINES {
        let line = line.replace("ROOT", path);
        let expected: Vec<String> = expected
            .iter()
            .map(|word| word.replace("ROOT", path))
            .collect();
        let mut offered = offer(&scripts, &line);
        if line.contains('/') && expected.iter().any(|word| word.contains('/')) {
            // zsh offers what is missing of a path, without what was typed of it.
            for word in &mut offered {
                if !word.starts_with('/') {
                    let typed = line.rsplit(' ').next().unwrap();
                    let (folder, _) = typed.rsplit_once('/').unwrap();
                    *word = format!("{folder}/{word}");
                }
            }
        }
        assert_eq!(offered, expected, "{line}");
    }
    // What the program itself says it knows.
    let listed = |arguments: &[&str]| {
        let help = Limited::new(program::under_test()).args(arguments).output();
        let mut names: Vec<String> = help
            .ok()
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix("   --"))
            .map(|line| format!("--{}", line.split([' ', ',']).next().unwrap()))
            .collect();
        names.push("--help".to_owned());
        names.sort();
        names.dedup();
        names
    };
    assert_eq!(offer(&scripts, "cofferdam --"), listed(&["--help"]));
    for command in offer(&scripts, "cofferdam ") {
        if command != "help" {
            let line = format!("cofferdam {command} --");
            assert_eq!(
                offer(&scripts, &line),
                listed(&[&command, "--help"]),
                "{line}"
            );
        }
    }
}

#[test]
fn bash_completes_commands_flags_values_and_containers() {
    need!(Cofferdam);
    compare(in_bash);
}

#[test]
fn zsh_completes_commands_flags_values_and_containers() {
    need!(Cofferdam, Zsh);
    compare(in_zsh);
}

#[test]
fn fish_completes_commands_flags_values_and_containers() {
    need!(Cofferdam, Fish);
    compare(in_fish);
}

/// Bash splits the line at `=`, and the word at hand may be that character.
#[test]
fn bash_completes_after_an_equals_sign() {
    need!(Cofferdam);
    let scripts = repository("docs/completions");
    assert_eq!(
        in_bash(&scripts, "cofferdam --log-format="),
        ["json", "text"]
    );
    assert_eq!(in_bash(&scripts, "cofferdam --log-format=j"), ["json"]);
    assert_eq!(in_bash(&scripts, "cofferdam list --quiet=t"), ["true"]);
}

#[test]
fn the_program_prints_the_scripts_that_are_shipped() {
    need!(Cofferdam);
    for (shell, file) in [
        ("bash", "bash/cofferdam"),
        ("zsh", "zsh/_cofferdam"),
        ("fish", "fish/cofferdam.fish"),
    ] {
        let printed = Limited::new(program::under_test())
            .args(["completion", shell])
            .output()
            .ok();
        let kept = std::fs::read_to_string(repository("docs/completions").join(file)).unwrap();
        assert_eq!(printed.stdout, kept, "{shell}");
    }
    let output = Limited::new(program::under_test())
        .args(["completion", "tcsh"])
        .output();
    let _ = output.failed(1, "which is none of bash, zsh, fish");
}
