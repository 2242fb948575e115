//! Lines of `schemata`: what is understood is the same after it was written.
#![no_main]

use intelrdt::Schema;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    let Ok(schema) = line.parse::<Schema>() else {
        return;
    };
    assert!(schema.is_within(&schema));
    let again: Schema = schema
        .to_string()
        .parse()
        .expect("what was written is read");
    assert_eq!(schema, again);
});
