//! Restores that fail: with a program in the place of CRIU, so that no machine need be able to
//! dump. It answers what CRIU is asked for its version, and does to a restore what a test says.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use cofferdam_integration::limited::Limited;
use cofferdam_integration::{Case, eventually, need};

/// Writes those images that there always are: an inventory, and a tree without processes.
pub(crate) fn write_empty(images: &Path) {
    for (name, magic) in [
        ("inventory.img", 0x5831_3116_u32),
        ("pstree.img", 0x5027_3030),
    ] {
        let bytes = [0x5456_4319, magic].map(u32::to_le_bytes).concat();
        fs::write(images.join(name), bytes).unwrap();
    }
}

/// A case with images that hold nothing, and a program in the place of CRIU.
pub(crate) struct Fake {
    pub(crate) case: Case,
    directory: tempfile::TempDir,
}

/// The answer is `type: VERSION, success: true, version { major: 4, minor: 1 }`. The second byte
/// says which request it is: 10 for the version, after which another one may come, 2 for a restore.
const HEAD: &str = r#"#!/bin/sh
ask() { asked=$(dd bs=65536 count=1 <&3 2>/dev/null | od -An -tu1 -N2); [ -n "$asked" ] || exit 0; }
ask
case "$asked" in
*10) printf '\010\012\020\001\122\004\010\004\020\001' >&3; ask;;
esac
"#;

/// `type: RESTORE, success: false, cr_errno: 5`.
pub(crate) const REFUSE: &str = r"printf '\010\002\020\000\070\005' >&3; exit 1";

impl Fake {
    pub(crate) fn new(restore: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("bin/criu");
        fs::create_dir(directory.path().join("bin")).unwrap();
        fs::write(&program, format!("{HEAD}{restore}\n")).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let images = directory.path().join("images");
        fs::create_dir(&images).unwrap();
        let streams = r#"["/dev/null","/dev/null","/dev/null"]"#;
        fs::write(images.join("descriptors.json"), streams).unwrap();
        write_empty(&images);
        Self {
            case: Case::new(),
            directory,
        }
    }

    /// The directory of the images.
    pub(crate) fn images(&self) -> std::path::PathBuf {
        self.directory.path().join("images")
    }

    fn command(&self, flags: &[&str]) -> Limited {
        let images = self.images().to_str().unwrap().to_owned();
        let line = [
            &["restore", "--image-path", &images],
            flags,
            &[&self.case.id],
        ];
        let path = format!(
            "{}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            self.directory.path().display()
        );
        self.case.command(&line.concat()).env("PATH", path)
    }

    /// Fails to restore, says so, and leaves nothing.
    #[track_caller]
    pub(crate) fn fails(&self, flags: &[&str], said: &str) -> String {
        let output = self.command(flags).output().failed(1, said);
        self.case.nothing_left();
        output.stderr
    }
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

#[test]
fn a_criu_that_refuses_leaves_nothing() {
    need!(Root, Busybox);
    let fake = Fake::new(REFUSE);
    let before = mounts();
    fake.fails(&[], "criu failed: type RESTORE errno 5");
    fake.fails(&["--detach"], "criu failed: type RESTORE errno 5");
    assert!(!mounts().contains(&fake.case.id), "{}", mounts());
    assert_eq!(mounts().lines().count(), before.lines().count());
    fake.case.finish();
}

/// CRIU names the first error of its log (`cr_errmsg`), which is often one that it goes on after,
/// and the last one says only that it has failed.
#[test]
fn the_error_that_ended_the_restore_is_in_the_message() {
    need!(Root, Busybox);
    let errors = [
        "(00.1) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: No",
        "(00.2) fine",
        "(00.3)      1: Error (criu/x.c:2): the reason",
        "(00.3)      1: Error (criu/x.c:3): what follows from it",
        "(00.4) fine",
        "(00.5) Error (criu/cr-restore.c:1258): 7 exited, status=1",
        "(00.6) Error (criu/cr-restore.c:2320): Restoring FAILED.",
    ];
    // `cr_errmsg` is `first`.
    let fake = Fake::new(&format!(
        "cat >\"${{0%/bin/criu}}/images/restore.log\" <<'END'\n{}\nEND\n\
         printf '\\010\\002\\020\\000\\070\\005\\112\\005first' >&3; exit 1",
        errors.join("\n")
    ));
    // That of an earlier restore is not quoted.
    let log = fake.images().join("restore.log");
    fs::write(&log, "(00.1) Error (criu/x.c:1): of before\n".repeat(30)).unwrap();
    let said = fake.fails(&[], "criu failed: type RESTORE errno 5");
    let reason = format!("errno 5 (see {}: {})", log.display(), errors[2]);
    assert!(said.contains(&reason), "{said}");
    assert!(
        !said.contains("first") && !said.contains("of before"),
        "{said}"
    );
    assert!(
        said.contains("--- Quoting") && said.contains("2:(00.2) fine"),
        "{said}"
    );
    fake.case.finish();
}

/// Neither what an earlier run has logged nor lines of CRIU itself: it has a log, or is not begun.
#[test]
fn a_work_directory_that_cannot_be_written_to_is_one_line() {
    need!(Root, Busybox);
    let fake = Fake::new(&format!("echo raw >&2; {REFUSE}"));
    let file = fake.directory.path().join("file");
    fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap().to_owned();
    for (work, said) in [
        ("/proc", "make the log of CRIU, /proc/restore.log: "),
        (&*file, &*format!("open {file}: not a directory")),
        (
            "/nonexistent/work",
            "make /nonexistent/work: no such file or directory",
        ),
    ] {
        let said = fake.fails(&["--work-path", work], said);
        assert!(!said.contains("raw") && !said.contains("Quoting"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    // CRIU has logged nothing: it is not the one of before that is quoted.
    let log = fake.images().join("restore.log");
    fs::write(&log, "(00.1) Error (criu/x.c:1): of before\n").unwrap();
    let said = fake.fails(&[], "criu failed: type RESTORE errno 5\"\n");
    assert!(!said.contains("of before"), "{said}");
    assert!(!log.exists());
    fake.case.finish();
}

#[test]
fn a_restore_that_runs_out_of_memory_says_so() {
    need!(Root, Busybox, Controllers);
    // It keeps a line that has no end.
    let mut fake = Fake::new(&format!("tail /dev/zero; {REFUSE}"));
    fake.case.bundle.config["linux"]["resources"]["memory"] =
        serde_json::json!({ "limit": 32 << 20, "swap": 32 << 20 });
    let said = "the restore ran out of memory and was OOM-killed (memory limit too low?): ";
    let said = fake.fails(&[], said);
    assert!(said.contains("criu failed: type RESTORE errno 5"), "{said}");
    fake.case.finish();
}

#[test]
fn an_ordinary_user_can_neither_checkpoint_nor_restore() {
    need!(Root, Busybox, UserNamespaces);
    let mut case = Case::rootless();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let images = tempfile::tempdir().unwrap();
    fs::set_permissions(images.path(), PermissionsExt::from_mode(0o777)).unwrap();
    fs::write(images.path().join("descriptors.json"), "[]").unwrap();
    write_empty(images.path());
    let path = images.path().to_str().unwrap();
    let other = format!("{}-other", case.id);
    for line in [
        ["checkpoint", "--image-path", path, &case.id],
        ["restore", "--image-path", path, &other],
    ] {
        let said = "CRIU cannot checkpoint or restore containers for an ordinary user: it needs";
        let refused = case.call(&line).failed(1, said);
        // Runc warns of it, too.
        assert_eq!(refused.stderr.lines().count(), 2, "{refused}");
    }
    assert_eq!(case.status(), "running");
    case.delete();
}

#[test]
fn a_criu_that_is_missing_too_old_or_dies_is_one_line() {
    need!(Root, Busybox);
    let fake = Fake::new("kill -9 $$");
    fake.fails(&[], "CRIU has ended");
    fs::write(
        fake.directory.path().join("bin/criu"),
        "#!/bin/sh\nexit 1\n",
    )
    .unwrap();
    fake.fails(&[], " CRIU");
    let old = HEAD.replace(r"\004\020\001'", r"\002\020\014'");
    fs::write(fake.directory.path().join("bin/criu"), old).unwrap();
    fake.fails(&[], "CRIU version 2.12 must be 3.0 or higher");
    let images = fake.images();
    let images = images.to_str().unwrap();
    let line = ["restore", "--image-path", images, &fake.case.id];
    let empty = tempfile::tempdir().unwrap();
    let output = fake.case.command(&line).env("PATH", empty.path()).output();
    let _ = output.failed(1, "criu: CRIU is not installed, or not in PATH");
    fake.case.finish();
}

#[test]
fn what_is_missing_or_wrong_is_refused_before_anything_is_made() {
    need!(Root, Busybox);
    let fake = Fake::new("echo started >\"$0.started\"; exit 1");
    fake.fails(
        &["--manage-cgroups-mode", "some"],
        "invalid manage-cgroups-mode value",
    );
    fake.fails(&["--empty-ns", "pid"], "is not supported");
    fake.fails(&["--console-socket", "x"], "cannot use console socket if");
    fs::write(fake.images().join("descriptors.json"), "{}").unwrap();
    fake.fails(&[], "descriptors.json");
    fs::remove_file(fake.images().join("descriptors.json")).unwrap();
    fake.fails(&[], "descriptors.json: no such file or directory");
    let line = ["restore", "--image-path", "/nonexistent", &fake.case.id];
    let _ = fake
        .case
        .call(&line)
        .failed(1, "open /nonexistent: no such file or directory");
    assert!(!fake.directory.path().join("bin/criu.started").exists());
    fake.case.finish();
}

/// A user who can put a link among the images would have CRIU, which is root, write where that
/// leads.
#[test]
fn links_among_the_images_lead_nowhere() {
    need!(Root, Busybox);
    let fake = Fake::new("echo started >\"$0.started\"; exit 1");
    let precious = fake.directory.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    for name in [
        "restore.log",
        "stats-restore",
        "core-1.img",
        "descriptors.json",
    ] {
        let path = fake.images().join(name);
        let _ = fs::remove_file(&path);
        symlink(&precious, &path).unwrap();
        fake.fails(&[], "no regular file: it cannot be part of a checkpoint");
        fs::remove_file(&path).unwrap();
    }
    let work = fake.directory.path().join("work");
    fs::create_dir(&work).unwrap();
    symlink(&precious, work.join("restore.log")).unwrap();
    fake.fails(&["--work-path", work.to_str().unwrap()], "no regular file");
    // CRIU would take memory of the container from there, and punch holes into it.
    let parent = fake.images().join("parent");
    fs::create_dir(&parent).unwrap();
    symlink(&precious, parent.join("pages-1.img")).unwrap();
    fake.fails(&["--auto-dedup"], "parent/pages-1.img is no regular file");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    assert!(!fake.directory.path().join("bin/criu.started").exists());
    fake.case.finish();
}

#[test]
fn an_id_in_use_stays_as_it_is() {
    need!(Root, Busybox);
    let mut fake = Fake::new(REFUSE);
    fake.case.bundle.args(&["/bin/sleep", "1000"]);
    fake.case.start();
    let _ = fake
        .command(&[])
        .output()
        .failed(1, "container with given ID already exists");
    assert_eq!(fake.case.status(), "running");
    fake.case.delete();
}

/// CRIU runs in the cgroup of the container, in a mount namespace of its own in which the root file
/// system is mounted.
#[test]
fn criu_is_in_the_cgroup_and_sees_the_root_file_system() {
    need!(Root, Busybox, Controllers);
    let fake = Fake::new(&format!(
        "cat /proc/self/cgroup >\"$0.cgroup\"
         ls /proc/self/cwd/ >/dev/null
         grep criu-root /proc/self/mountinfo >\"$0.mounts\"
         {REFUSE}"
    ));
    fake.fails(&[], "criu failed");
    let read = |name: &str| fs::read_to_string(fake.directory.path().join("bin").join(name));
    let cgroup = read("criu.cgroup").unwrap();
    assert!(cgroup.contains(&fake.case.cgroup()), "{cgroup}");
    let mounted = read("criu.mounts").unwrap();
    assert!(
        mounted.contains(&format!("{}/criu-root", fake.case.id)),
        "{mounted}"
    );
    fake.case.finish();
}

/// Mount points that are missing are made as a creation makes them: a link in the image leads
/// below its own root, and nothing is made in the source of a mount that is read-only.
#[test]
fn mount_points_are_made_inside_the_root_file_system_only() {
    need!(Root, Busybox);
    let mut fake = Fake::new(REFUSE);
    let outside = tempfile::tempdir().unwrap();
    let volume = tempfile::tempdir().unwrap();
    let volume_path = volume.path().to_str().unwrap().to_owned();
    let bind = |destination: &str, option: &str| {
        serde_json::json!({
            "destination": destination, "type": "bind", "source": volume_path,
            "options": ["bind", option]
        })
    };
    fake.case
        .bundle
        .mount(bind("/data", "rw"))
        .mount(bind("/data/inner/deep", "rw"));
    fake.fails(&[], "criu failed");
    assert!(fake.case.bundle.rootfs().join("data").is_dir());
    assert!(volume.path().join("inner/deep").is_dir());
    // A link to the host leads below the root, where that is missing.
    symlink(outside.path(), fake.case.bundle.rootfs().join("link")).unwrap();
    fake.case.bundle.mount(bind("/link/x", "rw"));
    fake.fails(&[], "make the mount point of /link/x for the restore");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    fs::remove_file(fake.case.bundle.rootfs().join("link")).unwrap();
    fake.case
        .bundle
        .mount(bind("/ro", "ro"))
        .mount(bind("/ro/never", "rw"));
    fake.fails(&[], "make the mount point of /ro/never for the restore");
    assert!(!volume.path().join("never").exists());
    fake.case.finish();
}

/// A runtime that is killed while CRIU works leaves a record, by which everything is removed.
#[test]
fn what_a_killed_restore_leaves_can_be_deleted() {
    need!(Root, Busybox);
    let fake = Fake::new("echo $$ >\"$0.pid\"; exec sleep 1000");
    let mut runtime = fake.command(&[]).spawn(std::process::Stdio::null());
    let pid = fake.directory.path().join("bin/criu.pid");
    eventually("CRIU works", || {
        fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n'))
    });
    runtime.kill().unwrap();
    runtime.wait().unwrap();
    let criu = format!("/proc/{}", fs::read_to_string(&pid).unwrap().trim());
    assert!(Path::new(&criu).exists());
    assert_eq!(fake.case.status(), "stopped");
    let _ = fake.case.call(&["delete", "--force", &fake.case.id]).ok();
    eventually("CRIU is gone", || !is_alive(&criu));
    fake.case.finish();
}

/// `delete --force` ends a restore that another process is at.
#[test]
fn a_restore_that_hangs_can_be_deleted() {
    need!(Root, Busybox);
    let fake = Fake::new("echo $$ >\"$0.pid\"; exec sleep 1000");
    let mut runtime = fake.command(&[]).spawn(std::process::Stdio::null());
    let pid = fake.directory.path().join("bin/criu.pid");
    eventually("CRIU works", || {
        fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n'))
    });
    let _ = fake.case.call(&["delete", "--force", &fake.case.id]).ok();
    assert_eq!(runtime.wait().unwrap().code(), Some(1));
    fake.case.finish();
}

fn is_alive(process: &str) -> bool {
    let stat = fs::read_to_string(format!("{process}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}
