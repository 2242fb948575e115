//! `top`: what the containers of a state root use, again and again.

mod columns;
mod frame;
mod graph;
mod json;
mod keys;
mod page;
mod rates;
mod sample;
mod screen;
mod table;
mod text;
mod view;

use std::io::IsTerminal as _;
use std::time::{Duration, Instant, SystemTime};

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::{Failure, describe};
use crate::cli::flag::{Flag, Order};
use crate::cli::output;
use crate::error::ErrorKind;
use crate::runtime::Runtime;
use columns::Column;
use frame::{Known, Style};
use rates::{Memory, Row};
use sample::Round;
use screen::{Input, Screen};
use view::{Action, View};

pub(crate) static COMMAND: Command = Command {
    name: "top",
    about: "show what the containers of a state root use, again and again",
    arguments: "",
    completions: &[],
    description: "On a terminal it is a table that stays up to date until q or control and C; ? explains its keys and columns.\n\
                  It has as many columns as there is room for, and colours unless NO_COLOR is set. Elsewhere --once is needed,\n\
                  or --format json, which writes one object a line for each container and reading until it is ended.\n\n\
                  CPU% is the processor time since the reading before, where 100 is one processor. MEM is the memory of the\n\
                  container without page cache that was not used lately. PSI CMI is the pressure on processor, memory and I/O:\n\
                  the percent of the last 10 seconds in which a process waited for it (linux: accounting/psi.rst). THR% is the\n\
                  percent of the periods of the CPU quota in which it ran out. A dash is what the kernel does not count for the\n\
                  container, or what is not known yet.\n\n\
                  The keys of a JSON object: time, id, status, pid, created; intervalSeconds, the time since the reading before;\n\
                  cpu with percent, usageNanoseconds, periods, throttledPeriods, throttledNanoseconds, throttledPercent; memory\n\
                  with usageBytes, workingSetBytes, limitBytes, percent, oomKills; io with readBytes, writtenBytes,\n\
                  readBytesPerSecond, writtenBytesPerSecond; pids with current, limit; pressure with cpu, memory, io, each as\n\
                  the kernel has it. What is a dash in the table is null, and so is a limit that there is not.",
    flags: &[
        Flag::duration("interval", "time between readings").default("2s"),
        Flag::switch(
            "once",
            "take two readings, print what was used between them, and end",
        ),
        Flag::text("format", "one of: table or json")
            .one_of(&["table", "json"])
            .letter("f")
            .default("table"),
        Flag::text(
            "sort",
            "one of: id, status, cpu, memory, io, pids, psi, oom or throttled; most first",
        )
        .one_of(SORTS)
        .default("cpu"),
        Flag::text("filter", "only containers with this text in their id"),
    ],
    count: Count::Exactly(0),
    order: Order::Any,
    run,
};

/// The orders that there are.
const SORTS: &[&str] = &[
    "id",
    "status",
    "cpu",
    "memory",
    "io",
    "pids",
    "psi",
    "oom",
    "throttled",
];
const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);
/// The first rates come after no more than this.
const FIRST_INTERVAL: Duration = Duration::from_millis(500);

/// What was asked for.
struct Options<'a> {
    invocation: &'a Invocation<'a>,
    runtime: Runtime,
    interval: Duration,
    sort: &'static Column,
    filter: String,
}

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let parsed = invocation.parsed;
    let interval = parsed.duration("interval").unwrap_or(DEFAULT_INTERVAL);
    if interval.is_zero() {
        return Err(Failure::new("duration interval must be greater than 0"));
    }
    let sort = parsed.string("sort").unwrap_or_else(|| "cpu".to_owned());
    let options = Options {
        invocation,
        runtime: super::runtime(invocation)?,
        interval,
        sort: columns::by_name(&sort).ok_or_else(|| {
            Failure::new(format!(
                "invalid --sort value: {sort:?} is none of {}",
                SORTS.join(", ")
            ))
        })?,
        filter: parsed.string("filter").unwrap_or_default(),
    };
    let once = parsed.switch("once");
    match parsed.string("format").as_deref().unwrap_or("table") {
        "json" => options.write_json(once),
        "table" if once => options.write_table(),
        "table" => options.watch(),
        other => Err(Failure::new(format!(
            "invalid --format value: {other:?} is none of table, json"
        ))),
    }
}

impl Options<'_> {
    /// Reads all containers. A state root that was not named need not exist yet, and one that was
    /// there may be gone and come back (`again`).
    fn read(&self, again: bool) -> Result<Round, Failure> {
        match Round::read(&self.runtime) {
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && (again || !self.invocation.globals.root_given) =>
            {
                Ok(Round::default())
            }
            round => Ok(round?),
        }
    }

    fn view(&self) -> View {
        View::new(self.sort, self.filter.clone())
    }

    /// Waits, and takes the next reading.
    fn rows_after(&self, memory: &mut Memory) -> Result<Vec<Row>, Failure> {
        std::thread::sleep(self.interval);
        let round = self.read(true)?;
        for error in &round.errors {
            self.invocation.log.error(&describe(error));
        }
        Ok(self.view().pick(&memory.take(round.samples)))
    }

    /// What is known after the first reading: no rates.
    fn begin(&self) -> Result<Memory, Failure> {
        let mut memory = Memory::default();
        memory.take(self.read(false)?.samples);
        Ok(memory)
    }

    fn write_table(&self) -> Result<u8, Failure> {
        let rows = self.rows_after(&mut self.begin()?)?;
        let width = screen::size().map(|size| size.columns);
        let table = table::Table::new(&rows, width);
        let paint = if has_colours() {
            frame::painted
        } else {
            table::unpainted
        };
        output::write(&table.text(paint))?;
        Ok(0)
    }

    fn write_json(&self, once: bool) -> Result<u8, Failure> {
        let mut memory = self.begin()?;
        loop {
            let rows = self.rows_after(&mut memory)?;
            let now = SystemTime::now();
            let mut text = String::new();
            for row in &rows {
                text.push_str(&output::compact(&json::Line::new(row, now))?);
                text.push('\n');
            }
            output::write(&text)?;
            if once {
                return Ok(0);
            }
        }
    }

    /// The table on the terminal, until it is ended.
    fn watch(&self) -> Result<u8, Failure> {
        if !screen::is_interactive() {
            return Err(Failure::new(
                "top needs a terminal as standard input and output: --once prints one table, and --format json writes lines",
            ));
        }
        if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
            return Err(Failure::new(
                "top cannot draw on a terminal of type dumb: --once prints one table",
            ));
        }
        let style = Style {
            colours: has_colours(),
            levels: if is_utf8(|name| std::env::var(name).ok()) {
                graph::BLOCKS
            } else {
                graph::ASCII
            },
        };
        // What fails at once is told on the terminal as it is.
        let first = self.read(false)?;
        let end = {
            let screen = Screen::open()?;
            Watch::new(self, first).run(&screen, style)?
        };
        // As a shell says it of a program that a signal has ended.
        Ok(end.map_or(0, |signal| {
            u8::try_from(signal).unwrap_or(0).saturating_add(128)
        }))
    }
}

/// What goes on between the first and the last frame.
struct Watch<'a> {
    options: &'a Options<'a>,
    view: View,
    memory: Memory,
    rows: Vec<Row>,
    trouble: Option<String>,
    next: Instant,
    interval: String,
}

impl<'a> Watch<'a> {
    fn new(options: &'a Options<'a>, first: Round) -> Self {
        let mut watch = Self {
            options,
            view: options.view(),
            memory: Memory::default(),
            rows: Vec::new(),
            trouble: None,
            next: Instant::now(),
            interval: format!("{:?}", options.interval),
        };
        watch.take(first, options.interval.min(FIRST_INTERVAL));
        watch
    }

    fn take(&mut self, round: Round, wait: Duration) {
        self.rows = self.memory.take(round.samples);
        let others = round.errors.len().saturating_sub(1);
        self.trouble = round.errors.first().map(|first| {
            let more = if others == 0 {
                String::new()
            } else {
                format!(" (and {others} more)")
            };
            format!("{}{more}", describe(first).escape_debug())
        });
        // From the end of the reading: one that takes long leaves time for keys.
        let now = Instant::now();
        self.next = now.checked_add(wait).unwrap_or(now);
    }

    /// The signal that has ended it, if one has.
    fn run(&mut self, screen: &Screen, style: Style) -> Result<Option<i32>, Failure> {
        let mut all = true;
        loop {
            self.draw(screen, style, all)?;
            all = false;
            let until = (!self.view.held).then_some(self.next);
            match screen.wait(until)? {
                Input::End(signal) => return Ok(signal),
                Input::Redraw => all = true,
                Input::Suspend => {
                    screen.suspend()?;
                    all = true;
                }
                Input::Nothing => {}
                Input::Keys(keys) => {
                    for key in keys {
                        let shown = self.view.pick(&self.rows);
                        self.view.select(&shown);
                        match self.view.press(key, &shown) {
                            Action::Show => {}
                            Action::Quit => return Ok(None),
                            Action::Redraw => all = true,
                            Action::Suspend => {
                                screen.suspend()?;
                                all = true;
                            }
                        }
                    }
                }
            }
            if !self.view.held && Instant::now() >= self.next {
                let round = self.options.read(true)?;
                self.take(round, self.options.interval);
            }
        }
    }

    fn draw(&mut self, screen: &Screen, style: Style, all: bool) -> Result<(), Failure> {
        let Some(size) = screen::size() else {
            return Ok(());
        };
        let known = Known {
            rows: &self.rows,
            memory: &self.memory,
            trouble: self.trouble.clone(),
            interval: &self.interval,
        };
        let lines = frame::frame(&mut self.view, &known, size, style);
        screen.draw(&lines, all)
    }
}

/// Whether standard output is a terminal whose user has nothing against colours (no-color.org).
fn has_colours() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Whether the characters of the terminal are UTF-8, by the variables of `locale(7)`.
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let value = names
        .filter_map(variable)
        .find(|value| !value.is_empty())
        .unwrap_or_default()
        .to_ascii_lowercase();
    value.contains("utf-8") || value.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_one_of_a_column() {
        for column in columns::COLUMNS {
            assert!(SORTS.contains(&column.name), "{}", column.name);
        }
        assert!(SORTS.iter().all(|name| columns::by_name(name).is_some()));
    }

    #[test]
    fn the_first_variable_that_is_set_names_the_characters() {
        let of = |set: &'static [(&str, &str)]| {
            is_utf8(move |name| {
                let found = set.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(of(&[("LANG", "C.UTF-8")]));
        assert!(of(&[("LC_ALL", ""), ("LC_CTYPE", "de_DE.utf8")]));
        assert!(!of(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")]));
        assert!(!of(&[]));
    }
}
