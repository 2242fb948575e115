//! Takes the steps, and prints what came of them.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use cofferdam_integration::attack::{Bench, Choice, Command, Kind, Layout, Step, steps};
use cofferdam_integration::needs::Need;
use cofferdam_integration::traced;

use crate::arguments::{Arguments, USAGE};

/// What is counted of a command, a layout and a kind of step.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    steps: u32,
    reached: u32,
    succeeded: u32,
    faults: u32,
}

pub(crate) fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("attack: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let missing = [Need::Root, Need::Busybox]
        .into_iter()
        .find_map(Need::missing);
    if let Some(reason) = missing.or_else(traced::not_permitted) {
        eprintln!("attack: {reason}");
        return ExitCode::FAILURE;
    }
    // A panic of a step is a fault of that step, and reported as such.
    std::panic::set_hook(Box::new(|_| {}));
    let mut jobs = Vec::new();
    for &layout in &arguments.layouts {
        jobs.extend(arguments.commands.iter().map(|command| (layout, *command)));
    }
    let results = Mutex::new(vec![None; jobs.len()]);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..arguments.workers {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = in_layout(job.0, job.1, &arguments);
                    let position = jobs.iter().position(|other| std::ptr::eq(other, job));
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(place) = position.and_then(|position| results.get_mut(position)) {
                        *place = Some(result);
                    }
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let rows: Vec<Named> = results
        .iter()
        .flatten()
        .flatten()
        .flatten()
        .cloned()
        .collect();
    let errors = results
        .iter()
        .flatten()
        .filter(|result| result.is_err())
        .count();
    print(&rows);
    let faults: u32 = rows.iter().map(|(_, row)| row.faults).sum();
    if faults > 0 || errors > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

type Named = (String, Row);

/// Takes the steps in a thread that has the mount namespace of the layout.
fn in_layout(
    layout: Layout,
    command: Command,
    arguments: &Arguments,
) -> Result<Vec<Named>, String> {
    let worker = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            layout.enter();
            attack(layout, command, arguments)
        });
        worker.join()
    });
    let result = worker
        .unwrap_or_else(|panic| Err(panic.downcast_ref::<String>().cloned().unwrap_or_default()));
    if let Err(error) = &result {
        println!("{} {}: {error}", layout.name(), command.name);
    }
    result
}

/// Takes the steps of one command in one layout.
fn attack(layout: Layout, command: Command, arguments: &Arguments) -> Result<Vec<Named>, String> {
    if let Some(reason) = command.is_impossible(layout) {
        println!("{} {}: left out, {reason}", layout.name(), command.name);
        return Ok(Vec::new());
    }
    let began = Instant::now();
    let mut bench = Bench::new(layout, command)?;
    let mut rows = BTreeMap::<&str, Row>::new();
    let mut choice = Choice::new(arguments.seed);
    if !arguments.steps.is_empty() {
        let row = rows.entry("chosen").or_default();
        for &step in &arguments.steps {
            take(&mut bench, layout, command, step, row, true);
        }
    } else {
        for &kind in &arguments.kinds {
            let row = rows.entry(kind.name()).or_default();
            for step in chosen(&bench, kind, arguments.sample, &mut choice) {
                take(&mut bench, layout, command, step, row, false);
            }
        }
    }
    let found: Vec<Named> = rows
        .into_iter()
        .map(|(kind, row)| {
            let name = format!("{:<15} {:<14} {kind:<6}", layout.name(), command.name);
            (name, row)
        })
        .collect();
    let steps: u32 = found.iter().map(|(_, row)| row.steps).sum();
    let faults: u32 = found.iter().map(|(_, row)| row.faults).sum();
    println!(
        "{} {}: {steps} steps, {faults} faults, {} s",
        layout.name(),
        command.name,
        began.elapsed().as_secs()
    );
    Ok(found)
}

fn chosen(bench: &Bench, kind: Kind, sample: usize, choice: &mut Choice) -> Vec<Step> {
    let mut all = steps(bench.calls(), kind);
    all.retain(|_| choice.below(sample) == 0);
    all
}

fn take(
    bench: &mut Bench,
    layout: Layout,
    command: Command,
    step: Step,
    row: &mut Row,
    verbose: bool,
) {
    let began = Instant::now();
    let outcome = bench.take(step);
    row.steps += 1;
    if row.steps.is_multiple_of(250) {
        println!("{} {}: {} steps", layout.name(), command.name, row.steps);
    }
    row.reached += u32::from(outcome.call.is_some());
    row.succeeded += u32::from(outcome.succeeded);
    row.faults += u32::from(!outcome.faults.is_empty());
    if !verbose && outcome.faults.is_empty() {
        return;
    }
    let call = outcome.call.as_deref().unwrap_or("not reached");
    let mut text = format!(
        "--layout {} --step {step} {}  ({call}; {}; {} ms)",
        layout.name(),
        command.name,
        if outcome.succeeded {
            "succeeded"
        } else {
            "failed"
        },
        began.elapsed().as_millis(),
    );
    for line in outcome.message.lines() {
        text.push_str(&format!("\n    said: {line}"));
    }
    for fault in &outcome.faults {
        text.push_str(&format!("\n    FAULT {fault}"));
    }
    println!("{text}");
}

fn print(rows: &[Named]) {
    println!(
        "{:<37} {:>6} {:>8} {:>10} {:>7}",
        "layout, command, kind", "steps", "reached", "succeeded", "faults"
    );
    let mut all = Row::default();
    for (name, row) in rows {
        println!(
            "{name} {:>6} {:>8} {:>10} {:>7}",
            row.steps, row.reached, row.succeeded, row.faults
        );
        all.steps += row.steps;
        all.reached += row.reached;
        all.succeeded += row.succeeded;
        all.faults += row.faults;
    }
    println!(
        "{:<37} {:>6} {:>8} {:>10} {:>7}",
        "all", all.steps, all.reached, all.succeeded, all.faults
    );
}
