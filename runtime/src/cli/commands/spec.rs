//! `spec`: writes a config.json to begin with.

use std::fs::OpenOptions;
use std::io::{self, Write as _};

use configs::oci::{CONFIG_FILE, Spec};

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Order};
use crate::cli::process_flags::BUNDLE;
use crate::cli::{bundle, output};
use crate::host_info;

pub(crate) static COMMAND: Command = Command {
    name: "spec",
    about: "write a new config.json",
    arguments: "",
    completions: &[],
    description: "The file describes a shell in a terminal, with few capabilities, in the directory rootfs beside it.\n\
                  Edit its args to run something else. With --rootless it needs no privilege: the user who calls becomes\n\
                  root inside a user namespace.",
    flags: &[
        BUNDLE,
        Flag::switch("rootless", "write one for a container without privileges"),
    ],
    count: Count::Exactly(0),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    bundle::enter(invocation)?;
    let mut spec = Spec::example();
    if host_info::unified_cgroup() {
        spec = spec.with_cgroup_namespace();
    }
    if invocation.parsed.switch("rootless") {
        spec = spec.into_rootless(
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
    }
    write_new(CONFIG_FILE, &output::pretty(&spec, "\t")?)?;
    Ok(0)
}

fn write_new(name: &str, text: &str) -> Result<(), Failure> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(name)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Failure::new(format!("File {name} exists. Remove it first"))
            }
            _ => Failure::io(format!("open {name}"), error),
        })?;
    file.write_all(text.as_bytes())
        .map_err(|error| Failure::io(format!("write {name}"), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_file_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let path = path.to_str().unwrap();
        write_new(path, "one").unwrap();
        let message = write_new(path, "two").unwrap_err().message;
        assert_eq!(message, format!("File {path} exists. Remove it first"));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "one");
    }
}
