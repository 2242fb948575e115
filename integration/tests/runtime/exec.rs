//! exec: another process in a container.

use cofferdam_integration::{Case, eventually, need};
use serde_json::json;

fn running() -> Case {
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    case
}

#[test]
fn output_and_exit_code_are_those_of_the_process() {
    need!(Containers, Busybox);
    let case = running();
    let output = case.exec(&["/bin/sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.as_str()),
        (7, "out\n", "err\n"),
        "{output}"
    );
    assert_eq!(case.exec(&["/bin/sh", "-c", "kill -9 $$"]).code, 137);
    case.delete();
}

#[test]
fn the_process_is_in_all_namespaces_and_the_cgroup_of_the_container() {
    need!(Containers, Busybox);
    let case = running();
    let names = ["mnt", "net", "ipc", "uts", "pid", "user", "cgroup"];
    let of = |pid: &str, name: &str| std::fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap();
    let script = "for name in mnt net ipc uts pid user cgroup; do readlink /proc/self/ns/$name; done; cat /proc/self/cgroup";
    let output = case.exec(&["/bin/sh", "-c", script]).ok();
    let init = case.pid().to_string();
    for (line, name) in output.lines().iter().zip(names) {
        assert_eq!(std::path::Path::new(line), of(&init, name), "{name}");
    }
    let cgroups: Vec<String> = output.lines()[names.len()..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect();
    let of_init = std::fs::read_to_string(format!("/proc/{init}/cgroup")).unwrap();
    assert_eq!(cgroups, of_init.lines().collect::<Vec<_>>());
    case.delete();
}

#[test]
fn flags_change_the_process() {
    need!(Root, Busybox);
    let case = running();
    let exec = |arguments: &[&str]| case.exec_before(arguments);
    let output = exec(&[
        "--cwd",
        "/etc",
        "--env",
        "A=1",
        "--env",
        "B=2",
        "--user",
        "1000:7",
        "--additional-gids",
        "8",
        "/bin/sh",
        "-c",
        "pwd; echo $A$B; id -u; id -g; id -G",
    ]);
    assert_eq!(output.ok().lines(), ["/etc", "12", "1000", "7", "7 8"]);
    let output = exec(&[
        "--cap",
        "CAP_SYS_TIME",
        "/bin/grep",
        "-E",
        "Cap(Inh|Eff|Bnd|Amb)",
        "/proc/self/status",
    ])
    .ok();
    let set = |name: &str| {
        let line = output
            .lines()
            .into_iter()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned();
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    };
    let time = 1 << 25;
    assert_eq!((set("CapEff") & time, set("CapBnd") & time), (time, time));
    assert_eq!(
        (set("CapInh"), set("CapAmb")),
        (0, 0),
        "a capability is never made inheritable"
    );
    case.delete();
}

#[test]
fn a_process_file_says_everything() {
    need!(Containers, Busybox);
    let case = running();
    let file = case.bundle.path().join("process.json");
    let process = json!({
        "args": ["/bin/sh", "-c", "pwd; echo $X; id -u"],
        "cwd": "/tmp",
        "env": ["X=y"],
        "user": { "uid": 1000, "gid": 1000 },
    });
    std::fs::write(&file, process.to_string()).unwrap();
    let output = case
        .exec_before(&["--process", file.to_str().unwrap()])
        .ok();
    assert_eq!(output.lines(), ["/tmp", "y", "1000"]);
    case.delete();
}

#[test]
fn flags_after_the_id_belong_to_the_program() {
    need!(Containers, Busybox);
    let case = running();
    assert_eq!(
        case.exec(&["/bin/echo", "-t", "--user", "7"]).ok().stdout,
        "-t --user 7\n"
    );
    case.delete();
}

#[test]
fn a_detached_process_outlives_the_command_and_its_pid_is_written_down() {
    need!(Containers, Busybox);
    let case = running();
    let file = case.bundle.path().join("pid");
    let output = case.detached(&[
        "exec",
        "--detach",
        "--pid-file",
        "pid",
        &case.id,
        "/bin/sleep",
        "999",
    ]);
    assert_eq!(output.ok().stdout, "");
    let pid = std::fs::read_to_string(&file).unwrap();
    eventually("the program runs", || {
        std::fs::read(format!("/proc/{pid}/cmdline")).unwrap() == b"/bin/sleep\x00999\0"
    });
    case.delete();
}

#[test]
fn what_cannot_run_gives_255_and_says_why() {
    need!(Containers, Busybox);
    let case = running();
    let _ = case
        .exec(&["no-such-program"])
        .failed(255, "executable file not found in $PATH");
    let _ = case
        .exec(&["/no/such/program"])
        .failed(255, "no such file or directory");
    let _ = case.exec(&["/etc/passwd"]).failed(255, "permission denied");
    let _ = case
        .exec_before(&["--cwd", "/no/such", "/bin/true"])
        .failed(255, "/no/such");
    let _ = case.exec(&[]).failed(255, "args cannot be empty");
    case.delete();
}

#[test]
fn a_created_container_takes_it_and_a_stopped_one_does_not() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.create();
    assert_eq!(case.exec(&["/bin/echo", "early"]).ok().stdout, "early\n");
    assert_eq!(case.status(), "created");
    let _ = case.call(&["kill", &case.id, "KILL"]).ok();
    case.wait_for_status("stopped");
    let _ = case
        .exec(&["/bin/true"])
        .failed(255, "cannot exec in a stopped container");
    case.delete();
}

#[test]
fn no_descriptor_of_the_runtime_reaches_the_process() {
    need!(Containers, Busybox);
    let case = running();
    let output = case.exec(&["/bin/sh", "-c", "ls /proc/self/fd"]).ok();
    // 3 is ls' own, for the directory it lists.
    assert_eq!(output.lines(), ["0", "1", "2", "3"]);
    case.delete();
}

#[test]
fn many_at_once_keep_their_exit_codes() {
    need!(Containers, Busybox);
    let case = running();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..16)
            .map(|number: i32| {
                let case = &case;
                scope.spawn(move || {
                    case.exec(&["/bin/sh", "-c", &format!("echo {number}; exit {number}")])
                })
            })
            .collect();
        for (number, one) in all.into_iter().enumerate() {
            let output = one.join().unwrap();
            assert_eq!(
                (output.code, output.stdout.trim()),
                (i32::try_from(number).unwrap(), number.to_string().as_str())
            );
        }
    });
    case.delete();
}

#[test]
fn the_log_of_exec_begins_with_the_cpus_it_starts_on() {
    need!(Containers, Busybox);
    // All that the caller may use, unless the configuration names some. Tools look for this line.
    let own = rustix::thread::sched_getaffinity(None).unwrap();
    let mask = (0..64)
        .filter(|cpu| own.is_set(*cpu))
        .fold(0_u64, |mask, cpu| mask | 1 << cpu);
    for (affinity, expected) in [(json!(null), mask), (json!({ "initial": "0" }), 1)] {
        let mut case = Case::new();
        case.bundle.args(&["/bin/sleep", "1000"]);
        if !affinity.is_null() {
            case.bundle.config["process"]["execCPUAffinity"] = affinity;
        }
        case.start();
        let output = case.call(&["--debug", "exec", &case.id, "/bin/true"]).ok();
        let line = output
            .stderr
            .lines()
            .find(|line| line.contains("nsexec"))
            .unwrap_or_default();
        let text = format!("affinity: {expected:#x}");
        assert!(line.contains(&text), "{text}: {output}");
        case.delete();
    }
}
