//! Plans: flat, position-independent lists of operations for the init stub.

mod op;

pub use op::{Dir, Expect, FsOption, HookCommand, Label, Leaf, Op, Slot};
