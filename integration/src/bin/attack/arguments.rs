//! What to do, from the command line.

use cofferdam_integration::attack::{COMMANDS, Command, Kind, Layout, Step};

/// The command line.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) commands: Vec<Command>,
    pub(crate) layouts: Vec<Layout>,
    pub(crate) kinds: Vec<Kind>,
    /// These steps and no others.
    pub(crate) steps: Vec<Step>,
    /// One step of so many.
    pub(crate) sample: usize,
    pub(crate) seed: u64,
    /// So many commands at the same time.
    pub(crate) workers: usize,
}

pub(crate) const USAGE: &str = "\
usage: attack [OPTION]… [COMMAND]…
  --layout own|unified|user-namespace|rootless|systemd
                                        how cgroups are mounted, and where the container runs
  --kind kill|hold|error                what happens at a system call
  --sample N                            one step of N, chosen by the seed
  --seed N                              what the choice begins with
  --workers N                           so many commands at the same time (2)
  --step PROCESS:NUMBER:ACTION          this step alone, as failures print it
--layout, --kind and --step can be given several times; without any, everything is done.";

fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, wanted: &str) -> Result<T, String> {
    let found = all.iter().find(|one| name(**one) == wanted);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
        format!("{wanted} is not one of {}", names.join(", "))
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

impl Arguments {
    /// Reads the command line.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut found = Self {
            commands: Vec::new(),
            layouts: Vec::new(),
            kinds: Vec::new(),
            steps: Vec::new(),
            sample: 1,
            seed: 1,
            workers: 2,
        };
        while let Some(word) = words.next() {
            if !word.starts_with("--") {
                let command = named(COMMANDS, |command| command.name, &word)?;
                found.commands.push(command);
                continue;
            }
            let value = words.next().ok_or("a value is missing")?;
            match word.as_str() {
                "--layout" => found
                    .layouts
                    .push(named(&Layout::ALL, Layout::name, &value)?),
                "--kind" => found.kinds.push(named(&Kind::ALL, Kind::name, &value)?),
                "--sample" => found.sample = number::<usize>(&value)?.max(1),
                "--seed" => found.seed = number(&value)?,
                "--workers" => found.workers = number::<usize>(&value)?.clamp(1, 64),
                "--step" => found.steps.push(value.parse()?),
                _ => return Err(format!("no such option: {word}")),
            }
        }
        if found.commands.is_empty() {
            found.commands = COMMANDS.to_vec();
        }
        if found.layouts.is_empty() {
            found.layouts = Layout::ALL.to_vec();
        }
        found.layouts.retain(|layout| layout.is_possible());
        if found.kinds.is_empty() {
            found.kinds = Kind::ALL.to_vec();
        }
        Ok(found)
    }
}
