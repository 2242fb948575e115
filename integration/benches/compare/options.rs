//! What the command line asks for.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::layout::Layout;
use crate::peer::Named;
use crate::rounds;
use crate::scenarios::{COMPARED, SCENARIOS};

/// What this process is for.
pub(crate) enum Role {
    /// Supervises one process a layout.
    Supervise,
    /// Measures in the private mount namespace of the only layout, with everything below this
    /// folder.
    Measure(PathBuf),
    /// Draws what was measured before: a file of `--json`, and the folder of the plots.
    Plot(PathBuf, PathBuf),
    /// Removes what belongs to this folder, in the mount namespace of the only layout.
    Remove(PathBuf),
}

/// A whole command line.
pub(crate) struct Request {
    pub(crate) layouts: Vec<Layout>,
    pub(crate) role: Role,
    pub(crate) options: Options,
}

/// What every process of a benchmark gets.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    /// Runtimes beside those that are installed.
    pub(crate) peers: Vec<Named>,
    /// The file that gets each sample of the tables, from which `plot` draws.
    pub(crate) json: Option<PathBuf>,
    /// Empty: all that belong to the comparison.
    scenarios: Vec<String>,
}

impl Options {
    /// Whether a scenario is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        if self.scenarios.is_empty() {
            COMPARED.contains(&name)
        } else {
            self.scenarios.iter().any(|scenario| scenario == name)
        }
    }

    /// The command line that says the same.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["--rounds".into(), self.rounds.to_string().into()];
        for peer in &self.peers {
            let mut value = OsString::from(peer.name);
            value.push("=");
            value.push(&peer.program);
            arguments.extend(["--peer".into(), value]);
        }
        if let Some(file) = &self.json {
            arguments.extend(["--json".into(), file.into()]);
        }
        arguments.extend(self.scenarios.iter().map(OsString::from));
        arguments
    }
}

pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut request = Request {
        layouts: vec![Layout::V1, Layout::Unified],
        role: Role::Supervise,
        options: Options {
            rounds: 30,
            peers: Vec::new(),
            json: None,
            scenarios: Vec::new(),
        },
    };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--rounds" => request.options.rounds = rounds::from_argument(&value()?)?,
            "--peer" => request.options.peers.push(Named::from_argument(&value()?)?),
            "--json" => {
                let file = std::path::absolute(value()?).map_err(|error| error.to_string())?;
                request.options.json = Some(file);
            }
            "--layout" => request.layouts = vec![Layout::from_name(&value()?)?],
            "--plot" => request.role = Role::Plot(value()?.into(), value()?.into()),
            "--measure-in" => request.role = Role::Measure(value()?.into()),
            "--remove" => request.role = Role::Remove(value()?.into()),
            // Given by cargo bench to every bench target.
            "--bench" => {}
            other if SCENARIOS.contains(&other) => request.options.scenarios.push(argument),
            other => {
                let known = SCENARIOS.join(", ");
                return Err(format!(
                    "{other} is neither an option nor one of the scenarios {known}"
                ));
            }
        }
    }
    Ok(request)
}
