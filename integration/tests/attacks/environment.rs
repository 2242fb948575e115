//! The caller's environment in a container or in its state (CVE-2020-14370).

use cofferdam_integration::{Case, Limited, eventually, need};

use crate::host::Host;

const MARK: &str = "cofferdam-secret-of-the-caller";

#[test]
fn no_variable_of_the_caller_is_anywhere() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.bundle.write();
    let line = format!(
        "SECRET={MARK} exec '{}' --root '{}' create {} </dev/null >/dev/null 2>&1",
        case.program.display(),
        case.root().display(),
        case.id
    );
    let _ = Limited::new("/bin/sh")
        .args(["-c", &line])
        .directory(case.bundle.path())
        .output()
        .ok();
    let pid = case.pid();
    let absent = |when: &str| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        assert!(
            !String::from_utf8_lossy(&environment).contains(MARK),
            "{when}"
        );
        // Neither is it further up on the stack, where /proc/PID/environ does not look.
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(!String::from_utf8_lossy(&line).contains(MARK), "{when}");
    };
    absent("created");
    let _ = case.call(&["start", &case.id]).ok();
    eventually("the program runs", || {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() == "sleep\n"
    });
    absent("running");
    let output = case
        .command(&[
            "exec",
            &case.id,
            "/bin/cat",
            "/proc/self/environ",
            "/proc/1/environ",
        ])
        .env("SECRET", MARK)
        .output()
        .ok();
    assert!(!output.stdout.contains(MARK), "{output}");
    let mut files = 0;
    for entry in std::fs::read_dir(case.root().join(&case.id))
        .unwrap()
        .flatten()
    {
        if entry.file_type().unwrap().is_file() {
            files += 1;
            let content = std::fs::read(entry.path()).unwrap();
            assert!(
                !String::from_utf8_lossy(&content).contains(MARK),
                "{}",
                entry.path().display()
            );
        }
    }
    assert!(files > 0, "no state was looked at");
    host.unchanged("the environment");
    case.delete();
}
