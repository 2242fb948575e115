use super::*;

#[test]
fn a_cgroup_has_a_path_or_a_name() {
    let text = "cgroup: either Path or Name and Parent should be used, got path \"/p\", name \"\" and parent \"x\"";
    let mut config = with(|c| c.cgroups.path = "/p".into());
    accepts(&config);
    config.cgroups.parent = "x".into();
    refuses(&config, text);
}

#[test]
fn unified_is_for_cgroup_v2() {
    let config =
        with(|c| c.cgroups.resources.unified = [("memory.high".to_owned(), "1".to_owned())].into());
    refuses(
        &config,
        "invalid configuration: cannot use unified on cgroup v1",
    );
    assert!(
        validate(
            &config,
            &HostInfo {
                cgroup_v2: true,
                ..host()
            }
        )
        .is_ok()
    );
}

#[test]
fn swap_on_cgroup_v2() {
    let check = |memory: i64, swap: i64, cgroup_v2: bool| {
        let config = with(|c| {
            c.cgroups.resources.memory = memory;
            c.cgroups.resources.memory_swap = swap;
        });
        validate(
            &config,
            &HostInfo {
                cgroup_v2,
                ..host()
            },
        )
        .map(drop)
        .map_err(|error| error.to_string())
    };
    for (memory, swap) in [
        (0, 0),
        (100, 0),
        (100, -1),
        (-1, 0),
        (-1, 50),
        (100, 100),
        (100, 200),
        (0, -1),
    ] {
        assert_eq!(check(memory, swap, true), Ok(()), "{memory} {swap}");
    }
    assert_eq!(
        check(0, 100, true),
        Err("unable to set swap limit without memory limit".into())
    );
    assert_eq!(
        check(200, 100, true),
        Err("memory+swap limit should be >= memory limit".into())
    );
    assert_eq!(check(-2, 100, true), Err("invalid memory value: -2".into()));
    assert_eq!(check(200, 100, false), Ok(()));
}
