//! The command line `nsinit` of libcontainer's first years.

#![no_main]

cofferdam::c_main!(cofferdam::nsinit::enter);
