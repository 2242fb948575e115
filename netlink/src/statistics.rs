//! The counters of a network device (`/sys/class/net/NAME/statistics`).

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use crate::error::{Error, Repr, Result};
use crate::interface_name::InterfaceName;

/// The counters of one device since it exists, both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets received with an error.
    pub rx_errors: u64,
    /// Packets received and dropped.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets not sent for an error.
    pub tx_errors: u64,
    /// Packets dropped instead of sent.
    pub tx_dropped: u64,
}

impl Statistics {
    /// The same traffic seen from the other end of the cable: what one end sent, the other received. The counters of a
    /// host's end of a veth pair thus become those of the container.
    pub const fn from_other_end(self) -> Self {
        Self {
            rx_bytes: self.tx_bytes,
            rx_packets: self.tx_packets,
            rx_errors: self.tx_errors,
            rx_dropped: self.tx_dropped,
            tx_bytes: self.rx_bytes,
            tx_packets: self.rx_packets,
            tx_errors: self.rx_errors,
            tx_dropped: self.rx_dropped,
        }
    }
}

/// The directory with an entry per network device.
#[derive(Debug)]
pub struct NetClass {
    directory: OwnedFd,
}

impl NetClass {
    /// `/sys/class/net`: the devices of the network namespace in which this sysfs was mounted.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) without sysfs.
    pub fn system() -> Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        open("/sys/class/net", flags, Mode::empty())
            .map(Self::open_at)
            .map_err(|errno| Error::io("open /sys/class/net", errno))
    }

    /// Another directory of the same layout.
    pub fn open_at(directory: impl Into<OwnedFd>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// The counters of a device.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) without such a device; [`Protocol`](crate::ErrorKind::Protocol) if a
    /// counter is no number.
    pub fn statistics(&self, name: &InterfaceName) -> Result<Statistics> {
        let read = |counter: &str| self.counter(name, counter);
        Ok(Statistics {
            rx_bytes: read("rx_bytes")?,
            rx_packets: read("rx_packets")?,
            rx_errors: read("rx_errors")?,
            rx_dropped: read("rx_dropped")?,
            tx_bytes: read("tx_bytes")?,
            tx_packets: read("tx_packets")?,
            tx_errors: read("tx_errors")?,
            tx_dropped: read("tx_dropped")?,
        })
    }

    fn counter(&self, name: &InterfaceName, counter: &str) -> Result<u64> {
        let path = format!("{name}/statistics/{counter}");
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let file = openat(self.directory.as_fd(), path.as_str(), flags, Mode::empty())
            .map_err(|errno| Error::io(format!("open {path}"), errno))?;
        let mut text = String::new();
        std::fs::File::from(file)
            .take(64)
            .read_to_string(&mut text)
            .map_err(|source| Error::io(format!("read {path}"), source))?;
        text.trim().parse().map_err(|_| {
            Repr::Protocol {
                operation: format!("read {path}"),
                problem: "not a number",
            }
            .into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    const COUNTERS: [&str; 8] = [
        "rx_bytes",
        "rx_packets",
        "rx_errors",
        "rx_dropped",
        "tx_bytes",
        "tx_packets",
        "tx_errors",
        "tx_dropped",
    ];

    fn fake() -> (tempfile::TempDir, NetClass) {
        let directory = tempfile::tempdir().unwrap();
        let statistics = directory.path().join("veth0/statistics");
        fs::create_dir_all(&statistics).unwrap();
        for (value, counter) in COUNTERS.iter().enumerate() {
            fs::write(statistics.join(counter), format!("{}\n", value + 1)).unwrap();
        }
        let class = NetClass::open_at(File::open(directory.path()).unwrap());
        (directory, class)
    }

    #[test]
    fn counters_and_the_view_from_the_other_end() {
        let (_directory, class) = fake();
        let here = class.statistics(&"veth0".parse().unwrap()).unwrap();
        assert_eq!(
            (
                here.rx_bytes,
                here.rx_dropped,
                here.tx_bytes,
                here.tx_dropped
            ),
            (1, 4, 5, 8)
        );
        let there = here.from_other_end();
        assert_eq!(
            (
                there.rx_bytes,
                there.rx_packets,
                there.rx_errors,
                there.rx_dropped
            ),
            (5, 6, 7, 8)
        );
        assert_eq!(
            (
                there.tx_bytes,
                there.tx_packets,
                there.tx_errors,
                there.tx_dropped
            ),
            (1, 2, 3, 4)
        );
        assert_eq!(there.from_other_end(), here);
    }

    #[test]
    fn a_missing_device_and_a_broken_counter() {
        let (directory, class) = fake();
        let error = class.statistics(&"eth9".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::NotFound);
        fs::write(
            directory.path().join("veth0/statistics/tx_errors"),
            "many\n",
        )
        .unwrap();
        let error = class.statistics(&"veth0".parse().unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "read veth0/statistics/tx_errors: not a number"
        );
    }

    #[test]
    fn the_loopback_device_of_this_machine() {
        match NetClass::system() {
            Ok(class) => {
                let counters = class.statistics(&"lo".parse().unwrap()).unwrap();
                assert_eq!(counters.rx_bytes, counters.tx_bytes);
            }
            Err(error) => eprintln!("skipped: {error}"),
        }
    }
}
