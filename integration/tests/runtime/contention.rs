//! Many commands on few containers at the same time: whatever they do to each other, nothing is
//! left in the end.
//!
//! `COFFERDAM_CONTENTION_SECONDS` is how long that goes on (3 by default),
//! `COFFERDAM_CONTENTION_SEED` what the choice of commands begins with (another one each time
//! by default; it is printed).

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cofferdam_integration::{Case, cgroup, limited, need};

const WORKERS: u64 = 8;
const IDS: usize = 3;

/// What is chosen from, creations more often than the rest: these are what commands meet that do
/// not expect them.
const MIX: [&[&str]; 12] = [
    &["create", "ID"],
    &["create", "ID"],
    &["create", "ID"],
    &["run", "--detach", "ID"],
    &["start", "ID"],
    &["kill", "ID", "KILL"],
    &["delete", "ID"],
    &["delete", "--force", "ID"],
    &["delete", "--force", "ID"],
    &["pause", "ID"],
    &["resume", "ID"],
    &["update", "--pids-limit", "100", "ID"],
];
const EXEC: &[&str] = &["exec", "ID", "/bin/true"];

/// How the cgroup file systems are mounted that commands find.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Own,
    /// Cgroup v2 alone, in a mount namespace of the command's own.
    Unified,
}

/// xorshift64*: a choice that can be repeated, no more.
struct Choice(u64);

impl Choice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % limit
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn command(case: &Case, layout: Layout, arguments: &[&str]) -> Command {
    let mut command = match layout {
        Layout::Own => Command::new(&case.program),
        Layout::Unified => {
            let script = r#"mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@""#;
            let mut command = Command::new("unshare");
            command
                .args(["--mount", "--propagation=private", "sh", "-c", script, "sh"])
                .arg(&case.program);
            command
        }
    };
    command
        .arg("--root")
        .arg(case.root())
        .args(arguments)
        .current_dir(case.bundle.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// Runs a command; its exit code and what it said, or nothing if it hangs.
fn call(case: &Case, layout: Layout, arguments: &[&str]) -> Option<(i32, String)> {
    // What goes on in the background keeps the file open, not a pipe of ours.
    let said = tempfile::tempfile().unwrap();
    let mut child = command(case, layout, arguments)
        .stderr(said.try_clone().unwrap())
        .spawn()
        .unwrap();
    if !limited::wait(&child, limited::TIMEOUT) {
        child.kill().unwrap();
        child.wait().unwrap();
        return None;
    }
    let code = child.wait().unwrap().code().unwrap_or(-1);
    let mut text = String::new();
    let mut said = said;
    std::io::Seek::rewind(&mut said).unwrap();
    std::io::Read::read_to_string(&mut said, &mut text).unwrap();
    Some((code, text))
}

#[allow(clippy::print_stdout, reason = "what it takes to repeat a failure")]
fn contend(layout: Layout) {
    let seconds = variable("COFFERDAM_CONTENTION_SECONDS").unwrap_or(3);
    let seed = variable("COFFERDAM_CONTENTION_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::from(now.subsec_nanos())
    });
    let cases: Vec<Case> = (0..IDS)
        .map(|_| {
            let mut case = Case::new();
            case.bundle.args(&["/bin/sleep", "1000"]);
            case.bundle.write();
            case
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let commands = AtomicU32::new(0);
    let succeeded = Mutex::new(BTreeMap::<&str, u32>::new());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for worker in 1..=WORKERS {
            let (cases, commands, succeeded, wrong) = (&cases, &commands, &succeeded, &wrong);
            scope.spawn(move || {
                let mut choice = Choice((seed ^ worker.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1);
                while Instant::now() < deadline {
                    let chosen = choice.below(MIX.len() + 1);
                    let line = MIX.get(chosen).copied().unwrap_or(EXEC);
                    let case = &cases[choice.below(IDS)];
                    let arguments: Vec<&str> = line
                        .iter()
                        .map(|&word| if word == "ID" { case.id.as_str() } else { word })
                        .collect();
                    commands.fetch_add(1, Ordering::Relaxed);
                    match call(case, layout, &arguments) {
                        None => wrong.lock().unwrap().push(format!("{arguments:?} hangs")),
                        // A removal by force has no reason to fail.
                        Some((code, said)) if code != 0 && line.contains(&"--force") => wrong
                            .lock()
                            .unwrap()
                            .push(format!("{arguments:?}: {code}: {said}")),
                        Some((0, _)) => {
                            *succeeded.lock().unwrap().entry(line[0]).or_default() += 1;
                        }
                        Some(_) => {}
                    }
                }
            });
        }
    });
    println!(
        "{layout:?}, seed {seed}: {} commands in {seconds} s, succeeded {:?}",
        commands.load(Ordering::Relaxed),
        succeeded.lock().unwrap()
    );
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
    for case in cases {
        let (code, said) = call(&case, layout, &["delete", "--force", &case.id]).unwrap();
        assert_eq!(code, 0, "seed {seed}: {said}");
        let left = case.leftovers();
        assert!(left.is_empty(), "seed {seed}: {left:#?}");
        case.finish();
    }
}

#[test]
fn nothing_is_left_of_commands_that_meet() {
    need!(Root, Busybox, Cofferdam);
    contend(Layout::Own);
}

#[test]
fn nothing_is_left_of_commands_that_meet_on_cgroup_v2() {
    need!(Root, Busybox, CgroupV2, Cofferdam);
    if !cgroup::is_unified() {
        contend(Layout::Unified);
    }
}
