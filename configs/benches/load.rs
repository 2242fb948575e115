//! How long it takes to read a configuration of the size container engines write, and to convert
//! and validate it.
//!
//! `cargo bench -p cofferdam-configs`; prints the median of many runs, in microseconds.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measuring program"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use cofferdam_configs::oci::{LinuxCapabilities, Seccomp, SeccompArg, Spec, Syscall};
use cofferdam_configs::{Config, HostInfo, json, specconv, validate};

/// Rounds per measurement.
const ROUNDS: usize = 2000;

fn main() {
    let spec = engine_like_spec();
    let text = json::to_string(&spec).unwrap();
    println!("config.json: {} bytes", text.len());
    let report =
        |what: &str, time: Duration| println!("{what}: {:.1} us", time.as_secs_f64() * 1e6);

    report(
        "read",
        median(|| {
            drop(black_box(
                Spec::from_slice(black_box(text.as_bytes())).unwrap(),
            ))
        }),
    );

    let host = HostInfo::default();
    let options = specconv::Options {
        id: "bench".into(),
        bundle: "/run/bench".into(),
        ..specconv::Options::default()
    };
    report(
        "convert",
        median(|| {
            drop(black_box(
                specconv::convert(black_box(&spec), &host, &options).unwrap(),
            ))
        }),
    );

    let (config, _) = specconv::convert(&spec, &host, &options).unwrap();
    report(
        "validate",
        median(|| {
            drop(black_box(
                validate::validate(black_box(&config), &host).unwrap(),
            ))
        }),
    );

    let stored = json::to_string(&config).unwrap();
    report(
        "write stored form",
        median(|| drop(black_box(json::to_string(black_box(&config)).unwrap()))),
    );
    report(
        "read stored form",
        median(|| {
            drop(black_box(
                json::from_slice::<Config>(stored.as_bytes()).unwrap(),
            ))
        }),
    );
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.get(ROUNDS / 2).copied().unwrap_or_default()
}

/// The template with the capabilities and the long system call filter of an engine: about 16 KB.
fn engine_like_spec() -> Spec {
    let mut spec = Spec::example();
    let capabilities = || Some((0..14).map(|n| format!("CAP_NUMBER_{n}")).collect());
    let process = spec.process.get_or_insert_default();
    process.capabilities = Some(LinuxCapabilities {
        bounding: capabilities(),
        effective: capabilities(),
        permitted: capabilities(),
        ..LinuxCapabilities::default()
    });
    let block = |names: Vec<String>, args| Syscall {
        names,
        action: "SCMP_ACT_ALLOW".into(),
        args,
        errno_ret: None,
    };
    let mut syscalls = vec![block(
        (0..380)
            .map(|n| format!("system_call_{n}_of_the_bench"))
            .collect(),
        vec![],
    )];
    syscalls.extend((0..12).map(|n| {
        block(
            vec!["personality".into()],
            vec![SeccompArg {
                index: 0,
                value: n,
                value_two: 0,
                op: "SCMP_CMP_EQ".into(),
            }],
        )
    }));
    spec.linux.get_or_insert_default().seccomp = Some(Seccomp {
        default_action: "SCMP_ACT_ERRNO".into(),
        architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
            .map(str::to_owned)
            .into(),
        syscalls,
        ..Seccomp::default()
    });
    spec
}
