//! What of a container hooks see (CVE-2025-23266): not its environment, and not its files before
//! its root is theirs.

use std::os::unix::fs::PermissionsExt;

use cofferdam_integration::{Case, need};
use serde_json::json;

use crate::host::Host;

#[test]
fn no_variable_of_the_container_reaches_a_hook() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let seen = case.bundle.path().join("seen");
    std::fs::create_dir(&seen).unwrap();
    std::fs::set_permissions(&seen, PermissionsExt::from_mode(0o777)).unwrap();
    case.bundle.config["process"]["env"] = json!([
        "PATH=/evil",
        "LD_PRELOAD=/evil.so",
        "LD_LIBRARY_PATH=/evil",
        "GCONV_PATH=/evil",
        "BASH_ENV=/evil",
        "SECRET=in-the-container",
    ]);
    case.bundle.args(&["/bin/tiny-true"]);
    let mut hooks = serde_json::Map::new();
    for name in [
        "prestart",
        "createRuntime",
        "createContainer",
        "poststart",
        "poststop",
    ] {
        // /usr/bin/env shows what it got; the shell would add to it.
        let script = format!(
            "readlink /proc/self/cwd > {0}/{name}.cwd; readlink /proc/self/ns/mnt > {0}/{name}.mnt; tr '\\0' '\\n' < /proc/self/environ > {0}/{name}.env",
            seen.display()
        );
        hooks.insert(
            name.to_owned(),
            json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }]),
        );
    }
    case.bundle.config["hooks"] = hooks.into();
    let _ = case
        .command(&["run", &case.id])
        .env("SECRET_OF_THE_CALLER", "x")
        // What the test runner itself may have set.
        .without_env("LD_LIBRARY_PATH")
        .output()
        .ok();
    for name in [
        "prestart",
        "createRuntime",
        "createContainer",
        "poststart",
        "poststop",
    ] {
        let read = |what: &str| {
            std::fs::read_to_string(seen.join(format!("{name}.{what}")))
                .unwrap_or_else(|error| panic!("{name} did not run: {error}"))
        };
        let environment = read("env");
        assert!(
            !environment.lines().any(|line| {
                line.contains("evil")
                    || line.contains("in-the-container")
                    || line.starts_with("LD_")
                    || line.starts_with("GCONV")
            }),
            "{name}: {environment}"
        );
        // Hooks in the runtime's namespaces inherit the runtime's environment, the one in the
        // container's does not.
        assert_eq!(
            environment.contains("SECRET_OF_THE_CALLER"),
            name != "createContainer",
            "{name}: {environment}"
        );
        // createContainer hooks start in the new root file system, and only they do.
        assert_eq!(
            read("cwd").contains("rootfs"),
            name == "createContainer",
            "{name} runs in {}",
            read("cwd")
        );
        if name != "createContainer" {
            let own = std::fs::read_link("/proc/thread-self/ns/mnt").unwrap();
            assert_eq!(
                read("mnt").trim(),
                own.to_str().unwrap(),
                "{name} runs in the container"
            );
        }
    }
    host.unchanged("hooks");
    case.finish();
}

#[test]
fn a_hook_of_the_host_is_never_found_in_the_image() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    // The image has a program where the host has none.
    let name = format!("/hook-{}", case.id);
    let inside = case.bundle.rootfs().join(name.trim_start_matches('/'));
    std::fs::write(&inside, "#!/bin/sh\nexit 0\n").unwrap();
    std::fs::set_permissions(&inside, PermissionsExt::from_mode(0o755)).unwrap();
    for point in ["prestart", "createRuntime", "createContainer"] {
        case.bundle.config["hooks"] = json!({ point: [{ "path": name }] });
        let output = case.run();
        assert_ne!(output.code, 0, "{point} was found in the image: {output}");
        case.nothing_left();
    }
    host.unchanged("a hook in the image");
    case.finish();
}

/// Programs of the host that the runtime uses, in an image whose owner would like to be called.
const HELPERS: [&str; 4] = ["newuidmap", "newgidmap", "criu", "apparmor_parser"];

#[test]
fn a_helper_of_the_host_is_never_found_in_the_image() {
    need!(Root, Busybox, UserNamespaces, Uidmap);
    let host = Host::new();
    let mut case = Case::rootless();
    if let Some(user) = &mut case.user {
        user.grant(100_000, 65_536);
    }
    for maps in ["uidMappings", "gidMappings"] {
        let more = json!({ "containerID": 1, "hostID": 100_000, "size": 65_536 });
        case.bundle.config["linux"][maps]
            .as_array_mut()
            .unwrap()
            .push(more);
    }
    let used = case.bundle.path().join("used");
    std::fs::create_dir(&used).unwrap();
    std::fs::set_permissions(&used, PermissionsExt::from_mode(0o777)).unwrap();
    for directory in ["bin", "sbin", "usr/bin", "usr/sbin", "evil"] {
        let directory = case.bundle.rootfs().join(directory);
        std::fs::create_dir_all(&directory).unwrap();
        for name in HELPERS {
            let helper = directory.join(name);
            let script = format!("#!/bin/sh\necho x > {}/{name}\n", used.display());
            std::fs::write(&helper, script).unwrap();
            std::fs::set_permissions(&helper, PermissionsExt::from_mode(0o755)).unwrap();
        }
    }
    case.bundle.config["process"]["env"] = json!(["PATH=/evil:/bin", "LD_PRELOAD=/evil/lib.so"]);
    case.bundle.args(&[
        "/bin/sh",
        "-c",
        "cat /proc/self/uid_map; while :; do sleep 1; done",
    ]);
    // Relative, and empty: what a caller has in its path by mistake is in the bundle.
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("rootfs/evil::.:{path}");
    let run = |arguments: &[&str]| case.command(arguments).env("PATH", &path).output();
    let output = run(&["run", "--detach", &case.id]);
    assert_eq!(output.code, 0, "{output}");
    let output = case.exec(&["/bin/cat", "/proc/self/uid_map"]).ok();
    assert!(output.stdout.contains("100000"), "{output}");
    // Without CRIU on the machine this fails, and with it it need not work either.
    let _ = case.call(&["checkpoint", &case.id]);
    let helpers: Vec<_> = std::fs::read_dir(&used).unwrap().flatten().collect();
    assert!(helpers.is_empty(), "of the image: {helpers:?}");
    host.unchanged("helpers in the image");
    case.delete();
}
