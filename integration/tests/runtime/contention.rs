//! Many commands on few containers at the same time: each answers with success or with a failure
//! that has a reason, records, cgroups and processes agree, and nothing is left in the end.
//!
//! `COFFERDAM_CONTENTION_SECONDS` is how long that goes on (3 by default),
//! `COFFERDAM_CONTENTION_SEED` what the choice of commands begins with (another one each time
//! by default; it is printed).

mod answers;
mod callers;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cofferdam_integration::{Case, cgroup, need};
use runtime::{ContainerId, ErrorKind, Runtime, Status};

use callers::{Answer, Layout, Library};

const WORKERS: u64 = 8;
const IDS: usize = 3;

/// What is chosen from.
type Mix = &'static [&'static [&'static str]];

/// Creations more often than the rest: these are what commands meet that do not expect them.
const CREATIONS: Mix = &[
    &["create", "ID"],
    &["create", "ID"],
    &["create", "ID"],
    &["run", "--detach", "ID"],
    &["start", "ID"],
    &["exec", "ID", "/bin/true"],
    &["kill", "ID", "KILL"],
    &["delete", "ID"],
    &["delete", "--force", "ID"],
    &["delete", "--force", "ID"],
    &["pause", "ID"],
    &["resume", "ID"],
    &["update", "--pids-limit", "100", "ID"],
];

/// Containers that live long enough for what is done to running ones.
const CALM: Mix = &[
    &["run", "--detach", "ID"],
    &["run", "--detach", "ID"],
    &["start", "ID"],
    &["exec", "ID", "/bin/true"],
    &["exec", "ID", "/bin/true"],
    &["exec", "ID", "/bin/true"],
    &["pause", "ID"],
    &["pause", "ID"],
    &["resume", "ID"],
    &["resume", "ID"],
    &["resume", "ID"],
    &["update", "--pids-limit", "100", "ID"],
    &["update", "--pids-limit", "100", "ID"],
    &["kill", "ID", "KILL"],
    &["delete", "ID"],
    &["delete", "--force", "ID"],
];

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

/// What the workers share.
struct Contest {
    layout: Layout,
    mix: Mix,
    /// Every other worker uses the library instead of the program.
    in_process: Option<Library>,
    cases: Vec<Case>,
    /// How often each command succeeded.
    succeeded: Mutex<BTreeMap<&'static str, u32>>,
    wrong: Mutex<Vec<String>>,
}

impl Contest {
    fn new(layout: Layout, mix: Mix, in_process: Option<Library>) -> Self {
        let cases = (0..IDS).map(|_| {
            let mut case = Case::new();
            case.bundle.args(&["/bin/sleep", "1000"]);
            case.bundle.write();
            case
        });
        Self {
            layout,
            mix,
            in_process,
            cases: cases.collect(),
            succeeded: Mutex::default(),
            wrong: Mutex::default(),
        }
    }

    fn work(&self, worker: u64, seed: u64, deadline: Instant) {
        let mut choice = Choice((seed ^ worker.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1);
        while Instant::now() < deadline {
            let line = self.mix[choice.below(self.mix.len())];
            let case = &self.cases[choice.below(IDS)];
            let arguments: Vec<&str> = line
                .iter()
                .map(|&word| if word == "ID" { case.id.as_str() } else { word })
                .collect();
            let answer = match &self.in_process {
                Some(library) if worker.is_multiple_of(2) => Some(library.call(case, &arguments)),
                _ => callers::by_program(case, self.layout, &arguments),
            };
            match answer {
                None => self.complain(format!("{arguments:?} hangs")),
                Some(Answer { code: 0, .. }) => {
                    *self.succeeded.lock().unwrap().entry(line[0]).or_default() += 1;
                }
                Some(Answer { code, said }) if answers::may_fail(line, code, &said) => {}
                Some(Answer { code, said }) => {
                    self.complain(format!("{arguments:?}: {code}: {said}"));
                }
            }
        }
    }

    fn complain(&self, text: String) {
        self.wrong.lock().unwrap().push(text);
    }

    /// The record says what there is, now that nothing changes any more.
    fn check_record(&self, case: &Case) {
        let id: ContainerId = case.id.parse().unwrap();
        let container = match Runtime::new(case.root()).unwrap().load(&id) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                for left in case.leftovers() {
                    self.complain(format!("{id} does not exist, but for: {left}"));
                }
                return;
            }
            loaded => loaded.unwrap(),
        };
        // The mount namespace of the others shows them their cgroups, not this process.
        if self.layout == Layout::Unified {
            return;
        }
        match container.status().unwrap() {
            Status::Creating => self.complain(format!("{id}: nothing creates it any more")),
            Status::Stopped => {}
            status => {
                let pid = container.pid().unwrap_or_default();
                let cgroups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"));
                if !cgroups.unwrap_or_default().contains(id.as_str()) {
                    self.complain(format!(
                        "{id} is {status}: process {pid} is not in its cgroup"
                    ));
                }
            }
        }
    }

    /// Ends and removes everything.
    fn finish(self) -> Vec<String> {
        for case in &self.cases {
            self.check_record(case);
            match callers::by_program(case, self.layout, &["delete", "--force", &case.id]) {
                Some(Answer { code: 0, .. }) => {}
                Some(Answer { code, said }) => self.complain(format!("at the end: {code}: {said}")),
                None => self.complain(format!("the last removal of {} hangs", case.id)),
            }
        }
        if let Some(library) = self.in_process {
            library.reap();
        }
        let mut wrong = self.wrong.into_inner().unwrap();
        for case in self.cases {
            wrong.extend(case.leftovers());
            case.finish();
        }
        wrong
    }
}

#[allow(clippy::print_stdout, reason = "what it takes to repeat a failure")]
fn contend(layout: Layout, mix: Mix, in_process: Option<Library>) {
    let seconds = variable("COFFERDAM_CONTENTION_SECONDS").unwrap_or(3);
    let seed = variable("COFFERDAM_CONTENTION_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::from(now.subsec_nanos())
    });
    let contest = Contest::new(layout, mix, in_process);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        for worker in 1..=WORKERS {
            let contest = &contest;
            scope.spawn(move || contest.work(worker, seed, deadline));
        }
    });
    println!(
        "{layout:?}, seed {seed}, {seconds} s, succeeded {:?}",
        contest.succeeded.lock().unwrap()
    );
    let wrong = contest.finish();
    assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
}

#[test]
fn nothing_is_left_of_commands_that_meet() {
    need!(Root, Busybox, Cofferdam);
    contend(Layout::Own, CREATIONS, None);
}

#[test]
fn nothing_is_left_of_commands_that_meet_on_cgroup_v2() {
    need!(Root, Busybox, CgroupV2, Cofferdam);
    if !cgroup::is_unified() {
        contend(Layout::Unified, CREATIONS, None);
    }
}

#[test]
fn the_program_and_the_library_work_on_the_same_containers() {
    need!(Root, Busybox, Cofferdam);
    contend(Layout::Own, CALM, Some(Library::default()));
}

#[test]
fn running_containers_are_changed_by_many_on_cgroup_v2() {
    need!(Root, Busybox, CgroupV2, Cofferdam);
    if !cgroup::is_unified() {
        contend(Layout::Unified, CALM, None);
    }
}
