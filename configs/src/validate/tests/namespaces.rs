use super::*;

#[test]
fn host_names_need_a_uts_namespace() {
    let mut hostname = with(|c| c.hostname = "h".into());
    refuses(
        &hostname,
        "unable to set hostname without a private UTS namespace",
    );
    let mut domainname = with(|c| c.domainname = "d".into());
    refuses(
        &domainname,
        "unable to set domainname without a private UTS namespace",
    );
    for config in [&mut hostname, &mut domainname] {
        config.namespaces.set(NamespaceType::Uts, "");
        accepts(config);
    }
}

#[test]
fn masks_need_a_mount_namespace() {
    let text = "unable to restrict sys entries without a private MNT namespace";
    for change in [
        (|c| c.mask_paths.push("/m".into())) as fn(&mut Config),
        |c| c.readonly_paths.push("/m".into()),
    ] {
        let mut config = with(change);
        refuses(&config, text);
        config.namespaces.set(NamespaceType::Mount, "");
        accepts(&config);
    }
}

#[test]
fn a_label_needs_selinux() {
    let config = with(|c| c.process_label = "l".into());
    refuses(
        &config,
        "selinux label is specified in config, but selinux is disabled or not supported",
    );
    assert!(
        validate(
            &config,
            &HostInfo {
                selinux: true,
                ..host()
            }
        )
        .is_ok()
    );
}

#[test]
fn user_namespaces_and_mappings_belong_together() {
    accepts(&with(user_namespace));
    accepts(&with(|c| {
        c.namespaces.set(NamespaceType::User, "/proc/1/ns/user")
    }));
    refuses(
        &config(&[NamespaceType::User]),
        "user namespaces enabled, but no namespace path to join nor mappings to apply specified",
    );
    refuses(
        &with(|c| c.gid_mappings = root_map()),
        "user namespace mappings specified, but user namespace isn't enabled in the config",
    );
}

#[test]
fn namespaces_the_kernel_does_not_have() {
    let host = HostInfo {
        namespaces: crate::NamespaceSet::EMPTY,
        ..host()
    };
    refuses_on(
        &with(user_namespace),
        &host,
        "user namespaces aren't enabled in the kernel",
    );
    refuses_on(
        &config(&[NamespaceType::Cgroup]),
        &host,
        "cgroup namespaces aren't enabled in the kernel",
    );
    refuses_on(
        &config(&[NamespaceType::Time]),
        &host,
        "time namespaces aren't enabled in the kernel",
    );
}

#[test]
fn time_offsets_need_a_new_time_namespace() {
    let mut config =
        with(|c| c.time_offsets = [("boottime".to_owned(), TimeOffset::default())].into());
    refuses(
        &config,
        "time namespace offsets specified, but time namespace isn't enabled in the config",
    );
    config.namespaces.set(NamespaceType::Time, "");
    accepts(&config);
    config
        .namespaces
        .set(NamespaceType::Time, "/proc/1/ns/time");
    refuses(
        &config,
        "time namespace enabled, but both namespace path and time offsets specified -- you may only provide one",
    );
}
