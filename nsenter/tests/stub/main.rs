//! Real plans on the running kernel. What needs root says so and skips without it.

mod channel;
mod descriptors;
mod devices;
mod end;
mod fallbacks;
mod host;
mod mounts;
mod namespaces;
mod process;
mod rootfs;
mod support;
