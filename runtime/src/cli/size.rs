//! Sizes in bytes as they are typed: `64m`, `1.5GiB`, `-1`.

/// Parses a size. Suffixes `b`, `k`, `m`, `g`, `t`, `p` count in powers of 1024, in either case,
/// with an optional `b` or `iB` after them; fractions are allowed and rounded down. `-1` means
/// unlimited.
pub(crate) fn parse(text: &str) -> Option<i64> {
    if text == "-1" {
        return Some(-1);
    }
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let suffix = suffix
        .strip_prefix(' ')
        .unwrap_or(suffix)
        .to_ascii_lowercase();
    let power = match suffix.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return None,
    };
    let unit = 1024_i64.checked_pow(power)?;
    if let Ok(whole) = number.parse::<i64>() {
        return whole.checked_mul(unit);
    }
    // A fraction: the part before the point exactly, the part after it to the precision of a
    // double.
    let (whole, fraction) = number.split_once('.')?;
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole: i64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let fraction: f64 = format!("0.{fraction}0").parse().ok()?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "0 <= fraction < 1 and unit is a power of two up to 2^50"
    )]
    let part = (fraction * unit as f64) as i64;
    whole.checked_mul(unit)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn suffixes_are_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("42", 42),
            ("42b", 42),
            ("32k", 32 << 10),
            ("32Kb", 32 << 10),
            ("32KiB", 32 << 10),
            ("32 MiB", 32 << 20),
            ("1.5g", 3 << 29),
            (".5k", 512),
            ("2t", 2 << 40),
            ("1P", 1 << 50),
            ("-1", -1),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "m",
            "-2",
            "1x",
            "1kk",
            "1.2.3",
            ".",
            "1  k",
            "9999999999999999999",
            "9000p",
            "0x10",
            "1e3",
            "+1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_survive_a_round_trip(number in 0..i64::MAX) {
            prop_assert_eq!(parse(&number.to_string()), Some(number));
        }

        #[test]
        fn no_text_is_too_strange(text in ".{0,16}") {
            let _ = parse(&text);
        }
    }
}
