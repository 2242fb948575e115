//! The command line `nsinit` of libcontainer's first years.

#![no_main]

// A command allocates a few hundred times and ends; musl's own allocator asks the kernel for pages
// more often, and costs what musl's start saves.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

cofferdam::c_main!(cofferdam::nsinit::enter);
