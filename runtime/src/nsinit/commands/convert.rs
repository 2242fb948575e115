//! `convert`: an older configuration file becomes an OCI bundle.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use configs::legacy;
use configs::oci::{self, CONFIG_FILE};

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::{Failure, describe};
use crate::cli::flag::{Flag, Order};
use crate::cli::output;
use crate::nsinit::commands::exec::ENVIRONMENT;
use crate::nsinit::definition;
use crate::process::user_names::{UserNames, root_file_system};

const FILE: Flag = Flag::text("file", "the file to read")
    .file()
    .letter("f")
    .default("container.json");
const BUNDLE: Flag = Flag::text(
    "bundle",
    "directory of the bundle, default is the current directory",
)
.directory()
.letter("b");

pub(crate) static COMMAND: Command = Command {
    name: "convert",
    about: "make an OCI bundle of a container.json of any year",
    arguments: "<command> [argument...]",
    completions: &[],
    description: "Writes a config.json that runs the command. The root file system stays where it is. What a bundle\n\
                  has no place for, such as veth pairs, is warned of and left out.",
    flags: &[FILE, BUNDLE],
    count: Count::AtLeast(0),
    order: Order::FlagsFirst,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let parsed = invocation.parsed;
    let file = parsed
        .text(FILE.name)
        .map_or_else(|| "container.json".into(), PathBuf::from);
    let bundle = parsed
        .text(BUNDLE.name)
        .map_or_else(|| ".".into(), PathBuf::from);
    let mut loaded = definition::load(&file)?;
    if loaded.process.env.is_empty() {
        loaded.process.env = ENVIRONMENT.map(str::to_owned).to_vec();
    }
    let args: Vec<String> = parsed
        .positional
        .iter()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let user = user(&loaded)?;
    let (spec, left_out) = legacy::to_oci(&loaded, &args, user.as_ref())
        .map_err(|error| Failure::new(format!("{}: {}", file.display(), describe(&error))))?;
    write(&bundle, &output::pretty(&spec, "\t")?)?;
    for warning in loaded.warnings.iter().chain(&left_out) {
        invocation.log.warn(&warning.to_string());
    }
    Ok(0)
}

/// The ids of the user that the file names, by the files of the root file system.
fn user(loaded: &legacy::Loaded) -> Result<Option<oci::User>, Failure> {
    let process = &loaded.process;
    let names = UserNames {
        user: Some(process.user.clone()).filter(|user| !user.is_empty()),
        groups: process.additional_groups.clone(),
    };
    if names.is_empty() {
        return Ok(None);
    }
    let ids = names.look_up(&root_file_system(&loaded.config.rootfs)?)?;
    let (uid, gid, mut additional_gids) = ids.user.unwrap_or_default();
    additional_gids.extend(ids.groups);
    Ok(Some(oci::User {
        uid,
        gid,
        additional_gids,
        ..oci::User::default()
    }))
}

/// Writes the configuration of a bundle that has none.
fn write(bundle: &Path, text: &str) -> Result<(), Failure> {
    std::fs::create_dir_all(bundle)
        .map_err(|error| Failure::io(format!("make {}", bundle.display()), error))?;
    let path = bundle.join(CONFIG_FILE);
    let shown = path.display();
    let made = OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(format!("{shown} exists: remove it first")),
        _ => Failure::io(format!("open {shown}"), error),
    })?;
    file.write_all(text.as_bytes())
        .map_err(|error| Failure::io(format!("write {shown}"), error))
}
