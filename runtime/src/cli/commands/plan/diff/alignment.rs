//! Which steps of two plans are the same: the shortest script of removals and additions (E. W.
//! Myers, An O(ND) Difference Algorithm and Its Variations, 1986).

use super::{Key, Side};

/// How many removals and additions are looked for; plans that differ more are told as wholly
/// different from the first difference to the last.
const MOST: usize = 2000;

/// A difference, with the indexes of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Removed(usize),
    Added(usize),
    Changed(usize, usize),
}

/// The differences, in the order of the plans.
pub(super) fn edits(one: &Side, other: &Side) -> Vec<Edit> {
    let script = script(&one.keys, &other.keys);
    let same_kind = |old: usize, new: usize| {
        let steps = (one.explained.steps.get(old), other.explained.steps.get(new));
        let (Some(old), Some(new)) = steps else {
            return false;
        };
        old.operation == new.operation
            && std::ptr::eq(old.reason, new.reason)
            && old.operation != "Close"
    };
    let mut edits = Vec::new();
    for hunk in script.chunk_by(adjacent) {
        paired(hunk, same_kind, &mut edits);
    }
    edits
}

/// Whether no step that is in both plans lies between.
fn adjacent(first: &(Edit, usize), second: &(Edit, usize)) -> bool {
    first.1 == second.1
}

/// Removals and additions at one place: those of one kind are changes.
fn paired(hunk: &[(Edit, usize)], same_kind: impl Fn(usize, usize) -> bool, to: &mut Vec<Edit>) {
    let mut added: Vec<usize> = hunk
        .iter()
        .filter_map(|(edit, _)| match edit {
            Edit::Added(new) => Some(*new),
            _ => None,
        })
        .collect();
    for (edit, _) in hunk {
        let Edit::Removed(old) = *edit else { continue };
        match added.iter().position(|new| same_kind(old, *new)) {
            Some(at) => to.push(Edit::Changed(old, added.remove(at))),
            None => to.push(Edit::Removed(old)),
        }
    }
    to.extend(added.into_iter().map(Edit::Added));
}

/// The script, each edit with the number of common steps before it.
fn script(one: &[Key], other: &[Key]) -> Vec<(Edit, usize)> {
    let same = |(a, b): &(&Key, &Key)| a == b;
    let start = one.iter().zip(other).take_while(same).count();
    let (one_rest, other_rest) = (
        one.get(start..).unwrap_or_default(),
        other.get(start..).unwrap_or_default(),
    );
    let end = one_rest
        .iter()
        .rev()
        .zip(other_rest.iter().rev())
        .take_while(same)
        .count();
    let one = one_rest.get(..one_rest.len() - end).unwrap_or_default();
    let other = other_rest.get(..other_rest.len() - end).unwrap_or_default();
    let mut script = shortest(one, other).unwrap_or_else(|| {
        let removed = (0..one.len()).map(|old| (Edit::Removed(old), 0));
        let added = (0..other.len()).map(|new| (Edit::Added(new), 0));
        removed.chain(added).collect()
    });
    for (edit, _) in &mut script {
        match edit {
            Edit::Removed(index) | Edit::Added(index) => *index += start,
            Edit::Changed(..) => {}
        }
    }
    script
}

/// The furthest place on each diagonal, from `-distance` to `distance`.
struct Reach(Vec<usize>);

impl Reach {
    fn get(&self, diagonal: isize) -> usize {
        let middle = self.0.len() / 2;
        let at = middle.checked_add_signed(diagonal);
        at.and_then(|at| self.0.get(at)).copied().unwrap_or(0)
    }

    fn set(&mut self, diagonal: isize, place: usize) {
        let middle = self.0.len() / 2;
        let at = middle.checked_add_signed(diagonal);
        if let Some(to) = at.and_then(|at| self.0.get_mut(at)) {
            *to = place;
        }
    }

    /// Whether the furthest way to a diagonal is by an addition.
    fn comes_by_addition(&self, diagonal: isize, distance: isize) -> bool {
        diagonal == -distance
            || (diagonal != distance && self.get(diagonal - 1) < self.get(diagonal + 1))
    }
}

/// The shortest script, or `None` if it is longer than [`MOST`].
fn shortest(one: &[Key], other: &[Key]) -> Option<Vec<(Edit, usize)>> {
    let most = (one.len() + other.len()).min(MOST);
    let mut reach = Reach(vec![0; 2 * most + 3]);
    // As it was before each distance, as far as it was used.
    let mut history: Vec<Reach> = Vec::new();
    for distance in 0..=isize::try_from(most).ok()? {
        let used = distance.unsigned_abs() + 1;
        let middle = reach.0.len() / 2;
        let part = reach.0.get(middle - used..=middle + used)?;
        history.push(Reach(part.to_vec()));
        for diagonal in (-distance..=distance).step_by(2) {
            let mut old = if reach.comes_by_addition(diagonal, distance) {
                reach.get(diagonal + 1)
            } else {
                reach.get(diagonal - 1) + 1
            };
            let mut new = old.checked_add_signed(-diagonal).unwrap_or(0);
            while let (Some(a), Some(b)) = (one.get(old), other.get(new))
                && a == b
            {
                old += 1;
                new += 1;
            }
            reach.set(diagonal, old);
            if old >= one.len() && new >= other.len() {
                return Some(way_back(&history, one.len(), other.len()));
            }
        }
    }
    None
}

/// The script, from the end to the beginning.
fn way_back(history: &[Reach], mut old: usize, mut new: usize) -> Vec<(Edit, usize)> {
    let mut script = Vec::new();
    for (distance, reach) in history.iter().enumerate().rev() {
        let distance = distance.cast_signed();
        let diagonal = old.cast_signed() - new.cast_signed();
        let addition = reach.comes_by_addition(diagonal, distance);
        let from = if addition { diagonal + 1 } else { diagonal - 1 };
        let (before_old, before_new) = if distance == 0 {
            (0, 0)
        } else {
            let place = reach.get(from);
            (place, place.checked_add_signed(-from).unwrap_or(0))
        };
        if distance > 0 {
            let edit = if addition {
                Edit::Added(before_new)
            } else {
                Edit::Removed(before_old)
            };
            script.push((edit, before_old, before_new));
        }
        (old, new) = (before_old, before_new);
    }
    script.reverse();
    // Edits between which nothing is common are at one place: the steps before them, less those
    // that were removed.
    let mut removed = 0;
    script
        .into_iter()
        .map(|(edit, old, _)| {
            let common = old - removed;
            removed += usize::from(matches!(edit, Edit::Removed(_)));
            (edit, common)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<Key> {
        let key = |letter: char| Key {
            does: letter.to_string(),
            operation: "Close",
            arguments: Vec::new(),
            failures: String::new(),
        };
        text.chars().map(key).collect()
    }

    fn applied(one: &str, other: &str) -> (String, usize) {
        let script = script(&steps(one), &steps(other));
        let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
        let removed = |index: usize| script.iter().any(|(edit, _)| *edit == Edit::Removed(index));
        let mut common = (0..one.len()).filter(|index| !removed(*index));
        let added = |index: usize| script.iter().any(|(edit, _)| *edit == Edit::Added(index));
        let result = (0..other.len()).map(|index| {
            if added(index) {
                other[index]
            } else {
                one[common.next().unwrap()]
            }
        });
        (result.collect(), script.len())
    }

    #[test]
    fn the_script_leads_from_one_to_the_other_and_is_the_shortest() {
        for (one, other, length) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "", 3),
            ("", "abc", 3),
            ("abcabba", "cbabac", 5),
            ("abcd", "abxd", 2),
            ("aaab", "baaa", 2),
            ("xaby", "xbay", 2),
        ] {
            assert_eq!(
                applied(one, other),
                (other.to_owned(), length),
                "{one} {other}"
            );
        }
    }

    #[test]
    fn removals_and_additions_at_one_place_are_changes() {
        let script = script(&steps("abcd"), &steps("axcy"));
        let mut edits = Vec::new();
        for hunk in script.chunk_by(adjacent) {
            paired(hunk, |_, _| true, &mut edits);
        }
        assert_eq!(edits, [Edit::Changed(1, 1), Edit::Changed(3, 3)]);
    }
}
