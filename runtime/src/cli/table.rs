//! Tables of text, laid out as the readers of `list` expect them.

/// The narrowest a column gets, its padding included.
const NARROWEST: usize = 12;
/// The spaces after the widest cell of a column.
const PADDING: usize = 3;

/// Lays out rows of cells: columns are padded with spaces, the last one is not.
pub(crate) fn layout<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = NARROWEST.max(cell.chars().count() + PADDING).max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
            text.push_str(cell);
            if index + 1 < N {
                text.extend(std::iter::repeat_n(
                    ' ',
                    width.saturating_sub(cell.chars().count()),
                ));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_the_padding() {
        let row = |cells: [&str; 3]| cells.map(String::from);
        let text = layout(&[
            row(["ID", "PID", "OWNER"]),
            row(["a-long-container-id", "1", "root"]),
        ]);
        assert_eq!(
            text,
            "ID                    PID         OWNER\n\
             a-long-container-id   1           root\n"
        );
    }
}
