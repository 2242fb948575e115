//! What a command takes beside many running containers: what grows with them, and for whom.

use std::time::Duration;

use crate::bench::{Bench, Outcome, with_bundle};
use crate::life::wait_until_stopped;
use crate::many::populate;
use crate::measure::{self, Sample};
use crate::peer::Peer;
use crate::remove;
use crate::report::{Table, milliseconds};

/// How many containers run of each runtime.
const BESIDE: [usize; 3] = [0, 100, 1000];
const COMMANDS: [&str; 3] = ["run", "list", "delete"];

impl Bench {
    pub(crate) fn scale(&mut self) -> Outcome<()> {
        // It takes minutes to make a thousand with it, and no target asks for it.
        let slow = self.peers.extract_if(.., |peer| peer.name == "runc");
        let slow: Vec<Peer> = slow.collect();
        let prefix = self.id("scale");
        let outcome = self.beside_more_and_more(&prefix);
        let removed = remove::containers(&self.peers, &prefix);
        self.peers.extend(slow);
        outcome.and(removed)
    }

    fn beside_more_and_more(&mut self, prefix: &str) -> Outcome<()> {
        let bundle = self.bundles.path("listed");
        let mut grown = Vec::new();
        let mut running = 0;
        for beside in BESIDE {
            for peer in &self.peers {
                populate(peer, &bundle, prefix, running..beside)?;
            }
            running = beside;
            for table in self.measure_beside(beside)? {
                self.print(&table)?;
                grown.push((beside, table));
            }
        }
        self.print_growth(&grown);
        Ok(())
    }

    /// A table for each of the commands.
    fn measure_beside(&mut self, beside: usize) -> Outcome<Vec<Table>> {
        let mut tables: Vec<Table> = COMMANDS
            .iter()
            .map(|command| {
                let title = format!("{command} beside {beside} containers of each");
                self.table("scale", &title)
            })
            .collect();
        for round in 0..self.rounds {
            let samples = self.shuffled(|bench, peer| bench.commands(peer, beside, round))?;
            for (command, table) in tables.iter_mut().enumerate() {
                let row = samples.iter().filter_map(|its| its.get(command).copied());
                table.rounds.push(row.collect());
            }
        }
        Ok(tables)
    }

    /// Each command once, in the order of [`COMMANDS`].
    fn commands(&self, peer: &Peer, beside: usize, round: usize) -> Outcome<Vec<Sample>> {
        let id = self.id(&format!("measured-{beside}-{round}"));
        let run = with_bundle("run", &self.bundles.path("true"), &[&id]);
        let run = measure::command(peer.command(run))?;
        let list = measure::command(peer.command(["list"]))?;
        let pause = self.bundles.path("pause");
        peer.must(with_bundle("run", &pause, &["--detach", &id]))?;
        peer.must(["kill", &id, "KILL"])?;
        wait_until_stopped(peer, &id)?;
        let delete = measure::command(peer.command(["delete", &id]))?;
        Ok(vec![run, list, delete])
    }

    /// By how much the time of processors has grown, in milliseconds a command.
    fn print_growth(&self, tables: &[(usize, Table)]) {
        println!(
            "growth of the CPU time in ms, layout {}",
            self.layout.name()
        );
        for (command, name) in COMMANDS.iter().enumerate() {
            let mut of_one = tables.iter().skip(command).step_by(COMMANDS.len());
            let Some((_, first)) = of_one.next() else {
                return;
            };
            for (beside, table) in of_one {
                let growth = |index: usize| {
                    let now = table.median_cpu(index).unwrap_or(Duration::ZERO);
                    let before = first.median_cpu(index).unwrap_or(Duration::ZERO);
                    milliseconds(now) - milliseconds(before)
                };
                let each: Vec<String> = (0..table.peers.len())
                    .filter_map(|index| {
                        Some(format!("{} {:.2}", table.peers.get(index)?, growth(index)))
                    })
                    .collect();
                println!("  {name:<7} beside {beside:>4}: {}", each.join(", "));
            }
        }
    }
}
