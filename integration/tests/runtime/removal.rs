//! `delete --force` ends whatever is there, in a bounded time, and says what it could not remove.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cofferdam_integration::{Case, Output, cgroup, eventually, limited, need};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// A runtime that did as it should has ended by then, on slow machines too. One that waits for
/// something without a bound has not.
const BOUND: Duration = Duration::from_secs(60);

fn sleeper() -> Case {
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case
}

#[track_caller]
fn forced(case: &Case) -> Output {
    let started = Instant::now();
    let output = case.call(&["delete", "--force", &case.id]);
    assert!(started.elapsed() < BOUND, "{output}");
    output
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A command in the background whose output goes nowhere.
fn background(case: &Case, arguments: &[&str]) -> Child {
    case.bundle.write();
    Command::new(&case.program)
        .arg("--root")
        .arg(case.root())
        .args(arguments)
        .current_dir(case.bundle.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A container whose creation waits in a hook until `gate` exists or, if it never does, for ever.
/// `reached` exists as soon as the hook runs.
fn in_a_hook(point: &str) -> (Case, PathBuf, PathBuf) {
    let mut case = sleeper();
    let reached = case.bundle.path().join("reached");
    let gate = case.bundle.path().join("gate");
    let made = Command::new("mkfifo").arg(&gate).status().unwrap();
    assert!(made.success());
    let script = format!(": >{}; read line <{}", reached.display(), gate.display());
    case.bundle.config["hooks"] =
        json!({ point: [{ "path": "/bin/sh", "args": ["sh", "-c", script] }] });
    (case, reached, gate)
}

/// Lets go a hook that waits there; nothing happens if none does.
fn open(gate: &Path) {
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::custom_flags(options.write(true), nonblocking);
    if let Ok(mut gate) = options.open(gate) {
        std::io::Write::write_all(&mut gate, b"go\n").unwrap();
    }
}

#[test]
fn a_creation_in_a_hook_is_ended() {
    need!(Root, Busybox, Cofferdam);
    for point in ["prestart", "createRuntime", "createContainer"] {
        // The hook is never let go: it ends with the init process that it prepares something for.
        let (case, reached, _) = in_a_hook(point);
        let mut create = background(&case, &["create", &case.id]);
        eventually("the hook runs", || reached.exists());
        let output = forced(&case);
        assert!(limited::wait(&create, BOUND), "{point}: create goes on");
        let ended = create.wait().unwrap();
        assert_eq!(output.code, 0, "{point}: {output}");
        assert!(!ended.success(), "{point}");
        let _ = case
            .call(&["state", &case.id])
            .failed(1, "container does not exist");
        case.finish();
    }
}

#[test]
fn a_container_whose_poststart_hook_runs_is_removed_at_once() {
    need!(Root, Busybox, Cofferdam);
    let (case, reached, gate) = in_a_hook("poststart");
    let mut run = background(&case, &["run", "--detach", &case.id]);
    eventually("the hook runs", || reached.exists());
    let output = forced(&case);
    assert_eq!(output.code, 0, "{output}");
    case.nothing_left();
    open(&gate);
    // The program has run, and the hook has not failed.
    assert!(limited::wait(&run, BOUND), "run goes on");
    assert!(run.wait().unwrap().success());
    case.finish();
}

#[test]
fn a_creation_that_is_stopped_or_killed_is_ended() {
    need!(Root, Busybox, Cofferdam);
    for how in [Signal::STOP, Signal::KILL] {
        for point in ["createRuntime", "createContainer"] {
            let (case, reached, gate) = in_a_hook(point);
            let mut create = background(&case, &["create", &case.id]);
            eventually("the hook runs", || reached.exists());
            signal(&create, how);
            let output = forced(&case);
            open(&gate);
            assert_eq!(output.code, 0, "{point}: {output}");
            assert!(limited::wait(&create, BOUND), "{point}: create goes on");
            assert!(!create.wait().unwrap().success());
            case.finish();
        }
    }
}

#[test]
fn a_lock_that_is_not_given_up_is_an_error_that_names_its_holder() {
    need!(Root, Busybox, Cofferdam);
    let case = sleeper();
    case.start();
    let directory = fs::File::open(case.root().join(&case.id)).unwrap();
    rustix::fs::flock(&directory, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let by = format!("process {} (", std::process::id());
    for command in [
        ["delete", "--force"].as_slice(),
        &["update", "--pids-limit", "100"],
    ] {
        let started = Instant::now();
        let _ = case.call(&[command, &[&case.id]].concat()).failed(1, &by);
        assert!(started.elapsed() < BOUND);
        if command[0] == "update" {
            continue;
        }
        // The container was ended all the same.
        assert_eq!(case.status(), "stopped");
        let _ = case.call(&["delete", &case.id]).failed(1, &by);
        break;
    }
    drop(directory);
    case.delete();
}

/// What is done to a state file, and its name.
type Damage = (&'static str, fn(&Path));

/// Damages the state file in several ways; the container must be ended and removed all the same.
fn damaged(prepare: impl Fn(&Case)) {
    let ways: [Damage; 6] = [
        ("empty", |file| fs::write(file, "").unwrap()),
        ("cut", |file| {
            let text = fs::read(file).unwrap();
            fs::write(file, &text[..100]).unwrap();
        }),
        ("another document", |file| {
            fs::write(file, "[1, 2]").unwrap()
        }),
        ("missing", |file| fs::remove_file(file).unwrap()),
        ("a link", |file| {
            fs::remove_file(file).unwrap();
            std::os::unix::fs::symlink("/etc/hostname", file).unwrap();
        }),
        ("a directory", |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        }),
    ];
    for (what, damage) in ways {
        let case = sleeper();
        prepare(&case);
        damage(&case.root().join(&case.id).join("state.json"));
        let listed = case.call(&["list", "--quiet"]).ok();
        assert!(listed.stderr.contains(&case.id), "{what}: {listed}");
        let output = forced(&case);
        assert_eq!(output.code, 0, "{what}: {output}");
        case.finish();
    }
}

#[test]
fn a_damaged_state_file_does_not_keep_a_container() {
    need!(Root, Busybox, Cofferdam);
    damaged(|case| {
        case.start();
    });
    damaged(|case| {
        case.create();
    });
}

#[test]
fn without_any_record_it_is_said_that_nothing_is_known() {
    need!(Root, Busybox, Cofferdam);
    let case = sleeper();
    case.start();
    let pid = case.pid();
    for entry in fs::read_dir(case.root().join(&case.id)).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let _ = forced(&case).failed(1, "nothing tells what the container consists of");
    // The id is free, and it was not a lie: the program goes on.
    assert!(!case.root().join(&case.id).exists());
    kill_process(
        Pid::from_raw(pid.try_into().unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    eventually("the cgroup is empty", || {
        cgroup::processes(&case.cgroup()).is_empty()
    });
    for directory in cgroup::directories(&case.cgroup()) {
        fs::remove_dir(directory).unwrap();
    }
    case.finish();
}

#[test]
fn frozen_cgroups_below_do_not_keep_it() {
    need!(Root, Busybox, CgroupV1, Cofferdam);
    let mut case = sleeper();
    case.bundle.script("sleep 1000 & wait");
    case.start();
    let top = Path::new("/sys/fs/cgroup/freezer").join(case.cgroup().trim_start_matches('/'));
    let procs = || fs::read_to_string(top.join("cgroup.procs")).unwrap();
    eventually("there are two processes", || procs().lines().count() == 2);
    let second = procs().lines().last().unwrap().to_owned();
    let inner = top.join("a/b");
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("cgroup.procs"), second).unwrap();
    fs::write(top.join("a/freezer.state"), "FROZEN").unwrap();
    fs::write(inner.join("freezer.state"), "FROZEN").unwrap();
    case.delete();
}

#[test]
fn a_cgroup_that_is_frozen_from_above_does_not_keep_it() {
    need!(Root, Busybox, CgroupV1, Cofferdam);
    let mut case = sleeper();
    let parent = format!("/cofferdam/{}-above", case.id);
    case.bundle.config["linux"]["cgroupsPath"] = json!(format!("{parent}/x"));
    case.start();
    let above = Path::new("/sys/fs/cgroup/freezer").join(parent.trim_start_matches('/'));
    fs::write(above.join("freezer.state"), "FROZEN").unwrap();
    eventually("it is frozen", || {
        fs::read_to_string(above.join("freezer.state"))
            .unwrap()
            .trim()
            == "FROZEN"
    });
    let output = forced(&case);
    fs::write(above.join("freezer.state"), "THAWED").unwrap();
    assert_eq!(output.code, 0, "{output}");
    case.nothing_left();
    for directory in cgroup::directories(&parent) {
        fs::remove_dir(directory).unwrap();
    }
    case.finish();
}

#[test]
fn a_failed_run_leaves_nothing_or_a_record() {
    need!(Root, Busybox, Cofferdam);
    let case = sleeper();
    for limit in 12..40 {
        let script = format!(r#"ulimit -Sn {limit}; exec "$@""#);
        case.bundle.write();
        let output = limited::Limited::new("/bin/sh")
            .args(["-c", &script, "sh"])
            .args([case.program.as_os_str()])
            .args(["--root".as_ref(), case.root().as_os_str()])
            .args(["run", "--detach", &case.id])
            .directory(case.bundle.path())
            .output();
        if output.code != 0 && !case.root().join(&case.id).exists() {
            let left = case.leftovers();
            assert!(left.is_empty(), "{limit}: {output}: {left:#?}");
        }
        let deleted = forced(&case);
        assert_eq!(deleted.code, 0, "{limit}: {deleted}");
        let left = case.leftovers();
        assert!(left.is_empty(), "{limit}: {output}: {left:#?}");
    }
    case.finish();
}

#[test]
fn what_cannot_be_removed_is_named_and_stays_on_record() {
    need!(Root, Busybox, CgroupV1, Cofferdam);
    let mut case = Case::new();
    case.bundle.args(&["/bin/true"]);
    case.start();
    case.wait_for_status("stopped");
    // In one hierarchy only, and not the container's.
    let mut stranger = Command::new("sleep").arg("1000").spawn().unwrap();
    let group = Path::new("/sys/fs/cgroup/pids").join(case.cgroup().trim_start_matches('/'));
    fs::write(group.join("cgroup.procs"), stranger.id().to_string()).unwrap();
    let output = case.call(&["delete", &case.id]);
    let output = output.failed(1, "unable to destroy container: ");
    assert!(
        output.stderr.contains(&stranger.id().to_string()),
        "{output}"
    );
    assert_eq!(case.status(), "stopped");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    case.delete();
}

#[test]
fn the_state_root_of_another_user_is_refused() {
    need!(Root, Busybox, Cofferdam);
    let case = sleeper();
    case.start();
    std::os::unix::fs::chown(case.root(), Some(1000), None).unwrap();
    for verb in ["state", "kill", "start", "ps", "list", "delete"] {
        let mut line = vec![verb];
        line.extend((verb != "list").then_some(case.id.as_str()));
        let _ = case
            .call(&line)
            .failed(1, "cannot be trusted: it belongs to user 1000");
    }
    std::os::unix::fs::chown(case.root(), Some(0), None).unwrap();
    case.delete();
}
