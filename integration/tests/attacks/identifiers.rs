//! Container ids that are paths, or would be taken for something else.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use cofferdam_integration::{Case, Limited, need};

use crate::host::Host;
use crate::victim;

#[test]
fn an_id_is_a_plain_name() {
    need!(Root, Busybox);
    let host = Host::new();
    let case = Case::new();
    case.bundle.write();
    let long = "a".repeat(1025);
    let canary = format!(
        "../{}",
        host.canary().file_name().unwrap().to_str().unwrap()
    );
    let texts = [
        "", ".", "..", "a/b", "/", "../x", &canary, "a\nb", "a b", " ", "a:b", "a*", "a%2f", "ä",
        "\t", "a\\b", "~", "-x", "--", &long,
    ];
    let mut ids: Vec<OsString> = texts.iter().map(OsString::from).collect();
    ids.push(OsString::from_vec(vec![0xff]));
    ids.push(OsString::from_vec(b"a\xff".to_vec()));
    for id in ids {
        for verb in [
            "create", "run", "start", "state", "kill", "delete", "exec", "pause",
        ] {
            let mut line: Vec<OsString> =
                vec!["--root".into(), case.root().into(), verb.into(), id.clone()];
            if verb == "exec" {
                line.push("/bin/true".into());
            }
            let output = Limited::new(&case.program)
                .args(line)
                .directory(case.bundle.path())
                .output();
            victim::refused(&output, &format!("{verb} {id:?}"));
        }
        assert_eq!(
            std::fs::read_dir(case.root()).unwrap().count(),
            0,
            "{id:?} left something"
        );
    }
    host.unchanged("ids");
    case.finish();
}

#[test]
fn deleting_by_force_does_not_follow_a_link_in_the_state_root() {
    need!(Root, Busybox);
    let host = Host::new();
    let case = Case::new();
    std::os::unix::fs::symlink(host.canary(), case.root().join("trap")).unwrap();
    for verb in [
        &["delete", "--force", "trap"][..],
        &["state", "trap"],
        &["kill", "trap"],
        &["list"],
    ] {
        let output = case.call(verb);
        victim::sane(&output);
        host.unchanged(&format!("{verb:?}: {output}"));
    }
    let _ = std::fs::remove_file(case.root().join("trap"));
    case.finish();
}
