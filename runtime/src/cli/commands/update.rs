//! `update`: changes the limits of a container.

use std::io::Read as _;
use std::path::Path;

use configs::json;
use configs::oci::{self, Resources};

use crate::Status;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::{Failure, describe};
use crate::cli::flag::{Completion, Flag, Order, Parsed};
use crate::cli::{resource_update, size};

pub(crate) static COMMAND: Command = Command {
    name: "update",
    about: "change the limits of a container",
    arguments: "<container-id>",
    completions: &[Completion::Container],
    description: "The limits come from flags or, with --resources, from a JSON object as it stands under linux.resources in\n\
                  a config.json; then all other flags are ignored. Device rules are never changed.",
    flags: &[
        Flag::text(
            "resources",
            "read the limits from this JSON file, or from standard input when it is -",
        )
        .file()
        .letter("r"),
        Flag::integer("blkio-weight", "weight for block I/O, 10 to 1000").default("0"),
        Flag::text(
            "cpu-period",
            "CFS period in microseconds; 0 is the system's default",
        ),
        Flag::text(
            "cpu-quota",
            "CFS quota in microseconds: CPU time allowed in a period",
        ),
        Flag::text(
            "cpu-burst",
            "CFS burst in microseconds: unused CPU time that may be saved up",
        ),
        Flag::text(
            "cpu-share",
            "CPU shares, a weight relative to other containers",
        ),
        Flag::text(
            "cpu-rt-period",
            "real-time period in microseconds; 0 is the system's default",
        ),
        Flag::text(
            "cpu-rt-runtime",
            "real-time runtime in microseconds: CPU time allowed in a real-time period",
        ),
        Flag::text("cpuset-cpus", "CPUs to use"),
        Flag::text("cpuset-mems", "memory nodes to use"),
        Flag::text("kernel-memory", "ignored").hidden(),
        Flag::text("kernel-memory-tcp", "ignored").hidden(),
        Flag::text("memory", "memory limit in bytes"),
        Flag::text("memory-reservation", "soft memory limit in bytes"),
        Flag::text(
            "memory-swap",
            "limit of memory and swap together in bytes; -1 for no limit of swap",
        ),
        Flag::integer(
            "pids-limit",
            "greatest number of processes; -1 for no limit",
        )
        .default("0"),
        Flag::text("l3-cache-schema", "Intel RDT/CAT schema of the L3 cache"),
        Flag::text("mem-bw-schema", "Intel RDT/MBA schema of memory bandwidth"),
        Flag::text(
            "cpu-idle",
            "1 runs the container only when nobody else wants the CPU; 0 takes that back",
        ),
    ],
    count: Count::Exactly(1),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let parsed = invocation.parsed;
    let container = super::container(invocation)?;
    if container.status()? == Status::Stopped {
        return Err(Failure::new("container not running"));
    }
    let wanted = match parsed.text("resources") {
        Some(path) => from_file(Path::new(path))?,
        None => from_flags(parsed)?,
    };
    for place in &wanted.unknown_keys {
        let warning = configs::Warning::UnknownKey {
            place: place.clone(),
        };
        invocation.log.warn(&warning.to_string());
    }
    if parsed.given("kernel-memory") || parsed.given("kernel-memory-tcp") {
        invocation
            .log
            .warn("Kernel memory settings are ignored and will be removed");
    }
    let mut config = container.config()?;
    resource_update::apply(&mut config.cgroups.resources, &wanted);
    if parsed.text("resources").is_none() {
        schemas(parsed, &mut config);
    }
    for warning in container.set(&config)? {
        invocation.log.warn(&warning);
    }
    Ok(0)
}

fn from_file(path: &Path) -> Result<Resources, Failure> {
    let text = if path == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin()
            .lock()
            .take(json::MAX_SIZE)
            .read_to_end(&mut text)
            .map_err(|error| Failure::io("read standard input", error))?;
        text
    } else {
        json::read_file(path).map_err(|error| Failure::new(describe(&error)))?
    };
    Resources::from_slice(&text).map_err(|error| Failure::new(describe(&error)))
}

fn from_flags(parsed: &Parsed) -> Result<Resources, Failure> {
    let cpu = oci::Cpu {
        shares: number(parsed, "cpu-share")?,
        quota: number(parsed, "cpu-quota")?,
        burst: number(parsed, "cpu-burst")?,
        period: number(parsed, "cpu-period")?,
        realtime_runtime: number(parsed, "cpu-rt-runtime")?,
        realtime_period: number(parsed, "cpu-rt-period")?,
        cpus: parsed.string("cpuset-cpus").unwrap_or_default(),
        mems: parsed.string("cpuset-mems").unwrap_or_default(),
        idle: number(parsed, "cpu-idle")?,
    };
    let memory = oci::Memory {
        limit: bytes(parsed, "memory")?,
        reservation: bytes(parsed, "memory-reservation")?,
        swap: bytes(parsed, "memory-swap")?,
        ..oci::Memory::default()
    };
    let weight = parsed.integer("blkio-weight").unwrap_or_default();
    let weight = u16::try_from(weight)
        .map_err(|_| Failure::new(format!("invalid value for blkio-weight: {weight}")))?;
    Ok(Resources {
        cpu: Some(cpu),
        memory: Some(memory),
        pids: Some(oci::Pids {
            limit: parsed.integer("pids-limit"),
        }),
        block_io: Some(oci::BlockIo {
            weight: Some(weight),
            ..oci::BlockIo::default()
        }),
        ..Resources::default()
    })
}

fn number<T: std::str::FromStr<Err = std::num::ParseIntError>>(
    parsed: &Parsed,
    flag: &str,
) -> Result<Option<T>, Failure> {
    let read = |text: String| {
        text.parse()
            .map_err(|error| Failure::new(format!("invalid value for {flag}: {error}")))
    };
    parsed.string(flag).map(read).transpose()
}

fn bytes(parsed: &Parsed, flag: &str) -> Result<Option<i64>, Failure> {
    let read = |text: String| {
        size::parse(&text).ok_or_else(|| {
            Failure::new(format!("invalid value for {flag}: invalid size: '{text}'"))
        })
    };
    parsed.string(flag).map(read).transpose()
}

/// Takes over the Intel RDT schemas.
fn schemas(parsed: &Parsed, config: &mut configs::Config) {
    let (cache, bandwidth) = (
        parsed.string("l3-cache-schema"),
        parsed.string("mem-bw-schema"),
    );
    if cache.is_none() && bandwidth.is_none() {
        return;
    }
    let group = config.intel_rdt.get_or_insert_default();
    if let Some(schema) = cache {
        group.l3_cache_schema = schema;
    }
    if let Some(schema) = bandwidth {
        group.mem_bw_schema = schema;
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn read(arguments: &[&str]) -> Result<Resources, Failure> {
        from_flags(
            &Parsed::read(
                COMMAND.flags,
                Order::Any,
                arguments.iter().map(OsString::from),
            )
            .unwrap(),
        )
    }

    #[test]
    fn flags_become_the_limits_they_name() {
        let resources = read(&[
            "--memory",
            "64m",
            "--cpu-quota=-1",
            "--pids-limit",
            "7",
            "--cpuset-cpus",
            "0-1",
            "id",
        ])
        .unwrap();
        let (cpu, memory) = (resources.cpu.unwrap(), resources.memory.unwrap());
        assert_eq!((memory.limit, memory.swap), (Some(64 << 20), None));
        assert_eq!(
            (cpu.quota, cpu.period, cpu.cpus.as_str()),
            (Some(-1), None, "0-1")
        );
        assert_eq!(resources.pids.unwrap().limit, Some(7));
    }

    #[test]
    fn mistakes_name_the_flag() {
        for (arguments, start) in [
            (["--memory", "lots"], "invalid value for memory: "),
            (["--cpu-share", "-1"], "invalid value for cpu-share: "),
            (
                ["--blkio-weight", "70000"],
                "invalid value for blkio-weight: ",
            ),
        ] {
            let message = read(&arguments).unwrap_err().message;
            assert!(message.starts_with(start), "{message}");
        }
    }
}
