//! Dumps that fail: the container goes on as it was, and no images look complete.

use std::fs;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;

use cofferdam_integration::{Case, need};
use serde_json::json;

use crate::outside::SmallDisk;
use crate::stand_in::{REFUSE, SUCCEED, StandIn, acknowledged, notify};

/// What a complete dump has written before it fails after all.
const WRITE: &str = "touch \"$IMAGES/inventory.img\" \"$IMAGES/pages-1.img\"\n";

/// CRIU's statistics: two magic numbers, the length of what follows, and its fields.
const STATISTICS: &str = "printf '\\100\\131\\020\\125\\006\\063\\011\\127\\026\\0\\0\\0\
     \\012\\024\\010\\350\\007\\020\\320\\017\\030\\270\\027\\040\\240\\037\\050\\063\\060\\006\\070\\043\\110\\007' \
     >\"$IMAGES/stats-dump\"\n";

const LOG: &str = "for i in 1 2 3 4 5 6 7 8; do echo \"(00.0$i) step $i\"; done \
                   >\"$IMAGES/dump.log\"\n\
                   echo '(00.09) Error (criu/x.c:9): no way' >>\"$IMAGES/dump.log\"\n";

#[test]
fn a_refused_dump_leaves_the_container_running_and_quotes_the_log() {
    need!(Root);
    let dump = StandIn::new(&format!("{WRITE}{LOG}{REFUSE}"));
    dump.case.start();
    let log = dump.images().join("dump.log");
    let text = format!(
        "criu failed: type DUMP errno 5 (see {}: (00.09) Error (criu/x.c:9): no way)",
        log.display()
    );
    let said = dump.fails(&[], &text, "running");
    for line in ["--- Quoting", "4:(00.04) step 4", "9:(00.09) Error", "---"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("3:(00.03)"), "{said}");
    dump.counts();
    dump.case.delete();
}

#[test]
fn former_images_are_not_complete_while_others_are_written_over_them() {
    need!(Root);
    let dump = StandIn::new(&format!("ls \"$IMAGES\" >\"$here/reply.ls\"\n{REFUSE}"));
    dump.case.start();
    fs::create_dir(dump.images()).unwrap();
    fs::write(dump.images().join("inventory.img"), "of before").unwrap();
    // What fails before that leaves them alone.
    let refused = dump.command(&["--parent-path", "/x"]).output();
    let _ = refused.failed(1, "--parent-path must be relative");
    assert!(dump.images().join("inventory.img").exists());
    let _ = dump.fails(&[], "criu failed: type DUMP errno 5", "running");
    assert_eq!(dump.reply("ls"), b"descriptors.json\n");
    assert!(!dump.images().join("descriptors.json").exists());
    dump.case.delete();
}

/// Which images there are, and whether one of them looks complete.
fn files(dump: &StandIn) -> Vec<String> {
    let entries = fs::read_dir(dump.images()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_full_disk_is_named_and_leaves_nothing_that_looks_complete() {
    need!(Root);
    let fill = "head -c 1000000 /dev/zero >\"$IMAGES/pages-1.img\" 2>/dev/null\n";
    let dump = StandIn::new(&format!("{fill}{REFUSE}"));
    let disk = SmallDisk::new(&dump.images(), 16);
    dump.case.start();
    let said = "criu failed: type DUMP errno 5 (no space is left on the device)";
    let _ = dump.fails(&[], said, "running");
    assert_eq!(files(&dump), ["pages-1.img"]);
    // There is no room for the first file: what is there is left as it is.
    let former = dump.images().join("inventory.img");
    fs::write(&former, "").unwrap();
    fs::write(dump.images().join("full"), [0; 1 << 20]).unwrap_err();
    let refused = dump.command(&[]).output();
    let _ = refused.failed(1, "write descriptors.json: no space left on device");
    assert_eq!(files(&dump), ["full", "inventory.img", "pages-1.img"]);
    drop(disk);
    dump.case.delete();
}

/// What an earlier run has logged is not what this one fails for.
#[test]
fn only_the_log_of_this_dump_is_quoted() {
    need!(Root);
    let dump = StandIn::new(&format!("echo raw >&2\n{REFUSE}"));
    dump.case.start();
    fs::create_dir(dump.images()).unwrap();
    let log = dump.images().join("dump.log");
    fs::write(&log, "(00.1) Error (criu/x.c:1): of before\n").unwrap();
    let said = dump.fails(&[], "criu failed: type DUMP errno 5\"\n", "running");
    assert!(!said.contains("of before"), "{said}");
    assert!(!log.exists());
    let file = dump.images().join("file");
    fs::write(&file, "").unwrap();
    for (work, said) in [
        ("/proc", "make the log of CRIU, /proc/dump.log: "),
        (file.to_str().unwrap(), "file: file exists"),
    ] {
        let said = dump.fails(&["--work-path", work], said, "running");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    dump.case.delete();
}

/// CRIU freezes the cgroup and thaws it again; killed in between it leaves it frozen.
#[test]
fn a_killed_criu_leaves_the_container_running() {
    need!(Root, Controllers);
    let dump = StandIn::new(&format!(
        "{WRITE}\"$RUNTIME\" --root \"$ROOT\" pause \"$ID\"\nkill -9 $$"
    ));
    dump.case.start();
    let output = dump
        .command(&[])
        .env("RUNTIME", &dump.case.program)
        .env("ROOT", dump.case.root())
        .env("ID", &dump.case.id)
        .output();
    let _ = output.failed(1, "receive an answer of CRIU: CRIU has ended");
    assert_eq!(dump.case.status(), "running");
    assert!(!dump.images().join("inventory.img").exists());
    dump.counts();
    dump.case.delete();
}

#[test]
fn a_paused_container_stays_paused() {
    need!(Root, Controllers);
    let dump = StandIn::new("\"$RUNTIME\" --root \"$ROOT\" resume \"$ID\"\nkill -9 $$");
    dump.case.start();
    let _ = dump.case.call(&["pause", &dump.case.id]).ok();
    let output = dump
        .command(&[])
        .env("RUNTIME", &dump.case.program)
        .env("ROOT", dump.case.root())
        .env("ID", &dump.case.id)
        .output();
    let _ = output.failed(1, "CRIU has ended");
    assert_eq!(dump.case.status(), "paused");
    dump.case.delete();
}

#[test]
fn a_container_that_does_not_run_is_not_dumped() {
    need!(Root);
    let dump = StandIn::new(REFUSE);
    let none = dump.command(&[]).output();
    let _ = none.failed(1, "container does not exist");
    dump.case.create();
    let created = "Container cannot be checkpointed in created state";
    let _ = dump.command(&[]).output().failed(1, created);
    let _ = dump.case.call(&["start", &dump.case.id]).ok();
    let _ = dump.case.call(&["kill", &dump.case.id, "KILL"]).ok();
    dump.case.wait_for_status("stopped");
    let stopped = "Container cannot be checkpointed in stopped state";
    let _ = dump.command(&[]).output().failed(1, stopped);
    assert_eq!(dump.request(1), None);
    dump.case.delete();
}

#[test]
fn a_criu_that_is_missing_or_too_old_is_one_line() {
    need!(Root);
    let dump = StandIn::new(REFUSE);
    dump.case.start();
    let missing = dump.command(&[]).env("PATH", "/nowhere").output();
    let _ = missing.failed(1, "criu: CRIU is not installed, or not in PATH");
    let old = StandIn::new("");
    fs::write(
        old.images().with_file_name("bin").join("criu"),
        "#!/bin/sh\ndd bs=65536 count=1 <&3 >/dev/null 2>&1\n\
         printf '\\010\\012\\020\\001\\122\\004\\010\\002\\020\\014' >&3\n",
    )
    .unwrap();
    let _ = old.case.start();
    let _ = old.fails(&[], "CRIU version 2.12 must be 3.0 or higher", "running");
    old.case.delete();
    dump.case.delete();
}

#[test]
fn options_that_cannot_be_are_refused_before_criu_is_asked() {
    need!(Root);
    let dump = StandIn::new(REFUSE);
    dump.case.start();
    for (flags, said) in [
        (["--parent-path", "/x"], "--parent-path must be relative"),
        (
            ["--parent-path", "../x"],
            "invalid --parent-path: ../x: no such file or directory",
        ),
        (
            ["--page-server", "host"],
            "Use --page-server ADDRESS:PORT to specify page server",
        ),
        (["--page-server", "host:x"], "Invalid port number"),
        (["--empty-ns", "ipc"], "namespace \"ipc\" is not supported"),
        (
            ["--manage-cgroups-mode", "x"],
            "invalid manage-cgroups-mode value",
        ),
    ] {
        let _ = dump.fails(&flags, said, "running");
    }
    for (number, why) in [("77", "bad file descriptor"), ("0", "not writable")] {
        let said = format!("invalid --status-fd argument {number}: {why}");
        let _ = dump.fails(&["--lazy-pages", "--status-fd", number], &said, "running");
    }
    assert_eq!(dump.request(1), None);
    dump.case.delete();
}

#[test]
fn links_in_the_image_directory_lead_nowhere() {
    need!(Root);
    let dump = StandIn::new(&format!("{WRITE}{REFUSE}"));
    dump.case.start();
    fs::create_dir(dump.images()).unwrap();
    let precious = dump.images().with_file_name("precious");
    fs::write(&precious, "precious").unwrap();
    for name in ["pages-1.img", "dump.log", "stats-dump", "descriptors.json"] {
        let link = dump.images().join(name);
        symlink(&precious, &link).unwrap();
        let _ = dump.fails(&[], "is no regular file, CRIU would write", "running");
        fs::remove_file(link).unwrap();
    }
    assert_eq!(dump.request(1), None);
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
    dump.case.delete();
}

/// A container with a read-only and a writable bind mount, each in a directory of the image.
fn with_two_binds(dump: &str) -> StandIn {
    let mut case = Case::new();
    for (name, options) in [("ro", json!(["bind", "ro"])), ("rw", json!(["bind"]))] {
        let source = case.bundle.path().join(name);
        fs::create_dir(&source).unwrap();
        fs::create_dir_all(case.bundle.rootfs().join(format!("data/{name}/volume"))).unwrap();
        case.bundle.mount(json!({
            "source": source,
            "destination": format!("/data/{name}/volume"),
            "options": options,
        }));
    }
    case.bundle.args(&["/bin/sleep", "1000"]);
    StandIn::of(case, dump)
}

/// A restore would mount the source of the read-only one with the flags of the other.
#[test]
fn mounts_that_have_changed_places_are_not_dumped() {
    need!(Root);
    let dump = with_two_binds(REFUSE);
    dump.case.start();
    let said = "criu failed: type DUMP errno 5";
    let _ = dump.fails(&[], said, "running");
    let asked = String::from_utf8_lossy(&dump.request(1).unwrap()).into_owned();
    assert_eq!(asked.matches("/data/ro/volume").count(), 2, "{asked:?}");
    let swap = "cd /data; mv ro x; mv rw ro; mv x rw";
    let _ = dump.case.exec(&["/bin/sh", "-c", swap]).ok();
    let said = "what is mounted at \"/data/rw/volume\" is not ";
    let _ = dump.fails(&[], said, "running");
    dump.case.delete();
}

#[test]
fn mounts_that_change_places_during_the_dump_fail_it() {
    need!(Root);
    // The notification comes when all is dumped.
    let swap = "cd \"$ROOTFS/data\"; mv ro x; mv rw ro; mv x rw\n";
    let dump = with_two_binds(&format!("{WRITE}{swap}{}{REFUSE}", notify("post-dump")));
    dump.case.start();
    let output = dump
        .command(&[])
        .env("ROOTFS", dump.case.bundle.rootfs())
        .output();
    let _ = output.failed(1, "notification post-dump: mount point ");
    assert!(!acknowledged(&dump.reply("post-dump")));
    assert!(!dump.images().join("inventory.img").exists());
    assert_eq!(dump.case.status(), "running");
    dump.case.delete();
}

#[test]
fn a_source_that_was_replaced_is_named() {
    need!(Root);
    let dump = with_two_binds(REFUSE);
    dump.case.start();
    let source = dump.case.bundle.path().join("rw");
    fs::rename(&source, source.with_file_name("other")).unwrap();
    let gone = format!("look at {}, which is mounted", source.display());
    let _ = dump.fails(&[], &gone, "running");
    fs::create_dir(&source).unwrap();
    let replaced = format!("is not {}: one of the two was replaced", source.display());
    let _ = dump.fails(&[], &replaced, "running");
    assert_eq!(dump.request(1), None);
    dump.case.delete();
}

#[test]
fn a_mount_point_that_criu_would_take_apart_is_refused() {
    need!(Root);
    let mut case = Case::new();
    let odd = case.bundle.rootfs().join("x]:..");
    fs::create_dir(&odd).unwrap();
    symlink("x]:..", case.bundle.rootfs().join("volume")).unwrap();
    let source = case.bundle.path().join("source");
    fs::create_dir(&source).unwrap();
    case.bundle.mount(json!({
        "source": source, "destination": "/volume", "options": ["bind"],
    }));
    case.bundle.args(&["/bin/sleep", "1000"]);
    let dump = StandIn::of(case, REFUSE);
    dump.case.start();
    let said = "mount point \"/x]:..\": CRIU cannot handle a mount point with ] in its path";
    let _ = dump.fails(&[], said, "running");
    assert_eq!(dump.request(1), None);
    dump.case.delete();
}

#[test]
fn features_say_that_there_are_checkpoints_and_by_which_criu() {
    need!(Root);
    let dump = StandIn::new(REFUSE);
    let annotations = |path: &str| {
        let path = format!("{path}:/nowhere");
        let features = dump.case.command(&["features"]).env("PATH", path).output();
        features.ok().json()["annotations"].clone()
    };
    let bin = dump.images().with_file_name("bin");
    let with = annotations(bin.to_str().unwrap());
    let without = annotations("/nowhere");
    for annotations in [&with, &without] {
        let enabled = &annotations["org.opencontainers.runc.checkpoint.enabled"];
        assert_eq!(enabled, "true");
    }
    assert_eq!(with["io.cofferdam.criu.version"], "4.1");
    assert_eq!(without.get("io.cofferdam.criu.version"), None);
    dump.case.finish();
}

/// The fields of a protocol buffer: numbers and texts.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn number(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (first, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = number(&mut bytes);
        let value = match tag & 7 {
            0 => number(&mut bytes).to_string().into_bytes(),
            2 => {
                let length = usize::try_from(number(&mut bytes)).unwrap();
                let (text, rest) = bytes.split_at(length);
                bytes = rest;
                text.to_vec()
            }
            other => panic!("wire type {other}"),
        };
        found.push((tag >> 3, value));
    }
    found
}

/// The fields are those of `criu_opts` in CRIU's `rpc.proto`.
#[test]
fn every_option_reaches_criu() {
    need!(Root);
    let dump = StandIn::new(REFUSE);
    dump.case.start();
    let asked = |flags: &[&str]| {
        let _ = dump.fails(flags, "criu failed: type DUMP errno 5", "running");
        let request = fields(&dump.request(1).unwrap());
        let (_, options) = request.into_iter().find(|(field, _)| *field == 2).unwrap();
        fields(&options)
    };
    let has = |options: &[(u64, Vec<u8>)], field: u64, value: &str| {
        options.contains(&(field, value.as_bytes().to_vec()))
    };
    let plain = asked(&[]);
    for (field, value) in [
        (9, "4"),
        (10, "dump.log"),
        (12, "1"),
        (24, "1"),
        (34, "6"),
        (38, "1073741824"),
        (50, "1"),
        (51, "/etc/criu/runc.conf"),
    ] {
        assert!(has(&plain, field, value), "{field}: {plain:?}");
    }
    assert!(has(&plain, 2, &dump.case.pid().to_string()), "{plain:?}");
    let rootfs = dump.case.bundle.rootfs();
    assert!(has(&plain, 13, rootfs.to_str().unwrap()), "{plain:?}");
    assert!(
        !plain
            .iter()
            .any(|(field, _)| [11, 14, 15, 17].contains(field))
    );

    fs::create_dir_all(dump.images().with_file_name("former")).unwrap();
    let work = dump.images().with_file_name("work");
    let work = work.to_str().unwrap();
    let switches = [
        ("--leave-running", 3),
        ("--ext-unix-sk", 4),
        ("--tcp-established", 5),
        ("--shell-job", 7),
        ("--file-locks", 8),
        ("--auto-dedup", 16),
        ("--link-remap", 18),
        ("--tcp-skip-in-flight", 46),
        ("--lazy-pages", 48),
    ];
    let values = [
        ("--work-path", work),
        ("--parent-path", "../former"),
        ("--page-server", "127.0.0.1:27"),
        ("--manage-cgroups-mode", "ignore"),
        ("--empty-ns", "network"),
    ];
    let mut flags: Vec<&str> = switches.iter().map(|(flag, _)| *flag).collect();
    flags.extend(values.iter().flat_map(|(flag, value)| [*flag, *value]));
    let all = asked(&flags);
    for (flag, field) in switches {
        assert!(has(&plain, field, "0"), "{flag}: {plain:?}");
        assert!(has(&all, field, "1"), "{flag}: {all:?}");
    }
    assert!(has(&all, 11, "\n\x09127.0.0.1\x10\x1b"), "{all:?}");
    assert!(has(&all, 14, "../former") && has(&all, 15, "1"), "{all:?}");
    assert!(has(&all, 34, "0"), "{all:?}");
    assert!(all.iter().any(|(field, _)| *field == 17), "{all:?}");
    assert!(dump.request(9).is_some(), "lazy pages are asked for first");
    dump.case.delete();
}

#[test]
fn an_annotation_names_the_configuration_file_of_criu() {
    need!(Root);
    for (value, given) in [("/etc/x.conf", true), ("", false)] {
        let mut case = Case::new();
        case.bundle.config["annotations"] = json!({ "org.criu.config": value });
        case.bundle.args(&["/bin/sleep", "1000"]);
        let dump = StandIn::of(case, REFUSE);
        dump.case.start();
        let _ = dump.fails(&[], "criu failed", "running");
        let request = dump.request(1).unwrap();
        let text = String::from_utf8_lossy(&request).into_owned();
        assert_eq!(text.contains("/etc/x.conf"), given, "{text:?}");
        assert!(!text.contains("runc.conf"), "{text:?}");
        dump.case.delete();
    }
}

#[test]
fn a_finished_dump_removes_the_container_unless_it_goes_on() {
    need!(Root);
    let finish = format!(
        "{WRITE}{STATISTICS}{}[ -z \"$PID\" ] || kill -9 $PID\n{SUCCEED}",
        notify("post-dump")
    );
    let dump = StandIn::new(&finish);
    dump.case.start();
    let pid = dump.case.pid().to_string();
    for flags in [&["--leave-running"][..], &["--pre-dump"]] {
        let done = dump.command(flags).output().ok();
        // Progress is for terminals.
        assert_eq!((&*done.stdout, &*done.stderr), ("", ""));
        assert_eq!(dump.case.status(), "running");
    }
    assert!(acknowledged(&dump.reply("post-dump")));
    assert!(dump.request(4).is_some() && dump.request(9).is_some());
    // The memory alone needs to know nothing of mounts.
    assert!(!String::from_utf8_lossy(&dump.request(4).unwrap()).contains("/dev/null"));
    let last = dump.command(&["--timings"]).env("PID", pid).output().ok();
    for line in [
        "processes were stopped within 1.0ms, for 2.0ms\n",
        "memory was taken in 3.0ms, and written in 4.0ms\n",
        "pages: 51 scanned, 35 written, 6 in parent images, 7 left behind\n",
    ] {
        assert!(last.stderr.contains(line), "{line}: {last}");
    }
    assert!(dump.images().join("inventory.img").exists());
    let streams = fs::read_to_string(dump.images().join("descriptors.json")).unwrap();
    assert!(streams.starts_with("[\"/dev/null\",\""), "{streams}");
    let gone = dump.case.call(&["state", &dump.case.id]);
    let _ = gone.failed(1, "container does not exist");
    dump.case.finish();
}

/// One NUL byte, and then the end, while CRIU still waits to serve the pages.
#[test]
fn lazy_pages_are_reported_on_the_status_descriptor() {
    need!(Root);
    let wait = "cat <\"$here/fifo\" >/dev/null\n";
    let dump = StandIn::new(&format!("{}{wait}{REFUSE}", notify("status-ready")));
    dump.case.start();
    let fifo = dump.images().with_file_name("bin").join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let inherited = rustix::io::fcntl_dupfd_cloexec(&writer, 40).unwrap();
    drop(writer);
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
    let number = inherited.as_raw_fd().to_string();
    let flags = [
        "--lazy-pages",
        "--page-server",
        "[::1]:1",
        "--status-fd",
        &number,
    ];
    let mut child = dump.command(&flags).spawn(std::process::Stdio::null());
    drop(inherited);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, [0]);
    assert_eq!(child.try_wait().unwrap(), None, "it still serves pages");
    fs::write(fifo, "").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(dump.case.status(), "running");
    dump.case.delete();
}
