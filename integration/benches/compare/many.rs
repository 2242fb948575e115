//! Many containers: a hundred started at once, a thousand listed.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use cofferdam_integration::parallel::in_parallel;

use crate::bench::{Bench, Outcome, with_bundle};
use crate::measure;
use crate::peer::Peer;
use crate::remove;

const PARALLEL: usize = 100;
const LISTED: usize = 1000;
/// How many commands make the containers that are listed, at the same time.
const WORKERS: usize = 4;

impl Bench {
    pub(crate) fn parallel(&mut self) -> Outcome<()> {
        let bundle = self.bundles.path("true");
        let title = format!("{PARALLEL} runs at once");
        let rounds = self.rounds.div_ceil(6);
        self.interleave("parallel", &title, rounds, |bench, peer, round| {
            let commands = (0..PARALLEL)
                .map(|number| {
                    let id = bench.id(&format!("parallel-{round}-{number}"));
                    peer.command(with_bundle("run", &bundle, &[&id]))
                })
                .collect();
            measure::batch(commands)
        })
    }

    pub(crate) fn list(&mut self) -> Outcome<()> {
        let bundle = self.bundles.path("listed");
        let prefix = self.id("list");
        let mut outcome = Ok(());
        for peer in &self.peers {
            outcome = outcome.and_then(|()| populate(peer, &bundle, &prefix, 0..LISTED));
        }
        if outcome.is_ok() {
            let title = format!("list of {LISTED} containers");
            outcome = self.interleave("list", &title, self.rounds, |_, peer, _| {
                measure::command(peer.command(["list"]))
            });
        }
        remove::containers(&self.peers, &prefix)?;
        outcome
    }
}

/// Starts containers with these numbers, which run until they are removed.
pub(crate) fn populate(
    peer: &Peer,
    bundle: &Path,
    prefix: &str,
    numbers: Range<usize>,
) -> Outcome<()> {
    let next = AtomicUsize::new(numbers.start);
    let worker = || -> Result<(), String> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end {
                return Ok(());
            }
            let id = format!("{prefix}-{number}");
            peer.must(with_bundle("run", bundle, &["--detach", &id]))
                .map_err(|error| error.to_string())?;
        }
    };
    in_parallel(WORKERS, worker)
}
