//! `state.json`: what is read survives being written.

use runtime::State;

pub(crate) fn run(text: &[u8]) {
    let Ok(state) = configs::json::from_slice::<State>(text) else {
        return;
    };
    let stored = serde_json::to_vec(&state).expect("a state is JSON");
    let loaded: State = serde_json::from_slice(&stored).expect("what was stored is loaded");
    assert_eq!(state, loaded);
}
