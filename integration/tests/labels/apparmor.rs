//! Profiles: the program of a container is under the one that the configuration names, and so is
//! what is added later.

use std::fs;

use cofferdam_integration::older_configuration::run;
use cofferdam_integration::{Case, Limited, need};
use runtime::configs::Config;
use serde_json::json;

/// A profile in the kernel until this is dropped: everything is allowed but to write below
/// `/guarded`.
struct Profile {
    name: String,
    directory: tempfile::TempDir,
}

impl Profile {
    fn new(suffix: &str) -> Self {
        let name = format!("cofferdam-test-{}-{suffix}", std::process::id());
        let directory = tempfile::tempdir().unwrap();
        let profile = Self { name, directory };
        let text = format!(
            "profile {} flags=(attach_disconnected,mediate_deleted) {{\n\
             file, capability, network, mount, umount, pivot_root, signal, ptrace, unix,\n\
             deny /guarded/** w,\n}}\n",
            profile.name
        );
        fs::write(profile.file(), text).unwrap();
        profile.parser("--replace");
        profile
    }

    fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("profile")
    }

    fn parser(&self, verb: &str) {
        let _ = Limited::new("apparmor_parser")
            .args([
                verb.into(),
                "--skip-cache".into(),
                self.file().into_os_string(),
            ])
            .output()
            .ok();
    }

    /// What `/proc/PID/attr/current` says of a process under it.
    fn enforced(&self) -> String {
        format!("{} (enforce)", self.name)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.parser("--remove");
    }
}

/// A container with a writable root and a directory that profiles guard.
fn case(profile: &str) -> Case {
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = json!(false);
    case.bundle.config["process"]["apparmorProfile"] = json!(profile);
    fs::create_dir(case.bundle.rootfs().join("guarded")).unwrap();
    case
}

/// Says what it runs under and whether it may write.
const LOOK: &str = "cat /proc/self/attr/current; \
    echo x 2>/dev/null >/free && echo free; \
    (echo x >/guarded/file) 2>/dev/null && echo guarded; true";

#[test]
fn a_container_is_confined_by_its_profile() {
    need!(Root, Busybox, AppArmor);
    let profile = Profile::new("run");
    for no_new_privileges in [false, true] {
        let mut case = case(&profile.name);
        case.bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let output = case.inside(LOOK);
        assert_eq!(output.lines(), [profile.enforced().as_str(), "free"]);
        assert!(!case.bundle.rootfs().join("guarded/file").exists());
        case.finish();
    }
}

#[test]
fn without_a_profile_nothing_is_confined() {
    need!(Root, Busybox, AppArmor);
    for name in ["", "unconfined"] {
        let mut case = case(name);
        let output = case.inside(LOOK);
        assert_eq!(
            output.lines(),
            ["unconfined", "free", "guarded"],
            "{name:?}"
        );
        case.finish();
    }
}

#[test]
fn what_is_added_later_is_under_the_same_profile() {
    need!(Root, Busybox, AppArmor);
    let profile = Profile::new("exec");
    let mut case = case(&profile.name);
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let init = fs::read_to_string(format!("/proc/{}/attr/current", case.pid())).unwrap();
    assert_eq!(init.trim_end(), profile.enforced());
    let output = case.exec(&["/bin/sh", "-c", LOOK]);
    assert_eq!(
        output.lines(),
        [profile.enforced().as_str(), "free"],
        "{output}"
    );
    case.delete();
}

#[test]
fn what_is_added_later_may_have_a_profile_of_its_own() {
    need!(Root, Busybox, AppArmor);
    let (first, second) = (Profile::new("first"), Profile::new("second"));
    for of_container in ["", first.name.as_str()] {
        let mut case = case(of_container);
        case.bundle.args(&["/bin/sleep", "1000"]);
        case.start();
        let output = case
            .exec_before(&[
                "--apparmor",
                &second.name,
                "/bin/cat",
                "/proc/self/attr/current",
            ])
            .ok();
        assert_eq!(output.lines(), [second.enforced().as_str()]);
        case.delete();
    }
}

#[test]
fn a_profile_that_is_not_loaded_is_refused() {
    need!(Root, Busybox, AppArmor);
    let missing = format!("cofferdam-missing-{}", std::process::id());
    let mut first = case(&missing);
    first.bundle.script("echo the program ran");
    let output = first.run().failed(1, &missing);
    assert!(!output.stdout.contains("ran"), "{output}");
    first.finish();

    let mut second = case("");
    second.bundle.args(&["/bin/sleep", "1000"]);
    second.start();
    let output = second
        .exec_before(&["--apparmor", &missing, "/bin/echo", "ran"])
        .failed(255, &missing);
    assert!(!output.stdout.contains("ran"), "{output}");
    assert_eq!(second.status(), "running");
    second.delete();
}

#[test]
fn a_profile_that_is_unloaded_later_does_not_let_others_in_unconfined() {
    need!(Root, Busybox, AppArmor);
    let profile = Profile::new("gone");
    let name = profile.name.clone();
    let mut case = case(&name);
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    drop(profile);
    let output = case.exec(&["/bin/echo", "ran"]).failed(255, &name);
    assert!(!output.stdout.contains("ran"), "{output}");
    case.delete();
}

/// A sample of libcontainer's configuration files of 2015.
#[test]
fn the_sample_of_2015_with_a_profile_is_confined_by_it() {
    need!(Root, Busybox, AppArmor);
    let profile = Profile::new("sample");
    let case = case("");
    let file = include_str!("../../../configs/tests/legacy/fixtures/f-apparmor.json");
    let change = |config: &mut Config| {
        assert_eq!(config.apparmor_profile, "harbour-default");
        config.apparmor_profile.clone_from(&profile.name);
    };
    // It mounts no procfs to ask.
    let script = "hostname; echo x >/free && echo free; (echo x >/guarded/file) || echo guarded";
    assert_eq!(
        run(&case, file, change, script),
        "armoured\nfree\nguarded\n"
    );
    case.finish();
}
