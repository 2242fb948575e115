//! What is typed at a terminal in raw mode.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A printable ASCII character.
    Character(u8),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Backspace,
    Escape,
    /// Control and C, or the end of the input.
    Interrupt,
    /// Control and Z.
    Suspend,
    /// Control and L.
    Redraw,
}

/// The keys that these bytes stand for; sequences that are none of them are left out.
pub(super) fn keys(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        bytes = rest;
        keys.extend(match first {
            3 | 4 => Some(Key::Interrupt),
            12 => Some(Key::Redraw),
            26 => Some(Key::Suspend),
            b'\r' | b'\n' => Some(Key::Enter),
            8 | 127 => Some(Key::Backspace),
            27 => {
                let (key, rest) = escape(bytes);
                bytes = rest;
                key
            }
            b' '..=b'~' => Some(Key::Character(first)),
            _ => None,
        });
    }
    keys
}

/// What follows an escape: the sequences of ECMA-48 (`CSI`) and those of a keypad in application
/// mode (`SS3`), see `console_codes(4)`.
fn escape(bytes: &[u8]) -> (Option<Key>, &[u8]) {
    let Some((&(b'[' | b'O'), rest)) = bytes.split_first() else {
        return (Some(Key::Escape), bytes);
    };
    let is_final = |byte: &u8| (b'@'..=b'~').contains(byte);
    let Some(end) = rest.iter().position(is_final) else {
        return (None, &[]);
    };
    let (sequence, after) = rest.split_at(end + 1);
    let key = match sequence {
        b"A" => Some(Key::Up),
        b"B" => Some(Key::Down),
        b"C" => Some(Key::Enter),
        b"D" => Some(Key::Escape),
        b"5~" => Some(Key::PageUp),
        b"6~" => Some(Key::PageDown),
        b"H" | b"1~" | b"7~" => Some(Key::Home),
        b"F" | b"4~" | b"8~" => Some(Key::End),
        _ => None,
    };
    (key, after)
}

/// Whether more of a sequence may follow.
pub(super) fn is_begun(bytes: &[u8]) -> bool {
    let Some(last) = bytes.iter().rposition(|byte| *byte == 27) else {
        return false;
    };
    match bytes.get(last + 1..).unwrap_or_default() {
        [] => true,
        [b'[' | b'O', rest @ ..] => !rest.iter().any(|byte| (b'@'..=b'~').contains(byte)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_of_several_terminals_are_the_same_keys() {
        assert_eq!(
            keys(b"\x1b[A\x1bOBq\x1b[5~\x1b[6~\x1b[H\x1b[1~\x1b[4~"),
            [
                Key::Up,
                Key::Down,
                Key::Character(b'q'),
                Key::PageUp,
                Key::PageDown,
                Key::Home,
                Key::Home,
                Key::End
            ]
        );
        assert_eq!(
            keys(b"\x03\x7f\r"),
            [Key::Interrupt, Key::Backspace, Key::Enter]
        );
    }

    #[test]
    fn what_is_no_key_is_left_out() {
        assert_eq!(keys(b"\x1b[200;1~x"), [Key::Character(b'x')]);
        assert_eq!(keys("ä".as_bytes()), []);
        assert_eq!(keys(b"\x1b["), []);
        assert_eq!(keys(b"\x1b"), [Key::Escape]);
        assert_eq!(keys(b"\x1b\x1b[A"), [Key::Escape, Key::Up]);
    }

    #[test]
    fn a_sequence_may_come_in_parts() {
        assert!(is_begun(b"x\x1b") && is_begun(b"\x1b[") && is_begun(b"\x1b[5"));
        assert!(!is_begun(b"\x1b[A") && !is_begun(b"x") && !is_begun(b"\x1bx"));
    }
}
