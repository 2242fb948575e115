//! A small graph of characters.

/// The characters of a column that is filled by so many eighths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Levels([char; 9]);

/// Of the block elements of Unicode.
pub(super) const BLOCKS: Levels = Levels([' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']);
/// For terminals that show ASCII only.
pub(super) const ASCII: Levels = Levels([' ', '_', '.', ',', '-', '=', '+', '*', '#']);

/// The lines of a graph, from the top: the latest value is at the right, `full` fills a column.
/// Something that is not 0 is seen.
pub(super) fn draw(
    values: impl DoubleEndedIterator<Item = f64>,
    full: f64,
    width: usize,
    height: u8,
    Levels(levels): Levels,
) -> Vec<String> {
    let eighths = u16::from(height) * 8;
    let mut columns: Vec<usize> = values
        .rev()
        .take(width)
        .map(|value| filled(value, full, eighths))
        .collect();
    columns.reverse();
    let lines = (0..usize::from(height)).rev().map(|line| {
        let mut text = " ".repeat(width.saturating_sub(columns.len()));
        text.extend(columns.iter().map(|column| {
            let level = column.saturating_sub(line * 8).min(8);
            levels.get(level).copied().unwrap_or(' ')
        }));
        text
    });
    lines.collect()
}

/// How many eighths a value fills: the least that reach it.
fn filled(value: f64, full: f64, eighths: u16) -> usize {
    if value.is_nan() || value <= 0.0 || full <= 0.0 {
        return 0;
    }
    let reaches = |step: &u16| full * f64::from(*step) / f64::from(eighths) >= value;
    usize::from((1..eighths).find(reaches).unwrap_or(eighths))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_value_is_at_the_right() {
        let values = [0.0, 50.0, 100.0];
        let lines = draw(values.into_iter(), 100.0, 5, 1, BLOCKS);
        assert_eq!(lines, ["   ▄█"]);
        let lines = draw(values.into_iter(), 100.0, 2, 2, BLOCKS);
        assert_eq!(lines, [" █", "██"]);
        assert_eq!(draw(values.into_iter(), 100.0, 3, 1, ASCII), [" -#"]);
    }

    #[test]
    fn a_little_is_seen_and_too_much_stays_inside() {
        let values = [0.1, 1000.0, f64::NAN];
        assert_eq!(draw(values.into_iter(), 100.0, 3, 1, BLOCKS), ["▁█ "]);
        assert_eq!(draw([1.0].into_iter(), 0.0, 2, 1, BLOCKS), ["  "]);
        assert!(draw([1.0].into_iter(), 1.0, 0, 0, BLOCKS).is_empty());
    }
}
