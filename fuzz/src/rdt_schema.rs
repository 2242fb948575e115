//! Lines of `schemata`: what is understood is the same after it was written.

use intelrdt::Schema;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(line) = str::from_utf8(bytes) else {
        return;
    };
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
