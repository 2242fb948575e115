//! Measures both backends on a profile of the usual size: time to compile, instructions, time to
//! load.
//!
//! ```text
//! cargo run --release -p cofferdam-seccomp --all-features --example measure [PROFILE.json]
//! ```
//!
//! Times are the median of many runs. Each load happens in a new thread, which has no other filter.
#![allow(
    clippy::print_stdout,
    reason = "printing the result is what the example is for"
)]

use std::env;
use std::error::Error;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use cofferdam_seccomp::{Backend, Profile, Program, compile, install};

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn load(program: &Program) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    thread::scope(|scope| {
        let loading = scope.spawn(|| -> std::io::Result<Duration> {
            rustix::thread::set_no_new_privs(true)?;
            let start = Instant::now();
            install(program).map_err(std::io::Error::other)?;
            Ok(start.elapsed())
        });
        Ok(loading.join().map_err(|_| "the loading thread died")??)
    })
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let text = match env::args().nth(1) {
        Some(path) => fs::read_to_string(path)?,
        None => include_str!("../tests/data/docker-like.json").to_owned(),
    };
    let mut profile: Profile = serde_json::from_str(&text)?;
    let one = Profile {
        architectures: Vec::new(),
        ..profile.clone()
    };
    profile.listener_path = None;
    for (backend, runs) in [(Backend::Native, 2000), (Backend::Libseccomp, 20)] {
        for profile in [&profile, &one] {
            let mut compiled = compile(profile, backend)?;
            let mut compiling = Vec::new();
            for _ in 0..runs {
                let start = Instant::now();
                compiled = compile(profile, backend)?;
                compiling.push(start.elapsed());
            }
            let loading = (0..100)
                .map(|_| load(&compiled.program))
                .collect::<Result<Vec<_>, _>>()?;
            println!(
                "{backend:?}, {} added architectures: compile {:?}, {} instructions, load {:?}",
                profile.architectures.len(),
                median(compiling),
                compiled.program.len(),
                median(loading),
            );
        }
    }
    Ok(())
}
