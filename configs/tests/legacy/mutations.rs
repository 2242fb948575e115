//! Files with values where they do not belong: whatever one says is read or refused, and what is
//! read survives.

use cofferdam_configs::legacy::{self, Revision};
use cofferdam_configs::{json as documents, oci};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixtures::FIXTURES;
use crate::options;

/// Values for any place.
fn strange() -> Vec<Value> {
    let texts = [
        "",
        "x",
        "/a",
        "NEWUSER",
        "10.0.0.1/8",
        "CAP_KILL",
        "0x10",
        "8:0 5",
        "é\u{1f6a2}",
    ];
    let numbers = [
        0,
        1,
        -1,
        7,
        99,
        1 << 18,
        i64::from(u32::MAX),
        i64::MAX,
        i64::MIN,
    ];
    let mut values: Vec<Value> = texts.into_iter().map(Value::from).collect();
    values.extend(numbers.into_iter().map(Value::from));
    values.extend([
        json!(null),
        json!(true),
        json!(1.5),
        json!([]),
        json!({}),
        json!(["x", "y"]),
        json!({"type": "NEWNS", "key": "KILL"}),
        json!([{"type": "veth", "bridge": "b"}]),
        json!(u64::MAX),
    ]);
    values
}

/// The value at a number in the order of a walk through the document.
fn node_at<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(list) => list.iter_mut().find_map(|value| node_at(value, left)),
        Value::Object(object) => object.values_mut().find_map(|value| node_at(value, left)),
        _ => None,
    }
}

/// The keys of two files in one.
fn merged(mut one: Value, other: &Value) -> Value {
    for (key, value) in other.as_object().expect("an object") {
        one[key] = value.clone();
    }
    one
}

fn check(file: &Value) {
    let Ok(loaded) = legacy::load(file.to_string().as_bytes(), &options()) else {
        return;
    };
    let stored = documents::to_string(&loaded.config).expect("JSON");
    let again = legacy::load(stored.as_bytes(), &options()).expect(&stored);
    assert_eq!(again.revision, Revision::F);
    assert_eq!(again.config, loaded.config, "{file}");
    let (args, user) = (["/bin/true".to_owned()], oci::User::default());
    let (spec, _) = legacy::to_oci(&loaded, &args, Some(&user)).expect("a bundle");
    let text = documents::to_string(&spec).expect("JSON");
    oci::Spec::from_slice(text.as_bytes()).expect(&text);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_file_is_read_or_refused(
        fixture in 0..FIXTURES.len(),
        other in prop::option::weighted(0.2, 0..FIXTURES.len()),
        changes in prop::collection::vec((0..400_usize, any::<prop::sample::Index>()), 0..4),
    ) {
        let parsed = |index: usize| serde_json::from_str::<Value>(FIXTURES[index].2).expect("JSON");
        let mut file = parsed(fixture);
        if let Some(other) = other {
            file = merged(file, &parsed(other));
        }
        let strange = strange();
        for (mut place, value) in changes {
            if let Some(node) = node_at(&mut file, &mut place) {
                *node = value.get(&strange).clone();
            }
        }
        check(&file);
    }
}
