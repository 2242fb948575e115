//! The scenarios in their order, and the rounds that all of them are made of.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use cofferdam_integration::scratch;

use crate::bundle::Bundles;
use crate::layout::Layout;
use crate::measure::Sample;
use crate::options::Options;
use crate::peer::{self, Absent, FLOOR, Peer};
use crate::record;
use crate::report::{Table, Verdicts};
use crate::scenarios::SCENARIOS;
use crate::shuffle::Shuffle;

/// What the floor can do: it knows one bundle.
const ON_THE_FLOOR: [&str; 8] = [
    "run",
    "run-sparse",
    "life",
    "parallel",
    "mounts",
    "fixed",
    "counts",
    "profile",
];

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Everything a scenario works with.
pub(crate) struct Bench {
    pub(crate) layout: Layout,
    pub(crate) peers: Vec<Peer>,
    pub(crate) absent: Vec<Absent>,
    pub(crate) bundles: Bundles,
    pub(crate) rounds: usize,
    pub(crate) verdicts: Verdicts,
    json: Option<PathBuf>,
    mark: String,
    shuffle: Shuffle,
}

/// Runs the named scenarios, or all of them. One that fails does not keep the others from being
/// measured.
pub(crate) fn run_all(layout: Layout, folder: &Path, options: &Options) -> Outcome<()> {
    let mark = scratch::mark(folder)
        .ok_or("a folder without a name")?
        .to_owned();
    let bundles = Bundles::create(folder)?;
    let installed = peer::installed(folder, &options.peers)?;
    let (peers, absent) = peer::able(installed, &bundles.path("true"), &format!("{mark}-probe"))?;
    let mut bench = Bench {
        layout,
        peers,
        absent,
        bundles,
        rounds: options.rounds,
        verdicts: Verdicts::default(),
        json: options.json.clone(),
        mark,
        shuffle: Shuffle::new(),
    };
    let mut failed = Vec::new();
    for name in SCENARIOS {
        if !options.wants(name) {
            continue;
        }
        println!("-- load {}", fs::read_to_string("/proc/loadavg")?.trim());
        if let Err(error) = bench.scenario(name) {
            println!("{name} failed: {error}");
            failed.push(name);
        }
    }
    bench.verdicts.print(layout);
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("failed: {}", failed.join(", ")).into())
}

/// The arguments of a verb that takes a bundle.
pub(crate) fn with_bundle(verb: &str, bundle: &Path, rest: &[&str]) -> Vec<OsString> {
    let mut arguments = vec![verb.into(), "--bundle".into(), bundle.into()];
    arguments.extend(rest.iter().map(OsString::from));
    arguments
}

impl Bench {
    /// Measures one scenario, with the peers that know what it asks for.
    fn scenario(&mut self, name: &str) -> Outcome<()> {
        let floor = match self.peers.pop_if(|peer| peer.name == FLOOR) {
            Some(floor) if ON_THE_FLOOR.contains(&name) => {
                self.peers.push(floor);
                None
            }
            aside => aside,
        };
        let outcome = self.by_name(name);
        self.peers.extend(floor);
        outcome
    }

    fn by_name(&mut self, name: &str) -> Outcome<()> {
        match name {
            "run" => self.run(),
            "run-sparse" => self.run_sparse(),
            "run-seccomp" => self.run_seccomp(),
            "run-cgroupns" => self.run_cgroupns(),
            "life" => self.life(),
            "checkpoint" => self.checkpoint(),
            "parallel" => self.parallel(),
            "list" => self.list(),
            "mounts" => self.mounts(),
            "fixed" => self.fixed(),
            "counts" => self.counts(),
            "scale" => self.scale(),
            "profile" => self.profile(),
            other => Err(format!("unknown scenario {other}").into()),
        }
    }

    /// An id that names the program whose container it is.
    pub(crate) fn id(&self, name: &str) -> String {
        format!("{}-{name}", self.mark)
    }

    /// An empty table of all peers.
    pub(crate) fn table(&self, scenario: &'static str, title: &str) -> Table {
        Table {
            scenario,
            title: title.to_owned(),
            peers: self.peers.iter().map(|peer| peer.name).collect(),
            rounds: Vec::new(),
        }
    }

    pub(crate) fn print(&mut self, table: &Table) -> Outcome<()> {
        table.print(self.layout, &self.absent, &mut self.verdicts);
        match &self.json {
            Some(file) => record::add(file, self.layout, table),
            None => Ok(()),
        }
    }

    /// Calls `round` for each peer once, in another order each time; the results are in the order
    /// of the peers.
    pub(crate) fn shuffled<T>(
        &mut self,
        mut round: impl FnMut(&Self, &Peer) -> Outcome<T>,
    ) -> Outcome<Vec<T>> {
        let order = self.shuffle.order(self.peers.len());
        let mut results = Vec::with_capacity(order.len());
        for index in order {
            if let Some(peer) = self.peers.get(index) {
                results.push((index, round(self, peer)?));
            }
        }
        results.sort_by_key(|(index, _)| *index);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// Interleaves `rounds` rounds of all peers and prints their table.
    pub(crate) fn interleave(
        &mut self,
        scenario: &'static str,
        title: &str,
        rounds: usize,
        measured: impl Fn(&Self, &Peer, usize) -> Outcome<Sample>,
    ) -> Outcome<()> {
        let mut table = self.table(scenario, title);
        for number in 0..rounds {
            let row = self.shuffled(|bench, peer| measured(bench, peer, number))?;
            table.rounds.push(row);
        }
        self.print(&table)
    }
}
