//! A program in the place of CRIU for dumps, so that no machine need be able to dump.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use cofferdam_integration::limited::Limited;
use cofferdam_integration::{Case, eventually};

/// A running container, and a program that does to a dump what a test says.
pub(crate) struct StandIn {
    pub(crate) case: Case,
    directory: tempfile::TempDir,
}

/// The second byte says which request it is: 10 for the version, after which another one may come,
/// 9 for features, 1 for a dump, 4 for a pre-dump. Each is kept in a file. Answers are `type`,
/// `success: true` and what is asked for: `version { major: 4, minor: 1 }`,
/// `features { mem_track: true, lazy_pages: true }`.
const HEAD: &str = r#"#!/bin/sh
PATH=$PATH:/usr/bin:/bin
here=$(dirname "$0")
ask() {
dd bs=65536 count=1 <&3 2>/dev/null >"$here/request"
asked=$(od -An -tu1 -j1 -N1 "$here/request" 2>/dev/null | tr -d ' ')
[ -n "$asked" ] || exit 0
cp "$here/request" "$here/request.$asked"
}
ask
case "$asked" in
10) printf '\010\012\020\001\122\004\010\004\020\001' >&3; ask;;
9) printf '\010\011\020\001\102\004\010\001\020\001' >&3; exit 0;;
esac
"#;

/// Answers `type`, `success: true`.
pub(crate) const SUCCEED: &str = r#"printf "\\010\\00$asked\\020\\001" >&3"#;
/// Answers `type`, `success: false`, `cr_errno: 5`.
pub(crate) const REFUSE: &str = r#"printf "\\010\\00$asked\\020\\000\\070\\005" >&3; exit 1"#;

impl StandIn {
    /// A container whose program counts in `/count`, and a shell script for a dump.
    pub(crate) fn new(dump: &str) -> Self {
        let mut case = Case::new();
        case.bundle.script(COUNT);
        Self::of(case, dump)
    }

    /// The same for a container as it is.
    pub(crate) fn of(mut case: Case, dump: &str) -> Self {
        case.bundle.config["root"]["readonly"] = false.into();
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("bin")).unwrap();
        let program = directory.path().join("bin/criu");
        fs::write(&program, format!("{HEAD}{dump}\n")).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        Self { case, directory }
    }

    /// The directory of the images.
    pub(crate) fn images(&self) -> PathBuf {
        self.directory.path().join("images")
    }

    /// The program.
    pub(crate) fn program(&self) -> PathBuf {
        self.directory.path().join("bin/criu")
    }

    /// What CRIU was asked: 1 for a dump, 4 for a pre-dump, 9 for features.
    pub(crate) fn request(&self, kind: u8) -> Option<Vec<u8>> {
        fs::read(self.directory.path().join(format!("bin/request.{kind}"))).ok()
    }

    /// What CRIU got for an answer to a notification.
    pub(crate) fn reply(&self, stage: &str) -> Vec<u8> {
        fs::read(self.directory.path().join(format!("bin/reply.{stage}"))).unwrap()
    }

    /// The command line, with the program first in `PATH` and the directory of the images.
    pub(crate) fn command(&self, flags: &[&str]) -> Limited {
        let images = self.images().to_str().unwrap().to_owned();
        let line = [
            &["checkpoint", "--image-path", &images],
            flags,
            &[&self.case.id],
        ];
        let path = format!(
            "{}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            self.directory.path().display()
        );
        self.case
            .command(&line.concat())
            .env("PATH", path)
            .env("IMAGES", images)
    }

    /// Fails to dump; the container then has this status, and the images are not complete.
    #[track_caller]
    pub(crate) fn fails(&self, flags: &[&str], said: &str, status: &str) -> String {
        let output = self.command(flags).output().failed(1, "");
        // Quotation marks are escaped in the log.
        let text = output.stderr.replace('\\', "");
        assert!(text.contains(said), "does not say {said:?}: {output}");
        assert_eq!(self.case.status(), status);
        assert!(!self.images().join("inventory.img").exists());
        output.stderr
    }

    /// Waits until the program has gone on by two.
    #[track_caller]
    pub(crate) fn counts(&self) {
        let count = || -> u64 {
            let text = fs::read_to_string(self.case.bundle.rootfs().join("count"));
            text.ok()
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(0)
        };
        let before = count();
        eventually("the program counts", || count() > before + 1);
    }
}

const COUNT: &str =
    "i=0; while true; do i=$((i+1)); echo $i >/new; mv /new /count; sleep 0.1; done";

/// Sends a notification, and keeps the answer.
pub(crate) fn notify(stage: &str) -> String {
    let length = stage.len();
    format!(
        "printf '\\010\\006\\020\\001\\052\\{:03o}\\012\\{length:03o}{stage}' >&3\n\
         dd bs=65536 count=1 <&3 2>/dev/null >\"$here/reply.{stage}\"\n",
        length + 2
    )
}

/// Whether an answer to a notification says that all went well.
pub(crate) fn acknowledged(reply: &[u8]) -> bool {
    match reply {
        [8, 6, 24, 1] => true,
        [8, 6, 24, 0] => false,
        other => panic!("{other:?}"),
    }
}
