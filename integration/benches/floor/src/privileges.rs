//! What the program may do: user, capabilities, limits.

use rustix::process::{Resource, Rlimit, setrlimit, setsid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, Gid, Uid, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use crate::failure::{At as _, Result};
use crate::sys;
use crate::text::Text;

const KEPT: CapabilitySet = CapabilitySet::AUDIT_WRITE
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::NET_BIND_SERVICE);
/// `RLIMIT_NOFILE` of the bundle.
const OPEN_FILES: u64 = 1024;

/// Gives this process the identity of the container's; nothing needs a privilege afterwards.
pub(crate) fn drop(id: &[u8]) -> Result<()> {
    // A leader of a process group has one already.
    setsid().at("begin a session")?;
    let keyring = Text::of(&[b"_ses.", id]);
    sys::join_session_keyring(keyring.as_c()).at("join a session keyring")?;
    let limit = Rlimit {
        current: Some(OPEN_FILES),
        maximum: Some(OPEN_FILES),
    };
    setrlimit(Resource::Nofile, limit).at("limit open files")?;
    for number in 0..=CapabilitySet::CHECKPOINT_RESTORE.bits().trailing_zeros() {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if !KEPT.contains(capability) {
            remove_capability_from_bounding_set(capability).at("drop a capability")?;
        }
    }
    set_thread_groups(&[]).at("leave all groups")?;
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).at("set the group")?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).at("set the user")?;
    let sets = CapabilitySets {
        effective: KEPT,
        permitted: KEPT,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).at("set capabilities")?;
    clear_ambient_capability_set().at("clear ambient capabilities")?;
    set_no_new_privs(true).at("refuse new privileges")?;
    sys::close_on_exec_from(3).at("keep descriptors")
}
