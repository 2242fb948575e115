use super::*;

#[test]
fn rootless_needs_a_mapped_user_namespace() {
    let mut config = with(|c| c.rootless_euid = true);
    refuses(&config, "rootless container requires user namespaces");
    user_namespace(&mut config);
    accepts(&config);
    config.uid_mappings.clear();
    refuses(
        &config,
        "rootless containers requires at least one UID mapping",
    );
    user_namespace(&mut config);
    config.gid_mappings.clear();
    refuses(
        &config,
        "rootless containers requires at least one GID mapping",
    );
    config
        .namespaces
        .set(NamespaceType::User, "/proc/1/ns/user");
    accepts(&config);
}

#[test]
fn rootless_mount_options_name_mapped_ids() {
    let mut config = with(|c| c.rootless_euid = true);
    user_namespace(&mut config);
    let mut check = |data: &str| {
        config.mounts = vec![Mount {
            destination: "/d".into(),
            data: data.into(),
            ..Mount::default()
        }];
        validate(&config, &host()).map(drop).map_err(|error| {
            format!(
                "{error}: {}",
                std::error::Error::source(&error)
                    .map(ToString::to_string)
                    .unwrap_or_default()
            )
        })
    };
    for data in ["uid=5,gid=9", "uid=x", "gid=", "mode=755", "fuid=99"] {
        assert_eq!(check(data), Ok(()), "{data}");
    }
    assert_eq!(
        check("mode=1,uid=10"),
        Err(
            "cannot specify uid=10 mount option for rootless container: \
             user namespaces enabled, but no mapping found for uid 10"
                .into()
        )
    );
    assert_eq!(
        check("gid=5,gid=99"),
        Err(
            "cannot specify gid=99 mount option for rootless container: \
             user namespaces enabled, but no mapping found for gid 99"
                .into()
        )
    );
}
