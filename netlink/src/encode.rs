//! Messages as bytes, for a caller that can send and receive but has no room for more: a program
//! between clone and exec.
//!
//! The bytes go to a socket `AF_NETLINK`, `SOCK_RAW`, `NETLINK_ROUTE`, to port 0, in one piece. One
//! message comes back, of type 2 (`NLMSG_ERROR`): behind its header of 16 bytes is an `i32`, 0
//! for success or an error number negated.

use crate::link::LinkIndex;
use crate::request;

/// `RTM_NEWLINK` that switches the loopback device of the sender's namespace on; 32 bytes, sequence
/// number 1.
///
/// The device is meant by its number, 1 in every namespace, so a renamed one will do.
///
/// ```
/// let message = cofferdam_netlink::encode::loopback_up();
/// assert_eq!(message.len(), 32);
/// ```
#[must_use]
pub fn loopback_up() -> Vec<u8> {
    link_up(LinkIndex::LOOPBACK, 1)
}

/// `RTM_NEWLINK` that switches a device of the sender's namespace on.
#[must_use]
pub fn link_up(index: LinkIndex, sequence: u32) -> Vec<u8> {
    request::set_up(index, true).encode(sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_linux_rtnetlink_h() {
        let mut expected = Vec::new();
        expected.extend(32u32.to_ne_bytes()); // nlmsg_len
        expected.extend(16u16.to_ne_bytes()); // RTM_NEWLINK
        expected.extend(5u16.to_ne_bytes()); // NLM_F_REQUEST | NLM_F_ACK
        expected.extend(7u32.to_ne_bytes()); // nlmsg_seq
        expected.extend(0u32.to_ne_bytes()); // nlmsg_pid
        expected.extend([0, 0]); // ifi_family, padding
        expected.extend(0u16.to_ne_bytes()); // ifi_type
        expected.extend(3i32.to_ne_bytes()); // ifi_index
        expected.extend(1u32.to_ne_bytes()); // ifi_flags: IFF_UP
        expected.extend(1u32.to_ne_bytes()); // ifi_change
        assert_eq!(link_up(LinkIndex::new(3).unwrap(), 7), expected);
    }
}
