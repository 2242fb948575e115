//! Mounts in each form.

use cofferdam_configs::config::{Command, Mount, MountFlags};
use cofferdam_configs::legacy::{self, Options, Relabel};
use serde_json::{Value, json};

use crate::{OF_2014, assert_refused, loaded, of_revision, options, refusal, warnings};

/// A file of 2014 with mounts at their place.
fn with(letter: char, mounts: &Value) -> Value {
    if letter == 'E' {
        of_revision(
            'E',
            &json!({"mount_config": {"mounts": mounts, "mount_label": "l"}}),
        )
    } else {
        of_revision(
            letter,
            &json!({"mounts": mounts, "context": {"mount_label": "l"}}),
        )
    }
}

/// The mount at a destination.
fn mount_at(file: &Value, destination: &str) -> Option<Mount> {
    let mounts = loaded(file).config.mounts;
    mounts
        .into_iter()
        .find(|mount| mount.destination == destination)
}

/// The keys of a bind mount in the form of a revision.
fn bind(letter: char, extra: &Value) -> Value {
    let mut mount = json!({"source": "/srv/web", "destination": "/web"});
    if letter >= 'B' {
        mount["type"] = json!("bind");
    }
    for (key, value) in extra.as_object().unwrap() {
        mount[key] = value.clone();
    }
    mount
}

const RESTRICTED: u32 = 2 | 4 | 8;

#[test]
fn the_mounts_of_every_container_of_2014() {
    for letter in OF_2014 {
        let loaded = loaded(&of_revision(letter, &json!({})));
        let mounts: Vec<_> = loaded
            .config
            .mounts
            .iter()
            .map(|it| (it.destination.as_str(), it.device.as_str(), it.flags.bits()))
            .collect();
        let mut expected = vec![
            ("/proc", "proc", RESTRICTED),
            ("/dev", "tmpfs", 2 | 1 << 24),
            ("/dev/pts", "devpts", 2 | 8),
            ("/dev/shm", "tmpfs", RESTRICTED),
            ("/dev/mqueue", "mqueue", RESTRICTED),
        ];
        if letter != 'B' {
            expected.push(("/sys", "sysfs", RESTRICTED));
        }
        assert_eq!(mounts, expected, "{letter}");
        assert_eq!(loaded.config.mounts[1].data, "mode=755");
        let terminals = "newinstance,ptmxmode=0666,mode=620,gid=5";
        assert_eq!(loaded.config.mounts[2].data, terminals);
        let mode = if letter <= 'A' { "1755" } else { "1777" };
        assert_eq!(
            loaded.config.mounts[3].data,
            format!("mode={mode},size=65536k")
        );
    }
}

#[test]
fn mounts_that_a_revision_did_not_have_are_said_to_be_added() {
    let added = |letter, extra| {
        let found = warnings(&loaded(&of_revision(letter, &extra)));
        let added = |destination: &str| {
            let text =
                format!("{destination} is mounted, which it was not when the file was written");
            found.contains(&text)
        };
        (added("/dev"), added("/dev/mqueue"))
    };
    for letter in ['0', 'A', 'B', 'C'] {
        assert_eq!(added(letter, json!({})), (true, true));
    }
    for letter in ['B', 'C'] {
        assert_eq!(
            added(letter, json!({"mounts": [{"type": "devtmpfs"}]})),
            (false, true)
        );
    }
    assert_eq!(added('D', json!({})), (false, true));
    assert_eq!(added('E', json!({})), (false, false));
}

#[test]
fn an_entry_switches_sysfs_on() {
    let file = |mounts| of_revision('B', &json!({"mounts": mounts}));
    assert!(mount_at(&file(json!([])), "/sys").is_none());
    assert!(mount_at(&file(json!([{"type": "sysfs"}])), "/sys").is_some());
}

#[test]
fn a_mount_is_a_bind_mount_of_the_whole_tree_and_read_only_unless_writable() {
    for letter in OF_2014 {
        let mount =
            |extra| mount_at(&with(letter, &json!([bind(letter, &extra)])), "/web").unwrap();
        let read_only = MountFlags::BIND | MountFlags::REC | MountFlags::RDONLY;
        for extra in [json!({}), json!({"writable": false})] {
            let mount = mount(extra);
            assert_eq!(mount.source, "/srv/web");
            assert_eq!(mount.device, "bind");
            assert_eq!(mount.flags, read_only);
            assert!(mount.propagation_flags.is_empty());
        }
        let writable = mount(json!({"writable": true}));
        assert_eq!(writable.flags, MountFlags::BIND | MountFlags::REC);
    }
}

#[test]
fn a_mount_without_a_type_was_a_bind_mount_until_types_were_asked_for() {
    let untyped = json!([{"source": "/srv/web", "destination": "/web"}]);
    for letter in ['0', 'A', 'B', 'C', 'D'] {
        assert!(mount_at(&with(letter, &untyped), "/web").unwrap().is_bind());
    }
    let text = "unsupported mount type \"\"";
    assert_refused(&with('E', &untyped), "mount_config.mounts[0].type", text);
}

#[test]
fn private_and_slave_are_propagation_of_the_mount_alone() {
    for letter in OF_2014 {
        let private = bind(letter, &json!({"private": true}));
        let mount = mount_at(&with(letter, &json!([private])), "/web").unwrap();
        assert_eq!(mount.propagation_flags, [MountFlags::PRIVATE]);
    }
    let slave = bind('E', &json!({"slave": true, "private": true}));
    let mount = mount_at(&with('E', &json!([slave])), "/web").unwrap();
    assert_eq!(
        mount.propagation_flags,
        [MountFlags::SLAVE, MountFlags::PRIVATE]
    );
}

#[test]
fn a_tmpfs_came_in_the_middle_of_2014() {
    let mounts = json!([{"type": "tmpfs", "destination": "/run"}]);
    for letter in ['D', 'E'] {
        let mount = mount_at(&with(letter, &mounts), "/run").unwrap();
        assert_eq!(mount.device, "tmpfs");
        assert_eq!(mount.flags.bits(), RESTRICTED);
    }
    let text = "unsupported mount type \"tmpfs\"";
    assert_refused(&with('C', &mounts), "mounts[0].type", text);
}

#[test]
fn another_type_is_refused() {
    let text = "unsupported mount type \"ext4\"";
    let mounts = json!([{"type": "ext4", "source": "/x", "destination": "/x"}]);
    for letter in ['B', 'C', 'D'] {
        assert_refused(&with(letter, &mounts), "mounts[0].type", text);
    }
    assert_refused(&with('E', &mounts), "mount_config.mounts[0].type", text);
    let mounts = json!([{"type": "sysfs"}]);
    assert_eq!(
        refusal(&with('E', &mounts)).0,
        "mount_config.mounts[0].type"
    );
}

#[test]
fn relative_paths_are_relative_to_the_rootfs() {
    let mounts = json!([{"source": "../data", "destination": "data"}]);
    let mount = mount_at(&with('A', &mounts), "/data").unwrap();
    assert_eq!(mount.source, "/srv/data");
    let options = Options {
        rootfs: String::new(),
        ..options()
    };
    let text = with('A', &mounts).to_string();
    let error = legacy::load(text.as_bytes(), &options).unwrap_err();
    assert_eq!(error.json_path(), Some("mounts[0].source"));
}

#[test]
fn a_mount_needs_source_and_destination() {
    let no_source = json!([{"destination": "/web"}]);
    assert_refused(
        &with('A', &no_source),
        "mounts[0].source",
        "\"\" is not an absolute path",
    );
    let nowhere = json!([{"source": "/web"}]);
    let text = "a mount needs a destination";
    assert_refused(&with('A', &nowhere), "mounts[0].destination", text);
}

#[test]
fn files_are_relabelled_with_the_label_of_the_mounts() {
    for letter in ['E', 'F'] {
        let relabel = |word: &str, source: &str| {
            let mut mount = json!({"source": source, "destination": "/web", "relabel": word});
            if letter == 'E' {
                mount["type"] = json!("bind");
                return with('E', &json!([mount]));
            }
            mount["device"] = json!("bind");
            of_revision('F', &json!({"mount_label": "l", "mounts": [mount]}))
        };
        for (word, shared) in [("z", true), ("Z", false)] {
            let found = loaded(&relabel(word, "/srv/web")).relabels;
            let [
                Relabel {
                    path,
                    shared: is_shared,
                    ..
                },
            ] = found.as_slice()
            else {
                panic!("{found:?}");
            };
            assert_eq!((path.as_str(), *is_shared), ("/srv/web", shared));
        }
        assert!(loaded(&relabel("", "/srv/web")).relabels.is_empty());
        let place = if letter == 'E' {
            "mount_config.mounts[0].relabel"
        } else {
            "mounts[0].relabel"
        };
        let text = "a mount cannot be both shared (z) and private (Z)";
        assert_refused(&relabel("zZ", "/srv/web"), place, text);
        for path in ["/", "/usr", "/etc", "/etc/", "//usr"] {
            assert_eq!(refusal(&relabel("z", path)).0, place, "{path}");
        }
    }
}

#[test]
fn without_a_label_nothing_is_relabelled() {
    let mount = json!({"device": "bind", "source": "/a", "destination": "/a", "relabel": "Z"});
    assert!(
        loaded(&of_revision('F', &json!({"mounts": [mount]})))
            .relabels
            .is_empty()
    );
}

#[test]
fn mounts_of_2015_have_type_flags_and_data() {
    let mount = json!({
        "source": "shm", "destination": "/dev/shm", "device": "tmpfs", "flags": 14,
        "data": "mode=1777",
    });
    let loaded = loaded(&of_revision('F', &json!({"mounts": [mount]})));
    assert_eq!(
        loaded.config.mounts,
        [Mount {
            source: "shm".to_owned(),
            destination: "/dev/shm".to_owned(),
            device: "tmpfs".to_owned(),
            flags: MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
            data: "mode=1777".to_owned(),
            ..Mount::default()
        }]
    );
}

#[test]
fn every_type_of_file_system_is_taken_since_2016() {
    for kind in [
        "proc", "sysfs", "mqueue", "tmpfs", "devpts", "cgroup", "ext4",
    ] {
        let mount = json!({"source": "x", "destination": "/x", "device": kind});
        let file = of_revision('F', &json!({"mounts": [mount]}));
        assert_eq!(mount_at(&file, "/x").unwrap().device, kind);
    }
    let mount = json!({"source": "x", "destination": "/x"});
    let file = of_revision('F', &json!({"mounts": [mount]}));
    assert_eq!(refusal(&file).0, "mounts[0].device");
}

#[test]
fn a_bind_mount_of_2015_is_one_by_type_or_flag() {
    for keys in [
        json!({"device": "bind"}),
        json!({"device": "none", "flags": 4096}),
    ] {
        let mut mount = json!({"source": "/srv/web", "destination": "/web"});
        for (key, value) in keys.as_object().unwrap() {
            mount[key] = value.clone();
        }
        let file = of_revision('F', &json!({"mounts": [mount]}));
        let mount = mount_at(&file, "/web").unwrap();
        assert!(mount.is_bind());
        assert_eq!(mount.device, "bind");
    }
    let data = json!({"device": "bind", "source": "/a", "destination": "/a", "data": "x"});
    let file = of_revision('F', &json!({"mounts": [data]}));
    let text =
        "invalid mount \"/a\": bind mounts cannot have any filesystem-specific options applied";
    assert_refused(&file, "mounts", text);
}

#[test]
fn propagation_among_the_flags_becomes_one_of_its_own() {
    let private_recursive = 1 << 18 | 1 << 14;
    let mount = json!({
        "device": "bind", "source": "/a", "destination": "/a", "flags": 4096 | private_recursive,
    });
    let mount = mount_at(&of_revision('F', &json!({"mounts": [mount]})), "/a").unwrap();
    assert_eq!(mount.flags, MountFlags::BIND | MountFlags::REC);
    assert_eq!(
        mount.propagation_flags,
        [MountFlags::PRIVATE | MountFlags::REC]
    );
}

#[test]
fn a_missing_proc_or_dev_is_warned_of() {
    let shm = json!({"source": "shm", "destination": "/dev/shm", "device": "tmpfs"});
    let found = warnings(&loaded(&of_revision('F', &json!({"mounts": [shm]}))));
    assert_eq!(
        found,
        [
            "no mount has the destination /proc: it is that of the root file system",
            "no mount has the destination /dev: it is that of the root file system",
        ]
    );
    assert!(warnings(&loaded(&of_revision('F', &json!({})))).is_empty());
}

#[test]
fn a_relative_destination_is_warned_of_since_2015() {
    let mounts = json!([{"source": "proc", "destination": "proc", "device": "proc"}]);
    let loaded = loaded(&of_revision('F', &json!({"mounts": mounts})));
    assert_eq!(loaded.config.mounts[0].destination, "/proc");
    let text = "mounts[0].destination is not absolute; it is taken relative to /";
    assert_eq!(warnings(&loaded)[0], text);
}

#[test]
fn commands_around_a_mount_are_kept_apart() {
    let command = json!({"path": "/bin/touch", "args": ["a"], "env": ["B=c"], "dir": "/srv"});
    let mounts = json!([
        {"source": "proc", "destination": "/proc", "device": "proc"},
        {"source": "tmpfs", "destination": "/dev", "device": "tmpfs",
         "premount_cmds": [command], "postmount_cmds": [{"path": "/bin/true"}, command]},
    ]);
    let loaded = loaded(&of_revision('F', &json!({"mounts": mounts})));
    assert_eq!(loaded.mount_commands.len(), 1);
    let commands = &loaded.mount_commands[0];
    assert_eq!(commands.mount, 1);
    let touch = Command {
        path: "/bin/touch".to_owned(),
        args: vec!["a".to_owned()],
        env: Some(vec!["B=c".to_owned()]),
        dir: "/srv".to_owned(),
        timeout: None,
    };
    assert_eq!(commands.before.len(), 1);
    assert_eq!(commands.before[0], touch);
    assert_eq!(commands.after.len(), 2);
    assert_eq!(commands.after[1], touch);
}
