use super::*;
use proptest::prelude::*;
use std::ffi::CString;
use std::thread;

/// Runs a test on a thread of its own with a session keyring of its own, or says why not.
fn with_session(name: &str, test: impl FnOnce(Serial, &CStr) + Send) {
    let name = CString::new(session_name(&format!("{name}-{}", std::process::id()))).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| match join_session(Some(&name)) {
            Ok(serial) => test(serial, &name),
            Err(error) if error.raw_os_error().is_some() => {
                eprintln!("skipped: {error}: {:?}", error.raw_os_error());
            }
            Err(error) => panic!("{error}"),
        });
    });
}

#[test]
fn a_joined_keyring_is_the_threads_own() {
    with_session("join", |serial, name| {
        assert_eq!(session().unwrap(), serial);
        let description = describe(serial).unwrap();
        assert_eq!(description.kind, "keyring");
        assert_eq!(description.text, name.to_str().unwrap());
        let other = thread::spawn(|| join_session(None).unwrap())
            .join()
            .unwrap();
        assert_ne!(other, serial);
        assert_eq!(session().unwrap(), serial);
    });
}

#[test]
fn the_same_name_is_the_same_keyring_once_searchable() {
    with_session("same", |serial, name| {
        add_permissions(serial, Permissions::searchable(false)).unwrap();
        assert_eq!(join_session(Some(name)).unwrap(), serial);
        let again = thread::scope(|scope| {
            scope
                .spawn(|| {
                    assert_ne!(join_session(None).unwrap(), serial);
                    join_session(Some(name)).unwrap()
                })
                .join()
        });
        assert_eq!(again.unwrap(), serial);
    });
}

#[test]
fn permissions_are_added_to_what_is_there() {
    with_session("permissions", |serial, _| {
        let before = describe(serial).unwrap().permissions;
        let after = add_permissions(serial, Permissions::OTHER_SEARCH).unwrap();
        assert_eq!(after, before | Permissions::OTHER_SEARCH);
        assert_eq!(describe(serial).unwrap().permissions, after);
        set_permissions(serial, before).unwrap();
        assert_eq!(describe(serial).unwrap().permissions, before);
    });
}

#[test]
fn a_key_that_is_not_there_is_not_requested_from_user_space() {
    with_session("request", |_, _| {
        let error = request(c"user", c"cofferdam-no-such-key").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOKEY));
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.to_string(), "find key \"cofferdam-no-such-key\"");
    });
}

#[test]
fn a_key_that_does_not_exist() {
    with_session("missing", |_, _| {
        let error = describe(Serial::new(i32::MAX).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.to_string(), "describe key 2147483647");
    });
}

#[test]
fn an_added_key_is_found_read_and_replaced() {
    with_session("add", |session, _| {
        let large = vec![b'x'; 30_000];
        let key = add(c"user", c"one", b"first", session).unwrap();
        assert_eq!(read(key).unwrap(), b"first");
        assert_eq!(describe(key).unwrap().text, "one");
        assert_eq!(search(session, c"user", c"one").unwrap(), key);
        assert_eq!(request(c"user", c"one").unwrap(), key);
        // A user key of the same name is updated, so its serial stays.
        assert_eq!(add(c"user", c"one", b"second", session).unwrap(), key);
        assert_eq!(read(key).unwrap(), b"second");
        match add(c"user", c"one", &large, session) {
            Ok(key) => assert_eq!(read(key).unwrap(), large),
            // Users other than root have 20000 bytes by default.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Quota, "{error:#}"),
        }
        let error = add(c"user", c"one", b"", session).unwrap_err();
        assert_eq!(
            (error.kind(), error.raw_os_error()),
            (ErrorKind::Io, Some(libc::EINVAL))
        );
        let text = format!("add key \"one\" to keyring {session}");
        assert_eq!(error.to_string(), text);
    });
}

#[test]
fn links_decide_what_a_keyring_holds() {
    with_session("link", |session, _| {
        let inner = add(c"keyring", c"inner", b"", session).unwrap();
        let key = add(c"user", c"two", b"payload", session).unwrap();
        assert_eq!(read(inner).unwrap(), b"");
        link(key, inner).unwrap();
        assert_eq!(read(inner).unwrap(), key.as_raw().to_ne_bytes());
        unlink(key, session).unwrap();
        // The search goes on in the keyrings that are linked to the first.
        assert_eq!(search(session, c"user", c"two").unwrap(), key);
        unlink(key, inner).unwrap();
        let error = search(session, c"user", c"two").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let text = format!("find key \"two\" in keyring {session}");
        assert_eq!(error.to_string(), text);
        let error = link(session, inner).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EDEADLK));
        let text = format!("link key {session} to keyring {inner}");
        assert_eq!(error.to_string(), text);
    });
}

#[test]
fn a_revoked_key_is_expired_for_every_operation() {
    with_session("revoke", |session, _| {
        let key = add(c"user", c"three", b"payload", session).unwrap();
        revoke(key).unwrap();
        for error in [
            read(key).unwrap_err(),
            link(key, session).unwrap_err(),
            revoke(key).unwrap_err(),
            search(session, c"user", c"three").unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Expired, "{error:#}");
        }
    });
}

#[test]
fn a_key_without_rights_is_denied() {
    with_session("denied", |session, _| {
        let key = add(c"user", c"four", b"payload", session).unwrap();
        set_permissions(key, Permissions::from_bits(0)).unwrap();
        let error = read(key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(error.to_string(), format!("read key {key}"));
    });
}

#[test]
fn error_numbers_of_keys_have_their_kinds() {
    for (number, kind) in [
        (libc::ENOSYS, ErrorKind::Unsupported),
        (libc::EDQUOT, ErrorKind::Quota),
        (libc::ENOKEY, ErrorKind::NotFound),
        (libc::EKEYEXPIRED, ErrorKind::Expired),
        (libc::EKEYREVOKED, ErrorKind::Expired),
        (libc::EKEYREJECTED, ErrorKind::Rejected),
        (libc::EACCES, ErrorKind::Denied),
        (libc::EPERM, ErrorKind::Denied),
        (libc::ENODEV, ErrorKind::Io),
    ] {
        let source = std::io::Error::from_raw_os_error(number);
        assert_eq!(key_error("read", 7, source).kind(), kind, "{number}");
    }
}

#[test]
fn special_numbers_are_no_serials() {
    assert_eq!(Serial::new(0), None);
    assert_eq!(Serial::new(-3), None);
    assert_eq!(Serial::new(7).unwrap().to_string(), "7");
}

#[test]
fn permission_bits() {
    assert_eq!(Permissions::searchable(false).bits(), 0x80000);
    assert_eq!(Permissions::searchable(true).bits(), 0x8);
    let all = Permissions::from_bits(0x3f00_0000) | Permissions::searchable(true);
    assert_eq!(all.to_string(), "3f000008");
    assert!(all.contains(Permissions::OTHER_SEARCH));
    assert!(!all.contains(Permissions::USER_SEARCH));
}

#[test]
fn descriptions() {
    let description = Description::parse(b"user;1000;-1;3f010000;a;b;").unwrap();
    assert_eq!((description.uid, description.gid), (1000, -1));
    assert_eq!(description.permissions.bits(), 0x3f01_0000);
    assert_eq!(description.text, "a;b;");
    for bad in [
        "",
        "keyring;0;0;3f",
        "keyring;x;0;3f;a",
        "keyring;0;0;xyz;a",
        "keyring;0;0;1ffffffff;a",
    ] {
        let error = Description::parse(bad.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{bad}");
    }
}

proptest! {
    #[test]
    fn a_printed_description_reads_back(uid in 0i64..1 << 32, bits: u32, text in "[^\0]{0,30}") {
        let printed = format!("keyring;{uid};-1;{bits:08x};{text}");
        let description = Description::parse(printed.as_bytes()).unwrap();
        prop_assert_eq!(description.uid, uid);
        prop_assert_eq!(description.permissions.bits(), bits);
        prop_assert_eq!(description.text, text);
    }

    #[test]
    fn any_bytes_end(bytes in any::<Vec<u8>>()) {
        let _ = Description::parse(&bytes);
    }
}
