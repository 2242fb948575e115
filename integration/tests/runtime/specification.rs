//! The items of libcontainer's container specification (its `SPEC.md`, from December 2014 on), one
//! test for each. The names of the tests begin with the item.
//!
//! Most items can be seen from inside. One container, the [`probe`], has the mounts, devices and
//! namespaces of that specification and reports what it sees; the tests look at the report. Items
//! about a state of the life of a container have a container of their own.

mod actions;
mod defaults;
mod devices;
mod file_system;
mod init;
mod namespaces;
mod probe;
mod resources;
mod security;
