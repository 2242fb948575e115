#![doc = include_str!("../README.md")]
//!
//! ## In detail
//!
//! Users, groups, subordinate ids and id maps, read from bytes and from a root directory that may
//! be hostile.
//!
//! The files are those of [`passwd(5)`], [`group(5)`] and [`subuid(5)`]. They are parsed here and
//! nowhere else: the name service switch is never asked, because it loads plug-ins into the calling
//! process and answers for the host instead of for the container.
//!
//! | subject | entry point |
//! |---|---|
//! | ids that cannot be wrong | [`Uid`], [`Gid`] |
//! | one file as bytes | [`passwd::entries`], [`group::entries`], [`subid::ranges`], [`home_of`] |
//! | `/etc/passwd` and `/etc/group` below a root | [`UserDb`] |
//! | `user[:group]` | [`UserDb::resolve`], [`ExecUser::numeric`] |
//! | additional groups | [`UserDb::additional_groups`] |
//! | user namespace maps | [`IdMap`], [`IdMaps`], [`IdMapping`], [`running_in_userns`] |
//! | this process' user | [`UserDb::current_user`], [`UserDb::current_group`] |
//! | a map of this process' user | [`IdMapping::of_current_user`] |
//! | directories with an owner | [`create_dir_all`] |
//!
//! ## Numbers
//!
//! A number is accepted in exactly one spelling: decimal ASCII digits without sign, blanks or
//! leading zero. The id 0 comes from the literal `0` alone; what overflows is an error and never
//! turns into a name, into 0, or into 4294967295, which the kernel reserves for "no id" (see
//! `setresuid(2)`).
//!
//! ## Limits
//!
//! A file has at most [`MAX_FILE_BYTES`], a line [`MAX_LINE_BYTES`], a file [`MAX_ENTRIES`] lines.
//! Whatever exceeds them is refused, not cut: half a file could hide the entry that decides.
//!
//! [`passwd(5)`]: https://man7.org/linux/man-pages/man5/passwd.5.html
//! [`group(5)`]: https://man7.org/linux/man-pages/man5/group.5.html
//! [`subuid(5)`]: https://man7.org/linux/man-pages/man5/subuid.5.html
#![cfg_attr(docsrs, feature(doc_cfg))]

mod current;
mod database;
mod directory;
mod error;
mod exec_user;
mod file;
pub mod group;
mod id;
mod idmap;
mod lines;
pub mod passwd;
pub mod subid;
mod userns;

pub use database::UserDb;
pub use directory::{Existing, create_dir_all};
pub use error::{Error, ErrorKind, Result};
pub use exec_user::ExecUser;
pub use file::MAX_FILE_BYTES;
pub use id::{Gid, MAX_UNLISTED_ID, Uid};
pub use idmap::{IdMap, IdMapping, IdMaps, MAX_EXTENTS};
pub use lines::{MAX_ENTRIES, MAX_LINE_BYTES};
pub use passwd::home_of;
pub use userns::{is_userns_map, running_in_userns};
