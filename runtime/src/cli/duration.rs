//! Durations as Go writes them: `5s`, `1m30s`, `1.5h`, `100ms`.

use std::time::Duration;

/// Parses a duration. A negative one comes as zero, because every use asks only whether it is more
/// than that.
///
/// # Errors
///
/// `Err(())` for anything else; a number needs a unit, except `0`.
pub(crate) fn parse(text: &str) -> Result<Duration, ()> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or(())?;
        let (number, after) = rest.split_at_checked(digits).ok_or(())?;
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_end).ok_or(())?;
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(()),
        };
        let number: f64 = number.parse().map_err(|_| ())?;
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| ())?;
        total = total.checked_add(part).ok_or(())?;
        rest = after;
    }
    Ok(if negative { Duration::ZERO } else { total })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_add_up() {
        assert_eq!(parse("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse("1h2m3s"), Ok(Duration::from_secs(3723)));
        assert_eq!(parse("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(parse("0"), Ok(Duration::ZERO));
        assert_eq!(parse("-5s"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_number_without_a_unit_is_no_duration() {
        for text in [
            "",
            "5",
            "-",
            "s",
            "5x",
            "5s3",
            ".",
            "..s",
            "1e999h",
            "99999999999999999999h",
        ] {
            assert_eq!(parse(text), Err(()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in ".{0,20}") {
            let _ = parse(&text);
        }
    }
}
