//! Microseconds of processor time per full statistics read of one, a hundred and a thousand
//! cgroups: `cofferdam-cgroups` beside youki's `libcgroups`, alternating in one process.
//!
//! `./x bench stats [--rounds N] [--layout v1|unified]`; needs root.

mod contender;
mod groups;
#[path = "../../compare/layout.rs"]
mod layout;
#[path = "../../compare/rounds.rs"]
mod rounds;
mod series;

use std::error::Error;
use std::process::ExitCode;

use contender::{Cofferdam, Contender, Libcgroups, Way};
use groups::Groups;
use layout::Layout;
use series::Series;

/// How many cgroups are read in a row.
const SIZES: [usize; 3] = [1, 100, 1000];
/// Cofferdam is to need at most this of the time of its peer.
const TARGET: f64 = 0.5;
/// A cgroup among a thousand may cost at most this much more than one alone: its files are no
/// longer in the caches of the processor.
const GROWTH: f64 = 1.5;

struct Request {
    rounds: usize,
    layouts: Vec<Layout>,
    inside: bool,
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut request = Request {
        rounds: 30,
        layouts: vec![Layout::V1, Layout::Unified],
        inside: false,
    };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--rounds" => request.rounds = rounds::from_argument(&value()?)?,
            "--layout" => request.layouts = vec![Layout::from_name(&value()?)?],
            "--inside" => request.inside = true,
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(request)
}

/// Measures in the layout in which this process is.
fn measure(layout: Layout, rounds: usize) -> Result<(), Box<dyn Error>> {
    println!(
        "-- layout {}, {rounds} rounds, load {}",
        layout.name(),
        std::fs::read_to_string("/proc/loadavg")?.trim()
    );
    println!(
        "  {:<18} {:>9} {:>9} {:>8}  target",
        "", "median us", "min us", "x"
    );
    contender::raise_descriptor_limit()?;
    for (way, what) in [
        (Way::Known, "read"),
        (Way::Watched, "read again and again"),
        (Way::Found, "found and read"),
    ] {
        let mut least = Vec::new();
        for size in SIZES {
            let groups = Groups::create(layout, size)?;
            let mut own = Cofferdam::new(&groups)?;
            own.read(way)?;
            let mut peer = Libcgroups::new(&groups, layout)?;
            let refused = peer.read(way).err().map(|error| error.to_string());
            let mut series = Series::new(size);
            for _ in 0..rounds {
                series.round(|which| match which {
                    0 => own.read(way),
                    _ if refused.is_some() => Ok(()),
                    _ => peer.read(way),
                })?;
            }
            let title = format!("statistics of a cgroup, {what}, {size} of them");
            series.print(&title, refused.as_deref(), TARGET);
            least.push(series.least());
        }
        if let (Some(one), Some(many)) = (least.first(), least.last()) {
            let growth = many / one;
            let files = contender::files_for_each(SIZES[SIZES.len() - 1]);
            let verdict = if way == Way::Watched && files < contender::ENOUGH {
                // One of them keeps everything open, so this compares two ways of reading.
                format!("with descriptors for {files} files of each")
            } else if growth <= GROWTH {
                format!("<= {GROWTH} reached")
            } else {
                format!("<= {GROWTH} MISSED")
            };
            println!("  one among a thousand costs {growth:.2} times one alone: {verdict}");
        }
    }
    Ok(())
}

fn in_layouts(request: &Request) -> Result<(), Box<dyn Error>> {
    for layout in &request.layouts {
        if !layout.is_possible()? {
            println!(
                "layout {}: skipped, this machine cannot have it",
                layout.name()
            );
            continue;
        }
        let mut command = layout.this_program()?;
        command.args(["--inside", "--rounds", &request.rounds.to_string()]);
        let status = command.status()?;
        if !status.success() {
            return Err(format!("layout {}: {status}", layout.name()).into());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let request = match parse(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(message) => {
            eprintln!("stats: {message}");
            return ExitCode::from(2);
        }
    };
    let outcome = match request.layouts.first() {
        Some(layout) if request.inside => measure(*layout, request.rounds),
        _ => in_layouts(&request),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stats: {error}");
            ExitCode::FAILURE
        }
    }
}
