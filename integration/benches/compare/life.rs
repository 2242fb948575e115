//! Each step of a container's life, measured within one life a round.

use std::time::{Duration, Instant};

use crate::bench::{Bench, Outcome, with_bundle};
use crate::measure;
use crate::peer::Peer;

const STEPS: [&str; 6] = ["create", "start", "state", "exec", "kill", "delete"];

impl Bench {
    pub(crate) fn life(&mut self) -> Outcome<()> {
        let bundle = self.bundles.path("pause");
        let mut tables = STEPS.map(|step| self.table(step, step));
        for round in 0..self.rounds {
            let id = self.id(&format!("life-{round}"));
            let lives = self.shuffled(|_, peer| {
                let mut samples = Vec::with_capacity(STEPS.len());
                for step in STEPS {
                    let arguments = match step {
                        "create" => with_bundle("create", &bundle, &[&id]),
                        "exec" => vec!["exec".into(), (&id).into(), "/bin/true".into()],
                        "kill" => vec!["kill".into(), (&id).into(), "KILL".into()],
                        other => vec![other.into(), (&id).into()],
                    };
                    samples.push(measure::command(peer.command(arguments))?);
                    if step == "kill" {
                        wait_until_stopped(peer, &id)?;
                    }
                }
                Ok(samples)
            })?;
            for (step, table) in tables.iter_mut().enumerate() {
                let row = lives.iter().filter_map(|life| life.get(step).copied());
                table.rounds.push(row.collect());
            }
        }
        for table in &tables {
            self.print(table)?;
        }
        Ok(())
    }
}

/// A killed init is a zombie, or still exiting, for a moment; `delete` must not meet it.
pub(crate) fn wait_until_stopped(peer: &Peer, id: &str) -> Outcome<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while peer.state(id)?.status != "stopped" {
        if Instant::now() > deadline {
            return Err(format!("{}: {id} did not stop", peer.name).into());
        }
    }
    Ok(())
}
