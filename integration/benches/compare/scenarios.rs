//! What is measured.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::bundle::Bundles;
use crate::layout::Layout;
use crate::measure::{self, Sample};
use crate::peer::{self, Peer};
use crate::report::Table;
use crate::shuffle::Shuffle;

/// How long the machine is left idle before a sparse round: long enough for the kernel's grace periods to be paid again.
const IDLE: Duration = Duration::from_millis(100);
const LISTED: usize = 1000;
const PARALLEL: usize = 100;
const HOST_MOUNTS: usize = 1000;
const SCENARIOS: [&str; 9] = [
    "run",
    "run-sparse",
    "run-seccomp",
    "run-cgroupns",
    "life",
    "parallel",
    "list",
    "mounts",
    "fixed",
];
const LIFE: [&str; 6] = ["create", "start", "state", "exec", "kill", "delete"];

struct Bench<'a> {
    peers: &'a [Peer],
    bundles: &'a Bundles,
    rounds: usize,
    shuffle: Shuffle,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Runs the named scenarios, or all of them.
pub(crate) fn run_all(layout: Layout, rounds: usize, wanted: &[String]) -> Outcome<()> {
    let scratch = tempfile::Builder::new()
        .prefix("cofferdam-bench-")
        .tempdir_in("/dev/shm")?;
    let bundles = Bundles::create(scratch.path())?;
    println!(
        "layout {}, load {}",
        layout.name(),
        fs::read_to_string("/proc/loadavg")?.trim()
    );
    let peers = peer::available(layout, scratch.path(), &bundles.path("true"))?;
    let mut bench = Bench {
        peers: &peers,
        bundles: &bundles,
        rounds,
        shuffle: Shuffle::new(),
    };
    for name in SCENARIOS {
        if wanted.is_empty() || wanted.iter().any(|other| other == name) {
            bench.scenario(name)?;
        }
    }
    Ok(())
}

fn words(parts: &[&str]) -> Vec<OsString> {
    parts.iter().map(OsString::from).collect()
}

fn with_bundle(verb: &str, bundle: &Path, rest: &[&str]) -> Vec<OsString> {
    let mut arguments = words(&[verb, "--bundle"]);
    arguments.push(bundle.into());
    arguments.extend(words(rest));
    arguments
}

impl Bench<'_> {
    fn scenario(&mut self, name: &str) -> Outcome<()> {
        match name {
            "run" => self.run("run", "true", Duration::ZERO),
            "run-sparse" => self.run("run, after 100 ms idle", "true", IDLE),
            "run-seccomp" => self.run(
                "run with Docker's seccomp profile",
                "seccomp",
                Duration::ZERO,
            ),
            "run-cgroupns" => self.run("run with a cgroup namespace", "cgroupns", Duration::ZERO),
            "life" => self.life(),
            "parallel" => self.parallel(),
            "list" => self.list(),
            "mounts" => self.mounts(),
            "fixed" => self.fixed(),
            other => Err(format!("unknown scenario {other}").into()),
        }
    }

    /// Interleaves `rounds` rounds of all peers, each round in another order.
    fn rounds(
        &mut self,
        title: &str,
        rounds: usize,
        mut measured: impl FnMut(&Peer, usize) -> Outcome<Sample>,
    ) -> Outcome<()> {
        let mut table = Table {
            title: title.to_owned(),
            peers: self.peers.iter().map(|peer| peer.name).collect(),
            rounds: Vec::with_capacity(rounds),
        };
        for round in 0..rounds {
            let mut row: Vec<Option<Sample>> = vec![None; self.peers.len()];
            for index in self.shuffle.order(self.peers.len()) {
                row[index] = Some(measured(&self.peers[index], round)?);
            }
            table.rounds.push(row.into_iter().flatten().collect());
        }
        table.print();
        Ok(())
    }

    fn run(&mut self, title: &str, bundle: &str, idle: Duration) -> Outcome<()> {
        let bundle = self.bundles.path(bundle);
        self.rounds(title, self.rounds, |peer, round| {
            std::thread::sleep(idle);
            let id = format!("bench-run-{round}");
            measure::command(peer.command(with_bundle("run", &bundle, &[&id])))
        })
    }

    /// Each step of a container's life, measured within one life a round.
    fn life(&mut self) -> Outcome<()> {
        let bundle = self.bundles.path("pause");
        let mut tables: Vec<Table> = LIFE
            .iter()
            .map(|step| Table {
                title: (*step).to_owned(),
                peers: self.peers.iter().map(|peer| peer.name).collect(),
                rounds: Vec::with_capacity(self.rounds),
            })
            .collect();
        for round in 0..self.rounds {
            let mut rows = vec![vec![None; self.peers.len()]; LIFE.len()];
            for index in self.shuffle.order(self.peers.len()) {
                let peer = &self.peers[index];
                let id = format!("bench-life-{round}");
                for (step, name) in LIFE.iter().enumerate() {
                    let arguments = match *name {
                        "create" => with_bundle("create", &bundle, &[&id]),
                        "exec" => words(&["exec", &id, "/bin/true"]),
                        "kill" => words(&["kill", &id, "KILL"]),
                        other => words(&[other, &id]),
                    };
                    rows[step][index] = Some(measure::command(peer.command(arguments))?);
                    if *name == "kill" {
                        wait_until_stopped(peer, &id)?;
                    }
                }
            }
            for (table, row) in tables.iter_mut().zip(rows) {
                table.rounds.push(row.into_iter().flatten().collect());
            }
        }
        tables.iter().for_each(Table::print);
        Ok(())
    }

    fn parallel(&mut self) -> Outcome<()> {
        let bundle = self.bundles.path("true");
        let title = format!("{PARALLEL} runs at once");
        self.rounds(&title, self.rounds.div_ceil(6), |peer, round| {
            let commands = (0..PARALLEL)
                .map(|number| {
                    let id = format!("bench-parallel-{round}-{number}");
                    peer.command(with_bundle("run", &bundle, &[&id]))
                })
                .collect();
            measure::batch(commands)
        })
    }

    fn list(&mut self) -> Outcome<()> {
        let bundle = self.bundles.path("pause");
        let ids: Vec<String> = (0..LISTED)
            .map(|number| format!("bench-list-{number}"))
            .collect();
        for peer in self.peers {
            for id in &ids {
                peer.must(with_bundle("create", &bundle, &[id]))?;
            }
        }
        let title = format!("list of {LISTED} containers");
        let outcome = self.rounds(&title, self.rounds.div_ceil(3), |peer, _| {
            measure::command(peer.command(words(&["list"])))
        });
        for peer in self.peers {
            for id in &ids {
                peer.must(words(&["delete", "--force", id]))?;
            }
        }
        outcome
    }

    fn mounts(&mut self) -> Outcome<()> {
        let folder = tempfile::Builder::new()
            .prefix("cofferdam-bench-mounts-")
            .tempdir_in("/dev/shm")?;
        // One shell makes them all, in this process' own mount namespace.
        let script = "cd \"$1\" && i=0 && while [ $i -lt $2 ]; do mkdir $i && mount -t tmpfs none $i || exit 1; i=$((i+1)); done";
        let status = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(folder.path())
            .arg(HOST_MOUNTS.to_string())
            .status()?;
        if !status.success() {
            return Err(format!("{HOST_MOUNTS} host mounts: {status}").into());
        }
        let bundle = self.bundles.path("true");
        let title = format!("run with {HOST_MOUNTS} host mounts");
        let outcome = self.rounds(&title, self.rounds, |peer, round| {
            let id = format!("bench-mounts-{round}");
            measure::command(peer.command(with_bundle("run", &bundle, &[&id])))
        });
        let script = "cd \"$1\" && umount *";
        let status = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(folder.path())
            .status()?;
        if !status.success() {
            return Err(format!("unmounting {HOST_MOUNTS} host mounts: {status}").into());
        }
        outcome
    }

    /// What does not depend on the load of the machine: system calls and binary size.
    fn fixed(&mut self) -> Outcome<()> {
        let bundle = self.bundles.path("true");
        println!("system calls of a run of /bin/true, and size of the binary");
        for peer in self.peers {
            let calls = count_system_calls(peer, &bundle)?;
            let size = fs::metadata(&peer.program)?.len();
            println!(
                "  {:<10} {calls:>6} calls {:>8} KiB",
                peer.name,
                size / 1024
            );
        }
        Ok(())
    }
}

/// A killed init is a zombie, or still exiting, for a moment; `delete` must not meet it.
fn wait_until_stopped(peer: &Peer, id: &str) -> Outcome<()> {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let output = peer
            .command(words(&["state", id]))
            .stdout(Stdio::piped())
            .output()?;
        let state: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        if state["status"] == "stopped" {
            return Ok(());
        }
        if std::time::Instant::now() > deadline {
            return Err(format!("{}: {id} did not stop", peer.name).into());
        }
    }
}

/// Counts with strace(1), children included; 0 if strace is not there.
fn count_system_calls(peer: &Peer, bundle: &Path) -> Outcome<usize> {
    let trace = tempfile::NamedTempFile::new()?;
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(trace.path())
        .arg(&peer.program)
        .arg("--root")
        .arg(&peer.root)
        .args(with_bundle("run", bundle, &["bench-calls"]))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("strace {}: {status}", peer.name).into()),
        Err(_) => return Ok(0),
    }
    let text = fs::read_to_string(trace.path())?;
    // Lines of other kinds: "--- SIGCHLD …", "+++ exited …", and the second half of an interrupted call.
    Ok(text
        .lines()
        .filter(|line| {
            !line.contains(" --- ") && !line.contains(" +++ ") && !line.contains("resumed>")
        })
        .count())
}
