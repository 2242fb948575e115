//! Lines of `schemata`: what is understood is the same after it was written, and what one line asks
//! for is found in another that has all of it.

use intelrdt::Schema;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(line) = str::from_utf8(bytes) else {
        return;
    };
    compared(line);
    let Ok(schema) = line.parse::<Schema>() else {
        return;
    };
    assert!(schema.is_within(&schema));
    let again: Schema = schema
        .to_string()
        .parse()
        .expect("what was written is read");
    assert_eq!(schema, again);
}

/// The first two lines: one is within the other only where it has the same resource and domains.
fn compared(text: &str) {
    let mut lines = text.lines().map(str::parse::<Schema>);
    let (Some(Ok(wanted)), Some(Ok(present))) = (lines.next(), lines.next()) else {
        return;
    };
    if wanted.is_within(&present) {
        assert_eq!(wanted.resource(), present.resource());
        // What is there besides is of other domains.
        let all = format!("{present};4294967295=0").parse::<Schema>();
        assert!(all.map_or(true, |all| wanted.is_within(&all)));
    }
}
