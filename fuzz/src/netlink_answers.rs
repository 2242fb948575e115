//! What a netlink socket answers: the kernel's messages, on a socket that a stub may have opened.
#![allow(
    clippy::wrong_self_convention,
    dead_code,
    unreachable_pub,
    reason = "the readers are compiled here without the requests that use them, and are private"
)]

#[path = "../../netlink/src/address.rs"]
mod address;
#[path = "../../netlink/src/cidr.rs"]
mod cidr;
#[path = "../../netlink/src/error.rs"]
mod error;
#[path = "../../netlink/src/link.rs"]
mod link;
#[path = "../../netlink/src/mac_address.rs"]
mod mac_address;
#[path = "../../netlink/src/route.rs"]
mod route;
#[path = "../../netlink/src/statistics.rs"]
mod statistics;
#[path = "../../netlink/src/sys.rs"]
mod sys;
#[path = "../../netlink/src/wire.rs"]
mod wire;

use std::net::IpAddr;

use address::Address;
use cidr::Cidr;
use link::Link;
use route::Route;
use statistics::Statistics;
use wire::{Answer, Outcome, Reply, answers};

/// The request that is answered in the seeds.
const SEQUENCE: u32 = 9;
/// The head of a message.
const HEAD: usize = 16;

/// The end of an answer: `NLMSG_DONE` without an error.
fn done() -> Vec<u8> {
    let words = [20, 3, SEQUENCE, 0, 0];
    words.iter().flat_map(|word: &u32| word.to_ne_bytes()).collect()
}

/// Whether the datagram is whole messages, each padded, and nothing else.
fn is_whole(mut datagram: &[u8]) -> bool {
    while let [a, b, c, d, ..] = *datagram {
        let length = u32::from_ne_bytes([a, b, c, d]);
        let length = usize::try_from(length).expect("32 bits");
        match datagram.get(length.next_multiple_of(4)..) {
            Some(rest) if length >= HEAD => datagram = rest,
            _ => return false,
        }
    }
    datagram.is_empty()
}

pub(crate) fn run(datagram: &[u8]) {
    let found = answers(datagram, SEQUENCE);
    // A message gives an answer, and one more if it says that something changed.
    assert!(found.len() <= 2 * (datagram.len() / HEAD));
    // Answers to other requests are skipped.
    let shown = format!("{found:?}");
    assert!(answers(datagram, 0xffff_fff1).len() + found.len() <= 2 * (datagram.len() / HEAD));
    if is_whole(datagram) {
        let more = answers(&[datagram, &done()].concat(), SEQUENCE);
        let mut expected = answers(datagram, SEQUENCE);
        expected.push(Answer::End(0, None));
        assert_eq!(format!("{more:?}"), format!("{expected:?}"));
    }

    let interrupted = found.iter().any(|answer| matches!(answer, Answer::Interrupted));
    let mut reply = Reply::default();
    let mut answers = found.into_iter();
    let Some(end) = answers.find_map(|answer| reply.take(answer, "list links")) else {
        return;
    };
    match end {
        Ok(Outcome::Interrupted) => assert!(interrupted, "{shown}"),
        Ok(Outcome::Complete(objects)) => {
            for object in &objects {
                let _counters = Statistics::from_message(object).map(Statistics::from_other_end);
                if let Some(link) = Link::from_message(object) {
                    assert_ne!(link.index.as_raw(), 0);
                    assert!(link.master.is_none_or(|master| master.as_raw() != 0));
                }
                if let Some(address) = Address::from_message(object) {
                    assert_ne!(address.link.as_raw(), 0);
                    is_a_network(address.cidr);
                }
                if let Some(route) = Route::from_message(object) {
                    route.destination.into_iter().for_each(is_a_network);
                }
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Its prefix is none longer than the address, and it is read as it is written.
fn is_a_network(cidr: Cidr) {
    let most = match cidr.address() {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    assert!(cidr.prefix() <= most);
    let again: Cidr = cidr.to_string().parse().expect("what was written is read");
    assert_eq!(again, cidr);
}
