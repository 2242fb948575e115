//! Hundreds of containers in one process leave nothing and need nothing more. `./x soak` does it
//! with any number.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says what was counted"
)]

use std::sync::{Mutex, PoisonError};
use std::thread;

use cofferdam_integration::need;
use cofferdam_integration::soak::{Hierarchies, Options, soak};

/// With the other hierarchies 500 in all, most of them in this process.
const BY_LIBRARY: usize = 200;
const BY_COMMANDS: usize = 50;

/// One at a time: what the whole process has is counted.
static ALONE: Mutex<()> = Mutex::new(());

fn nothing_grows(hierarchies: Hierarchies) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let options = Options {
        library: BY_LIBRARY,
        commands: BY_COMMANDS,
        threads: 4,
        hierarchies,
    };
    let outcome = thread::scope(|scope| scope.spawn(|| soak(options)).join());
    let outcome = match outcome {
        Ok(outcome) => outcome.unwrap_or_else(|error| panic!("{error}")),
        Err(panic) => std::panic::resume_unwind(panic),
    };
    println!("{}", outcome.table);
    let faults = outcome.table.faults();
    assert!(faults.is_empty(), "{faults:#?}\n{}", outcome.table);
}

#[test]
fn nothing_grows_on_the_hierarchies_of_the_machine() {
    need!(Root, Cofferdam, Controllers);
    nothing_grows(Hierarchies::Own);
}

#[test]
fn nothing_grows_on_cgroup_v2_alone() {
    need!(Root, Cofferdam, CgroupV2);
    nothing_grows(Hierarchies::Unified);
}
