//! The keys at the top of a file of 2014, one by one.

use cofferdam_configs::config::{MountFlags, NamespaceType, Rlimit, RlimitType};
use cofferdam_configs::legacy::{self, Options};
use serde_json::json;

use crate::{OF_2014, assert_refused, loaded, of_revision, options, warnings};

#[test]
fn the_host_name_needs_a_namespace_of_the_container() {
    for letter in OF_2014.into_iter().chain(['F']) {
        let named = of_revision(letter, &json!({"hostname": "pier"}));
        assert_eq!(loaded(&named).config.hostname, "pier");
        let empty = of_revision(letter, &json!({"hostname": ""}));
        assert_eq!(loaded(&empty).config.hostname, "");
    }
    let text = "unable to set hostname without a private UTS namespace";
    for file in [
        json!({"namespaces": ["NEWNS"], "hostname": "pier"}),
        json!({"namespaces": {"NEWNS": true, "NEWUTS": false}, "hostname": "pier"}),
        json!({"rootfs": "/srv/rootfs", "hostname": "pier"}),
    ] {
        assert_refused(&file, "hostname", text);
    }
}

#[test]
fn a_read_only_root() {
    for letter in ['0', 'A', 'B', 'C', 'D'] {
        assert!(
            loaded(&of_revision(letter, &json!({"readonly_fs": true})))
                .config
                .readonlyfs
        );
        assert!(!loaded(&of_revision(letter, &json!({}))).config.readonlyfs);
    }
    let flattened = json!({"mount_config": {"readonly_fs": true}});
    assert!(loaded(&of_revision('E', &flattened)).config.readonlyfs);
    assert!(
        loaded(&of_revision('F', &json!({"readonlyfs": true})))
            .config
            .readonlyfs
    );
}

#[test]
fn without_pivot_root_mounts_of_the_host_still_arrive() {
    for letter in OF_2014 {
        let pivots = loaded(&of_revision(letter, &json!({}))).config;
        assert!(!pivots.no_pivot_root);
        assert_eq!(
            pivots.root_propagation,
            MountFlags::PRIVATE | MountFlags::REC
        );
        let keys = if letter == 'E' {
            json!({"mount_config": {"no_pivot_root": true}})
        } else {
            json!({"no_pivot_root": true})
        };
        let moves = loaded(&of_revision(letter, &keys)).config;
        assert!(moves.no_pivot_root);
        assert_eq!(moves.root_propagation, MountFlags::SLAVE | MountFlags::REC);
    }
}

#[test]
fn the_user_is_looked_up_in_the_container() {
    for letter in OF_2014 {
        for user in ["", "root", "www:web", "7:8"] {
            let loaded = loaded(&of_revision(letter, &json!({"user": user})));
            assert_eq!(loaded.process.user, user);
        }
        assert_eq!(loaded(&of_revision(letter, &json!({}))).process.user, "");
    }
}

#[test]
fn the_working_directory_is_absolute() {
    for letter in OF_2014 {
        let cwd = |keys| loaded(&of_revision(letter, &keys)).process.cwd;
        assert_eq!(cwd(json!({"working_dir": "/var"})), "/var");
        assert_eq!(cwd(json!({"working_dir": ""})), "/");
        assert_eq!(cwd(json!({})), "/");
        let relative = of_revision(letter, &json!({"working_dir": "var"}));
        assert_refused(&relative, "working_dir", "\"var\" is not an absolute path");
    }
}

#[test]
fn the_environment_is_all_of_it() {
    for letter in OF_2014 {
        let keys = json!({"environment": ["A=1", "B=x=y", "C="]});
        assert_eq!(
            loaded(&of_revision(letter, &keys)).process.env,
            ["A=1", "B=x=y", "C="]
        );
        let text = "invalid environment variable: missing '='";
        let malformed = of_revision(letter, &json!({"environment": ["A=1", "B"]}));
        assert_refused(&malformed, "environment[1]", text);
        let text = "invalid environment variable: name cannot be empty";
        let nameless = of_revision(letter, &json!({"environment": ["=1"]}));
        assert_refused(&nameless, "environment[0]", text);
    }
}

#[test]
fn a_terminal_is_asked_for() {
    for letter in OF_2014 {
        assert!(
            loaded(&of_revision(letter, &json!({"tty": true})))
                .process
                .terminal
        );
        assert!(!loaded(&of_revision(letter, &json!({}))).process.terminal);
    }
}

#[test]
fn labels_and_profile_were_in_the_context_until_june_2014() {
    let labels = json!({
        "apparmor_profile": "quay", "process_label": "u:r:p:s0", "mount_label": "u:r:m:s0",
        "other": "x",
    });
    for letter in ['0', 'A', 'B', 'C', 'D'] {
        let loaded = loaded(&of_revision(letter, &json!({"context": labels})));
        assert_eq!(loaded.config.apparmor_profile, "quay");
        assert_eq!(loaded.config.process_label, "u:r:p:s0");
        assert_eq!(loaded.config.mount_label, "u:r:m:s0");
        assert!(loaded.config.readonly_paths.is_empty());
        assert!(warnings(&loaded).contains(&"ignoring unknown key context.other".to_owned()));
    }
}

#[test]
fn labels_and_profile_have_keys_of_their_own_from_then_on() {
    let loaded = loaded(&of_revision(
        'E',
        &json!({
            "apparmor_profile": "quay", "process_label": "u:r:p:s0",
            "mount_config": {"mount_label": "u:r:m:s0"},
        }),
    ));
    assert_eq!(loaded.config.apparmor_profile, "quay");
    assert_eq!(loaded.config.process_label, "u:r:p:s0");
    assert_eq!(loaded.config.mount_label, "u:r:m:s0");
    let keys = json!({"apparmor_profile": "a", "process_label": "p", "mount_label": "m"});
    let config = crate::loaded(&of_revision('F', &keys)).config;
    assert_eq!(config.apparmor_profile, "a");
    assert_eq!(config.process_label, "p");
    assert_eq!(config.mount_label, "m");
}

#[test]
fn restrictions_protect_files_of_the_kernel() {
    for (letter, keys) in [
        (
            'B',
            json!({"context": {"restrictions": "true"}, "mounts": [{"type": "sysfs"}]}),
        ),
        ('C', json!({"context": {"restrictions": "yes"}})),
        ('D', json!({"context": {"restrictions": "false"}})),
        ('E', json!({"restrict_sys": true})),
    ] {
        let config = loaded(&of_revision(letter, &keys)).config;
        let readonly = ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"];
        assert_eq!(config.readonly_paths, readonly);
        assert_eq!(config.mask_paths, ["/proc/kcore"]);
        let sys = config
            .mounts
            .iter()
            .find(|it| it.destination == "/sys")
            .unwrap();
        assert!(sys.flags.contains(MountFlags::RDONLY));
    }
    for (letter, keys) in [
        ('D', json!({"context": {"restrictions": ""}})),
        ('E', json!({"restrict_sys": false})),
    ] {
        let config = loaded(&of_revision(letter, &keys)).config;
        assert!(config.readonly_paths.is_empty());
        assert!(config.mask_paths.is_empty());
        let sys = config
            .mounts
            .iter()
            .find(|it| it.destination == "/sys")
            .unwrap();
        assert!(!sys.flags.contains(MountFlags::RDONLY));
    }
}

#[test]
fn restrictions_need_mounts_of_the_container() {
    let text = "unable to restrict sys entries without a private MNT namespace";
    let early = json!({"namespaces": {"NEWPID": true}, "context": {"restrictions": "true"}});
    assert_refused(&early, "context.restrictions", text);
    let flat = json!({"namespaces": {"NEWPID": true}, "restrict_sys": true});
    assert_refused(&flat, "restrict_sys", text);
    let masks = json!({"rootfs": "/srv/rootfs", "mask_paths": ["/proc/kcore"]});
    assert_refused(&masks, "mask_paths", text);
    let readonly = json!({"rootfs": "/srv/rootfs", "readonly_paths": ["/proc/sys"]});
    assert_refused(&readonly, "readonly_paths", text);
}

#[test]
fn the_rootfs_is_the_callers_unless_the_file_names_one() {
    for letter in OF_2014 {
        let config = loaded(&of_revision(letter, &json!({}))).config;
        assert_eq!(config.rootfs, "/srv/rootfs");
    }
    for (path, rootfs) in [
        ("", "/srv/rootfs"),
        ("/other", "/other"),
        ("inner", "/srv/rootfs/inner"),
    ] {
        let config = loaded(&of_revision('E', &json!({"root_fs": path}))).config;
        assert_eq!(config.rootfs, rootfs);
    }
    let missing = json!({"namespaces": [{"type": "NEWNS"}]});
    assert_refused(&missing, "rootfs", "the root file system is missing");
}

#[test]
fn the_rootfs_must_be_absolute() {
    let text = "invalid rootfs: not an absolute path, or a symlink";
    assert_refused(&json!({"rootfs": "rootfs"}), "rootfs", text);
    let nowhere = Options {
        rootfs: String::new(),
        ..options()
    };
    let text = of_revision('A', &json!({})).to_string();
    let error = legacy::load(text.as_bytes(), &nowhere).unwrap_err();
    assert_eq!(error.json_path(), Some("rootfs"));
}

#[test]
fn an_ipc_namespace_is_joined() {
    let loaded = loaded(&of_revision('E', &json!({"ipc": "/proc/7/ns/ipc"})));
    let namespaces = &loaded.config.namespaces;
    assert_eq!(
        namespaces.path_of(NamespaceType::Ipc),
        Some("/proc/7/ns/ipc")
    );
}

#[test]
fn limits_are_numbers_of_resources() {
    let limits = json!([
        {"type": 7, "hard": 2048, "soft": 1024},
        {"type": 4, "hard": u64::MAX, "soft": 0},
    ]);
    for letter in ['E', 'F'] {
        let found = loaded(&of_revision(letter, &json!({"rlimits": limits})))
            .config
            .rlimits;
        let limit = |kind, hard, soft| Rlimit { kind, hard, soft };
        assert_eq!(
            found,
            [
                limit(RlimitType::Nofile, 2048, 1024),
                limit(RlimitType::Core, u64::MAX, 0),
            ]
        );
        let unknown = of_revision(letter, &json!({"rlimits": [{"type": 16}]}));
        assert_refused(&unknown, "rlimits[0].type", "invalid rlimit type: 16");
    }
}

#[test]
fn the_command_was_in_the_first_files() {
    let command = json!({"args": ["/bin/sh", "-c", "true"], "environment": ["A=1"]});
    let process = loaded(&of_revision('0', &json!({"command": command}))).process;
    assert_eq!(process.args, ["/bin/sh", "-c", "true"]);
    assert_eq!(process.env, ["A=1"]);
    for letter in OF_2014.into_iter().chain(['F']) {
        assert!(
            loaded(&of_revision(letter, &json!({})))
                .process
                .args
                .is_empty()
        );
    }
}

#[test]
fn ids_in_the_first_files_have_no_effect() {
    let keys = json!({"id": "x", "namespace_pid": 12, "network_namespace_fd": 3});
    let found = warnings(&loaded(&of_revision('0', &keys)));
    for key in ["id", "namespace_pid", "network_namespace_fd"] {
        assert!(found.contains(&format!("{key} has no effect")));
    }
}

#[test]
fn a_process_of_2014_ends_with_its_parent() {
    for letter in OF_2014 {
        assert_eq!(
            loaded(&of_revision(letter, &json!({})))
                .config
                .parent_death_signal,
            9
        );
    }
}
