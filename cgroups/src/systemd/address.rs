//! Where systemd can be reached, and how to get there.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::call_error::{failed, no_answer, remaining};
use crate::Result;

/// Where systemd can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A message bus, by a socket in the file system.
    Bus(PathBuf),
    /// A message bus, by a socket of the abstract name space.
    Abstract(Vec<u8>),
    /// systemd itself, without a bus between.
    Direct(PathBuf),
}

impl Address {
    /// Connects within the time.
    pub(super) fn connect(&self, deadline: Instant) -> Result<UnixStream> {
        let (name, target) = match self {
            Self::Bus(path) | Self::Direct(path) => (
                path.display().to_string(),
                SocketAddrUnix::new(path.as_os_str().as_bytes()),
            ),
            Self::Abstract(name) => (
                String::from_utf8_lossy(name).into_owned(),
                SocketAddrUnix::new_abstract_name(name),
            ),
        };
        let what = format!("connect to {name}");
        let target = target.map_err(|errno| failed(&what, errno))?;
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(|errno| failed(&what, errno))?;
        let stream = UnixStream::from(socket);
        loop {
            // For so long the kernel waits for room in the daemon's queue (socket(7), SO_SNDTIMEO).
            stream
                .set_write_timeout(Some(remaining(deadline)?))
                .map_err(|error| failed(&what, error))?;
            match connect(&stream, &target) {
                Ok(()) => return Ok(stream),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(no_answer()),
                Err(errno) => return Err(failed(&what, errno)),
            }
        }
    }
}

/// The addresses in `DBUS_SESSION_BUS_ADDRESS` that we can use (D-Bus specification, "Server
/// Addresses").
pub(super) fn parse(text: &str) -> Vec<Address> {
    let mut addresses = Vec::new();
    for one in text.split(';') {
        let Some(keys) = one.strip_prefix("unix:") else {
            continue;
        };
        for (key, value) in keys.split(',').filter_map(|pair| pair.split_once('=')) {
            let value = unescape(value);
            match key {
                "path" => addresses.push(Address::Bus(PathBuf::from(std::ffi::OsStr::from_bytes(
                    &value,
                )))),
                "abstract" => addresses.push(Address::Abstract(value)),
                _ => {}
            }
        }
    }
    addresses
}

/// `%20` and the like.
fn unescape(text: &str) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let escaped = match (byte, tail) {
            (b'%', [high, low, after @ ..]) => digit(high)
                .zip(digit(low))
                .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
                .map(|byte| (byte, after)),
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((byte, tail));
        plain.push(byte);
        rest = after;
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use rustix::net::{accept, bind, listen};

    use super::*;
    use crate::ErrorKind;

    #[test]
    fn addresses() {
        assert_eq!(
            parse("unix:path=/run/user/0/bus,guid=1;tcp:host=x;unix:abstract=/tmp/a%20b"),
            [
                Address::Bus("/run/user/0/bus".into()),
                Address::Abstract(b"/tmp/a b".to_vec())
            ]
        );
        assert!(parse("").is_empty());
        assert_eq!(parse("unix:path=/a%2"), [Address::Bus("/a%2".into())]);
    }

    #[test]
    fn nobody_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let deadline = Instant::now() + Duration::from_secs(10);
        let error = Address::Direct(path.clone()).connect(deadline).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert_eq!(error.to_string(), format!("connect to {}", path.display()));
    }

    #[test]
    fn a_full_queue_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let flags = SocketFlags::CLOEXEC;
        let daemon = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        bind(&daemon, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        // Room for one.
        listen(&daemon, 0).unwrap();
        let address = Address::Direct(path);
        let within = |time| address.connect(Instant::now() + time);
        let first = within(Duration::from_secs(10)).unwrap();
        let error = within(Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        thread::scope(|scope| {
            let second = scope.spawn(|| within(Duration::from_secs(10)).unwrap());
            accept(&daemon).unwrap();
            accept(&daemon).unwrap();
            second.join().unwrap();
        });
        drop(first);
    }
}
