//! What was probably meant by a word that nobody knows.

/// The candidate that is nearest to `typed`, if it is near enough to be a slip of the fingers: one
/// edit in a short word, two in a word of five letters or more.
#[cold]
pub(crate) fn nearest<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = typed.chars().count();
    let allowed = if length < 5 { 1 } else { 2 };
    // A single letter is one edit away from every other.
    if !(2..=64).contains(&length) {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (distance(typed, candidate), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters have to be put in, left out, replaced or exchanged with their neighbour: the
/// distance of Damerau and Levenshtein in its restricted form (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    // Rows of the table: two letters ago, one letter ago, and the present one.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut last_letter = None;
    for (line, letter) in one.chars().enumerate() {
        let mut row = vec![line + 1];
        for (column, &counterpart) in other.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let replaced = at(&last, column) + usize::from(letter != counterpart);
            let mut best = replaced
                .min(at(&last, column + 1) + 1)
                .min(at(&row, column) + 1);
            let earlier = column.checked_sub(1).and_then(|at| other.get(at).copied());
            if last_letter == Some(counterpart)
                && earlier == Some(letter)
                && let Some(&exchanged) = before.get(column - 1)
            {
                best = best.min(exchanged + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
        last_letter = Some(letter);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (one, other, edits) in [
            ("", "", 0),
            ("", "run", 3),
            ("run", "run", 0),
            ("rnu", "run", 1),
            ("rn", "run", 1),
            ("runn", "run", 1),
            ("ren", "run", 1),
            ("strat", "start", 1),
            ("delte", "delete", 1),
            ("kitten", "sitting", 3),
            ("größe", "grösse", 2),
        ] {
            assert_eq!(distance(one, other), edits, "{one} {other}");
            assert_eq!(distance(other, one), edits, "{other} {one}");
        }
    }

    #[test]
    fn a_slip_has_an_answer_and_another_word_has_none() {
        let words = ["run", "restore", "resume", "create", "state", "start"];
        for (typed, meant) in [
            ("rnu", Some("run")),
            ("resotre", Some("restore")),
            ("creat", Some("create")),
            ("sttae", Some("state")),
            ("crate", Some("create")),
            ("nonsense", None),
            ("no", None),
            ("r", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, words), meant, "{typed}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), words), None);
    }
}
