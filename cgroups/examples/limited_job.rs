//! Runs a program with a limit of memory, says when that runs out, and what the program has used.
//!
//! ```text
//! limited_job MEBIBYTES PROGRAM [ARGUMENT...]
//! ```
//!
//! Needs root, or a cgroup v2 that was delegated to the user.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

use std::env;
use std::error::Error;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cofferdam_cgroups::events::Event;
use cofferdam_cgroups::{Cgroup, CgroupSpec, Hierarchy, Resources};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mebibytes: Option<i64> = arguments.next().and_then(|text| text.parse().ok());
    let command: Vec<String> = arguments.collect();
    let (Some(mebibytes), false) = (mebibytes, command.is_empty()) else {
        eprintln!("usage: limited_job MEBIBYTES PROGRAM [ARGUMENT...]");
        return Ok(ExitCode::from(2));
    };
    let bytes = mebibytes.saturating_mul(1 << 20);
    let limits = Resources {
        memory: Some(bytes),
        // Memory and swap together: no swap beyond that.
        memory_swap: Some(bytes),
        ..Resources::default()
    };

    // Which hierarchies there are, v1 or v2, is found out once.
    let hierarchy = Hierarchy::system()?;
    let place = CgroupSpec::at(format!("/limited-job-{}", std::process::id()));
    let (cgroup, applied) = Cgroup::create(&hierarchy, &place, &limits)?;
    for warning in applied.warnings {
        eprintln!("not in force: {warning}");
    }
    let outcome = run(&cgroup, &command);
    // Whatever happened: no process and no cgroup is left.
    cgroup.kill()?;
    cgroup.delete(Duration::from_secs(10))?;

    let (status, watcher) = outcome?;
    let kills = watcher.join().map_err(|_| "the watcher has failed")?;
    println!("{status}; out of memory: {kills} times");
    Ok(ExitCode::from(u8::from(!status.success())))
}

fn run(
    cgroup: &Cgroup,
    command: &[String],
) -> Result<(ExitStatus, JoinHandle<u32>), Box<dyn Error>> {
    // Only what happens from here on is reported. The stream ends with the last process, or the
    // cgroup.
    let mut events = cgroup.oom_events()?;
    let watcher = thread::spawn(move || {
        let mut count = 0;
        while let Ok(Event::Happened) = events.wait() {
            eprintln!("out of memory");
            count += 1;
        }
        count
    });

    // The program begins when the shell in front of it has read a line: it is in the cgroup by
    // then.
    let mut child = Command::new("sh")
        .args(["-c", "read -r go && exec \"$@\" </dev/null", "sh"])
        .args(command)
        .stdin(Stdio::piped())
        .spawn()?;
    let joined = cgroup.add(child.id());
    if let Some(mut stdin) = child.stdin.take().filter(|_| joined.is_ok()) {
        use std::io::Write as _;
        stdin.write_all(b"go\n")?;
    }
    let status = child.wait()?;
    joined?;

    let stats = cgroup.stats()?;
    println!("CPU time:    {} ms", stats.cpu.usage.total / 1_000_000);
    println!("most memory: {} KiB", stats.memory.usage.max / 1024);
    println!("OOM kills:   {}", cgroup.oom_kill_count()?);
    if let Some(psi) = stats.memory.psi {
        println!("waited for memory: {} ms", psi.some.total / 1000);
    }
    Ok((status, watcher))
}
