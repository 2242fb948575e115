//! Programs that end at once: nothing may hang, nothing may be lost.

use cofferdam_integration::{Case, Limited, need};
use serde_json::json;

#[test]
fn a_few_hundred_runs_of_the_smallest_program() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/tiny-true"]);
    for _ in 0..300 {
        let _ = case.run().ok();
    }
    case.finish();
}

#[test]
fn with_a_hook_after_the_start() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/tiny-true"]);
    case.bundle.config["hooks"] =
        json!({ "poststart": [{ "path": "/bin/sleep", "args": ["sleep", "0.05"] }] });
    for _ in 0..30 {
        let _ = case.run().ok();
    }
    case.finish();
}

#[test]
fn whatever_the_caller_does_with_its_signals() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.script("exit 5");
    case.bundle.write();
    for option in [
        "--ignore-signal=CHLD",
        "--block-signal=CHLD",
        "--block-signal",
        "--ignore-signal",
    ] {
        for _ in 0..20 {
            let output = Limited::new("env")
                .args([
                    option.into(),
                    case.program.clone().into_os_string(),
                    "--root".into(),
                    case.root().into(),
                ])
                .args(["run", &case.id])
                .directory(case.bundle.path())
                .output();
            assert_eq!(output.code, 5, "{option}: {output}");
        }
    }
    case.finish();
}

#[test]
fn exec_of_the_smallest_program() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    for _ in 0..200 {
        let _ = case.exec(&["/bin/tiny-true"]).ok();
    }
    case.delete();
}

#[test]
fn containers_side_by_side() {
    need!(Containers, Busybox);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut case = Case::new();
                for code in 0..10 {
                    case.bundle.script(&format!("echo {code}; exit {code}"));
                    let output = case.run();
                    assert_eq!(
                        (output.code, output.stdout.clone()),
                        (code, format!("{code}\n")),
                        "{output}"
                    );
                }
                case.finish();
            });
        }
    });
}
