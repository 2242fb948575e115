//! The runtime disturbed at each of its system calls, and each system call of the init stub.
//!
//! A [`Step`] is one disturbance: at the n-th system call of a process that belongs to a command
//! that process is killed, or held while the container is deleted from elsewhere, or the kernel
//! answers with an error. Whatever happens then, three things have to be true:
//!
//! * the command ends within [`tracer::LIMIT`], and it succeeds with its whole effect, or it
//!   fails with one line that says so;
//! * a program that runs in the container is protected by everything that was asked for: the
//!   program reports what the kernel shows of itself, and [`report`] compares that with the
//!   report of an undisturbed run;
//! * `delete --force` removes everything.
//!
//! [`Command`] and [`Layout`] say what is disturbed, [`tracer`] disturbs, [`Bench`] does
//! both and judges. The registers of a system call are those of x86-64, and so this module is only
//! there.

mod bench;
mod calls;
mod command;
mod dump;
mod layout;
mod observe;
mod report;
mod spread;
mod step;
pub mod tracer;
mod writes;

pub use bench::{Bench, Outcome};
pub use command::{COMMANDS, Command};
pub use layout::Layout;
pub use observe::{observe, observe_line};
pub use spread::{Choice, steps};
pub use step::{Action, Kind, Role, Step};
pub use writes::{Deed, Written};
