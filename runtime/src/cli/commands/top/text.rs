//! Numbers as text of a few characters.

/// A number of bytes, in powers of 1024, in five characters: `0`, `512B`, `1.5K`, `64.0M`, `123G`.
pub(super) fn size(bytes: u64) -> String {
    size_of(super::rates::float(bytes))
}

/// The same for a rate.
pub(super) fn size_or_dash(bytes: Option<f64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), size_of)
}

fn size_of(bytes: f64) -> String {
    if bytes < 0.5 {
        return "0".to_owned();
    }
    if bytes < 999.5 {
        return format!("{bytes:.0}B");
    }
    let mut value = bytes;
    let mut unit = "";
    for next in ["K", "M", "G", "T", "P", "E"] {
        if !unit.is_empty() && value < 999.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if value < 99.95 {
        format!("{value:.1}{unit}")
    } else {
        format!("{value:.0}{unit}")
    }
}

/// Percent with one digit after the point, or `-`.
pub(super) fn percent_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

/// The beginning and the end of a text that is longer than `width`: names often begin alike.
pub(super) fn shortened(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let end = width.saturating_sub(1) / 2;
    let begin = width.saturating_sub(1 + end);
    let mut short: String = text.chars().take(begin).collect();
    if width > 0 {
        short.push('~');
    }
    short.extend(text.chars().skip(length - end));
    short
}

/// The first `width` characters.
pub(super) fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_five_characters_at_most() {
        for (bytes, text) in [
            (0, "0"),
            (1, "1B"),
            (999, "999B"),
            (1000, "1.0K"),
            (1536, "1.5K"),
            (64 << 20, "64.0M"),
            (102_400, "100K"),
            (1023 << 10, "1.0M"),
            (123 << 30, "123G"),
            (u64::MAX, "16.0E"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
        for shift in 0..64 {
            for more in [0, 1, 7] {
                let bytes = (1_u64 << shift).saturating_mul(1000 + more) / 1000;
                assert!(size(bytes).len() <= 5, "{bytes}");
            }
        }
        assert_eq!(size_or_dash(None), "-");
    }

    #[test]
    fn both_ends_of_a_long_name_are_seen() {
        assert_eq!(shortened("web-frontend-1", 9), "web-~nd-1");
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened("abc", 1), "~");
        assert_eq!(shortened("abc", 0), "");
    }
}
