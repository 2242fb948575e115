use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};

use super::*;
use crate::{ErrorKind, json};

fn directory(config: Option<&[u8]>) -> (tempfile::TempDir, OwnedFd) {
    let dir = tempfile::tempdir().unwrap();
    if let Some(text) = config {
        std::fs::write(dir.path().join(CONFIG_FILE), text).unwrap();
    }
    let fd = rustix::fs::open(
        dir.path(),
        OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .unwrap();
    (dir, fd)
}

#[test]
fn a_bundle_is_read_through_its_directory() {
    let text = json::to_string(&Spec::example()).unwrap();
    let (_dir, fd) = directory(Some(text.as_bytes()));
    assert_eq!(Spec::load(&fd).unwrap(), Spec::example());
}

#[test]
fn a_configuration_that_is_no_file_is_refused() {
    let (dir, fd) = directory(None);
    let path = dir.path().join(CONFIG_FILE);
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, Mode::RUSR).unwrap();
    let error = Spec::load(&fd).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(
        error.to_string(),
        "config.json is a FIFO, not a regular file"
    );
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let error = Spec::load(&fd).unwrap_err();
    assert_eq!(
        error.to_string(),
        "config.json is a directory, not a regular file"
    );
}

#[test]
fn a_missing_configuration_has_its_text() {
    let (_dir, fd) = directory(None);
    let error = Spec::load(&fd).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        error.to_string(),
        "JSON specification file config.json not found"
    );
}

#[test]
fn other_failures_keep_their_cause() {
    let (dir, fd) = directory(None);
    std::os::unix::fs::symlink(CONFIG_FILE, dir.path().join(CONFIG_FILE)).unwrap();
    let error = Spec::load(&fd).unwrap_err();
    // ELOOP
    assert_eq!(
        (error.kind(), error.raw_os_error()),
        (ErrorKind::Io, Some(40))
    );
}

#[test]
fn the_size_is_limited() {
    let text = br#"{"hostname": "abc"}"#;
    let (_dir, fd) = directory(Some(text));
    assert!(Spec::load_limited(&fd, text.len() as u64).is_ok());
    let error = Spec::load_limited(&fd, text.len() as u64 - 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(error.to_string(), "config.json is larger than 18 bytes");
}

#[test]
fn the_template_is_written_in_the_order_of_the_specification() {
    let text = json::to_string(&Spec::example().with_cgroup_namespace()).unwrap();
    let expected = concat!(
        r#"{"ociVersion":"1.3.0","process":{"terminal":true,"user":{"uid":0,"gid":0},"args":["sh"],"env":["#,
        r#""PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","TERM=xterm"],"cwd":"/","#,
        r#""capabilities":{"bounding":["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"],"#,
        r#""effective":["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"],"#,
        r#""permitted":["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"]},"#,
        r#""rlimits":[{"type":"RLIMIT_NOFILE","hard":1024,"soft":1024}],"noNewPrivileges":true},"#,
        r#""root":{"path":"rootfs","readonly":true},"hostname":"runc","#,
        r#""mounts":[{"destination":"/proc","type":"proc","source":"proc"},"#,
        r#"{"destination":"/dev","type":"tmpfs","source":"tmpfs","#,
        r#""options":["nosuid","strictatime","mode=755","size=65536k"]},"#,
        r#"{"destination":"/dev/pts","type":"devpts","source":"devpts","#,
        r#""options":["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620","gid=5"]},"#,
        r#"{"destination":"/dev/shm","type":"tmpfs","source":"shm","#,
        r#""options":["nosuid","noexec","nodev","mode=1777","size=65536k"]},"#,
        r#"{"destination":"/dev/mqueue","type":"mqueue","source":"mqueue","options":["nosuid","noexec","nodev"]},"#,
        r#"{"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]},"#,
        r#"{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","#,
        r#""options":["nosuid","noexec","nodev","relatime","ro"]}],"#,
        r#""linux":{"resources":{"devices":[{"allow":false,"access":"rwm"}]},"#,
        r#""namespaces":[{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},"#,
        r#"{"type":"cgroup"}],"maskedPaths":["/proc/acpi","/proc/asound","/proc/kcore","/proc/keys","#,
        r#""/proc/latency_stats","/proc/timer_list","/proc/timer_stats","/proc/sched_debug","/sys/firmware","#,
        r#""/proc/scsi"],"readonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]}}"#,
    );
    assert_eq!(text, expected);
    assert_eq!(
        Spec::from_slice(text.as_bytes()).unwrap(),
        Spec::example().with_cgroup_namespace()
    );
}

#[test]
fn the_rootless_template_needs_no_privilege() {
    let spec = Spec::example().into_rootless(1000, 100);
    let linux = spec.linux.unwrap();
    let namespaces: Vec<_> = linux.namespaces.iter().map(|ns| ns.kind.as_str()).collect();
    assert_eq!(namespaces, ["pid", "ipc", "uts", "mount", "user"]);
    assert_eq!(
        linux.uid_mappings,
        [IdMap {
            container_id: 0,
            host_id: 1000,
            size: 1
        }]
    );
    assert_eq!(
        linux.gid_mappings,
        [IdMap {
            container_id: 0,
            host_id: 100,
            size: 1
        }]
    );
    assert_eq!(linux.resources, None);
    let sys = spec
        .mounts
        .iter()
        .find(|mount| mount.destination == "/sys")
        .unwrap();
    assert_eq!((sys.kind.as_str(), sys.source.as_str()), ("none", "/sys"));
    assert_eq!(sys.options, ["rbind", "nosuid", "noexec", "nodev", "ro"]);
    let options: Vec<_> = spec
        .mounts
        .iter()
        .flat_map(|mount| &mount.options)
        .collect();
    assert!(
        !options
            .iter()
            .any(|option| option.starts_with("gid=") || option.starts_with("uid="))
    );
    assert!(options.iter().any(|option| *option == "ptmxmode=0666"));
}

#[test]
fn absent_lists_are_kept_apart_from_empty_ones() {
    let process = Process::from_slice(
        br#"{"env": [], "capabilities": {"inheritable": [], "ambient": null}}"#,
    )
    .unwrap();
    assert_eq!(process.env, Some(vec![]));
    let sets = process.capabilities.unwrap();
    assert_eq!(
        (sets.inheritable, sets.ambient, sets.bounding),
        (Some(vec![]), None, None)
    );
    let spec = Spec::from_slice(
        br#"{"linux": {"seccomp": {"flags": []}}, "hooks": {"prestart": [{"env": []}]}}"#,
    );
    let spec = spec.unwrap();
    assert_eq!(spec.linux.unwrap().seccomp.unwrap().flags, Some(vec![]));
    assert_eq!(spec.hooks.unwrap().prestart[0].env, Some(vec![]));
}

/// A filter without what was asked for is another filter. The keys are those of Docker's form of a
/// profile, and typing errors.
#[test]
fn an_unknown_key_of_a_filter_is_refused_by_name() {
    for (key, path, text) in [
        ("archMap", "linux.seccomp", r#"{"archMap": []}"#),
        (
            "syscall",
            "linux.seccomp",
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscall": []}"#,
        ),
        (
            "includes",
            "linux.seccomp.syscalls[1]",
            r#"{"syscalls": [{}, {"includes": {"caps": ["CAP_SYS_ADMIN"]}}]}"#,
        ),
        (
            "excludes",
            "linux.seccomp.syscalls[0]",
            r#"{"syscalls": [{"excludes": {"minKernel": "5.4"}}]}"#,
        ),
        (
            "name",
            "linux.seccomp.syscalls[0]",
            r#"{"syscalls": [{"name": "mount"}]}"#,
        ),
        (
            "mask",
            "linux.seccomp.syscalls[0].args[0]",
            r#"{"syscalls": [{"args": [{"mask": 1}]}]}"#,
        ),
    ] {
        let text = format!(r#"{{"linux": {{"seccomp": {text}}}}}"#);
        let error = Spec::from_slice(text.as_bytes()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(&format!("unknown field `{key}`")),
            "{message}"
        );
        assert!(
            error.json_path().is_some_and(|at| at.starts_with(path)),
            "{path}: {error:?}"
        );
    }
}

#[test]
fn every_key_of_the_specification_is_read_and_written_back() {
    let text = include_str!("tests/every_key.json");
    let spec = Spec::from_slice(text.as_bytes()).unwrap();
    assert_eq!(
        json::to_string_indented(&spec, "  ").unwrap(),
        text.trim_end()
    );
}

#[test]
fn sections_of_a_resources_update_may_be_null() {
    let resources =
        Resources::from_slice(br#"{"memory": null, "cpu": null, "pids": {"limit": 5}}"#).unwrap();
    assert_eq!(
        resources,
        Resources {
            pids: Some(Pids { limit: Some(5) }),
            ..Resources::default()
        }
    );
}

#[test]
fn state_leaves_out_what_a_hook_does_not_need() {
    let state = State {
        version: VERSION.into(),
        id: "c".into(),
        status: ContainerStatus::Stopped,
        bundle: "/b".into(),
        ..State::default()
    };
    assert_eq!(
        json::to_string(&state).unwrap(),
        r#"{"ociVersion":"1.3.0","id":"c","status":"stopped","bundle":"/b"}"#
    );
    let message = ContainerProcessState {
        version: VERSION.into(),
        fds: vec![SECCOMP_FD_NAME.into()],
        pid: 7,
        metadata: "m".into(),
        state: State {
            pid: 7,
            annotations: [("a".to_owned(), "b".to_owned())].into(),
            ..state
        },
    };
    assert_eq!(
        json::to_string(&message).unwrap(),
        concat!(
            r#"{"ociVersion":"1.3.0","fds":["seccompFd"],"pid":7,"metadata":"m","state":{"ociVersion":"1.3.0","#,
            r#""id":"c","status":"stopped","pid":7,"bundle":"/b","annotations":{"a":"b"}}}"#
        )
    );
}

#[test]
fn the_status_words_are_those_of_the_specification() {
    for (status, word) in [
        (ContainerStatus::Creating, "creating"),
        (ContainerStatus::Created, "created"),
        (ContainerStatus::Running, "running"),
        (ContainerStatus::Stopped, "stopped"),
        (ContainerStatus::Paused, "paused"),
    ] {
        assert_eq!(status.to_string(), word);
        assert_eq!(json::to_string(&status).unwrap(), format!("{word:?}"));
    }
}

#[test]
fn spellings_of_limits_that_are_in_use() {
    let text =
        r#"{"CPU":{"Cpus":"0-1","Mems":"0"},"hugepageLimits":[{"pagesize":"2MB","limit":5}]}"#;
    let resources = Resources::from_slice(text.as_bytes()).unwrap();
    let usual =
        r#"{"cpu":{"cpus":"0-1","mems":"0"},"hugepageLimits":[{"pageSize":"2MB","limit":5}]}"#;
    assert_eq!(resources, Resources::from_slice(usual.as_bytes()).unwrap());
    assert_eq!(resources.cpu.unwrap().cpus, "0-1");
    let both = r#"{"CPU":{"Cpus":"1"},"cpu":{"shares":5,"cpus":"0"}}"#;
    let cpu = Resources::from_slice(both.as_bytes()).unwrap().cpu.unwrap();
    assert_eq!((cpu.cpus.as_str(), cpu.shares), ("1", Some(5)));
    let wrong = r#"{"cpu":{"shares":"x"}}"#;
    let error = Resources::from_slice(wrong.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("cpu.shares"), "{error}");
    Resources::from_slice(br#"{"cpu":{},"cpu":{}}"#).unwrap_err();
}

#[test]
fn features_say_unknown_by_leaving_out() {
    assert_eq!(json::to_string(&Features::default()).unwrap(), "{}");
    let features = Features {
        oci_version_min: VERSION_MIN.into(),
        oci_version_max: VERSION.into(),
        mount_options: vec!["ro".into()],
        linux: Some(LinuxFeatures {
            cgroup: Some(CgroupFeatures {
                v1: Some(true),
                systemd_user: Some(false),
                ..CgroupFeatures::default()
            }),
            mount_extensions: Some(MountExtensions {
                idmap: Some(IdmapFeatures {
                    enabled: Some(true),
                }),
            }),
            intel_rdt: Some(IntelRdtFeatures {
                schemata: Some(true),
                ..IntelRdtFeatures::default()
            }),
            ..LinuxFeatures::default()
        }),
        potentially_unsafe_config_annotations: vec!["bundle".into()],
        ..Features::default()
    };
    assert_eq!(
        json::to_string(&features).unwrap(),
        concat!(
            r#"{"ociVersionMin":"1.0.0","ociVersionMax":"1.3.0","mountOptions":["ro"],"#,
            r#""linux":{"cgroup":{"v1":true,"systemdUser":false},"intelRdt":{"schemata":true},"#,
            r#""mountExtensions":{"idmap":{"enabled":true}}},"potentiallyUnsafeConfigAnnotations":["bundle"]}"#
        )
    );
}
