use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkAttribute;

/// The counters of one device since it exists, both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
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
    /// Takes the counters of a message about a link (`IFLA_STATS64`, Linux 2.6.35).
    pub(crate) fn from_message(message: &RouteNetlinkMessage) -> Option<Self> {
        let RouteNetlinkMessage::NewLink(message) = message else {
            return None;
        };
        message.attributes.iter().find_map(|attribute| {
            let LinkAttribute::Stats64(counters) = attribute else {
                return None;
            };
            Some(Self {
                rx_bytes: counters.rx_bytes,
                rx_packets: counters.rx_packets,
                rx_errors: counters.rx_errors,
                rx_dropped: counters.rx_dropped,
                tx_bytes: counters.tx_bytes,
                tx_packets: counters.tx_packets,
                tx_errors: counters.tx_errors,
                tx_dropped: counters.tx_dropped,
            })
        })
    }

    /// The same traffic seen from the other end of the cable: what one end sent, the other
    /// received. The counters of a host's end of a veth pair thus become those of the
    /// container.
    #[must_use]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_end_sent_the_other_one_received() {
        let here = Statistics {
            rx_bytes: 1,
            rx_packets: 2,
            rx_errors: 3,
            rx_dropped: 4,
            tx_bytes: 5,
            tx_packets: 6,
            tx_errors: 7,
            tx_dropped: 8,
        };
        let there = Statistics {
            rx_bytes: 5,
            rx_packets: 6,
            rx_errors: 7,
            rx_dropped: 8,
            tx_bytes: 1,
            tx_packets: 2,
            tx_errors: 3,
            tx_dropped: 4,
        };
        assert_eq!(here.from_other_end(), there);
        assert_eq!(there.from_other_end(), here);
    }
}
