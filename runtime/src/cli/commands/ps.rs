//! `ps`: the processes of a container.

use std::process::{Command as Program, Stdio};

use super::pause::warn_without_cgroup_access;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Order};
use crate::cli::output;

pub(crate) static COMMAND: Command = Command {
    name: "ps",
    about: "show the processes of a container",
    arguments: "<container-id> [ps options]",
    description: "The table is what the host's ps program prints with the given options (default: -ef), without the\n\
                  processes of others. With --format json it is an array of process ids.",
    flags: &[Flag::text("format", "one of: table or json")
        .letter("f")
        .default("table")],
    count: Count::AtLeast(1),
    order: Order::FlagsFirst,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let container = super::container(invocation)?;
    let pids = warn_without_cgroup_access(invocation, "ps", container.processes())?;
    match invocation
        .parsed
        .string("format")
        .as_deref()
        .unwrap_or("table")
    {
        "table" => {}
        "json" => {
            output::write(&format!("{}\n", output::array_or_null(&pids)?))?;
            return Ok(0);
        }
        _ => return Err(Failure::new("invalid format option")),
    }
    let mut ps = Program::new("ps");
    let options = invocation.after_id();
    if options.is_empty() {
        ps.arg("-ef");
    } else {
        ps.args(options);
    }
    let listed = ps
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::io("run ps", error))?;
    if !listed.status.success() {
        let how = match listed.status.code() {
            Some(code) => format!("exit status {code}"),
            None => listed.status.to_string(),
        };
        let said = String::from_utf8_lossy(&listed.stderr);
        return Err(Failure::new(format!("{how}: {}", said.trim_end())));
    }
    output::write(&of_container(
        &String::from_utf8_lossy(&listed.stdout),
        &pids,
    )?)?;
    Ok(0)
}

/// The header of the table and the rows whose `PID` column names one of `pids`.
fn of_container(table: &str, pids: &[i32]) -> Result<String, Failure> {
    let mut lines = table.lines();
    let header = lines.next().unwrap_or_default();
    let column = header
        .split_whitespace()
        .position(|title| title == "PID")
        .ok_or_else(|| Failure::new("couldn't find PID field in ps output"))?;
    let mut text = format!("{header}\n");
    for line in lines.filter(|line| !line.is_empty()) {
        let cell = line.split_whitespace().nth(column).unwrap_or_default();
        let pid: i32 = cell
            .parse()
            .map_err(|error| Failure::new(format!("unable to parse pid {cell:?}: {error}")))?;
        if pids.contains(&pid) {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "UID   PID  CMD\nroot    1  init\nuser   12  sh -c x\nroot   3  1\n";

    #[test]
    fn rows_of_others_are_left_out() {
        assert_eq!(
            of_container(TABLE, &[12, 3]).unwrap(),
            "UID   PID  CMD\nuser   12  sh -c x\nroot   3  1\n"
        );
        assert_eq!(of_container(TABLE, &[]).unwrap(), "UID   PID  CMD\n");
    }

    #[test]
    fn a_table_that_cannot_be_understood_is_an_error() {
        assert_eq!(
            of_container("USER CMD\n", &[1]).unwrap_err().message,
            "couldn't find PID field in ps output"
        );
        assert!(
            of_container("PID\nx\n", &[1])
                .unwrap_err()
                .message
                .starts_with("unable to parse pid \"x\"")
        );
        assert!(of_container("", &[]).is_err());
    }
}
