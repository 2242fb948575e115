//! A keyring with the name of a container's that another user of the machine has made. Who owns the
//! session keyring of a container has every key that is put into it.

use std::ffi::CString;
use std::sync::mpsc;

use cofferdam_integration::needs::skip;
use cofferdam_integration::{Case, need};
use keys::{Permissions, Serial};
use rustix::process::Uid;
use rustix::thread::set_thread_res_uid;

use crate::host::Host;

const STRANGER: u32 = 54_321;
/// Everything to everybody.
const OPEN: Permissions = Permissions::from_bits(0x3f3f_3f3f);
const REFUSAL: &str = "unable to join session keyring: another user has made one of that name";

fn name_of(case: &Case) -> String {
    keys::session_name(&case.id)
}

/// What a stranger finds in a keyring that is made before `action`, and kept meanwhile. `None`: the
/// kernel has no keyrings.
fn beside_a_keyring_of_a_stranger(name: &str, action: impl FnOnce()) -> Option<Vec<u8>> {
    let name = CString::new(name).unwrap();
    std::thread::scope(|scope| {
        let (made, is_made) = mpsc::channel();
        let (done, is_done) = mpsc::channel::<()>();
        let stranger = scope.spawn(move || {
            let uid = Uid::from_raw(STRANGER);
            set_thread_res_uid(uid, uid, uid).unwrap();
            let keyring = keys::join_session(Some(&name)).ok();
            if let Some(keyring) = keyring {
                keys::set_permissions(keyring, OPEN).unwrap();
            }
            made.send(keyring.is_some()).unwrap();
            let _ = is_done.recv();
            keyring.map(|keyring| keys::read(keyring).unwrap())
        });
        if is_made.recv().unwrap() {
            action();
        }
        drop(done);
        stranger.join().unwrap()
    })
}

/// Makes a keyring of root's unusable. Only who has it as session keyring may do that.
fn revoke(name: &str, keyring: Serial) {
    let name = CString::new(name).unwrap();
    let revoking = std::thread::spawn(move || {
        assert_eq!(keys::join_session(Some(&name)).unwrap(), keyring);
        keys::set_permissions(keyring, OPEN).unwrap();
        keys::revoke(keyring).unwrap();
    });
    revoking.join().unwrap();
}

#[test]
fn one_that_a_stranger_has_prepared_is_not_joined() {
    need!(Root, Busybox, Cofferdam);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.args(&["/bin/true"]);
    let found = beside_a_keyring_of_a_stranger(&name_of(&case), || {
        let _ = case.run().failed(1, REFUSAL);
    });
    let Some(found) = found else {
        return skip("keyrings", "this kernel has none");
    };
    assert_eq!(found, b"");
    case.finish();
    host.unchanged("keyrings");
}

#[test]
fn nor_by_exec_when_that_of_the_container_is_gone() {
    need!(Root, Busybox, Cofferdam);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let name = name_of(&case);
    let _ = case.exec(&["/bin/true"]).ok();
    let listed = std::fs::read_to_string("/proc/keys").unwrap_or_default();
    let Some(own) = listed
        .lines()
        .find(|line| line.contains(&format!("{name}:")))
    else {
        case.delete();
        return skip("keyrings", "this kernel has none, or does not list them");
    };
    let number = own.split_whitespace().next().unwrap();
    let own = Serial::new(i32::from_str_radix(number, 16).unwrap()).unwrap();
    revoke(&name, own);
    let found = beside_a_keyring_of_a_stranger(&name, || {
        let _ = case.exec(&["/bin/true"]).failed(255, REFUSAL);
    });
    assert_eq!(found.unwrap(), b"");
    case.delete();
    host.unchanged("keyrings");
}
