//! Talking to systemd's manager: where it is, its calls, its jobs.

use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zbus::{OwnedObjectPath, OwnedVariant, Variant};

use super::address::{self, Address};
use super::bus::Bus;
use super::call_error::CallError;
use super::message;
use crate::{Error, ErrorKind, Result};

const SYSTEMD: [&str; 2] = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1"];
const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// How long systemd may take to start or stop a unit.
pub(super) const JOB_LIMIT: Duration = Duration::from_secs(30);

/// Connects to the systemd of the calling user, or of the system, within `limit`.
pub(super) fn connect(user: bool, limit: Duration) -> Result<Bus> {
    if !is_running() {
        return Err(crate::spec::systemd_missing());
    }
    let addresses = if user {
        user_addresses()
    } else {
        system_addresses()
    };
    connect_to_any(&addresses, limit)
}

/// Tries one address after the other. One that does not answer leaves half of the time to the rest;
/// one that does has for each call what is left of the whole: systemd is silent while it loads its
/// units anew.
fn connect_to_any(addresses: &[Address], limit: Duration) -> Result<Bus> {
    let deadline = Instant::now() + limit;
    let mut refused = None;
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let is_last = index + 1 == addresses.len();
        match Bus::connect(address, if is_last { left } else { left / 2 }) {
            Ok(bus) => {
                let left = deadline.saturating_duration_since(Instant::now());
                return Ok(bus.answering_within(left.max(limit / 8)));
            }
            Err(error) => {
                log::debug!("{error}");
                refused.get_or_insert(error);
            }
        }
    }
    let what = "failed to connect to dbus (hint: for rootless containers, maybe you need to \
                install dbus-user-session package)";
    Err(match refused {
        Some(error) => Error::because(ErrorKind::Systemd, what, error),
        None => Error::new(
            ErrorKind::Systemd,
            format_args!("{what}: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set"),
        ),
    })
}

/// Whether systemd is the init system (sd_booted(3)).
pub(super) fn is_running() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn system_addresses() -> Vec<Address> {
    let mut addresses = match env::var("DBUS_SYSTEM_BUS_ADDRESS") {
        Ok(text) => address::parse(&text),
        Err(_) => vec![Address::Bus("/run/dbus/system_bus_socket".into())],
    };
    if rustix::process::geteuid().is_root() {
        // There is systemd before, and without, a message bus.
        addresses.push(Address::Direct("/run/systemd/private".into()));
    }
    addresses
}

fn user_addresses() -> Vec<Address> {
    if let Ok(text) = env::var("DBUS_SESSION_BUS_ADDRESS") {
        return address::parse(&text);
    }
    let directory = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let socket = directory.map(|directory| directory.join("bus"));
    socket
        .filter(|socket| socket.exists())
        .map(Address::Bus)
        .into_iter()
        .collect()
}

pub(super) fn call<B>(
    bus: &mut Bus,
    method: &str,
    arguments: &B,
) -> Result<message::Message, CallError>
where
    B: serde::Serialize + zbus::DynamicType,
{
    bus.call(SYSTEMD, [MANAGER, method], arguments)
}

/// Asks for the signals about jobs.
pub(super) fn subscribe(bus: &mut Bus) -> Result<()> {
    if !bus.is_direct() {
        let rule = format!(
            "type='signal',path='{}',interface='{MANAGER}',member='JobRemoved'",
            SYSTEMD[1]
        );
        bus.call(
            ["org.freedesktop.DBus", "/org/freedesktop/DBus"],
            ["org.freedesktop.DBus", "AddMatch"],
            &(rule,),
        )
        .map_err(|error| error.into_error("subscribe to the message bus"))?;
    }
    match call(bus, "Subscribe", &()) {
        Ok(_) => Ok(()),
        Err(error) if error.is("org.freedesktop.systemd1.AlreadySubscribed") => Ok(()),
        Err(error) => Err(error.into_error("subscribe to systemd")),
    }
}

/// Waits for the end of a job, for `limit` at most, and returns its result.
pub(super) fn wait_for_job(bus: &mut Bus, job: &str, limit: Duration) -> Result<String> {
    let deadline = Instant::now() + limit;
    loop {
        let signal = bus.signal(deadline)?;
        if signal.member != "JobRemoved" || signal.interface != MANAGER {
            continue;
        }
        let (_, removed, _, result): (u32, OwnedObjectPath, String, String) = signal.body()?;
        if removed.as_str() == job {
            return Ok(result);
        }
    }
}

pub(super) fn property_of(
    bus: &mut Bus,
    path: &str,
    interface: &str,
    name: &str,
) -> Result<OwnedVariant> {
    let [destination, _] = SYSTEMD;
    let reply = bus
        .call(
            [destination, path],
            ["org.freedesktop.DBus.Properties", "Get"],
            &(interface, name),
        )
        .map_err(|error| error.into_error(&format!("read property {name} of systemd")))?;
    let (value,) = reply.body()?;
    Ok(value)
}

pub(super) fn manager_property(bus: &mut Bus, name: &str) -> Result<String> {
    let [_, path] = SYSTEMD;
    let value = property_of(bus, path, MANAGER, name)?;
    match &*value {
        Variant::Str(text) => Ok(text.to_string()),
        other => Err(Error::new(
            ErrorKind::Systemd,
            format_args!("property {name} of systemd is {other}"),
        )),
    }
}

/// The version of systemd; 0 if it does not say.
pub(super) fn version(bus: &mut Bus) -> u32 {
    match manager_property(bus, "Version") {
        Ok(text) => parse_version(&text),
        Err(error) => {
            log::debug!("{error}");
            0
        }
    }
}

/// `v245.4-1.fc32`, `257`, `"252"`: the digits at the start.
pub(super) fn parse_version(text: &str) -> u32 {
    let text = text.trim_matches('"');
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.get(..end).unwrap_or("").parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_manager_that_answers_has_all_of_the_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let listener = UnixListener::bind(&path).unwrap();
        let others = Address::Direct(directory.path().join("b"));
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = [0; 29];
            stream.read_exact(&mut lines).unwrap();
            stream.write_all(b"DATA\r\nOK 1234\r\n").unwrap();
            stream
        });
        let limit = Duration::from_secs(600);
        let bus = connect_to_any(&[Address::Direct(path), others], limit).unwrap();
        assert!(bus.limit() > limit / 2, "{:?}", bus.limit());
        drop((bus, peer.join().unwrap()));
    }

    #[test]
    fn managers_that_do_not_answer_share_the_time() {
        let directory = tempfile::tempdir().unwrap();
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for name in ["a", "b", "c"] {
            let path = directory.path().join(name);
            listeners.push(UnixListener::bind(&path).unwrap());
            addresses.push(Address::Direct(path));
        }
        let (limit, start) = (Duration::from_millis(300), Instant::now());
        let error = connect_to_any(&addresses, limit).unwrap_err();
        let taken = start.elapsed();
        assert_eq!(error.kind(), ErrorKind::Systemd);
        // Far below the sum of three limits.
        assert!(taken >= limit / 2 && taken < limit * 5 / 2, "{taken:?}");
    }
}
