use super::*;

#[test]
fn bind_mounts_take_no_options_of_file_systems() {
    accepts(&mount(|_| {}));
    refuses(
        &mount(|m| m.data = "mode=755".into()),
        "invalid mount \"/d\": bind mounts cannot have any filesystem-specific options applied",
    );
    accepts(&mount(|m| {
        m.flags = MountFlags::NONE;
        m.data = "mode=755".into();
    }));
}

#[test]
fn id_mapped_mounts() {
    let mapping = || MountIdMapping {
        uid_mappings: root_map(),
        gid_mappings: root_map(),
        ..MountIdMapping::default()
    };
    let joined = MountIdMapping {
        userns_path: "/proc/1/ns/user".into(),
        ..MountIdMapping::default()
    };
    accepts(&mount(|m| m.id_mapping = Some(mapping())));
    accepts(&mount(|m| m.id_mapping = Some(joined.clone())));
    refuses(
        &mount(|m| {
            m.id_mapping = Some(mapping());
            m.flags = MountFlags::NONE;
        }),
        "invalid mount \"/d\": id-mapped mounts are only supported for bind-mounts",
    );
    let text =
        "invalid mount \"/d\": id-mapped mounts must have both uid and gid mappings specified";
    refuses(
        &mount(|m| m.id_mapping = Some(MountIdMapping::default())),
        text,
    );
    refuses(
        &mount(|m| {
            m.id_mapping = Some(MountIdMapping {
                gid_mappings: vec![],
                ..mapping()
            })
        }),
        text,
    );
    refuses(
        &mount(|m| {
            m.id_mapping = Some(MountIdMapping {
                uid_mappings: root_map(),
                ..joined
            })
        }),
        "invalid mount \"/d\": [internal error] id-mapped mounts cannot have both userns_path and uid and gid mappings specified",
    );
    refuses(
        &mount(|m| {
            m.id_mapping = Some(mapping());
            m.rec_attr = Some(MountAttr {
                attr_set: MountAttr::IDMAP,
                ..MountAttr::default()
            });
        }),
        "invalid mount \"/d\": mount configuration cannot contain recAttr for MOUNT_ATTR_IDMAP",
    );
    let mut rootless = mount(|m| m.id_mapping = Some(mapping()));
    rootless.rootless_euid = true;
    user_namespace(&mut rootless);
    refuses(
        &rootless,
        "invalid mount \"/d\": id-mapped mounts are not supported for rootless containers",
    );
}

#[test]
fn a_relative_destination_is_told() {
    let warnings = validate(&mount(|m| m.destination = "d".into()), &host()).unwrap();
    assert_eq!(
        warnings,
        [Warning::RelativeDestination {
            destination: "d".into()
        }]
    );
}
