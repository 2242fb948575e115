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
use std::sync::LazyLock;

use flag::{Flag, Order, Parsed};

/// What a shell completes a value with, and what the help leaves out, is nothing to the parser.
static TABLE: LazyLock<[Flag; 8]> = LazyLock::new(|| {
    [
        Flag::switch("force", "").letter("f"),
        Flag::text("root", "").directory(),
        Flag::text("log", "").file(),
        Flag::text("log-format", "").one_of(&["text", "json"]),
        Flag::text("parent", "").container().hidden(),
        Flag::texts("env", "").letter("e"),
        Flag::integer("preserve-fds", ""),
        Flag::duration("interval", "").default("5s"),
    ]
});

pub(crate) fn run(input: &[u8]) {
    let arguments = || {
        input
            .split(|byte| *byte == 0)
            .map(|one| OsString::from_vec(one.to_vec()))
    };
    for order in [Order::Any, Order::FlagsFirst] {
        let parsed = match Parsed::read(&*TABLE, order, arguments()) {
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
        for name in ["root", "log", "log-format", "parent"] {
            // An empty text is none.
            assert!(parsed.text(name).is_none() || parsed.given(name));
            assert_eq!(parsed.string(name).is_some(), parsed.text(name).is_some());
        }
        assert!(parsed.texts("env").count() <= arguments().count());
    }
}
