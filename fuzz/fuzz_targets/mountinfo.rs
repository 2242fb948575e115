//! `/proc/PID/mountinfo`, whose mount points anybody may name: the parser that looks for resctrl.
#![no_main]

#[path = "../../intelrdt/src/mountinfo.rs"]
mod mountinfo;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Some(path) = mountinfo::resctrl_mount(text) else {
        return;
    };
    // Escapes only make shorter.
    assert!(path.as_os_str().len() <= text.len());
});
