use super::*;

#[test]
fn the_rootfs_must_be_its_own_real_path() {
    let check = |rootfs: &str, fact: RootfsFact| {
        let config = Config {
            rootfs: rootfs.into(),
            ..Config::default()
        };
        validate(
            &config,
            &HostInfo {
                rootfs: fact,
                ..HostInfo::default()
            },
        )
        .map_err(|error| error.to_string())
    };
    let text = Err("invalid rootfs: not an absolute path, or a symlink".to_owned());
    let resolved = |path: &str| RootfsFact::Resolved(path.into());
    assert_eq!(check("/r", resolved("/elsewhere")), text);
    assert_eq!(check("r", resolved("/r")), text);
    assert_eq!(check("", RootfsFact::NotExamined), text);
    assert_eq!(check("/r/", resolved("/r")), Ok(vec![]));
    assert_eq!(check("/a/../r", resolved("/r")), Ok(vec![]));
    assert_eq!(check("/r", RootfsFact::NotExamined), Ok(vec![]));
    assert_eq!(
        check("/r", RootfsFact::Failed("no such file".into())),
        Err("invalid rootfs".to_owned())
    );
}
