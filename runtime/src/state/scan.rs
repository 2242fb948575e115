//! A fast reader of state files as this program writes them.
//!
//! Most of a state file is configuration that no short command looks at. serde reads each of its
//! bytes and keys to ignore them, which is most of what `state` and `list` execute; this reader
//! passes over eight bytes of a string at a time and builds nothing from what is not in a
//! [`Record`].
//!
//! It is strict, and it decides nothing: a text that is not JSON without white space, whose known
//! keys are not there once each with the usual types, gets no answer here, and serde reads it
//! and says what is wrong. What it does answer is what serde would.

use std::collections::BTreeMap;
use std::path::PathBuf;

use configs::config::Namespaces;
use nsenter::NamespaceType;
use serde::de::DeserializeOwned;

use super::record::{CgroupRecord, ConfigRecord, Record};

/// Arrays and objects are not nested deeper than this in a state file.
const MAX_DEPTH: u32 = 60;

/// The record in a state file, if it has the form that this program writes.
pub(super) fn record(text: &[u8]) -> Option<Record> {
    let mut text = Text(text);
    let (mut pid, mut start, mut created, mut config) = (None, None, None, None);
    let (mut cgroup_paths, mut intel_rdt_path) = (None, None);
    let (mut creator, mut host_mounts) = (None, None);
    text.object(|key, text| match key {
        b"init_process_pid" => once(&mut pid, text.value()?),
        b"init_process_start" => once(&mut start, text.value::<u64>()?),
        b"created" => once(&mut created, text.text()?),
        b"config" => once(&mut config, text.config()?),
        b"cgroup_paths" => once(&mut cgroup_paths, text.paths()?),
        b"intel_rdt_path" => once(&mut intel_rdt_path, text.text()?),
        b"creator" => once(&mut creator, text.value()?),
        b"host_mounts" => once(&mut host_mounts, text.value()?),
        _ => text.skip(),
    })?;
    if !text.0.is_empty() {
        return None;
    }
    Some(Record {
        init_process_pid: pid?,
        init_process_start: start?,
        created: created?,
        config: config?,
        cgroup_paths: cgroup_paths.unwrap_or_default(),
        intel_rdt_path: intel_rdt_path.unwrap_or_default(),
        creator: creator.unwrap_or_default(),
        host_mounts: host_mounts.unwrap_or_default(),
    })
}

/// Puts a value in its place, unless there is one.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// What is left to be read. Every method takes what it has read away, or returns `None`.
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    fn config(&mut self) -> Option<ConfigRecord> {
        let (mut rootfs, mut labels, mut namespaces, mut hooks) = (None, None, None, None);
        let (mut rootless_cgroups, mut cgroups, mut networks) = (None, None, None);
        let (mut routes, mut intel_rdt) = (None, None);
        self.object(|key, text| match key {
            b"rootfs" => once(&mut rootfs, text.text()?),
            b"labels" => once(&mut labels, text.texts()?),
            b"namespaces" => once(&mut namespaces, text.namespaces()?),
            b"Hooks" => once(&mut hooks, text.nullable()?),
            b"rootless_cgroups" => once(&mut rootless_cgroups, text.value()?),
            b"cgroups" => once(&mut cgroups, text.cgroups()?),
            b"networks" => once(&mut networks, text.nullable()?),
            b"routes" => once(&mut routes, text.nullable()?),
            b"intel_rdt" => once(&mut intel_rdt, text.value()?),
            _ => text.skip(),
        })?;
        Some(ConfigRecord {
            rootfs: rootfs.unwrap_or_default(),
            labels: labels.unwrap_or_default(),
            namespaces: namespaces.unwrap_or_default(),
            hooks: hooks.unwrap_or_default(),
            rootless_cgroups: rootless_cgroups.unwrap_or_default(),
            cgroups: cgroups.unwrap_or_default(),
            networks: networks.unwrap_or_default(),
            routes: routes.unwrap_or_default(),
            intel_rdt: intel_rdt.unwrap_or_default(),
        })
    }

    fn cgroups(&mut self) -> Option<CgroupRecord> {
        let (mut name, mut parent, mut scope_prefix) = (None, None, None);
        let (mut systemd, mut rootless) = (None, None);
        self.object(|key, text| match key {
            b"name" => once(&mut name, text.text()?),
            b"parent" => once(&mut parent, text.text()?),
            b"scope_prefix" => once(&mut scope_prefix, text.text()?),
            b"Systemd" => once(&mut systemd, text.value()?),
            b"Rootless" => once(&mut rootless, text.value()?),
            _ => text.skip(),
        })?;
        Some(CgroupRecord {
            name: name.unwrap_or_default(),
            parent: parent.unwrap_or_default(),
            scope_prefix: scope_prefix.unwrap_or_default(),
            systemd: systemd.unwrap_or_default(),
            rootless: rootless.unwrap_or_default(),
        })
    }

    fn namespaces(&mut self) -> Option<Namespaces> {
        let mut namespaces = Namespaces::new();
        self.array(|text| {
            let (mut kind, mut path) = (None, None);
            text.object(|key, text| match key {
                b"type" => once(&mut kind, NamespaceType::from_flag_name(text.plain()?)?),
                b"path" => once(&mut path, text.text()?),
                _ => text.skip(),
            })?;
            let kind = kind?;
            if namespaces.contains(kind) {
                return None;
            }
            namespaces.set(kind, path.unwrap_or_default());
            Some(())
        })?;
        Some(namespaces)
    }

    fn paths(&mut self) -> Option<BTreeMap<String, PathBuf>> {
        let mut paths = BTreeMap::new();
        self.object(|key, text| {
            let key = String::from_utf8(key.to_vec()).ok()?;
            paths.insert(key, PathBuf::from(text.text()?));
            Some(())
        })?;
        Some(paths)
    }

    fn texts(&mut self) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        self.array(|text| {
            texts.push(text.text()?);
            Some(())
        })?;
        Some(texts)
    }

    /// A string.
    fn text(&mut self) -> Option<String> {
        let before = self.0;
        let (inside, escaped) = self.string()?;
        if escaped {
            let length = before.len().checked_sub(self.0.len())?;
            return serde_json::from_slice(before.get(..length)?).ok();
        }
        Some(std::str::from_utf8(inside).ok()?.to_owned())
    }

    /// A string without escapes.
    fn plain(&mut self) -> Option<&'a str> {
        let (inside, escaped) = self.string()?;
        std::str::from_utf8(inside).ok().filter(|_| !escaped)
    }

    /// A value as serde reads it.
    fn value<T: DeserializeOwned>(&mut self) -> Option<T> {
        let before = self.0;
        self.skip()?;
        let length = before.len().checked_sub(self.0.len())?;
        serde_json::from_slice(before.get(..length)?).ok()
    }

    /// The same; `null` is the default.
    fn nullable<T: Default + DeserializeOwned>(&mut self) -> Option<T> {
        self.value::<Option<T>>().map(Option::unwrap_or_default)
    }

    /// An object, with what is to be done for each of its keys, which are without escapes and
    /// in ASCII.
    fn object(&mut self, mut member: impl FnMut(&'a [u8], &mut Self) -> Option<()>) -> Option<()> {
        self.byte(b'{')?;
        if self.byte(b'}').is_some() {
            return Some(());
        }
        loop {
            let (key, escaped) = self.string()?;
            if escaped || !key.is_ascii() {
                return None;
            }
            self.byte(b':')?;
            member(key, self)?;
            if self.byte(b',').is_none() {
                return self.byte(b'}');
            }
        }
    }

    fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.byte(b'[')?;
        if self.byte(b']').is_some() {
            return Some(());
        }
        loop {
            element(self)?;
            if self.byte(b',').is_none() {
                return self.byte(b']');
            }
        }
    }

    /// Any value, of which nothing is kept.
    fn skip(&mut self) -> Option<()> {
        // Of each array or object that is open, the innermost last: whether it is an object.
        let (mut objects, mut depth) = (0_u64, 0_u32);
        loop {
            let open = match self.0.first()? {
                b'"' => self.string().map(|_| false)?,
                b'{' | b'[' => self.open(&mut objects, &mut depth)?,
                _ => self.scalar().map(|()| false)?,
            };
            if !open && !self.close(&mut objects, &mut depth)? {
                return Some(());
            }
        }
    }

    /// Goes into an array or object, up to its first value; `false` if it is empty.
    fn open(&mut self, objects: &mut u64, depth: &mut u32) -> Option<bool> {
        let is_object = self.byte(b'{').is_some();
        if is_object {
            if self.byte(b'}').is_some() {
                return Some(false);
            }
            self.key()?;
        } else {
            self.byte(b'[')?;
            if self.byte(b']').is_some() {
                return Some(false);
            }
        }
        *objects = *objects << 1 | u64::from(is_object);
        *depth += 1;
        (*depth <= MAX_DEPTH).then_some(true)
    }

    /// After a value: goes on to the next one; `false` if it was the last of all.
    fn close(&mut self, objects: &mut u64, depth: &mut u32) -> Option<bool> {
        while *depth > 0 {
            let is_object = *objects & 1 == 1;
            if self.byte(b',').is_some() {
                if is_object {
                    self.key()?;
                }
                return Some(true);
            }
            self.byte(if is_object { b'}' } else { b']' })?;
            *objects >>= 1;
            *depth -= 1;
        }
        Some(false)
    }

    fn key(&mut self) -> Option<()> {
        self.string()?;
        self.byte(b':')
    }

    /// `null`, `true`, `false` or an integer. What comes after it shows whether it ended here.
    fn scalar(&mut self) -> Option<()> {
        for word in [&b"true"[..], b"false", b"null"] {
            if let Some(rest) = self.0.strip_prefix(word) {
                self.0 = rest;
                return Some(());
            }
        }
        let digits = self.0.strip_prefix(b"-").unwrap_or(self.0);
        let count = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        // No number has a zero before its other digits.
        if count == 0 || (count > 1 && digits.first() == Some(&b'0')) {
            return None;
        }
        self.0 = digits.get(count..)?;
        Some(())
    }

    fn byte(&mut self, wanted: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[wanted])?;
        Some(())
    }

    /// A string: what is between its quotes, and whether there are escapes in it.
    fn string(&mut self) -> Option<(&'a [u8], bool)> {
        self.byte(b'"')?;
        let inside = self.0;
        let mut escaped = false;
        loop {
            let next = special(self.0)?;
            let (found, rest) = self.0.get(next..)?.split_first()?;
            match found {
                b'"' => {
                    self.0 = rest;
                    let length = inside.len().checked_sub(rest.len() + 1)?;
                    return Some((inside.get(..length)?, escaped));
                }
                b'\\' => {
                    escaped = true;
                    let (kind, rest) = rest.split_first()?;
                    self.0 = match kind {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => rest,
                        b'u' => {
                            let (digits, rest) = rest.split_at_checked(4)?;
                            digits.iter().all(u8::is_ascii_hexdigit).then_some(rest)?
                        }
                        _ => return None,
                    };
                }
                // A control character.
                _ => return None,
            }
        }
    }
}

/// Where the first byte is that is not part of a string as it is written: a quote, a backslash or a
/// control character.
fn special(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Sets the high bit of the first byte that is zero, and maybe of those after it.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = text.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let found = zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | control;
        if found != 0 {
            return usize::try_from(found.trailing_zeros() / 8)
                .ok()
                .map(|byte| at + byte);
        }
        at += 8;
    }
    let found = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    found.map(|byte| at + byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A state file in which everything occurs that a record has.
    const FULL: &str = concat!(
        r#"{"id":"x","init_process_pid":42,"init_process_start":4711,"created":"2026","config":"#,
        r#"{"rootfs":"/b/r","readonlyfs":true,"mounts":[{"source":"a\"b\\","flags":-1,"data":""},"#,
        r#"{"x":[[],{},[{"a":null}]]}],"namespaces":[{"type":"NEWPID"},{"type":"NEWNS","path":"#,
        r#""/proc/1/ns/mnt"}],"labels":["a=\u00e9\n","bundle=/b/é"],"Hooks":{"poststop":"#,
        r#"[{"path":"/bin/x"}]},"rootless_cgroups":false,"cgroups":{"name":"x","parent":"p","#,
        r#""devices":[{"major":-1}],"scope_prefix":"s","Systemd":true,"Rootless":false},"#,
        r#""networks":null,"routes":[],"intel_rdt":null},"rootless":true,"#,
        r#""cgroup_paths":{"":"/sys/fs/cgroup/x","cpu":"/sys/fs/cgroup/cpu/x"},"#,
        r#""namespace_paths":{"NEWPID":"/proc/42/ns/pid"},"external_descriptors":["/dev/null"],"#,
        r#""intel_rdt_path":"/r","intel_rdt_mon_path":"","creator":{"pid":7,"start":8},"#,
        r#""host_mounts":[{"destination":"/d","made":3}]}"#,
    );

    fn by_serde(text: &[u8]) -> Option<String> {
        let record = serde_json::from_slice::<Record>(text).ok();
        record.map(|record| format!("{record:?}"))
    }

    fn by_scan(text: &[u8]) -> Option<String> {
        record(text).map(|record| format!("{record:?}"))
    }

    #[test]
    fn a_state_file_as_it_is_written_is_read_here() {
        let read = by_scan(FULL.as_bytes());
        assert!(read.is_some());
        assert_eq!(read, by_serde(FULL.as_bytes()));
    }

    #[test]
    fn other_forms_are_left_to_serde() {
        for (from, to) in [
            ("\"id\"", " \"id\""),
            ("4711", "\"4711\""),
            ("4711", "4711.0"),
            ("4711", "04711"),
            ("-1", "-"),
            ("-1", "1e5"),
            ("\"networks\":null", "\"networks\":nul"),
            ("\"created\"", "\"cre\\u0061ted\""),
            ("\"created\":\"2026\",", ""),
            ("\"rootless\":true", "\"config\":{}"),
            ("\"rootless\":true", "\"é\":1"),
            ("{\"type\":\"NEWNS\"", "{\"type\":\"NEWPID\""),
            ("\\u00e9", "\\ud800"),
            ("\\n", "\\x"),
            ("\"data\":\"\"", "\"data\":\"\n\""),
            ("[[],{},", "[[},{},"),
            ("\"made\":3}]}", "\"made\":3}]}\n"),
            ("\"made\":3}]}", "\"made\":3}]}}"),
            ("\"made\":3}]}", "\"made\":3}]"),
        ] {
            let text = FULL.replacen(from, to, 1);
            assert_ne!(text, FULL, "{from}");
            assert_eq!(by_scan(text.as_bytes()), None, "{text}");
        }
        let deep = format!("\"rootless\":{}{}", "[".repeat(70), "]".repeat(70));
        let text = FULL.replacen("\"rootless\":true", &deep, 1);
        assert_eq!(by_scan(text.as_bytes()), None);
        assert!(by_serde(text.as_bytes()).is_some());
    }

    #[test]
    fn no_byte_that_ends_a_string_is_passed_over() {
        for length in 0..20 {
            for at in 0..length {
                for byte in 0..=255 {
                    let mut text = vec![b'a'; length];
                    text.splice(at..=at, [byte]);
                    let ends = matches!(byte, b'"' | b'\\' | 0..0x20);
                    assert_eq!(special(&text), ends.then_some(at), "{byte} at {at}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            cases: 4000,
            ..ProptestConfig::default()
        })]

        /// Damage of any kind: what is read in spite of it is what serde reads.
        #[test]
        fn an_answer_is_the_one_of_serde(
            changes in proptest::collection::vec(
                (any::<prop::sample::Index>(), 0..3_usize, 0..4_usize, any::<u8>()),
                1..4,
            ),
        ) {
            const LIKELY: &[u8] = b"\"\\{}[],:0-n ";
            let mut text = FULL.as_bytes().to_vec();
            for (place, removed, kind, byte) in changes {
                let at = place.index(text.len());
                let end = (at + removed).min(text.len());
                let byte = match kind {
                    0 => byte,
                    _ => LIKELY[usize::from(byte) % LIKELY.len()],
                };
                text.splice(at..end, (kind != 3).then_some(byte));
            }
            if let Some(read) = by_scan(&text) {
                prop_assert_eq!(Some(read), by_serde(&text));
            }
        }
    }
}
