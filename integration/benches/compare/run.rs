//! Whole runs of a program that ends at once.

use std::time::Duration;

use crate::bench::{Bench, Outcome, with_bundle};
use crate::measure;

/// How long the machine is left idle before a sparse round: long enough for the kernel's grace
/// periods to be paid again.
const IDLE: Duration = Duration::from_millis(100);

impl Bench {
    pub(crate) fn run(&mut self) -> Outcome<()> {
        self.runs("run", "run", "true", Duration::ZERO)
    }

    pub(crate) fn run_sparse(&mut self) -> Outcome<()> {
        self.runs("run-sparse", "run after 100 ms idle", "true", IDLE)
    }

    pub(crate) fn run_seccomp(&mut self) -> Outcome<()> {
        let title = "run with Docker's seccomp profile";
        self.runs("run-seccomp", title, "seccomp", Duration::ZERO)
    }

    pub(crate) fn run_cgroupns(&mut self) -> Outcome<()> {
        let title = "run with a cgroup namespace";
        self.runs("run-cgroupns", title, "cgroupns", Duration::ZERO)
    }

    pub(crate) fn runs(
        &mut self,
        scenario: &'static str,
        title: &str,
        bundle: &str,
        idle: Duration,
    ) -> Outcome<()> {
        let bundle = self.bundles.path(bundle);
        self.interleave(scenario, title, self.rounds, |bench, peer, round| {
            std::thread::sleep(idle);
            let id = bench.id(&format!("{scenario}-{round}"));
            measure::command(peer.command(with_bundle("run", &bundle, &[&id])))
        })
    }
}
