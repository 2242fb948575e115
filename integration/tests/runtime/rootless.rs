//! Containers of an ordinary user: no privilege is used but what a user namespace gives.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use cofferdam_integration::console::{ConsoleSocket, read_terminal};
use cofferdam_integration::ordinary_user::ID;
use cofferdam_integration::{Case, Limited, need};
use serde_json::{Value, json};

#[test]
fn the_template_makes_a_container() {
    need!(Root, Busybox, UserNamespaces);
    let mut case = Case::rootless();
    let script =
        "id -u; cat /proc/self/uid_map /proc/self/setgroups; hostname; cat /proc/1/comm; exit 3";
    case.bundle.script(script);
    let output = case.run();
    assert_eq!(output.code, 3, "{output}");
    let columns: Vec<&str> = output.stdout.split_whitespace().collect();
    let id = ID.to_string();
    assert_eq!(columns, ["0", "0", &id, "1", "deny", "runc", "sh"]);
    case.finish();
}

/// Without a cgroup of its own the container is in that of its caller: it can read its limits
/// there, and change nothing.
#[test]
fn the_cgroups_of_the_caller_are_shown_read_only() {
    need!(Root, Busybox, UserNamespaces, CgroupV1);
    let mut case = Case::rootless();
    case.bundle.mount(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "rrw"] }));
    let output = case.inside(
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes; \
         awk '$5 == \"/sys/fs/cgroup/memory\" { line = $6 } END { print line }' /proc/self/mountinfo; mkdir /sys/fs/cgroup/memory/x 2>&1; true",
    );
    assert!(output.lines()[0].parse::<u64>().is_ok(), "{output}");
    assert!(output.lines()[1].starts_with("ro,"), "{output}");
    assert!(
        output.lines()[2].contains("Read-only file system"),
        "{output}"
    );
    case.finish();
}

#[test]
fn no_new_privileges_are_needed() {
    need!(Root, Busybox, UserNamespaces);
    let mut case = Case::rootless();
    if let Some(user) = &mut case.user {
        user.restrict();
    }
    assert_eq!(
        case.inside("id -u; grep NoNewPrivs /proc/self/status")
            .stdout,
        "0\nNoNewPrivs:\t1\n"
    );
    case.finish();
}

#[test]
fn a_seccomp_agent_gets_the_notifications() {
    need!(Root, Busybox, UserNamespaces);
    let mut case = Case::rootless();
    let path = case.bundle.path().join("agent.sock");
    let agent = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    case.bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": path,
        "syscalls": [{ "names": ["chroot"], "action": "SCMP_ACT_NOTIFY" }]
    });
    case.bundle.args(&["/bin/sleep", "1000"]);
    let checked = |pid: u32| {
        let mut connection = agent.accept().unwrap().0;
        let mut text = String::new();
        connection.read_to_string(&mut text).unwrap();
        let message: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(message["fds"], json!(["seccompFd"]));
        assert_eq!(message["state"]["pid"], pid, "{message}");
    };
    // Without the restriction the filter is loaded by another user than the one that the process
    // becomes.
    for restricted in [false, true] {
        case.bundle.config["process"]["noNewPrivileges"] = json!(restricted);
        case.start();
        checked(case.pid());
        assert_eq!(case.exec(&["id", "-u"]).ok().stdout, "0\n");
        checked(case.pid());
        let _ = case.call(&["delete", "--force", &case.id]).ok();
    }
    case.finish();
}

#[test]
fn the_whole_life() {
    need!(Root, Busybox, UserNamespaces);
    let mut case = Case::rootless();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.create();
    assert_eq!(case.status(), "created");
    // The program is not there yet.
    assert_eq!(
        case.exec(&["cat", "/proc/1/comm"]).ok().stdout,
        "runc:[2:INIT]\n"
    );
    let _ = case.call(&["start", &case.id]).ok();
    case.wait_for_status("running");
    let status = std::fs::read_to_string(format!("/proc/{}/status", case.pid())).unwrap();
    assert!(
        status.contains(&format!("\nUid:\t{ID}\t{ID}\t{ID}\t{ID}\n")),
        "{status}"
    );
    assert_eq!(case.exec(&["id", "-u"]).ok().stdout, "0\n");
    assert_eq!(case.exec(&["sh", "-c", "exit 7"]).code, 7);
    let list = case.call(&["list"]).ok();
    assert!(list.lines()[1].ends_with("nobody"), "{list}");
    let _ = case.call(&["kill", &case.id, "KILL"]).ok();
    case.wait_for_status("stopped");
    let _ = case.call(&["delete", &case.id]).ok();
    case.finish();
}

#[test]
fn a_terminal() {
    need!(Root, Busybox, UserNamespaces);
    let mut case = Case::rootless();
    case.bundle.config["process"]["terminal"] = json!(true);
    case.bundle.script("tty; exec sleep 1000");
    let socket = ConsoleSocket::bind(&case.bundle.path().join("socket"));
    let flags = ["--detach", "--console-socket", socket.path()];
    let _ = case
        .detached(&[&["run"], &flags[..], &[&case.id]].concat())
        .ok();
    let (_master, _) = socket.receive();
    let command = [&["exec", "--tty"], &flags[..], &[&case.id, "tty"]].concat();
    let _ = case.detached(&command).ok();
    let master: OwnedFd = socket.receive().0;
    assert_eq!(read_terminal(master), "/dev/pts/1\r\n");
    case.delete();
}

#[test]
fn subordinate_ids_are_mapped() {
    need!(Root, Busybox, UserNamespaces, Uidmap);
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
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 5 });
    let output = case.inside("id -u; id -g; cat /proc/self/uid_map");
    let columns: Vec<&str> = output.stdout.split_whitespace().collect();
    let id = ID.to_string();
    assert_eq!(
        columns,
        ["1000", "5", "0", &id, "1", "1", "100000", "65536"]
    );

    // One more than was granted.
    case.bundle.config["linux"]["uidMappings"][1]["size"] = json!(65_537);
    let _ = case.run().failed(
        1,
        "newuidmap: uid range [1-65538) -> [100000-165537) not allowed",
    );
    case.finish();
}

#[test]
fn what_the_user_may_not_is_refused() {
    need!(Root, Busybox, UserNamespaces);
    let first = |change: fn(&mut Value), said: &str| {
        let mut case = Case::rootless();
        change(&mut case.bundle.config);
        let _ = case.run().failed(1, said);
        case.finish();
    };
    first(
        |config| {
            let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.retain(|namespace| namespace["type"] != "user");
            config["linux"]["uidMappings"] = json!([]);
            config["linux"]["gidMappings"] = json!([]);
        },
        "rootless container requires user namespaces",
    );
    first(
        |config| config["process"]["user"]["uid"] = json!(5),
        "cannot setuid to unmapped uid",
    );
    first(
        |config| config["process"]["user"]["gid"] = json!(5),
        "cannot setgid to unmapped gid",
    );
    first(
        |config| config["process"]["user"]["additionalGids"] = json!([5]),
        "cannot set any additional groups in a rootless container",
    );
    first(
        |config| {
            let mounts = config["mounts"].as_array_mut().unwrap();
            mounts.push(json!({ "destination": "/t", "type": "tmpfs", "source": "t", "options": ["uid=5"] }));
        },
        "cannot specify uid=5 mount option for rootless container",
    );
    first(
        |config| config["linux"]["uidMappings"][0]["hostID"] = json!(0),
        "operation not permitted",
    );
    first(
        |config| config["linux"]["resources"] = json!({ "pids": { "limit": 10 } }),
        if cofferdam_integration::cgroup::is_unified() {
            "rootless needs no limits + no cgrouppath when no permission is granted for cgroups"
        } else {
            "cannot set pids limit: container could not join or create cgroup"
        },
    );
    first(
        |config| config["linux"]["cgroupsPath"] = json!("/not-delegated"),
        "not-delegated: permission denied",
    );
    first(
        |config| config["process"]["oomScoreAdj"] = json!(-900),
        "oom_score_adj: lowering it needs CAP_SYS_RESOURCE",
    );
}

/// Directories that have the name of the container by chance are not its cgroup: it does without,
/// and can be removed.
#[test]
fn cgroups_of_others_are_not_used() {
    need!(Root, Busybox, UserNamespaces, CgroupV1);
    let mut case = Case::rootless();
    let membership = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let mut others = Vec::new();
    for controller in ["cpuset", "pids"] {
        let own = membership.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            (controllers == controller).then(|| path.trim_start_matches('/').to_owned())
        });
        let Some(own) = own else { continue };
        let hierarchy = std::path::Path::new("/sys/fs/cgroup").join(controller);
        let directory = hierarchy.join(own).join(&case.id);
        std::fs::create_dir(&directory).unwrap();
        others.push(directory);
    }
    case.bundle.script("exit 7");
    let outputs = [case.run(), case.run()];
    for directory in others {
        std::fs::remove_dir(directory).unwrap();
    }
    for output in outputs {
        assert_eq!((output.code, output.stderr.as_str()), (7, ""), "{output}");
    }
    case.finish();
}

/// What was asked for is not there, and the process does not run elsewhere instead.
#[test]
fn exec_into_a_cgroup_that_is_not_there_fails() {
    need!(Root, Busybox, UserNamespaces);
    let mut case = Case::rootless();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    for cgroup in ["/no-such", "no-such"] {
        let output = case.exec_before(&["--cgroup", cgroup, "/bin/sh", "-c", "echo ran"]);
        assert_eq!((output.code, output.stdout.as_str()), (255, ""), "{output}");
        assert!(output.stderr.contains("cgroup"), "{output}");
    }
    case.delete();
}

#[test]
fn what_needs_a_cgroup_says_so() {
    need!(Root, Busybox, UserNamespaces);
    let mut case = Case::rootless();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let _ = case.call(&["pause", &case.id]).failed(
        1,
        "cannot toggle freezer: cgroups not configured for container",
    );
    // With cgroup v2 alone it is the kernel that says what is missing.
    let said = if cofferdam_integration::cgroup::is_unified() {
        "no such file or directory"
    } else {
        "cannot set memory limit: container could not join or create cgroup"
    };
    let _ = case
        .call(&["update", "--memory", "100M", &case.id])
        .failed(1, said);
    // The one process that is known without a cgroup.
    let listed = case.call(&["ps", "--format", "json", &case.id]).ok();
    assert_eq!(listed.json(), json!([case.pid()]));
    assert_eq!(case.status(), "running");
    case.delete();
}

#[test]
fn the_state_is_kept_in_the_runtime_directory_of_the_user() {
    need!(Root, Busybox, UserNamespaces);
    let mut case = Case::rootless();
    case.bundle.args(&["/bin/sleep", "1000"]);
    let runtime = case.bundle.path().join("runtime");
    std::fs::create_dir(&runtime).unwrap();
    let call = |arguments: &[&str]| {
        let command = case.bare_command(arguments);
        command.env("XDG_RUNTIME_DIR", &runtime).output()
    };
    let _ = call(&["create", &case.id]).ok();
    let state = runtime.join("cofferdam");
    assert!(state.join(&case.id).join("state.json").is_file());
    // Sticky, so that no clean-up takes it for an old file.
    assert_eq!(
        state.metadata().unwrap().permissions().mode() & 0o7777,
        0o1700
    );
    let _ = call(&["delete", "--force", &case.id]).ok();
    assert_eq!(state.read_dir().unwrap().count(), 0);
    case.finish();
}

#[test]
fn whether_cgroups_are_needed_can_be_said() {
    need!(Root, Busybox, UserNamespaces, Cofferdam);
    let case = Case::rootless();
    let run = |text: &str| {
        let flag = format!("--rootless={text}");
        case.call(&[&flag, "run", &case.id])
    };
    for tolerated in ["auto", "AUTO", "", "true", "1", "T"] {
        let output = run(tolerated);
        assert_eq!(output.code, 0, "{tolerated}: {output}");
    }
    for needed in ["false", "0", "F"] {
        let output = run(needed).failed(1, "cgroup");
        assert!(
            output.stderr.contains("permission denied"),
            "{needed}: {output}"
        );
        case.nothing_left();
    }
    for garbage in ["yes", "automatic", "-1", "TRUE "] {
        let said = format!("{garbage:?} is neither auto nor a boolean");
        let said = said.replace('"', "\\\"");
        let output = run(garbage).failed(1, &said);
        assert!(output.stderr.contains("--rootless"), "{output}");
        case.nothing_left();
    }
    case.finish();
}

/// For root the flag changes nothing that works.
#[test]
fn root_may_tolerate_cgroups_as_well() {
    need!(Root, Busybox);
    let case = Case::new();
    for text in ["auto", "true", "false"] {
        let output = case.call(&["--rootless", text, "run", &case.id]);
        assert_eq!(output.code, 0, "{text}: {output}");
        case.nothing_left();
    }
    case.finish();
}

/// Its user id is 0, its privileges are those of the namespace.
#[test]
fn root_of_a_user_namespace_runs_containers() {
    need!(Root, Busybox, UserNamespaces);
    for nested in [true, false] {
        let mut case = Case::rootless();
        if let Some(user) = &mut case.user {
            user.become_root();
        }
        if nested {
            let map = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
            case.bundle.config["linux"]["uidMappings"] = map.clone();
            case.bundle.config["linux"]["gidMappings"] = map;
        } else {
            case.bundle.without_namespace("user");
            let linux = case.bundle.config["linux"].as_object_mut().unwrap();
            linux.remove("uidMappings");
            linux.remove("gidMappings");
        }
        let script = "id -u; cat /proc/self/setgroups; hostname; echo x > /dev/null; exit 3";
        case.bundle.script(script);
        let output = case.run();
        assert_eq!(output.code, 3, "{nested}: {output}");
        assert_eq!(output.lines(), ["0", "deny", "runc"], "{output}");
        case.bundle.args(&["/bin/sleep", "1000"]);
        case.bundle.write();
        // The namespace ends with its last process: one shell calls all commands.
        let user = case.user.as_ref().unwrap();
        user.own(case.bundle.path());
        user.own(case.root());
        let script = r#"set -e
            runtime="$0 --root $1"
            $runtime run --detach $2 </dev/null >/dev/null
            $runtime exec $2 /bin/sh -c "id -u; cat /proc/1/comm"
            $runtime state $2 | grep -c '"status": "running"'
            $runtime kill $2 KILL
            $runtime delete --force $2"#;
        let mut line = user.prefix();
        line.extend(["sh", "-c", script].map(OsString::from));
        line.push(user.program().into());
        line.push(case.root().into());
        line.push((&case.id).into());
        let mut line = line.into_iter();
        let output = Limited::new(line.next().unwrap())
            .args(line)
            .directory(case.bundle.path())
            .output()
            .ok();
        assert_eq!(output.lines(), ["0", "sleep", "1"], "{output}");
        case.finish();
    }
}
