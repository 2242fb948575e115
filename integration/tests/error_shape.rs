//! The error of every crate has the same shape: a kind, an error number, a cause; it turns into an
//! [`io::Error`] and can cross threads.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

use std::error::Error;
use std::fmt::Debug;
use std::fs::File;
use std::hash::Hash;
use std::io;
use std::path::Path;
use std::process::Command;

/// What a caller may do with an error, and with its kind.
fn check<E, K>(error: E, kind: fn(&E) -> K, raw_os_error: fn(&E) -> Option<i32>)
where
    E: Error + Send + Sync + 'static,
    io::Error: From<E>,
    K: Copy + Debug + Eq + Hash + Send + Sync + 'static,
{
    let name = std::any::type_name::<E>();
    let line = error.to_string();
    assert!(!line.is_empty() && !line.contains('\n'), "{name}: {line}");
    let mut whole = line.clone();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_line = cause.to_string();
        assert!(!line.contains(&cause_line), "{name} repeats its cause");
        whole.push_str(": ");
        whole.push_str(&cause_line);
        next = cause.source();
    }
    assert_eq!(format!("{error:#}"), whole, "{name}");
    assert!(format!("{:?}", kind(&error)).chars().next().is_some());

    let number = raw_os_error(&error);
    let converted = io::Error::from(error);
    if let Some(number) = number {
        let expected = io::Error::from_raw_os_error(number).kind();
        assert_eq!(converted.kind(), expected, "{name}");
    }
    assert_eq!(converted.to_string(), line, "{name}");
    assert!(converted.get_ref().unwrap().is::<E>(), "{name}");
}

/// For each crate: its names of the shape, and an error that can be had without rights, of which
/// the kernel's number is known, if it was the kernel that refused.
macro_rules! crates {
    ($($name:ident: $error:expr, $number:expr;)*) => {
        const CRATES: &[&str] = &[$(stringify!($name)),*];

        $(
            mod $name {
                /// The alias takes one type or two.
                pub(super) fn _result<T>(result: Result<T, $name::Error>) -> $name::Result<T> {
                    result
                }

                pub(super) fn _other<T, E>(result: Result<T, E>) -> $name::Result<T, E> {
                    result
                }

                #[test]
                fn errors_have_the_shape_of_all_crates() {
                    use super::*;
                    let error: ::$name::Error = $error;
                    assert_eq!(error.raw_os_error(), $number);
                    let kind: fn(&::$name::Error) -> ::$name::ErrorKind = ::$name::Error::kind;
                    check(error, kind, ::$name::Error::raw_os_error);
                }
            }
        )*
    };
}

const ABSENT: &str = "/no/such/file";
const ENOENT: Option<i32> = Some(libc::ENOENT);

fn null() -> File {
    File::open("/dev/null").unwrap()
}

crates! {
    apparmor: ::apparmor::container_profile("a b").unwrap_err(), None;
    cgroups: ::cgroups::Hierarchy::open_at(null().into(), ABSENT, null().into()).unwrap_err(),
        Some(libc::ENOTDIR);
    configs: ::configs::json::read_file(ABSENT).unwrap_err(), ENOENT;
    criu: ::criu::Criu::new(ABSENT).version().unwrap_err(), ENOENT;
    devices: ::devices::from_path(Path::new(ABSENT)).unwrap_err(), ENOENT;
    intelrdt: "x".parse::<::intelrdt::Schema>().unwrap_err(), None;
    keys: ::keys::describe(::keys::Serial::new(i32::MAX).unwrap()).unwrap_err(), Some(libc::ENOKEY);
    netlink: ::netlink::Namespace::open(ABSENT).unwrap_err(), ENOENT;
    nsenter: ::nsenter::namespaces::id_maps_of(Path::new(ABSENT)).unwrap_err(), ENOENT;
    runtime: ::runtime::write_pid_file(Path::new(ABSENT), 1).unwrap_err(), ENOENT;
    seccomp: ::seccomp::Profile::from_slice(b"{").unwrap_err(), None;
    selinux: "x".parse::<::selinux::Label>().unwrap_err(), None;
    user: ::user::ExecUser::numeric("x").unwrap_err(), None;
    xattr: ::xattr::lget(ABSENT, "user.x").unwrap_err(), ENOENT;
}

#[test]
fn every_crate_is_among_them() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(workspace)
        .output()
        .expect("cargo metadata runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages").iter();
    let mut folders: Vec<&str> = packages
        .filter(|package| package["publish"].is_null())
        .map(|package| Path::new(package["manifest_path"].as_str().expect("a path")))
        .map(|manifest| {
            manifest
                .parent()
                .and_then(Path::file_name)
                .expect("a folder")
        })
        .map(|folder| folder.to_str().expect("UTF-8"))
        .collect();
    folders.sort_unstable();
    assert_eq!(folders, CRATES);
}
