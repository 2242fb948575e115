//! Text for people: words in lines of 80 columns.

/// The width of a line.
pub(crate) const WIDTH: usize = 80;

/// Adds words in lines of [`WIDTH`]; a word that is longer has a line of its own.
pub(crate) fn wrap(text: &mut String, indent: usize, words: &str) {
    text.extend(std::iter::repeat_n(' ', indent));
    wrap_after(text, indent, words);
}

/// The same, with the first line indented already.
pub(crate) fn wrap_after(text: &mut String, indent: usize, words: &str) {
    flow(text, indent, indent, words.split_inclusive(' '));
}

/// The same, with another indentation of the further lines; a list with `|` may be parted.
#[cfg(feature = "explain")]
pub(crate) fn wrap_hanging(text: &mut String, indent: usize, further: usize, words: &str) {
    flow(text, indent, further, words.split_inclusive([' ', '|']));
}

fn flow<'a>(
    text: &mut String,
    indent: usize,
    further: usize,
    pieces: impl Iterator<Item = &'a str>,
) {
    let mut column = indent;
    for (index, piece) in pieces.enumerate() {
        if index > 0 && column + piece.trim_end_matches(' ').chars().count() > WIDTH {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', further));
            column = further;
        }
        text.push_str(piece);
        column += piece.chars().count();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_before_the_width_and_long_words_are_whole() {
        let mut text = String::new();
        let long = "/".repeat(100);
        wrap(
            &mut text,
            2,
            &format!("{} {long} end", "word ".repeat(30).trim()),
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.starts_with("  ")));
        assert!(
            lines
                .iter()
                .filter(|line| line.len() > WIDTH)
                .eq([&format!("  {long}")])
        );
        assert_eq!(text.matches("word").count(), 30);
    }

    #[cfg(feature = "explain")]
    #[test]
    fn lists_are_parted_and_further_lines_hang() {
        let mut text = String::new();
        wrap_hanging(&mut text, 0, 4, &["MOUNT_ATTR_NOSUID"; 9].join("|"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines.iter().all(|line| line.len() <= WIDTH));
        assert!(lines[1].starts_with("    MOUNT") && lines[0].ends_with('|'));
    }
}
