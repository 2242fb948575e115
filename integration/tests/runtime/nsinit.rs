//! The program `nsinit`: the command lines of June 2015 and of April 2014.

mod checkpoints;
mod description;
mod exec_2015;
mod looking;
mod mount_commands;
mod subject;
mod walk_through;
mod year_2014;
