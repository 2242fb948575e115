//! The program `nsinit`: the command lines of June 2015 and of April 2014.

mod checkpoints;
mod description;
mod exec_2015;
mod left_behind;
mod looking;
mod messages;
mod mount_commands;
mod subject;
mod walk_through;
mod year_2014;
