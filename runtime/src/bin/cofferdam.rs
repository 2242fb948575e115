//! The command line `cofferdam`: the commands, flags and outputs of runc.

#![no_main]

cofferdam::c_main!(cofferdam::cli::enter);
