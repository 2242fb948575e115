//! A checkpoint and the restore from it, without what CRIU takes: a program in its place answers
//! at once.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::bench::{Bench, Outcome, with_bundle};
use crate::measure::{self, Sample};
use crate::peer::{Absent, COFFERDAM, Peer};
use crate::stand_in;

const STEPS: [&str; 2] = ["checkpoint", "restore"];

/// What a cycle needs beside the runtime.
struct Cycle {
    bundle: PathBuf,
    images: PathBuf,
    /// The search path with the program in the place of CRIU.
    path: OsString,
}

impl Bench {
    pub(crate) fn checkpoint(&mut self) -> Outcome<()> {
        let folder = self.bundles.folder().to_owned();
        let cycle = Cycle {
            bundle: self.bundles.path("dumped"),
            images: folder.join("images"),
            path: stand_in::install(&folder)?,
        };
        // A runtime that is built without support for CRIU says so when it is asked.
        let peers = std::mem::take(&mut self.peers);
        let absent = self.absent.clone();
        let mut unable = Vec::new();
        for peer in peers {
            match cycle.run(&peer, &self.id("cycle")) {
                Err(error) if peer.name != COFFERDAM => {
                    self.absent.push(Absent {
                        name: peer.name,
                        reason: error.to_string(),
                    });
                    unable.push(peer);
                }
                // Ours fails once more where that is reported.
                _ => self.peers.push(peer),
            }
        }
        let outcome = self.cycles(&cycle);
        self.peers.append(&mut unable);
        self.absent = absent;
        outcome
    }

    fn cycles(&mut self, cycle: &Cycle) -> Outcome<()> {
        if self.peers.first().is_none_or(|peer| peer.name != COFFERDAM) {
            let reason = self.absent.last().map(|absent| absent.reason.as_str());
            return Err(reason.unwrap_or_default().into());
        }
        let mut tables = STEPS.map(|step| self.table(step, &format!("{step} without criu's part")));
        for round in 0..self.rounds {
            let id = self.id(&format!("cycle-{round}"));
            let samples = self.shuffled(|_, peer| cycle.run(peer, &id))?;
            for (step, table) in tables.iter_mut().enumerate() {
                let row = samples.iter().filter_map(|cycle| cycle.get(step).copied());
                table.rounds.push(row.collect());
            }
        }
        for table in &tables {
            self.print(table)?;
        }
        Ok(())
    }
}

/// The images that there always are, with their magic numbers: an inventory, and a tree without
/// processes.
const IMAGES: [(&str, u32); 2] = [("inventory.img", 0x5831_3116), ("pstree.img", 0x5027_3030)];

/// What each image begins with.
const IMAGE: u32 = 0x5456_4319;

impl Cycle {
    /// Runs a container, dumps it, restores it and removes it; what the steps took.
    fn run(&self, peer: &Peer, id: &str) -> Outcome<Vec<Sample>> {
        peer.must(with_bundle("run", &self.bundle, &["--detach", id]))?;
        let measured = self.steps(peer, id);
        peer.must(["delete", "--force", id])?;
        match fs::remove_dir_all(&self.images) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => measured,
        }
    }

    /// Writes what the program in the place of CRIU leaves out.
    fn write_images(&self) -> Outcome<()> {
        for (name, magic) in IMAGES {
            let bytes = [IMAGE, magic].map(u32::to_le_bytes).concat();
            fs::write(self.images.join(name), bytes)?;
        }
        Ok(())
    }

    fn steps(&self, peer: &Peer, id: &str) -> Outcome<Vec<Sample>> {
        let images = [OsStr::new("--image-path"), self.images.as_os_str()].map(OsString::from);
        STEPS
            .iter()
            .map(|step| {
                let mut arguments = match *step {
                    "restore" => {
                        self.write_images()?;
                        with_bundle(step, &self.bundle, &["--detach"])
                    }
                    other => vec![other.into()],
                };
                arguments.extend(images.clone());
                arguments.push(id.into());
                let mut command = peer.command(arguments);
                command.env("PATH", &self.path);
                measure::command(command)
            })
            .collect()
    }
}
