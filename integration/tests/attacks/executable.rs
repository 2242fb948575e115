//! A container that tries to overwrite the runtime (CVE-2019-5736): what runs in the container
//! before its program is a sealed copy, never the file of the host.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use cofferdam_integration::{Case, need, tiny_program};
use rustix::fs::{SealFlags, fcntl_get_seals};

use crate::host::{self, Host};
use crate::races::Race;
use crate::victim::{self, STRONG};

/// A case with a copy of the program of its own: an attack that works must not destroy the one that
/// is tested.
fn own_program() -> Case {
    let mut case = Case::new();
    let copy = case.bundle.path().join(case.program.file_name().unwrap());
    std::fs::copy(&case.program, &copy).unwrap();
    case.program = copy;
    case
}

/// The program, its time of change included.
fn identity(case: &Case) -> (i64, i64, impl PartialEq + std::fmt::Debug + use<>) {
    let metadata = case.program.metadata().unwrap();
    (
        metadata.mtime(),
        metadata.mtime_nsec(),
        host::facts(&case.program),
    )
}

fn script(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn a_program_that_is_the_runtime_itself_is_not_the_hosts_file() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = own_program();
    let before = identity(&case);
    victim::writable(&mut case);
    victim::capabilities(&mut case, &STRONG);
    let rootfs = case.bundle.rootfs();
    script(&rootfs.join("bin/again"), "#!/proc/self/exe\n");
    for args in [
        &["/proc/self/exe"][..],
        &["/proc/self/exe", "init"],
        &["/bin/again"],
        &["/proc/thread-self/exe"],
        &["/proc/1/exe"],
    ] {
        case.bundle.args(args);
        let output = case.run();
        assert_ne!(output.code, 0, "{output}");
        case.nothing_left();
        assert_eq!(identity(&case), before, "{args:?}: {output}");
    }
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    for args in [&["/proc/self/exe"][..], &["/bin/again"]] {
        let output = case.exec(args);
        assert_eq!(identity(&case), before, "exec {args:?}: {output}");
    }
    host.unchanged("a program that is the runtime itself");
    case.delete();
}

#[test]
fn nothing_of_the_image_is_loaded_into_the_runtime() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = own_program();
    let before = identity(&case);
    victim::writable(&mut case);
    victim::capabilities(&mut case, &STRONG);
    let rootfs = case.bundle.rootfs();
    // Loaded, a library would write to what /proc/self/exe is; as a FIFO it would never end.
    let fifo = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    for name in ["evil.so", "etc/ld.so.preload", "etc/ld.so.cache"] {
        rustix::fs::mknodat(rustix::fs::CWD, rootfs.join(name), fifo, mode, 0).unwrap();
    }
    case.bundle.config["process"]["env"] = serde_json::json!([
        "LD_PRELOAD=/evil.so",
        "LD_AUDIT=/evil.so",
        "LD_LIBRARY_PATH=/",
    ]);
    // The kernel loads the interpreter of a program, and this one's is the executable of the
    // process that executes it.
    for (name, interpreter) in [("self", "/proc/self/exe"), ("first", "/proc/1/exe")] {
        tiny_program::write_interpreted(&rootfs.join("bin").join(name), interpreter).unwrap();
    }
    let programs = ["/proc/self/exe", "/bin/self", "/bin/first"];
    for program in programs {
        case.bundle.args(&[program]);
        let output = case.run();
        assert_ne!(output.code, 0, "{program}: {output}");
        case.nothing_left();
        assert_eq!(identity(&case), before, "{program}: {output}");
    }
    case.bundle.args(&["/bin/tiny-true"]);
    let pid = victim::create(&case).unwrap_or_else(|output| panic!("{output}"));
    let running = std::fs::read(format!("/proc/{pid}/exe")).unwrap();
    assert!(
        !tiny_program::has_interpreter(&running),
        "what waits in the container has a loader"
    );
    victim::delete(&case);
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    for program in programs {
        let output = case.exec(&[program]);
        assert_ne!(output.code, 0, "{program}: {output}");
        assert_eq!(identity(&case), before, "exec {program}: {output}");
    }
    host.unchanged("libraries and loaders");
    case.delete();
}

#[test]
fn the_executable_of_a_joining_process_cannot_be_written() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = own_program();
    let before = identity(&case);
    victim::writable(&mut case);
    victim::capabilities(&mut case, &STRONG);
    // Takes hold of every executable that is not the shell's, and writes to it as soon as no
    // process runs it.
    case.bundle.script(
        r#"while :; do
            for exe in /proc/[0-9]*/exe; do
                case "$(readlink $exe)" in /bin/busybox|"") ;; *)
                    (
                        exec 5<$exe
                        echo >> /tmp/held
                        for attempt in 1 2 3 4 5 6 7 8; do
                            (echo overwritten >> /proc/self/fd/5) && echo hit >> /tmp/hit
                        done
                    ) 2>/dev/null
                esac
            done
        done"#,
    );
    case.start();
    let shell = host::facts(&case.bundle.rootfs().join("bin/busybox"));
    let mut race = Race::new("T3", 1_000, 60);
    for _ in 0..race.rounds() {
        // Of busybox, which the shell runs: whatever else is seen was there before the program.
        let output = case.exec(&["/bin/true"]);
        assert_eq!(output.code, 0, "{output}");
        race.round(true);
    }
    assert_eq!(identity(&case), before);
    assert!(
        !case.bundle.rootfs().join("tmp/hit").exists(),
        "something could be written"
    );
    assert_eq!(
        host::facts(&case.bundle.rootfs().join("bin/busybox")),
        shell
    );
    host.unchanged("executables");
    case.delete();
}

#[test]
fn a_created_container_runs_a_sealed_copy() {
    need!(Root, Busybox, Cofferdam);
    let host = Host::new();
    let case = Case::new();
    let pid = victim::create(&case).unwrap_or_else(|output| panic!("{output}"));
    let running = std::fs::File::open(format!("/proc/{pid}/exe")).unwrap();
    let (here, there) = (
        case.program.metadata().unwrap(),
        running.metadata().unwrap(),
    );
    assert_ne!(
        (here.dev(), here.ino()),
        (there.dev(), there.ino()),
        "the host's file runs in the container"
    );
    // A file on a disk has no seals: EINVAL.
    let seals = fcntl_get_seals(&running).expect("the executable can be sealed");
    let all = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    assert!(seals.contains(all), "{seals:?}");
    let write = std::fs::OpenOptions::new()
        .write(true)
        .open(format!("/proc/{pid}/exe"));
    assert!(write.is_err(), "the executable can be opened for writing");
    host.unchanged("create");
    case.delete();
}
