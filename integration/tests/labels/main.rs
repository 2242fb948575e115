//! Containers under a security module: AppArmor profiles and SELinux labels that really confine.
//! Each half needs a kernel whose module is on; the other one's absence is what `attacks` tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

mod apparmor;
mod selinux;
mod sys;
