//! The table in the width that there is.

use super::columns::{COLUMNS, Cell, Column, Tone};
use super::rates::Row;
use super::text;

/// A table that is laid out: as many cells a line as columns have room.
#[derive(Debug)]
pub(super) struct Table {
    shown: Vec<(&'static Column, usize)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Lays out rows; without a width all columns have the room that they need.
    pub(super) fn new(rows: &[Row], width: Option<usize>) -> Self {
        let cells =
            |row: &Row| -> Vec<Cell> { COLUMNS.iter().map(|column| (column.cell)(row)).collect() };
        let cells: Vec<Vec<Cell>> = rows.iter().map(cells).collect();
        let mut columns: Vec<Measured> = COLUMNS
            .iter()
            .enumerate()
            .map(|(index, column)| Measured::new(index, column, &cells))
            .collect();
        if let Some(width) = width {
            fit(&mut columns, width);
        }
        let pick = |mut row: Vec<Cell>| -> Vec<Cell> {
            let picked = columns.iter().map(|column| {
                let cell = row.get_mut(column.index).map(|cell| {
                    let nothing = (String::new(), Tone::Plain);
                    std::mem::replace(cell, nothing)
                });
                cell.unwrap_or((String::new(), Tone::Plain))
            });
            picked.collect()
        };
        Self {
            rows: cells.into_iter().map(pick).collect(),
            shown: columns
                .iter()
                .map(|column| (column.column, column.width))
                .collect(),
        }
    }

    /// The titles, in the widths of their columns; the one that sorts is marked.
    pub(super) fn head(&self, sorted: Option<&Column>) -> String {
        let titles = self.shown.iter().map(|(column, width)| {
            let marked = sorted.is_some_and(|sorted| std::ptr::eq(sorted, *column))
                && column.title.len() < *width;
            let mark = if marked { "*" } else { "" };
            place(column, &format!("{mark}{}", column.title), *width)
        });
        join(titles)
    }

    /// One row, its cells in their tones if `paint` is given.
    pub(super) fn line(&self, index: usize, paint: fn(&str, Tone) -> String) -> String {
        let cells = self.rows.get(index).map(Vec::as_slice).unwrap_or_default();
        let cells = self.shown.iter().zip(cells);
        join(
            cells.map(|((column, width), (text, tone))| paint(&place(column, text, *width), *tone)),
        )
    }

    /// The whole table as text.
    pub(super) fn text(&self, paint: fn(&str, Tone) -> String) -> String {
        let lines = (0..self.rows.len()).map(|index| self.line(index, paint));
        let mut text = String::new();
        for line in std::iter::once(self.head(None)).chain(lines) {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A column and the room it needs.
struct Measured {
    index: usize,
    column: &'static Column,
    width: usize,
}

impl Measured {
    fn new(index: usize, column: &'static Column, rows: &[Vec<Cell>]) -> Self {
        let cells = rows.iter().filter_map(|row| row.get(index));
        let widest = cells.map(|(text, _)| text.chars().count()).max();
        let title = column.title.len();
        Self {
            index,
            column,
            width: widest.unwrap_or(0).max(title).max(column.width),
        }
    }
}

/// Takes columns away until the others have room beside an id of its least width, and gives the id
/// what is left.
fn fit(columns: &mut Vec<Measured>, width: usize) {
    let of_id = |columns: &[Measured]| columns.first().map_or(0, |id| id.width);
    let wanted = of_id(columns);
    if let Some(id) = columns.first_mut() {
        id.width = id.column.width.min(wanted);
    }
    let needed = |columns: &[Measured]| {
        let widths = columns.iter().map(|column| column.width).sum::<usize>();
        widths + columns.len().saturating_sub(1)
    };
    while columns.len() > 1 && needed(columns) > width {
        let last = columns.iter().enumerate();
        let Some((index, _)) = last.max_by_key(|(_, column)| column.column.rank) else {
            break;
        };
        columns.remove(index);
    }
    let left = width.saturating_sub(needed(columns));
    if let Some(id) = columns.first_mut() {
        id.width = (id.width + left).min(wanted).min(width);
    }
}

/// Texts begin at the left, numbers end at the right.
fn place(column: &Column, text: &str, width: usize) -> String {
    let text = text::shortened(text, width);
    if matches!(column.name, "id" | "status") {
        format!("{text:<width$}")
    } else {
        format!("{text:>width$}")
    }
}

fn join(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(" ")
}

/// Without colours.
pub(super) fn unpainted(text: &str, _tone: Tone) -> String {
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::rates::tests::row;
    use super::*;

    fn lines(rows: &[Row], width: Option<usize>) -> Vec<String> {
        let text = Table::new(rows, width).text(unpainted);
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn all_columns_are_in_a_terminal_of_80() {
        let rows = [row("a-container-with-a-long-name", 12.34)];
        let lines = lines(&rows, Some(80));
        for column in COLUMNS {
            assert!(lines[0].contains(column.title), "{lines:#?}");
        }
        assert!(lines.iter().all(|line| line.len() <= 80), "{lines:#?}");
        assert!(lines[1].starts_with("a-cont~-name"), "{lines:#?}");
    }

    #[test]
    fn columns_go_by_rank_and_none_is_cut() {
        let rows = [row("web-1", 100.0), row("db", 3.0)];
        let mut before = COLUMNS.len() + 1;
        for width in (1..=120).rev() {
            let table = Table::new(&rows, Some(width));
            let shown: Vec<u8> = table.shown.iter().map(|(column, _)| column.rank).collect();
            let highest = shown.iter().copied().max().unwrap();
            assert_eq!(usize::from(highest) + 1, shown.len(), "{shown:?}");
            assert!(shown.len() <= before);
            before = shown.len();
            for line in table.text(unpainted).lines() {
                assert!(line.chars().count() <= width, "{width}: {line:?}");
            }
        }
        assert_eq!(before, 1);
    }

    #[test]
    fn without_a_width_everything_is_whole() {
        let id = "x".repeat(200);
        let mut big = row(&id, 12_345.6);
        big.now.counters.pids.as_mut().unwrap().limit = Some(4_194_304);
        let lines = lines(&[big], None);
        assert!(lines[1].contains(&id) && lines[1].contains("3/4194304"));
        assert!(lines[1].contains(" 12345.6 "));
    }

    #[test]
    fn numbers_are_below_the_end_of_their_title() {
        let lines = lines(&[row("x", 7.0)], None);
        let end = lines[0].find("CPU%").unwrap() + 4;
        assert_eq!(&lines[1][end - 3..end], "7.0");
    }
}
