//! Namespaces, the plan, the sealed init stub, spawn and the sync protocol.

pub mod plan;
