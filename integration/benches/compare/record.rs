//! What was measured as lines of JSON, and plots of it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use cofferdam_integration::plot::{Measurement, Series, machine_line};
use serde_json::Value;

use crate::bench::Outcome;
use crate::layout::Layout;
use crate::report::{Table, milliseconds};

/// Begins the file anew, with the machine.
pub(crate) fn begin(file: &Path) -> Outcome<()> {
    fs::write(file, "")?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    // What a distribution adds to the number says nothing to readers.
    let numbers = |letter: char| letter.is_ascii_digit() || letter == '.';
    let kernel: String = kernel
        .chars()
        .take_while(|letter| numbers(*letter))
        .collect();
    let processors = std::thread::available_parallelism()?.get();
    append(file, &machine_line(&kernel, processors))
}

/// Adds all samples of a table.
pub(crate) fn add(file: &Path, layout: Layout, table: &Table) -> Outcome<()> {
    let load = fs::read_to_string("/proc/loadavg")?;
    let load: f64 = load.split(' ').next().unwrap_or_default().parse()?;
    for (index, peer) in table.peers.iter().enumerate() {
        let samples = || table.rounds.iter().filter_map(|round| round.get(index));
        let series = Series {
            layout: layout.name().to_owned(),
            scenario: table.scenario.to_owned(),
            title: table.title.clone(),
            peer: (*peer).to_owned(),
            load,
            wall: samples().map(|it| rounded(it.wall)).collect(),
            cpu: samples().map(|it| rounded(it.cpu)).collect(),
        };
        append(file, &series.to_json())?;
    }
    Ok(())
}

/// Milliseconds, to a microsecond.
fn rounded(duration: Duration) -> f64 {
    (milliseconds(duration) * 1000.0).round() / 1000.0
}

fn append(file: &Path, line: &Value) -> Outcome<()> {
    let mut file = OpenOptions::new().append(true).open(file)?;
    Ok(writeln!(file, "{line}")?)
}

/// Draws what was measured.
pub(crate) fn plot(file: &Path, folder: &Path) -> Outcome<()> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let measured =
        Measurement::read(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    fs::create_dir_all(folder)?;
    for (name, drawing) in measured.plots() {
        let path = folder.join(name);
        fs::write(&path, drawing)?;
        println!("{}", path.display());
    }
    Ok(())
}
