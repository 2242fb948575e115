use super::*;

#[test]
fn a_root_that_would_be_dangerous_is_refused() {
    for root in ["/", "relative", ""] {
        assert_eq!(
            Runtime::new(root).unwrap_err().kind(),
            ErrorKind::InvalidConfig,
            "{root:?}"
        );
    }
}

#[test]
fn nothing_is_made_by_looking() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new(dir.path().join("a/b")).unwrap();
    let id = "x".parse().unwrap();
    assert_eq!(runtime.load(&id).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(runtime.list().unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!runtime.remove_stale(&id).unwrap());
    assert!(!dir.path().join("a").exists());
}

#[test]
fn the_root_is_made_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new(dir.path().join("a/b")).unwrap();
    runtime.make_root().unwrap();
    runtime.make_root().unwrap();
    assert_eq!(
        dir.path()
            .join("a/b")
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o7777,
        0o700
    );
    assert_eq!(runtime.list().unwrap().count(), 0);
}

#[test]
fn foreign_entries_and_unfinished_directories_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let runtime =
        Runtime::open_at(OwnedFd::from(std::fs::File::open(dir.path()).unwrap())).unwrap();
    assert_eq!(runtime.path(), dir.path().canonicalize().unwrap());
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    std::fs::create_dir(dir.path().join("not an id")).unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    std::fs::create_dir(dir.path().join("broken")).unwrap();
    std::fs::write(dir.path().join("broken/state.json"), "{").unwrap();
    // As a creation makes it, and for the time being has nothing in it.
    let mut passing = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut passing, 0o700);
    passing.create(dir.path().join("passing")).unwrap();
    let all: Vec<_> = runtime
        .list()
        .unwrap()
        .map(|one| {
            one.map_err(|error| (error.kind(), error.chain()))
                .unwrap_err()
        })
        .collect();
    let [broken, empty] = all.try_into().unwrap();
    assert_eq!(broken.0, ErrorKind::CorruptState);
    assert!(
        broken.1.starts_with("container broken: read "),
        "{}",
        broken.1
    );
    assert_eq!(
        empty,
        (
            ErrorKind::NotFound,
            "container empty: container does not exist".to_owned()
        )
    );
    let id = |text: &str| -> ContainerId { text.parse().unwrap() };
    assert!(runtime.remove_stale(&id("empty")).unwrap());
    assert!(runtime.remove_stale(&id("passing")).unwrap());
    // Only for callers that ask whether more may be left.
    assert_eq!(
        runtime.remove_stale(&id("broken")).unwrap_err().kind(),
        ErrorKind::InvalidState
    );
    let error = runtime.force_delete(&id("broken")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptState);
    assert!(!runtime.force_delete(&id("broken")).unwrap());
}

#[test]
fn a_root_that_others_can_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let set = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(dir.path(), mode).unwrap();
    };
    let id: ContainerId = "x".parse().unwrap();
    let refused = || {
        let runtime = Runtime::new(dir.path()).unwrap();
        let errors = [
            runtime.load(&id).unwrap_err(),
            runtime.list().unwrap_err(),
            runtime.make_root().unwrap_err(),
            runtime.force_delete(&id).unwrap_err(),
            Runtime::open_at(OwnedFd::from(std::fs::File::open(dir.path()).unwrap())).unwrap_err(),
        ];
        for error in errors {
            assert!(error.to_string().contains("cannot be trusted"), "{error}");
        }
    };
    set(0o757);
    refused();
    set(0o1777);
    refused();
    set(0o755);
    assert_eq!(
        Runtime::new(dir.path())
            .unwrap()
            .load(&id)
            .unwrap_err()
            .kind(),
        ErrorKind::NotFound
    );
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(dir.path(), Some(1000), None).unwrap();
        refused();
        std::os::unix::fs::chown(dir.path(), Some(0), Some(1000)).unwrap();
        set(0o775);
        refused();
        set(0o755);
        Runtime::new(dir.path()).unwrap().list().unwrap();
    }
}

#[test]
fn a_root_that_was_removed_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new(dir.path().join("root")).unwrap();
    let id: ContainerId = "x".parse().unwrap();
    for _ in 0..2 {
        runtime.make_root().unwrap();
        assert_eq!(runtime.list().unwrap().count(), 0);
        let (_made, lock) =
            StateDirectory::make(runtime.root().unwrap(), runtime.path(), &id).unwrap();
        assert!(lock.remove(runtime.root().unwrap(), &id).unwrap());
        std::fs::remove_dir(runtime.path()).unwrap();
        assert_eq!(runtime.list().unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(runtime.load(&id).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(!runtime.force_delete(&id).unwrap());
    }
}

#[test]
fn what_is_being_made_is_not_stale() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new(dir.path()).unwrap();
    let id: ContainerId = "x".parse().unwrap();
    let (made, lock) = StateDirectory::make(runtime.root().unwrap(), runtime.path(), &id).unwrap();
    std::thread::scope(|scope| {
        let remover = scope.spawn(|| runtime.remove_stale(&id));
        let text = r#"{"init_process_pid":-1,"init_process_start":0,"created":"","config":{}}"#;
        std::fs::write(made.path().join("state.json"), text).unwrap();
        drop(lock);
        let error = remover.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidState);
    });
    runtime.load(&id).unwrap();
}

#[test]
fn a_runtime_can_be_used_by_any_thread() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Runtime>();
    check::<Container>();
    check::<Process>();
    check::<crate::Child>();
}
