//! JSON that is written piece by piece, with one value a line.

/// A document that grows at its end. Its functions are called at dozens of places, and are kept
/// from being inlined there.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    text: String,
    depth: usize,
    /// What comes next is the value of a key.
    after_key: bool,
}

impl Writer {
    /// What is in front of a value or key: its place on a line of its own.
    #[inline(never)]
    fn begin(&mut self) {
        if std::mem::take(&mut self.after_key) || self.text.is_empty() {
            return;
        }
        if !self.text.ends_with(['{', '[']) {
            self.text.push(',');
        }
        self.line();
    }

    #[inline(never)]
    fn line(&mut self) {
        self.text.push('\n');
        for _ in 0..self.depth {
            self.text.push_str("  ");
        }
    }

    /// Begins an object or a list.
    #[inline(never)]
    pub(crate) fn open(&mut self, bracket: char) {
        self.begin();
        self.text.push(bracket);
        self.depth += 1;
    }

    /// Ends it.
    #[inline(never)]
    pub(crate) fn close(&mut self, bracket: char) {
        self.depth = self.depth.saturating_sub(1);
        if !self.text.ends_with(['{', '[']) {
            self.line();
        }
        self.text.push(bracket);
    }

    /// The key of the value that comes next.
    #[inline(never)]
    pub(crate) fn key(&mut self, key: &str) {
        self.string(key);
        self.text.push_str(": ");
        self.after_key = true;
    }

    /// A value that is written as it is: a number, `true`, `null`.
    pub(crate) fn raw(&mut self, value: &str) {
        self.begin();
        self.text.push_str(value);
    }

    /// A string as a value.
    #[inline(never)]
    pub(crate) fn string(&mut self, value: &str) {
        self.begin();
        self.text.push('"');
        for letter in value.chars() {
            match letter {
                '"' | '\\' => {
                    self.text.push('\\');
                    self.text.push(letter);
                }
                // RFC 8259, section 7.
                '\0'..='\u{1f}' => {
                    let code = format!("\\u{:04x}", u32::from(letter));
                    self.text.push_str(&code);
                }
                _ => self.text.push(letter),
            }
        }
        self.text.push('"');
    }

    /// A key and a string.
    #[inline(never)]
    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.string(value);
    }

    /// A list of strings as a value.
    #[inline(never)]
    pub(crate) fn texts(&mut self, values: &[impl AsRef<str>]) {
        self.open('[');
        for value in values {
            self.string(value.as_ref());
        }
        self.close(']');
    }

    /// The document, with a newline at its end.
    pub(crate) fn end(mut self) -> String {
        self.text.push('\n');
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_read_back_as_it_was() {
        let odd = "\"\\\u{1}\n\u{7f}ü\u{202e}/{[";
        let mut json = Writer::default();
        json.open('{');
        json.text(odd, odd);
        json.key("none");
        json.texts(&[] as &[&str]);
        json.key("two");
        json.texts(&["{", "["]);
        json.close('}');
        let text = json.end();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read,
            serde_json::json!({ odd: odd, "none": [], "two": ["{", "["] })
        );
        let last = "  \"none\": [],\n  \"two\": [\n    \"{\",\n    \"[\"\n  ]\n}\n";
        assert!(text.ends_with(last), "{text}");
    }
}
