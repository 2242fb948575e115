//! The three keys of a configuration that are not the same in all bundles of the benchmarks.

use core::ptr::null;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read};

use crate::failure::{At as _, Failure, Result};
use crate::text::Text;

/// The largest configuration of the benchmarks, without a seccomp profile.
const ROOM: usize = 8 << 10;
/// Strings in one list, with the null pointer at its end.
const STRINGS: usize = 8;

/// Strings for `execve(2)`.
pub(crate) type Strings = [*const u8; STRINGS];

/// The text of a configuration, in which strings are ended with NULs where they are.
pub(crate) struct Bundle {
    text: [u8; ROOM],
    length: usize,
}

impl Bundle {
    pub(crate) const EMPTY: Self = Self {
        text: [0; ROOM],
        length: 0,
    };

    /// Reads `DIR/config.json`.
    pub(crate) fn read(&mut self, folder: &[u8]) -> Result<()> {
        let path = Text::of(&[folder, b"/config.json"]);
        let file = open(path.as_c(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .at("open the configuration")?;
        self.length = read(&file, &mut self.text).at("read the configuration")?;
        if self.length == ROOM {
            return Err(Failure::new("read the configuration", Errno::FBIG));
        }
        Ok(())
    }

    /// Where the text after this one begins.
    fn after(&self, key: &[u8]) -> Result<usize> {
        self.text
            .windows(key.len())
            .position(|window| window == key)
            .map(|at| at + key.len())
            .ok_or(Failure::new(
                "find a key of the configuration",
                Errno::INVAL,
            ))
    }

    /// The strings of the list that this key has.
    pub(crate) fn list(&mut self, key: &[u8]) -> Result<Strings> {
        let start = self.after(key)?;
        let mut strings = [null(); STRINGS];
        let mut found = strings.iter_mut().take(STRINGS - 1);
        let mut inside = false;
        for byte in self.text.iter_mut().skip(start) {
            match byte {
                b']' if !inside => break,
                b'"' => {
                    if inside {
                        *byte = 0;
                    } else if let Some(string) = found.next() {
                        *string = core::ptr::from_mut(byte).wrapping_add(1);
                    }
                    inside = !inside;
                }
                _ => {}
            }
        }
        Ok(strings)
    }

    /// The string that this key has.
    pub(crate) fn string(&self, key: &[u8]) -> Result<Text> {
        let start = self.after(key)?;
        let mut parts = self
            .text
            .get(start..)
            .unwrap_or_default()
            .split(|byte| *byte == b'"');
        // Between the key and the value: a colon and a space.
        parts.next();
        Ok(Text::of(&[parts.next().unwrap_or_default()]))
    }
}
