//! Commands around mounts, which files of 2015 may have.

use std::fs;

use cofferdam_integration::need;
use serde_json::{Value, json};

use super::subject::Subject;

/// The configuration of `config`, with one more mount.
fn with_mount(subject: &Subject, mount: Value) -> String {
    let mut config = subject.call(&["config"]).ok().json();
    config["mounts"].as_array_mut().unwrap().push(mount);
    let file = subject.root().with_extension("json");
    fs::write(&file, config.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn command(path: &str, args: &[&str]) -> Value {
    json!({ "path": path, "args": args })
}

#[test]
fn commands_run_before_and_after_a_mount() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let volume = tempfile::tempdir().unwrap();
    let (hello, inner) = (volume.path().join("hello"), volume.path().join("inner"));
    fs::create_dir(&inner).unwrap();
    let rootfs = subject.rootfs().to_str().unwrap();
    let [hello, inner] = [&hello, &inner].map(|path| path.to_str().unwrap());
    let file = with_mount(
        &subject,
        json!({
            "source": volume.path(), "destination": "/tmp", "device": "bind", "flags": 0x5000,
            "premount_cmds": [
                command("touch", &[hello]),
                command("mount", &["-t", "tmpfs", "inside", inner]),
            ],
            "postmount_cmds": [
                command("cp", &[&format!("{rootfs}/tmp/hello"), &format!("{rootfs}/tmp/copy")]),
                { "path": "touch", "args": ["relative"], "dir": format!("{rootfs}/tmp/inner") },
            ],
        }),
    );
    let output = subject
        .exec(&["--config", &file], "ls /tmp; ls /tmp/inner")
        .ok();
    assert_eq!(output.lines(), ["copy", "hello", "inner", "relative"]);
    // What is mounted before is not seen on the host, and so is nothing in it.
    assert_eq!(
        fs::read_dir(volume.path().join("inner")).unwrap().count(),
        0
    );
    fs::remove_file(file).unwrap();
    subject.finish();
}

#[test]
fn a_command_that_fails_ends_the_start_and_says_why() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let tmpfs = |key: &str, script: &str| {
        let mut mount = json!({ "source": "t", "destination": "/tmp", "device": "tmpfs" });
        mount[key] = json!([command("sh", &["-c", script])]);
        with_mount(&subject, mount)
    };
    let file = tmpfs("premount_cmds", "echo no room; exit 3");
    let output = subject.exec(&["--config", &file], "true");
    let _ = output.failed(1, "exit status: 3: no room");
    let file = tmpfs("postmount_cmds", "exit 3");
    let output = subject.exec(&["--config", &file], "true");
    let _ = output.failed(1, "createContainer hook #0");
    fs::remove_file(file).unwrap();
    subject.finish();
}
