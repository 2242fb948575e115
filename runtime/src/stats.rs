//! Statistics of a container.

/// What [`Container::stats`](crate::Container::stats) returns.
#[derive(Clone, Debug, Default)]
pub struct Stats {}
