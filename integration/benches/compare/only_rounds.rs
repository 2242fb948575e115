//! The command line of a benchmark with one option, `--rounds`.

#[path = "rounds.rs"]
mod rounds;

/// How many rounds are asked for: nine, if the command line does not say.
pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<usize, String> {
    let mut rounds = 9;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => rounds = rounds::from_argument(&arguments.next().unwrap_or_default())?,
            // Given by cargo bench to every bench target.
            "--bench" => {}
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(rounds)
}
