use super::*;

fn parsed(options: &[&str]) -> Mount {
    let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    let mut mount = Mount::default();
    apply(&options, &mut mount, None).unwrap();
    mount
}

#[test]
fn the_table_is_sorted_so_that_it_can_be_searched() {
    assert!(OPTIONS.is_sorted_by(|a, b| a.0 < b.0));
    for (name, _) in OPTIONS {
        assert!(effect_of(name).is_some(), "{name}");
    }
}

#[test]
fn flags_are_those_of_mount_2() {
    for (option, bits) in [
        ("bind", 0x1000),
        ("rbind", 0x5000),
        ("dirsync", 0x80),
        ("iversion", 0x80_0000),
        ("lazytime", 0x200_0000),
        ("mand", 0x40),
        ("noatime", 0x400),
        ("nodev", 0x4),
        ("nodiratime", 0x800),
        ("noexec", 0x8),
        ("nosuid", 0x2),
        ("nosymfollow", 0x100),
        ("relatime", 0x20_0000),
        ("remount", 0x20),
        ("ro", 0x1),
        ("silent", 0x8000),
        ("strictatime", 0x100_0000),
        ("sync", 0x10),
    ] {
        let mount = parsed(&[option]);
        assert_eq!(
            mount,
            Mount {
                flags: MountFlags::from_bits(bits),
                ..Mount::default()
            },
            "{option}"
        );
    }
}

#[test]
fn clearing_is_remembered() {
    for (option, opposite) in [
        ("async", "sync"),
        ("atime", "noatime"),
        ("dev", "nodev"),
        ("diratime", "nodiratime"),
        ("exec", "noexec"),
        ("loud", "silent"),
        ("noiversion", "iversion"),
        ("nolazytime", "lazytime"),
        ("nomand", "mand"),
        ("norelatime", "relatime"),
        ("nostrictatime", "strictatime"),
        ("rw", "ro"),
        ("suid", "nosuid"),
        ("symfollow", "nosymfollow"),
    ] {
        let flag = parsed(&[opposite]).flags;
        assert!(!flag.is_empty());
        let cleared = Mount {
            cleared_flags: flag,
            ..Mount::default()
        };
        assert_eq!(parsed(&[option]), cleared, "{option}");
        assert_eq!(parsed(&[opposite, option]), cleared, "{opposite},{option}");
        assert_eq!(
            parsed(&[option, opposite]),
            parsed(&[opposite]),
            "{option},{opposite}"
        );
    }
}

#[test]
fn propagation_keeps_its_order() {
    let mount = parsed(&[
        "rslave",
        "shared",
        "rprivate",
        "private",
        "slave",
        "rshared",
        "unbindable",
        "runbindable",
    ]);
    let bits: Vec<u32> = mount
        .propagation_flags
        .iter()
        .map(|flags| flags.bits())
        .collect();
    assert_eq!(
        bits,
        [
            0x8_4000, 0x10_0000, 0x4_4000, 0x4_0000, 0x8_0000, 0x10_4000, 0x2_0000, 0x2_4000
        ]
    );
    assert!(mount.flags.is_empty());
}

#[test]
fn attributes_for_the_whole_tree_of_which_the_last_counts() {
    for (options, set, clear) in [
        (&["rro"][..], 0x1, 0),
        (&["rrw"], 0, 0x1),
        (&["rro", "rnosuid", "rnodev", "rnoexec"], 0xf, 0),
        (&["rsuid", "rdev", "rexec", "rdiratime"], 0, 0x8e),
        (&["rnodiratime"], 0x80, 0),
        (&["rnosymfollow"], 0x20_0000, 0),
        (&["rsymfollow"], 0, 0x20_0000),
        // The access time modes are one field, and any of them clears it; relatime is its zero
        // value.
        (&["rnoatime"], 0x10, 0x70),
        (&["rstrictatime"], 0x20, 0x70),
        (&["rrelatime"], 0, 0x70),
        (&["ratime"], 0, 0x70),
        (&["rnostrictatime"], 0, 0x70),
        (&["rnorelatime"], 0, 0x70),
        (&["rnoatime", "rstrictatime"], 0x20, 0x70),
        // The last one counts.
        (&["rro", "rrw"], 0, 0x1),
        (&["rrw", "rro"], 0x1, 0),
        (&["rnoatime", "rrelatime"], 0, 0x70),
    ] {
        let attr = parsed(options).rec_attr.unwrap();
        assert_eq!((attr.attr_set, attr.attr_clr), (set, clear), "{options:?}");
    }
    assert_eq!(parsed(&["ro"]).rec_attr, None);
}

#[test]
fn extensions() {
    assert!(parsed(&["tmpcopyup"]).is_copy_up());
    assert!(!parsed(&["idmap"]).id_mapping.unwrap().recursive);
    assert!(parsed(&["ridmap"]).id_mapping.unwrap().recursive);
}

#[test]
fn the_rest_is_data() {
    let mount = parsed(&["mode=755", "ro", "size=65536k", "acl", "Ro"]);
    assert_eq!(mount.data, "mode=755,size=65536k,acl,Ro");
}

#[test]
fn defaults_does_nothing() {
    assert_eq!(parsed(&["defaults"]), Mount::default());
}

#[test]
fn features_lists_everything_but_id_mapping() {
    let known: Vec<_> = known_mount_options().collect();
    assert!(known.is_sorted());
    assert!(known.contains(&"defaults") && known.contains(&"tmpcopyup") && known.contains(&"rro"));
    assert!(!known.contains(&"idmap") && !known.contains(&"ridmap") && !known.contains(&"acl"));
    assert_eq!(known.len(), 60);
}

#[test]
fn only_propagation_words_are_root_propagations() {
    for word in [
        "private",
        "rprivate",
        "slave",
        "rslave",
        "shared",
        "rshared",
        "unbindable",
        "runbindable",
    ] {
        assert!(propagation(word).is_some(), "{word}");
    }
    for word in ["ro", "", "rro", "Private"] {
        assert!(propagation(word).is_none(), "{word}");
    }
}
