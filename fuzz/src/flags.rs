//! The command line: arguments are understood or refused with one line, and no value is read that
//! was not checked.
#![allow(
    dead_code,
    reason = "the parser is compiled here without the commands that use it"
)]

#[path = "../../runtime/src/cli/duration.rs"]
mod duration;
#[path = "../../runtime/src/cli/flag.rs"]
mod flag;
#[path = "../../runtime/src/cli/suggestion.rs"]
mod suggestion;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use flag::{Flag, Order, Parsed};

static TABLE: &[Flag] = &[
    Flag::switch("force", "").letter("f"),
    Flag::text("root", ""),
    Flag::texts("env", "").letter("e"),
    Flag::integer("preserve-fds", ""),
    Flag::duration("interval", "").default("5s"),
];

pub(crate) fn run(input: &[u8]) {
    let arguments = || {
        input
            .split(|byte| *byte == 0)
            .map(|one| OsString::from_vec(one.to_vec()))
    };
    for order in [Order::Any, Order::FlagsFirst] {
        let parsed = match Parsed::read(TABLE, order, arguments()) {
            Ok(parsed) => parsed,
            Err(message) => {
                assert!(!message.is_empty());
                continue;
            }
        };
        assert!(parsed.positional.len() <= arguments().count());
        assert!(parsed.switch("force") <= parsed.given("force"));
        assert_eq!(
            parsed.integer("preserve-fds").is_some(),
            parsed.given("preserve-fds")
        );
        assert_eq!(
            parsed.duration("interval").is_some(),
            parsed.given("interval")
        );
        assert!(parsed.texts("env").count() <= arguments().count());
    }
}
