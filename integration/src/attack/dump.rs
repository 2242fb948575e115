//! A program in the place of CRIU: what is disturbed of a checkpoint or a restore is the runtime's
//! own part.
//!
//! It does what CRIU does when it succeeds, in that order: the images are complete before a process
//! is killed, and a process is there before it is reported.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Messages of criu's `rpc.proto`, one a packet. The second byte of a request is its type: 10 asks
/// for the version (4.1), after which another one may come, 1 dumps, 2 restores.
const PROGRAM: &str = r#"#!/bin/sh
here=$(dirname "$0")
images=$here/../images
receive() { dd bs=65536 count=1 <&3 2>/dev/null; }
asked() { receive | od -An -tu1 -j1 -N1 2>/dev/null | tr -d ' '; }
octal() { printf '\\%03o' "$1"; }
kind=$(asked)
if [ "$kind" = 10 ]; then
    printf '\010\012\020\001\122\004\010\004\020\001' >&3
    kind=$(asked)
fi
case "$kind" in
1)
    printf '\010\006\020\001\052\012\012\010pre-dump' >&3
    receive >/dev/null
    cp "$here/../complete/inventory.img" "$here/../complete/pstree.img" "$images"
    pid=$(cat "$here/../pid")
    kill -KILL "$pid"
    while grep -q '^State:[^ZX]*$' "/proc/$pid/status"; do :; done 2>/dev/null
    printf '\010\001\020\001' >&3;;
2)
    unshare --mount --ipc --uts --net --pid --fork sleep 1000 <&- >&- 2>&- 3>&- & parent=$!
    until [ -n "$pid" ]; do pid=$(tr -d ' ' <"/proc/$parent/task/$parent/children") || exit; done
    number=$(octal $((pid & 127 | 128)))$(octal $((pid >> 7 & 127 | 128)))$(octal $((pid >> 14 & 127)))
    printf "\010\006\020\001\052\022\012\014post-restore\020$number" >&3
    receive >/dev/null
    printf "\010\006\020\001\052\020\012\012pre-resume\020$number" >&3
    receive >/dev/null
    printf "\010\002\020\001\042\004\010$number" >&3;;
esac
"#;

/// The program, and a directory for images.
#[derive(Debug)]
pub(super) struct StandIn(tempfile::TempDir);

impl StandIn {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let this = Self(directory);
        for name in ["bin", "complete"] {
            fs::create_dir(this.path(name)).expect("make a directory");
        }
        // What there always is: an inventory, and a tree without processes.
        for (name, magic) in [
            ("inventory.img", 0x5831_3116_u32),
            ("pstree.img", 0x5027_3030),
        ] {
            let bytes = [0x5456_4319, magic].map(u32::to_le_bytes).concat();
            fs::write(this.path("complete").join(name), bytes).expect("write an image");
        }
        fs::write(this.path("complete/descriptors.json"), "[]").expect("write an image");
        fs::write(this.path("bin/criu"), PROGRAM).expect("write a program");
        let mode = PermissionsExt::from_mode(0o755);
        fs::set_permissions(this.path("bin/criu"), mode).expect("change a mode");
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The directory of the images.
    pub(super) fn images(&self) -> PathBuf {
        self.path("images")
    }

    /// A search path on which the program is found first.
    pub(super) fn search_path(&self) -> OsString {
        let found = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.path("bin")).chain(std::env::split_paths(&found));
        std::env::join_paths(folders).expect("a search path")
    }

    /// Makes the directory of the images anew: empty, or with all that a restore takes.
    pub(super) fn begin(&self, complete: bool) {
        let _absent = fs::remove_dir_all(self.images());
        fs::create_dir(self.images()).expect("make a directory");
        if complete {
            for entry in fs::read_dir(self.path("complete")).expect("list images") {
                let entry = entry.expect("list images");
                fs::copy(entry.path(), self.images().join(entry.file_name())).expect("copy");
            }
        }
    }

    /// Which process a dump kills.
    pub(super) fn kills(&self, pid: u32) {
        fs::write(self.path("pid"), pid.to_string()).expect("write a file");
    }

    /// Whether a restore would take the images.
    pub(super) fn is_complete(&self) -> bool {
        self.images().join("inventory.img").exists()
    }
}
