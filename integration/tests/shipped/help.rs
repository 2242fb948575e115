//! Help on topics, and answers to what is misspelt.

use cofferdam_integration::{Limited, Output, need, program};

fn call(arguments: &[&str]) -> Output {
    Limited::new(program::under_test()).args(arguments).output()
}

#[test]
fn topics_are_explained_by_one_word_or_two() {
    need!(Cofferdam);
    let list = call(&["help"]).ok().stdout;
    for topic in [
        "rootless",
        "cgroups",
        "checkpoint",
        "seccomp",
        "engines",
        "exit-status",
        "environment",
        "files",
    ] {
        assert!(list.contains(&format!("\n   {topic} ")), "{topic}: {list}");
        let text = call(&["help", topic]).ok().stdout;
        let title = topic.to_uppercase().replace('-', " ");
        assert!(text.contains(&format!("{title} - ")), "{topic}: {text}");
    }
    assert_eq!(
        call(&["help", "exit", "status"]).ok().stdout,
        call(&["help", "exit-status"]).ok().stdout
    );
    // A command and a topic of one name: both.
    let both = call(&["help", "checkpoint"]).ok().stdout;
    assert!(
        both.starts_with("NAME:\n   cofferdam checkpoint - "),
        "{both}"
    );
    assert!(both.contains("\nCHECKPOINT - "), "{both}");
}

#[test]
fn what_is_misspelt_is_answered_with_what_was_meant() {
    need!(Cofferdam);
    for (arguments, code, message) in [
        (
            &["rnu"][..],
            3,
            "No help topic for 'rnu'; did you mean run?",
        ),
        (&["hlep"], 3, "No help topic for 'hlep'; did you mean help?"),
        (
            &["help", "cgroup"],
            3,
            "No help topic for 'cgroup'; did you mean cgroups?",
        ),
        (
            &["--rot", "/x", "list"],
            1,
            "flag provided but not defined: -rot; did you mean --root?",
        ),
        (
            &["run", "-bundel", "/x", "id"],
            1,
            "flag provided but not defined: -bundel; did you mean --bundle?",
        ),
    ] {
        let output = call(arguments).failed(code, message);
        assert!(output.stderr.contains(&format!("{message}\"")), "{output}");
    }
    // What resembles nothing gets the answer of runc and no more.
    let output = call(&["nonsense"]).failed(3, "No help topic for 'nonsense'");
    assert!(!output.stderr.contains("did you mean"), "{output}");
}

/// There is no colour, on a terminal neither, so that `NO_COLOR` is obeyed.
#[test]
fn nothing_is_written_in_colour() {
    need!(Cofferdam, Script);
    let program = program::under_test();
    for line in ["--help", "help files", "rnu", "run --bundel x"] {
        let command = format!("{} {line}", program.display());
        let output = Limited::new("script")
            .args(["-qec", &command, "/dev/null"])
            .output();
        assert!(!output.stdout.is_empty(), "{line}");
        assert!(!output.stdout.contains('\u{1b}'), "{line}: {output}");
    }
}
