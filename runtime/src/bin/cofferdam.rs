//! The command line `cofferdam`: the commands, flags and outputs of runc.

#![no_main]

// A command allocates a few hundred times and ends; musl's own allocator asks the kernel for pages
// more often, and costs what musl's start saves.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

cofferdam::c_main!(cofferdam::cli::enter);
