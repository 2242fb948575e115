//! Thousands of containers in one process: what must not grow does not.
//!
//! Several threads of this process live the lives of containers, through the library and by the
//! command line in turn, in a mixture of what programs do with containers. Before them, after each
//! round and at the end a [`Census`] counts what there is: of the process, of the kernel's objects
//! that have a mark of these containers, and of the namespaces that the soak has for itself. What
//! is counted has to be what it was; memory may differ by [`MEMORY_KIB`], what is mapped by
//! [`MAPPED_KIB`].
//!
//! The descriptors and children of the whole process count: nothing else may run in it.

mod census;
mod life;
mod place;
mod table;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub use census::{Census, Judgement, ROWS, Row};
pub use place::{Hierarchies, remove_abandoned};
pub use table::{MAPPED_KIB, MEMORY_KIB, Table};

use crate::parallel::in_parallel;
use life::Life;
use place::Place;

/// How many rounds there are: so many columns fit into a table.
const ROUNDS: usize = 8;

/// Lives before the first count, so that what is made once and kept is there.
const WARM_UP: usize = 60;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Lives by the library.
    pub library: usize,
    /// Lives by the command line.
    pub commands: usize,
    /// Threads that live them.
    pub threads: usize,
    /// How cgroups are mounted.
    pub hierarchies: Hierarchies,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What was counted.
    pub table: Table,
    /// How many lives there were, those of the command line and of the beginning included.
    pub lives: usize,
    /// How long they took.
    pub elapsed: Duration,
}

/// Lives so many lives as the options say. It is for a thread of its own, which gets other
/// namespaces; what it starts is in them, too.
///
/// # Errors
/// None is asked for; a life fails, which ends all; or the census is blind to a container that is
/// there.
pub fn soak(options: Options) -> Result<Outcome, String> {
    if options.library + options.commands == 0 {
        return Err("no lives".to_owned());
    }
    let place = Place::enter(options.hierarchies)?;
    let result = lives(&place, options);
    // Of a soak that failed everything is removed as well.
    let removed = place.remove();
    let outcome = result?;
    removed.map(|()| outcome)
}

fn lives(place: &Place, options: Options) -> Result<Outcome, String> {
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    let all = options.library + options.commands;
    let warm_up = WARM_UP.min(all);
    round(place, options, &next, warm_up)?;
    census::is_not_blind(place)?;
    let first = Census::settled(place, None)?;
    first.is_clean()?;
    let mut table = Table::new(first);
    for number in 1..=ROUNDS {
        let end = warm_up + all * number / ROUNDS;
        round(place, options, &next, end)?;
        let census = Census::settled(place, Some(table.first()))?;
        table.push(end - warm_up, census);
        // What has not settled by now does not settle later.
        if !table.faults().is_empty() {
            break;
        }
    }
    Ok(Outcome {
        table,
        lives: next.into_inner(),
        elapsed: start.elapsed(),
    })
}

/// Lives up to a number, in threads that end with the round.
fn round(place: &Place, options: Options, next: &AtomicUsize, end: usize) -> Result<(), String> {
    let worker = || {
        loop {
            let taken = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |number| {
                (number < end).then_some(number + 1)
            });
            let Ok(number) = taken else {
                return Ok(());
            };
            let life = Life::of(number, options.library, options.commands);
            life.live(place, number).map_err(|error| {
                // The other threads end, too.
                next.store(end, Ordering::Relaxed);
                format!("life {number}, {life:?}: {error}")
            })?;
        }
    };
    in_parallel(options.threads, worker).map_err(|error| error.to_string())
}
