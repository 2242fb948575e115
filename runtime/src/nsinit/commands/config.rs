//! `config`: writes the description of a container.

use std::path::Path;

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Order};
use crate::cli::output;
use crate::nsinit::create_flags::with_create_flags;
use crate::nsinit::definition::Definition;

const FILE: Flag = Flag::text("file", "write it to this file")
    .file()
    .letter("f")
    .default("stdout");

pub(crate) static COMMAND: Command = Command {
    name: "config",
    about: "write the configuration of a container, for exec --config",
    arguments: "",
    completions: &[],
    description: "The configuration is what exec would take with the same flags.",
    flags: with_create_flags![FILE],
    count: Count::Exactly(0),
    order: Order::FlagsFirst,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let definition = Definition::from_flags(invocation.parsed)?;
    let text = definition.to_json()?;
    match invocation.parsed.text(FILE.name) {
        Some(path) if path != "stdout" => {
            let path = Path::new(path);
            std::fs::write(path, text)
                .map_err(|error| Failure::io(format!("write {}", path.display()), error))?;
        }
        _ => output::write(&text)?,
    }
    Ok(0)
}
