//! What comes back: the messages in one datagram.

use netlink_packet_core::{
    ErrorMessage, NLM_F_ACK_TLVS, NLM_F_DUMP_INTR, NLMSG_ALIGNTO, NetlinkBuffer, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;

use super::error::{Repr, Result};

/// `NLMSGERR_ATTR_MSG` of `linux/netlink.h`: the kernel's message about what is wrong.
const ERROR_ATTRIBUTE_WORDS: u16 = 1;
/// The size of a message header, which comes back behind an error number.
const HEADER_BYTES: usize = 16;

/// One message of an answer.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A link, address or route. `None` if it cannot be read, which concerns this one alone.
    Object(Option<RouteNetlinkMessage>),
    /// Something changed while the kernel wrote the list: entries may be missing, or be there twice
    /// (`NLM_F_DUMP_INTR`).
    Interrupted,
    /// The end, with the error number (0 for none) and what the kernel says about it.
    End(i32, Option<String>),
}

/// The messages with this sequence number in a datagram. Reading ends where a message claims more
/// than there is.
pub(crate) fn answers(datagram: &[u8], sequence: u32) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut rest = datagram;
    while let Ok(header) = NetlinkBuffer::new_checked(rest) {
        let length = usize::try_from(header.length()).unwrap_or(usize::MAX);
        let Some(message) = rest.get(..length) else {
            break;
        };
        if header.sequence_number() == sequence {
            if header.flags() & NLM_F_DUMP_INTR != 0 {
                answers.push(Answer::Interrupted);
            }
            answers.push(answer(message, header.flags()));
        }
        let step = length.next_multiple_of(usize::from(NLMSG_ALIGNTO));
        rest = rest.get(step..).unwrap_or_default();
    }
    answers
}

/// What was said in reply to one request.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    objects: Vec<RouteNetlinkMessage>,
    interrupted: bool,
}

/// A reply that is there to its end.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All of it.
    Complete(Vec<RouteNetlinkMessage>),
    /// It has to be asked for again.
    Interrupted,
}

impl Reply {
    /// Takes one message; after the last one, or an error, what came of it.
    pub(crate) fn take(&mut self, answer: Answer, operation: &str) -> Option<Result<Outcome>> {
        match answer {
            Answer::Object(Some(object)) => self.objects.push(object),
            Answer::Object(None) => log::debug!("{operation}: an unreadable answer"),
            Answer::Interrupted => self.interrupted = true,
            Answer::End(0, _) => return Some(Ok(self.end())),
            Answer::End(code, text) => {
                let refused = Repr::Refused {
                    operation: operation.to_owned(),
                    explanation: text,
                    source: std::io::Error::from_raw_os_error(code),
                };
                return Some(Err(refused.into()));
            }
        }
        None
    }

    fn end(&mut self) -> Outcome {
        if self.interrupted {
            Outcome::Interrupted
        } else {
            Outcome::Complete(std::mem::take(&mut self.objects))
        }
    }
}

fn answer(message: &[u8], flags: u16) -> Answer {
    let payload = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message).map(|m| m.payload);
    match payload {
        Ok(NetlinkPayload::Error(error)) => Answer::End(
            error.raw_code().saturating_neg(),
            explanation(&error, flags),
        ),
        Ok(NetlinkPayload::Done(done)) => Answer::End(done.code.saturating_neg(), None),
        Ok(NetlinkPayload::InnerMessage(object)) => Answer::Object(Some(object)),
        Ok(_) | Err(_) => Answer::Object(None),
    }
}

/// The kernel's message for an error, from a message with these flags in its header.
pub(crate) fn explanation(error: &ErrorMessage, flags: u16) -> Option<String> {
    (flags & NLM_F_ACK_TLVS != 0)
        .then(|| text(error.header.get(HEADER_BYTES..)?))
        .flatten()
}

/// Finds the kernel's message among the attributes behind an error.
fn text(mut attributes: &[u8]) -> Option<String> {
    while let [a, b, c, d, ..] = *attributes {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = attributes.get(4..length)?;
        if u16::from_ne_bytes([c, d]) == ERROR_ATTRIBUTE_WORDS {
            let value = value.strip_suffix(b"\0").unwrap_or(value);
            return Some(String::from_utf8_lossy(value).into_owned());
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A message as the kernel lays it out, padded.
    fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn refusal(code: i32, text: &[u8]) -> Vec<u8> {
        let mut payload = (-code).to_ne_bytes().to_vec();
        payload.extend([0; 16]);
        payload.extend(u16::try_from(4 + text.len()).unwrap().to_ne_bytes());
        payload.extend(1u16.to_ne_bytes());
        payload.extend(text);
        message(2, NLM_F_ACK_TLVS, 9, &payload)
    }

    #[test]
    fn errors_carry_the_kernels_text() {
        let answers = answers(&refusal(libc::EINVAL, b"Not that way\0"), 9);
        let [Answer::End(code, Some(text))] = answers.as_slice() else {
            panic!("{answers:?}");
        };
        assert_eq!((*code, text.as_str()), (libc::EINVAL, "Not that way"));
    }

    #[test]
    fn foreign_sequence_numbers_are_passed_over() {
        let mut datagram = message(2, 0, 8, &[0; 20]);
        datagram.extend(message(3, 2, 9, &[0; 4]));
        let answers = answers(&datagram, 9);
        assert!(
            matches!(answers.as_slice(), [Answer::End(0, None)]),
            "{answers:?}"
        );
    }

    fn reply(datagrams: &[Vec<u8>]) -> Result<Outcome> {
        let mut reply = Reply::default();
        let mut all = datagrams.iter().flat_map(|datagram| answers(datagram, 9));
        all.find_map(|answer| reply.take(answer, "list links"))
            .expect("an end")
    }

    /// The kernel marks the first message after the change, which may be any, the end included.
    #[test]
    fn a_list_that_changed_while_it_was_written_is_not_complete() {
        let entry = |flags| message(16, flags, 9, &[0; 16]);
        let end = |flags| message(3, flags, 9, &[0; 4]);
        let whole = reply(&[entry(2), entry(2), end(2)]);
        assert!(matches!(whole, Ok(Outcome::Complete(links)) if links.len() == 2));
        let changed = 2 | NLM_F_DUMP_INTR;
        for datagrams in [
            [entry(changed), entry(2), end(2)],
            [entry(2), entry(changed), end(2)],
            [entry(2), entry(2), end(changed)],
            // One that cannot be read.
            [entry(2), message(16, changed, 9, &[1]), end(2)],
        ] {
            let found = reply(&datagrams);
            assert!(matches!(found, Ok(Outcome::Interrupted)), "{found:?}");
        }
        // Of another request.
        let other = message(16, changed, 8, &[0; 16]);
        assert!(matches!(reply(&[other, end(2)]), Ok(Outcome::Complete(_))));
    }

    #[test]
    fn a_refusal_ends_an_interrupted_list() {
        let changed = message(16, 2 | NLM_F_DUMP_INTR, 9, &[0; 16]);
        let error = reply(&[changed, refusal(libc::EPERM, b"no\0")]).unwrap_err();
        assert_eq!(error.to_string(), "list links (no)");
    }

    #[test]
    fn an_object_that_cannot_be_read_does_not_hide_the_next() {
        let mut datagram = message(16, 2, 9, &[1, 2]);
        datagram.extend(message(16, 2, 9, &[0; 16]));
        let answers = answers(&datagram, 9);
        let [Answer::Object(None), Answer::Object(Some(_))] = answers.as_slice() else {
            panic!("{answers:?}");
        };
    }

    #[test]
    fn a_message_that_claims_too_much_ends_the_reading() {
        let mut datagram = message(3, 0, 9, &[0; 4]);
        datagram[0] = 200;
        assert!(answers(&datagram, 9).is_empty());
    }

    proptest! {
        #[test]
        fn any_error_attributes_end(bytes in any::<Vec<u8>>()) {
            let _ = text(&bytes);
        }

        #[test]
        fn any_datagram_ends(bytes in any::<Vec<u8>>(), sequence: u32) {
            answers(&bytes, sequence);
        }

        #[test]
        fn any_error_payload_ends(payload in any::<Vec<u8>>(), kind in 2u16..4, flags: u16) {
            answers(&message(kind, flags, 9, &payload), 9);
        }
    }
}
