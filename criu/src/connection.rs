//! One message, one packet: the conversation with CRIU over its socket.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use prost::Message;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendFlags, recvmsg, sendmsg,
};

use crate::error::{BoxError, Error, Repr, Result};
use crate::notification::{Notification, Stage};
use crate::rpc::{Notify, Request, RequestType, Response};

/// Answers are short; the longest has an error message.
const LONGEST_ANSWER: usize = 64 << 10;

/// A `SOCK_SEQPACKET` socket with CRIU at the other end.
#[derive(Debug)]
pub(crate) struct Connection(pub(crate) OwnedFd);

impl Connection {
    /// Sends a request and handles the notifications that come before the answer to it.
    pub(crate) fn call(
        &self,
        request: &Request,
        handle: &mut dyn FnMut(Notification) -> Result<(), BoxError>,
    ) -> Result<Response> {
        self.send(request)?;
        let mut failure = None;
        loop {
            let (response, descriptor) = self.receive()?;
            if response.r#type == RequestType::Notify as i32 {
                let handled = notify(response.notify.unwrap_or_default(), descriptor, handle);
                self.send(&Request {
                    r#type: RequestType::Notify.into(),
                    notify_success: Some(handled.is_ok()),
                    ..Request::default()
                })?;
                // The first one is why CRIU gives up.
                failure = failure.or(handled.err());
                continue;
            }
            return match failure {
                Some(failure) => Err(failure),
                None => answer(request, response),
            };
        }
    }

    fn send(&self, request: &Request) -> Result<()> {
        let bytes = request.encode_to_vec();
        let mut none = SendAncillaryBuffer::default();
        let sent = rustix::io::retry_on_intr(|| {
            sendmsg(
                &self.0,
                &[IoSlice::new(&bytes)],
                &mut none,
                SendFlags::NOSIGNAL,
            )
        });
        match sent {
            Ok(_) => Ok(()),
            Err(errno) => Err(Error::io("send a request to CRIU", errno)),
        }
    }

    fn receive(&self) -> Result<(Response, Option<OwnedFd>)> {
        const ATTEMPT: &str = "receive an answer of CRIU";
        let mut bytes = vec![0; LONGEST_ANSWER];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            recvmsg(
                &self.0,
                &mut [IoSliceMut::new(&mut bytes)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            )
        })
        .map_err(|errno| match errno {
            // The timeout of the socket.
            Errno::AGAIN => Error::io(ATTEMPT, Errno::TIMEDOUT),
            errno => Error::io(ATTEMPT, errno),
        })?;
        let descriptor = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        if received.flags.contains(ReturnFlags::TRUNC) {
            return Err(Error::protocol(
                ATTEMPT,
                format!("it is longer than {LONGEST_ANSWER} bytes"),
            ));
        }
        match bytes.get(..received.bytes) {
            None | Some([]) => Err(Error::protocol(ATTEMPT, "CRIU has ended")),
            Some(packet) => match Response::decode(packet) {
                Ok(response) => Ok((response, descriptor)),
                Err(error) => Err(Error::protocol(ATTEMPT, error.to_string())),
            },
        }
    }
}

fn notify(
    message: Notify,
    descriptor: Option<OwnedFd>,
    handle: &mut dyn FnMut(Notification) -> Result<(), BoxError>,
) -> Result<()> {
    let name = message.script.unwrap_or_default();
    let notification = Notification {
        stage: Stage::named(&name),
        pid: message.pid.filter(|pid| *pid > 0),
        descriptor,
    };
    handle(notification).map_err(|source| Repr::Notification { name, source }.into())
}

/// The answer, if it is one to the request and says that it was done.
fn answer(request: &Request, response: Response) -> Result<Response> {
    let asked = RequestType::try_from(request.r#type).unwrap_or(RequestType::Empty);
    if !response.success {
        return Err(Repr::Refused {
            request: asked,
            errno: response.cr_errno.unwrap_or(0),
            message: response.cr_errmsg,
        }
        .into());
    }
    if response.r#type != request.r#type {
        return Err(Error::protocol(
            "receive an answer of CRIU",
            format!("asked for {}, answered {}", asked.name(), response.r#type),
        ));
    }
    Ok(response)
}

#[cfg(test)]
mod tests;
