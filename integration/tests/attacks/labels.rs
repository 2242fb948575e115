//! Labels and profiles on a machine whose security modules are off: what was asked for and cannot
//! be had is an error (CVE-2025-52881, CVE-2019-16884).

use std::path::Path;

use cofferdam_integration::{Case, need};
use serde_json::json;

use crate::host::Host;
use crate::victim;

/// Whether a security module is on; then these tests have nothing to say.
fn module(name: &str) -> bool {
    std::fs::read_to_string("/sys/kernel/security/lsm")
        .is_ok_and(|text| text.split(',').any(|module| module.trim() == name))
}

#[test]
fn a_profile_without_apparmor_is_refused() {
    need!(Root, Busybox);
    if module("apparmor") {
        cofferdam_integration::needs::skip(
            "a_profile_without_apparmor_is_refused",
            "AppArmor is on",
        );
        return;
    }
    let said = "unable to apply apparmor profile: AppArmor is not enabled on this host";
    let host = Host::new();
    let mut case = Case::new();
    for (profile, said) in [
        ("some-profile", said),
        ("unconfined_x", said),
        ("unconfined ", "has white space around it"),
        ("a\nb", "has a control character"),
    ] {
        case.bundle.config["process"]["apparmorProfile"] = json!(profile);
        case.bundle.script("echo the program ran");
        let output = case.run();
        victim::refused(&output, &format!("the profile {profile:?}"));
        assert!(output.stderr.contains(said), "{output}");
        assert!(!output.stdout.contains("ran"), "{output}");
        case.nothing_left();
    }
    case.bundle.config["process"]["apparmorProfile"] = json!("");
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let output = case.exec_before(&["--apparmor", "some-profile", "/bin/true"]);
    victim::refused(&output, "exec --apparmor");
    assert!(output.stderr.contains(said), "{output}");
    host.unchanged("a profile");
    case.delete();
}

#[test]
fn a_label_without_selinux_is_refused() {
    need!(Root, Busybox);
    if module("selinux") || Path::new("/sys/fs/selinux/enforce").exists() {
        cofferdam_integration::needs::skip("a_label_without_selinux_is_refused", "SELinux is on");
        return;
    }
    let host = Host::new();
    let mut case = Case::new();
    let label = "system_u:system_r:container_t:s0:c4,c5";
    let said = "selinux label is specified in config, but selinux is disabled or not supported";
    case.bundle.config["process"]["selinuxLabel"] = json!(label);
    case.bundle.script("echo the program ran");
    let output = case.run();
    victim::refused(&output, "a process label");
    assert!(!output.stdout.contains("ran"), "{output}");
    case.bundle.config["process"]["selinuxLabel"] = json!("");
    case.bundle.config["linux"]["mountLabel"] = json!(label);
    let _ = case.run().failed(1, said);
    case.bundle.config["linux"]["mountLabel"] = json!("");
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let output = case.exec_before(&["--process-label", label, "/bin/true"]);
    let _ = output.failed(255, said);
    host.unchanged("a label");
    case.delete();
}
