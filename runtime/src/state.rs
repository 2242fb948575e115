//! The content of `state.json`.

/// What `state.json` holds.
#[derive(Clone, Debug)]
pub struct State {}
