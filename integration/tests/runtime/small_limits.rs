//! Resource limits of the caller that the runtime itself runs into: an error with a text, and
//! nothing left behind.

use cofferdam_integration::{Case, Limited, Output, need};

/// Runs the program below a shell that has set a limit.
fn limited(case: &Case, limit: &str, arguments: &str) -> Output {
    case.bundle.write();
    let (program, root) = (case.program.display(), case.root().display());
    let line = format!("{limit}; exec '{program}' --root '{root}' {arguments}");
    Limited::new("/bin/bash")
        .args(["-c", &line])
        .directory(case.bundle.path())
        .output()
}

#[test]
fn a_file_beyond_the_limit_is_an_error_and_no_signal() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    for command in ["run", "create"] {
        let output = limited(&case, "ulimit -f 0", &format!("{command} {}", case.id));
        let _ = output.failed(1, "file too large");
        case.nothing_left();
    }
    case.start();
    let update = format!("update --pids-limit 50 {}", case.id);
    let _ = limited(&case, "ulimit -f 0", &update).failed(1, "file too large");
    // What only reads is not concerned.
    let _ = limited(&case, "ulimit -f 0", &format!("state {}", case.id)).ok();
    case.delete();
}

#[test]
fn a_program_has_the_limit_but_not_the_way_in_which_the_runtime_takes_it() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    let output = case.inside("grep SigIgn /proc/self/status | cut -f 2");
    let ignored = u64::from_str_radix(output.stdout.trim(), 16).unwrap();
    assert_eq!(ignored & (1 << 12 | 1 << 24), 0, "{output}");
    case.finish();
    let mut case = Case::new();
    for point in ["createRuntime", "createContainer", "poststop"] {
        let file = case.bundle.path().join(point);
        let script = format!(
            "grep SigIgn /proc/self/status | cut -f 2 > {}",
            file.display()
        );
        case.bundle.config["hooks"][point] = serde_json::json!([{ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"] }]);
    }
    let _ = case.run().ok();
    for point in ["createRuntime", "createContainer", "poststop"] {
        let said = std::fs::read_to_string(case.bundle.path().join(point)).unwrap();
        let ignored = u64::from_str_radix(said.trim(), 16).unwrap();
        // SIGPIPE and SIGXFSZ. Others may be ignored by the caller of this test.
        assert_eq!(ignored & (1 << 12 | 1 << 24), 0, "{point}: {said}");
    }
    case.finish();
}

#[test]
fn few_open_files_are_an_error_with_a_text() {
    need!(Containers, Busybox);
    let case = Case::new();
    for count in 0..16 {
        let limit = format!("ulimit -n {count}");
        let output = limited(&case, &limit, &format!("run {}", case.id));
        assert_ne!(output.code, 0, "{count}: {output}");
        // One that is not static may not even be loaded.
        assert_ne!(output.stderr, "", "{count}");
        // Where not even removing was possible, the record is left for this.
        let _ = case.call(&["delete", "--force", &case.id]).ok();
        case.nothing_left();
    }
    case.finish();
}

#[test]
fn the_end_of_the_cpu_time_is_told() {
    need!(Containers, Busybox);
    for command in ["create", "run"] {
        let mut case = Case::new();
        // As the kernel does when the soft limit is reached.
        case.bundle.config["hooks"]["createRuntime"] =
            serde_json::json!([{ "path": "/bin/sh", "args": ["sh", "-c", "kill -XCPU $PPID"] }]);
        case.bundle.args(&["/bin/true"]);
        let output = case.call(&[command, &case.id]);
        if command == "create" {
            assert_eq!(output.code, 128 + 24, "{output}");
            assert!(output.stderr.contains("RLIMIT_CPU"), "{output}");
            case.delete();
        } else {
            // Sent by a process it is a signal as any other, and for the program, which does not
            // run yet.
            assert!(!output.stderr.contains("RLIMIT_CPU"), "{output}");
            case.finish();
        }
    }
}

#[test]
fn few_descriptors_are_enough_however_many_hierarchies_there_are() {
    need!(Containers, Busybox);
    let limit = "ulimit -n 32";
    let mut case = Case::new();
    // None of its own: the limit of the caller stays.
    case.bundle.config["process"]["rlimits"] = serde_json::json!([]);
    case.bundle.args(&["/bin/sh", "-c", "exit 7"]);
    let run = limited(&case, limit, &format!("run {}", case.id));
    let _ = run.failed(7, "");
    case.nothing_left();
    case.bundle.args(&["/bin/sleep", "1000"]);
    for command in ["create", "start"] {
        let _ = limited(&case, limit, &format!("{command} {}", case.id)).ok();
    }
    let exec = limited(
        &case,
        limit,
        &format!("exec {} /bin/sh -c 'exit 9'", case.id),
    );
    let _ = exec.failed(9, "");
    let kill = limited(&case, limit, &format!("delete --force {}", case.id));
    let _ = kill.ok();
    case.finish();
}

/// With so little memory the kernel refuses to execute the program, or begins to and kills the
/// process, or lets it run as far as its start, depending on the program. The init process itself
/// needs none once it has its limits, so that it depends on limit and program alone which of these
/// happens.
#[test]
fn memory_limits_below_what_executing_takes_have_one_outcome() {
    need!(Containers, Busybox);
    let refused = (255, "exec /bin/true: cannot allocate memory\n");
    for (limit, value, expected) in [
        ("RLIMIT_AS", 0, Some(refused)),
        ("RLIMIT_DATA", 0, Some(refused)),
        ("RLIMIT_AS", 100_000, Some(refused)),
        ("RLIMIT_AS", 500_000, None),
        ("RLIMIT_DATA", 100_000, None),
    ] {
        let mut case = Case::new();
        case.bundle.args(&["/bin/true"]);
        case.bundle.config["process"]["rlimits"] =
            serde_json::json!([{ "type": limit, "soft": value, "hard": value }]);
        let first = case.run();
        let outcome = (first.code, first.stderr.as_str());
        match expected {
            Some(expected) => assert_eq!(outcome, expected, "{limit} {value}: {first}"),
            // What the kernel or the program makes of it: not an error of the runtime.
            None => assert!(
                ![0, 1, 255].contains(&first.code) && !first.stderr.contains("level="),
                "{limit} {value}: {first}"
            ),
        }
        // The answers of the runtime and the limits reach the init process in any order.
        for _ in 1..8 {
            let again = case.run();
            assert_eq!(
                (again.code, again.stderr.as_str()),
                outcome,
                "{limit} {value}: {again}"
            );
            case.nothing_left();
        }
        case.finish();
    }
}

#[test]
fn memory_limits_below_what_executing_takes_are_told_by_exec() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let limits = serde_json::json!([{ "type": "RLIMIT_AS", "soft": 0, "hard": 0 }]);
    let mut process = case.bundle.config["process"].clone();
    process["args"] = serde_json::json!(["/bin/true"]);
    process["rlimits"] = limits;
    let file = case.bundle.path().join("process.json");
    std::fs::write(&file, process.to_string()).unwrap();
    for _ in 0..8 {
        let output = case.exec_before(&["--process", file.to_str().unwrap()]);
        assert_eq!(
            (output.code, output.stderr.as_str()),
            (255, "exec /bin/true: cannot allocate memory\n"),
            "{output}"
        );
    }
    case.delete();
}
