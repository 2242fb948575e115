//! The program: found, started, asked, ended.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, and says why"
)]

use std::os::unix::fs::PermissionsExt;

use cofferdam_criu::{Criu, ErrorKind, Features, Options, Version};

fn script(text: &str) -> (tempfile::TempDir, Criu) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("criu");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    let criu = Criu::new(&path);
    (directory, criu)
}

#[test]
fn a_program_that_is_not_there_is_named() {
    for name in ["no-such-criu-in-path", "/no/such/criu"] {
        let error = Criu::new(name).version().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(
            error.to_string(),
            format!("{name}: CRIU is not installed, or not in PATH")
        );
        assert_eq!(error.raw_os_error(), Some(2));
    }
}

#[test]
fn a_program_that_ends_is_an_error() {
    let (_directory, criu) = script("exit 1");
    // Before or after the request was sent.
    let kind = criu.version().unwrap_err().kind();
    assert!(
        matches!(kind, ErrorKind::Protocol | ErrorKind::Io),
        "{kind:?}"
    );
}

/// What CRIU prints while it is asked is not seen: `features` writes JSON to the same place.
#[test]
fn a_question_shows_nothing() {
    let text = "streams=$(for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done)\n\
                echo \"$streams\" >\"$0.streams\"";
    let (directory, criu) = script(text);
    let _ = criu.version().unwrap_err();
    let streams = std::fs::read_to_string(directory.path().join("criu.streams")).unwrap();
    assert_eq!(streams, "/dev/null\n".repeat(3));
}

/// Its descriptors are those that it was given, in order, and no other of this process.
#[test]
fn descriptors_are_passed_in_order() {
    let (directory, criu) = script(
        "cat <&4 >\"$0.4\"; cat <&5 >\"$0.5\"; echo \"$1 $2\" >\"$0.arguments\"
         ls /proc/self/fd >\"$0.fds\"; exit 1",
    );
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::File::open(path).unwrap()
    };
    let _not_passed = file("c", "");
    let inherited = vec![file("a", "first").into(), file("b", "second").into()];
    let session = criu.start(inherited).unwrap();
    let _ = session.restore(Options::default(), |_| Ok(())).unwrap_err();
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    assert_eq!(read("criu.4"), "first");
    assert_eq!(read("criu.5"), "second");
    assert_eq!(read("criu.arguments"), "swrk 3\n");
}

#[test]
fn a_session_that_is_dropped_ends_the_program() {
    let (_directory, criu) = script("exec sleep 1000");
    let session = criu.start(Vec::new()).unwrap();
    let process = format!("/proc/{}", session.pid());
    assert!(std::fs::exists(&process).unwrap());
    drop(session);
    assert!(!std::fs::exists(&process).unwrap());
}

/// CRIU tries out on a child of its own what the kernel can do, and stops it for that.
#[test]
fn a_session_that_is_dropped_ends_stopped_children_of_the_program() {
    let (directory, criu) = script(
        "sh -c 'sleep 1000 & echo $! >\"$0.below\"; kill -STOP $$' \"$0\" & child=$!
         until [ \"$(sed 's/.*) //; s/ .*//' /proc/$child/stat)\" = T ]; do :; done
         echo $child >\"$0.new\"; mv \"$0.new\" \"$0.child\"; exec sleep 1000",
    );
    let session = criu.start(Vec::new()).unwrap();
    let path = |name: &str| directory.path().join(name);
    while !path("criu.child").exists() {
        std::thread::yield_now();
    }
    drop(session);
    for name in ["criu.child", "criu.below"] {
        let pid = std::fs::read_to_string(path(name)).unwrap();
        // One that was killed is there until it is waited for.
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        while let Ok(stat) = stat() {
            let state = stat.rsplit_once(") ").unwrap().1;
            assert!(!state.starts_with(['T', 'S']), "{name}: {stat}");
            if state.starts_with(['Z', 'X']) {
                break;
            }
        }
    }
}

/// With the CRIU of the machine, if it has one.
#[test]
fn a_real_program_says_its_version_and_features() {
    let criu = Criu::default();
    let version = match criu.version() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: {error}");
            return;
        }
        version => version.unwrap(),
    };
    assert!(version > Version::new(3, 0, 0), "{version}");
    assert_eq!(criu.require(version).unwrap(), version);
    let error = criu.require(Version::new(1000, 1, 0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooOld);
    assert_eq!(
        error.to_string(),
        format!("CRIU version {version} must be 1000.1 or higher")
    );
    // A CRIU that is older than the kernel cannot look at it, and says so.
    if let Err(error) = criu.require_features(Features::default()) {
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(
            error
                .to_string()
                .starts_with("criu failed: type FEATURE_CHECK errno "),
            "{error}"
        );
    }
}

/// The process that is asked is the one that restores.
#[test]
fn a_session_tells_its_version_and_goes_on() {
    let (_directory, criu) = script(
        r#"ask() { dd bs=65536 count=1 <&3 2>/dev/null | od -An -tx1 | tr -d ' \n'; }
[ "$(ask)" = 080a2001 ] || exit 1
printf '\010\012\020\001\122\004\010\004\020\001' >&3
case $(ask) in 0802*) ;; *) exit 1;; esac
printf '\010\002\020\001\042\002\010\007' >&3"#,
    );
    let session = criu.start(Vec::new()).unwrap();
    let error = session.require(Version::new(4, 2, 0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooOld);
    let session = criu.start(Vec::new()).unwrap();
    let found = session.require(Version::new(4, 1, 0)).unwrap();
    assert_eq!(found, Version::new(4, 1, 0));
    let restored = session.restore(Options::default(), |_| Ok(()));
    assert_eq!(restored.unwrap(), 7);
}
