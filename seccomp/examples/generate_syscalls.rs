//! Development tool: writes `src/syscalls/table.rs`, the names and numbers of system calls.
//!
//! The numbers come from files that hold the kernel's `__NR_*` constants, one file per
//! architecture: either the C headers (`#define __NR_read 0`, from `make headers_install ARCH=…`)
//! or the Rust constants of the crate `linux-raw-sys`, which are generated from those headers (`pub
//! const __NR_read: u32 = 0;`). Names and numbers that only libseccomp knows (pseudo names of other
//! architectures, calls that were removed) are added, so that no profile name that libseccomp
//! accepts is reported as unknown; where both know a call, they must agree.
//!
//! ```text
//! cargo run -p cofferdam-seccomp --example generate_syscalls -- 6.17 \
//!     x86_64=…/x86_64/general.rs x32=… x86=… arm=… aarch64=… riscv64=… loongarch64=… > seccomp/src/syscalls/table.rs
//! ```
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table goes to stdout, what to look at to stderr"
)]

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;

use libseccomp::{ScmpArch, ScmpSyscall};

/// The columns of the table, in the order of `syscalls::column()`.
const COLUMNS: [(&str, ScmpArch); 7] = [
    ("x86_64", ScmpArch::X8664),
    ("x32", ScmpArch::X32),
    ("x86", ScmpArch::X86),
    ("arm", ScmpArch::Arm),
    ("aarch64", ScmpArch::Aarch64),
    ("riscv64", ScmpArch::Riscv64),
    ("loongarch64", ScmpArch::Loongarch64),
];

/// Architectures that only contribute names.
const NAMES_ONLY: [ScmpArch; 7] = [
    ScmpArch::Mips,
    ScmpArch::Mips64,
    ScmpArch::Mips64N32,
    ScmpArch::Ppc,
    ScmpArch::Ppc64,
    ScmpArch::S390,
    ScmpArch::S390X,
];

type Table = BTreeMap<String, [Option<u32>; COLUMNS.len()]>;

/// The name and number of a line that defines a `__NR_*` constant.
fn parse(line: &str) -> Option<(&str, u32)> {
    let definition = line
        .trim_start()
        .strip_prefix("#define ")
        .or_else(|| line.trim_start().strip_prefix("pub const "))?
        .trim_start()
        .strip_prefix("__NR_")?;
    let end = definition.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let (name, rest) = definition.split_at(end);
    let number = rest
        .trim_start_matches(": u32 =")
        .trim_matches([' ', '\t', ';', '(', ')']);
    let number = match number.strip_prefix("__X32_SYSCALL_BIT + ") {
        Some(number) => number.parse::<u32>().ok()? | 0x4000_0000,
        None => number.parse().ok()?,
    };
    // The end markers and bases of the headers are not calls.
    (!matches!(name, "syscalls" | "arch_specific_syscall") && !name.contains(char::is_uppercase))
        .then_some((name, number))
}

/// Numbers that libseccomp may know a call by: the plain ones, MIPS's (4000, 5000, 6000), x32's and
/// ARM's private ones.
fn candidates() -> impl Iterator<Item = i32> {
    (0..7000)
        .chain(0x4000_0000..0x4000_0400)
        .chain(0x000f_0000..0x000f_0010)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let version = arguments
        .next()
        .ok_or("usage: generate_syscalls VERSION ARCH=FILE…")?;
    let mut table = Table::new();
    for argument in arguments {
        let (arch, file) = argument.split_once('=').ok_or("expected ARCH=FILE")?;
        let column = COLUMNS
            .iter()
            .position(|(name, _)| *name == arch)
            .ok_or("unknown architecture")?;
        for (name, number) in fs::read_to_string(file)?.lines().filter_map(parse) {
            if let Some(cell) = table.entry(name.to_owned()).or_default().get_mut(column) {
                *cell = Some(number);
            }
        }
    }
    for (column, (arch, token)) in COLUMNS.iter().enumerate() {
        for number in candidates() {
            // libseccomp takes x32's numbers with and without the bit; the kernel has them with it.
            if *token == ScmpArch::X32 && number < 0x4000_0000 {
                continue;
            }
            let Ok(name) = ScmpSyscall::from(number).get_name_by_arch(*token) else {
                continue;
            };
            let number = u32::try_from(number)?;
            let Some(cell) = table.entry(name.clone()).or_default().get_mut(column) else {
                continue;
            };
            match *cell {
                None => {
                    eprintln!("{arch}: {name} = {number} only in libseccomp");
                    *cell = Some(number);
                }
                Some(ours) if ours != number => {
                    eprintln!("{arch}: {name} = {ours}, libseccomp {number}")
                }
                Some(_) => {}
            }
        }
    }
    for (name, numbers) in &table {
        for ((arch, token), number) in COLUMNS.iter().zip(numbers) {
            let Ok(theirs) = ScmpSyscall::from_name_by_arch(name, *token) else {
                continue;
            };
            if let Some(number) = number
                && i32::try_from(*number) != Ok(theirs.as_raw_syscall())
            {
                eprintln!(
                    "{arch}: {name} = {number}, libseccomp resolves it to {}",
                    theirs.as_raw_syscall()
                );
            }
        }
    }
    for token in NAMES_ONLY {
        for name in candidates().filter_map(|nr| ScmpSyscall::from(nr).get_name_by_arch(token).ok())
        {
            table.entry(name).or_default();
        }
    }

    println!(
        "// Generated by examples/generate_syscalls.rs from the headers of Linux {version}; do not edit.\n"
    );
    println!("/// The kernel version whose headers the table was made from.");
    println!("pub(crate) const LINUX_VERSION: &str = \"{version}\";\n");
    println!("/// This architecture does not have the call.");
    println!("pub(crate) const NONE: u32 = u32::MAX;\n");
    println!("/// Name and numbers of every call, sorted by name. The columns are");
    println!("/// {}.", COLUMNS.map(|(name, _)| name).join(", "));
    println!("#[rustfmt::skip]");
    println!(
        "pub(crate) static TABLE: [(&str, [u32; {}]); {}] = [",
        COLUMNS.len(),
        table.len()
    );
    for (name, numbers) in &table {
        let numbers =
            numbers.map(|number| number.map_or("NONE".to_owned(), |number| number.to_string()));
        println!("    ({name:?}, [{}]),", numbers.join(", "));
    }
    println!("];");
    Ok(())
}
