//! Rules and states for property tests: few enough numbers that rules meet each other.

use proptest::prelude::*;

use crate::{Access, Emulator, Kind, Rule};

pub(crate) fn any_rule() -> impl Strategy<Value = Rule> {
    let number = prop_oneof![Just(None), (0_u32..4).prop_map(Some)];
    let kind = prop_oneof![
        1 => Just(Kind::All),
        8 => Just(Kind::Block),
        8 => Just(Kind::Char),
    ];
    (kind, number.clone(), number, 0_u8..8, any::<bool>()).prop_map(
        |(kind, major, minor, access, allow)| Rule {
            kind,
            major,
            minor,
            access: Access::from_bits_truncate(access),
            allow,
        },
    )
}

/// What a list of rules leads to.
pub(crate) fn any_state() -> impl Strategy<Value = Emulator> {
    proptest::collection::vec(any_rule(), 0..12).prop_map(|rules| {
        let mut state = Emulator::new();
        for rule in rules {
            // A rule that punches a hole changes nothing.
            let _ = state.apply(&rule);
        }
        state
    })
}
