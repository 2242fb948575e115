//! Descriptors of the host in a container (CVE-2024-21626, CVE-2016-9962), and streams that are not
//! what they should be (CVE-2015-3627).

use std::os::unix::fs::symlink;
use std::path::Path;

use cofferdam_integration::{Case, Output, eventually, need};
use serde_json::json;

use crate::host::Host;
use crate::victim::{self, shell};

/// A directory, a file, a socket and the root of the host, as a careless caller leaks them.
fn leaks(host: &Host) -> String {
    format!(
        "exec 200<'{0}' 201<'{0}/file' 203</ 7<'{0}' 3<'{0}' 9</dev;",
        host.canary_text()
    )
}

fn run(host: &Host, case: &Case, flags: &str) -> Output {
    shell(case, &leaks(host), &format!("run {flags} {}", case.id), "")
}

/// Fails if the output shows a decoy or the host's root.
#[track_caller]
fn inside(output: &Output, what: &str) {
    victim::sane(output);
    assert!(
        !output.stdout.contains("decoy") && !output.stdout.contains("ptmx"),
        "{what} reached the host: {output}"
    );
}

#[test]
fn the_working_directory_is_no_descriptor_of_the_host() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    symlink("/proc/self/fd/200", case.bundle.rootfs().join("cwd")).unwrap();
    case.bundle.script("pwd; ls; cat file directory/file ptmx");
    let numbers = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 200, 203];
    let names = numbers.iter().flat_map(|number| {
        ["", "/..", "/../.."].map(|tail| format!("/proc/self/fd/{number}{tail}"))
    });
    for cwd in names.chain([
        "/cwd".to_owned(),
        "/cwd/directory".to_owned(),
        "/proc/thread-self/fd/200".to_owned(),
        "/dev/fd/200".to_owned(),
        "/proc/1/fd/200".to_owned(),
    ]) {
        case.bundle.config["process"]["cwd"] = json!(cwd);
        let output = run(&host, &case, "");
        inside(&output, &cwd);
        assert_ne!(output.code, 0, "{cwd}: {output}");
        case.nothing_left();
    }
    host.unchanged("a working directory");
    case.finish();
}

#[test]
fn the_program_is_no_file_of_the_host() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    // An executable of the host that the image does not have.
    std::fs::create_dir(case.bundle.path().join("host-programs")).unwrap();
    let program = case.bundle.path().join("host-programs/leak");
    std::fs::write(&program, "#!/bin/sh\necho decoy\n").unwrap();
    std::fs::set_permissions(
        &program,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let before = format!(
        "exec 200<'{0}' 9<'{0}' 3<'{0}' 201<'{0}/leak';",
        program.parent().unwrap().display()
    );
    for args in [
        "/proc/self/fd/200/leak",
        "/proc/self/fd/9/leak",
        "/proc/self/fd/3/leak",
        "/proc/thread-self/fd/200/leak",
        "/dev/fd/200/leak",
        "/proc/1/fd/200/leak",
        "/proc/self/fd/201",
    ] {
        case.bundle.args(&[args]);
        let output = shell(&case, &before, &format!("run {}", case.id), "");
        victim::refused(&output, args);
        assert!(!output.stdout.contains("decoy"), "{args}: {output}");
        case.nothing_left();
    }
    host.unchanged("a program");
    case.finish();
}

#[test]
fn exec_gets_no_descriptor_of_its_caller() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    symlink("/proc/self/fd/200", case.bundle.rootfs().join("cwd")).unwrap();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let exec = |flags: &str, program: &str| {
        shell(
            &case,
            &leaks(&host),
            &format!("exec {flags} {} {program}", case.id),
            "",
        )
    };
    for cwd in [
        "/cwd",
        "/cwd/directory",
        "/proc/self/fd/200",
        "/proc/self/fd/200/..",
        "/proc/self/fd/3",
        "/proc/self/fd/7/..",
        "/proc/self/fd/203",
        "/proc/thread-self/fd/200",
    ] {
        let output = exec(&format!("--cwd {cwd}"), "/bin/ls -a . ..");
        inside(&output, cwd);
        assert_ne!(output.code, 0, "{cwd}: {output}");
    }
    let output = exec("", "/bin/ls /proc/self/fd").ok();
    assert_eq!(
        output.lines(),
        ["0", "1", "2", "3"],
        "3 is the directory that is read: {output}"
    );
    host.unchanged("exec");
    case.delete();
}

#[test]
fn only_the_counted_descriptors_are_passed() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.args(&["/bin/ls", "-l", "/proc/self/fd"]);
    let before = format!(
        "exec 3<'{0}/file' 4</dev/null 5<'{0}' 6<'{0}/file' 200<'{0}';",
        host.canary_text()
    );
    let output = shell(
        &case,
        &before,
        &format!("run --preserve-fds 2 {}", case.id),
        "",
    )
    .ok();
    let number = |line: &&str| {
        line.split(" -> ")
            .next()?
            .rsplit(' ')
            .next()?
            .parse::<u32>()
            .ok()
    };
    let lines = output.lines();
    let numbers: Vec<u32> = lines.iter().skip(1).filter_map(number).collect();
    assert_eq!(
        numbers,
        [0, 1, 2, 3, 4, 5],
        "5 is the directory that is read: {output}"
    );
    assert!(
        !output.stdout.contains(&format!("{}\n", host.canary_text())),
        "{output}"
    );
    host.unchanged("passed descriptors");
    case.finish();
}

#[test]
fn no_directory_is_open_in_a_created_or_running_container() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.bundle.write();
    let output = shell(
        &case,
        &leaks(&host),
        &format!("create --pid-file init-pid {}", case.id),
        "</dev/null >created.out 2>created.err",
    );
    assert_eq!(
        output.code,
        0,
        "{}",
        std::fs::read_to_string(case.bundle.path().join("created.err")).unwrap()
    );
    let pid: u32 = std::fs::read_to_string(case.bundle.path().join("init-pid"))
        .unwrap()
        .parse()
        .unwrap();
    let open = || -> Vec<(String, std::path::PathBuf, bool)> {
        let listing = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .flatten();
        listing
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    std::fs::read_link(entry.path()).unwrap(),
                    entry.path().is_dir(),
                )
            })
            .collect()
    };
    let created = open();
    let (streams, others): (Vec<_>, Vec<_>) = created
        .iter()
        .partition(|(number, ..)| ["0", "1", "2"].contains(&number.as_str()));
    assert_eq!(streams.len(), 3);
    assert!(others.len() <= 2, "{created:?}");
    for (number, link, directory) in &created {
        assert!(!directory, "{number} is the directory {}", link.display());
        assert!(
            !link.starts_with(host.canary()) && link != Path::new("/"),
            "{number}: {}",
            link.display()
        );
    }
    let _ = case.call(&["start", &case.id]).ok();
    eventually("the program runs", || {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() == "sleep\n"
    });
    assert_eq!(open().len(), 3, "{:?}", open());
    host.unchanged("create");
    case.delete();
}

#[test]
fn closed_streams_do_not_become_something_else() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    victim::writable(&mut case);
    // What the streams are is written to a file: there may be no stream to write it to.
    case.bundle.script("ls -l /proc/self/fd > /tmp/streams");
    for closed in 1..8 {
        let close: String = (0..3)
            .filter(|stream| closed >> stream & 1 == 1)
            .map(|stream| format!("exec {stream}<&-;"))
            .collect();
        let found = case.bundle.rootfs().join("tmp/streams");
        let _ = std::fs::remove_file(&found);
        let output = shell(
            &case,
            &format!("{} {close}", leaks(&host)),
            &format!("run {}", case.id),
            "",
        );
        // Refusing is right, too; but then nothing may have run.
        if output.code != 0 {
            assert!(!found.exists(), "{close}: {output}");
            case.nothing_left();
            continue;
        }
        let listing = std::fs::read_to_string(&found).unwrap();
        for line in listing.lines() {
            let Some((number, target)) = line.split_once(" -> ") else {
                continue;
            };
            let number = number.rsplit(' ').next().unwrap();
            let fits = match number {
                "0" | "1" | "2" => {
                    target.starts_with("pipe:")
                        || target.starts_with("/dev/null")
                        || target == "/tmp/streams"
                }
                "3" => target.starts_with("/proc/"),
                _ => false,
            };
            assert!(fits, "{close}: {line}");
        }
    }
    host.unchanged("closed streams");
    case.finish();
}

#[test]
fn a_directory_of_the_host_is_no_stream() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle
        .script("cat /proc/self/fd/0/file; cat /proc/self/fd/0/../etc/shadow; ls /proc/self/fd/0/");
    for flags in ["", "--detach"] {
        let output = shell(
            &case,
            "",
            &format!("run {flags} {}", case.id),
            &format!("<'{}'", host.canary_text()),
        );
        inside(&output, "a directory as standard input");
        assert_ne!(
            output.code, 0,
            "a directory is accepted as standard input {flags}: {output}"
        );
        assert!(
            output.stderr.contains("standard input is a directory"),
            "{output}"
        );
        assert_ne!(case.call(&["state", &case.id]).code, 0, "it is there");
    }
    host.unchanged("a directory as standard input");
    case.finish();
}

#[test]
fn streams_do_not_come_from_the_image() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    victim::without_mount(&mut case, "/dev");
    victim::without_mount(&mut case, "/dev/pts");
    victim::without_mount(&mut case, "/dev/shm");
    victim::without_mount(&mut case, "/dev/mqueue");
    victim::writable(&mut case);
    let devices = case.bundle.rootfs().join("dev");
    std::fs::create_dir(devices.join("fd")).unwrap();
    for name in ["stdin", "stdout", "stderr", "fd/0", "fd/1", "fd/2"] {
        symlink(host.canary().join("file"), devices.join(name)).unwrap();
    }
    case.bundle.script("echo from the program; echo error >&2");
    let output = case.run();
    assert!(
        output.code != 0 || output.stdout == "from the program\n",
        "{output}"
    );
    host.unchanged("streams of the image");
    case.finish();
}
