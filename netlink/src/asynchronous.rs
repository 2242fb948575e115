//! The verbs of [`Socket`](crate::Socket) for programs that live in a tokio runtime, on the crate
//! `rtnetlink`.

use std::future::Future;

use futures_util::StreamExt;
use netlink_packet_core::{NLM_F_DUMP_INTR, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::sys::AsyncSocket;

use crate::address::Address;
use crate::error::{Error, Result};
use crate::interface_name::InterfaceName;
use crate::link::{Link, LinkIndex};
use crate::namespace::Namespace;
use crate::request::{self, Request};
use crate::route::Route;
use crate::statistics::Statistics;
use crate::wire::{Answer, Outcome, Reply, explanation};

/// A connection to the kernel's routing subsystem, in the network namespace of the thread that
/// opened it.
///
/// It can be cloned and used from many tasks; answers find their way. Nothing is bounded in time
/// here: that is what the runtime's timeouts are for.
#[derive(Clone, Debug)]
pub struct Connection {
    handle: rtnetlink::Handle,
}

impl Connection {
    /// Connects. The future that comes with the connection carries the messages: it is spawned, and
    /// ends when the last clone of the connection is gone.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn open() -> Result<(Self, impl Future<Output = ()> + Send + 'static)> {
        let (mut messages, handle, _) = rtnetlink::new_connection()
            .map_err(|source| Error::io("open netlink socket", source))?;
        // The end of a list is wanted, too: it may say that the list changed meanwhile.
        messages.set_forward_done(true);
        let socket = messages.socket_mut().socket_mut();
        // Without them the kernel's message for an error is missing; that is all.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        Ok((Self { handle }, messages))
    }

    /// Connects in another network namespace. A short-lived thread enters it; the runtime's threads
    /// stay where they are.
    ///
    /// # Errors
    /// [`Denied`](crate::ErrorKind::Denied) without `CAP_SYS_ADMIN` here and there;
    /// [`Io`](crate::ErrorKind::Io).
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn open_in(
        namespace: &Namespace,
    ) -> Result<(Self, impl Future<Output = ()> + Send + 'static)> {
        let runtime = tokio::runtime::Handle::current();
        namespace.inside(|| {
            let _entered = runtime.enter();
            Self::open()
        })
    }

    /// The device with this name.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub async fn link_by_name(&self, name: &InterfaceName) -> Result<Link> {
        let request = request::link_by_name(name);
        let objects = self.exchange(&request).await?;
        let link = objects.iter().find_map(Link::from_message);
        link.ok_or_else(|| request.unanswered("the answer describes no link"))
    }

    /// All devices of the namespace.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub async fn links(&self) -> Result<Vec<Link>> {
        let objects = self.exchange(&request::links()).await?;
        Ok(objects.iter().filter_map(Link::from_message).collect())
    }

    /// The addresses of one device, or of all, of every family.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub async fn addresses(&self, link: Option<LinkIndex>) -> Result<Vec<Address>> {
        let objects = self.exchange(&request::addresses()).await?;
        Ok(objects
            .iter()
            .filter_map(Address::from_message)
            .filter(|address| link.is_none_or(|link| link == address.link))
            .collect())
    }

    /// The unicast routes of the main table, of every family.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub async fn routes(&self) -> Result<Vec<Route>> {
        let objects = self.exchange(&request::routes()).await?;
        Ok(objects.iter().filter_map(Route::from_message).collect())
    }

    /// The counters of the device with this name.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub async fn statistics(&self, name: &InterfaceName) -> Result<Statistics> {
        let request = request::link_by_name(name);
        let objects = self.exchange(&request).await?;
        let found = objects.iter().find_map(Statistics::from_message);
        found.ok_or_else(|| request.unanswered("the answer has no counters"))
    }

    pub(crate) async fn change(&self, request: &Request) -> Result<()> {
        self.exchange(request).await.map(drop)
    }

    /// Asks until nothing has changed while the answer was written.
    async fn exchange(&self, request: &Request) -> Result<Vec<RouteNetlinkMessage>> {
        loop {
            match self.ask(request).await? {
                Outcome::Complete(objects) => return Ok(objects),
                Outcome::Interrupted => log::debug!("{}: it changed meanwhile", request.operation),
            }
        }
    }

    /// Sends a request and reads to the end of the answer. `rtnetlink` numbers the messages itself.
    async fn ask(&self, request: &Request) -> Result<Outcome> {
        let operation = request.operation.as_str();
        let mut handle = self.handle.clone();
        let mut messages = handle
            .request(request.message(0))
            .map_err(|error| Error::io(operation, std::io::Error::other(error)))?;
        let mut reply = Reply::default();
        while let Some(message) = messages.next().await {
            let flags = message.header.flags;
            let interrupted = (flags & NLM_F_DUMP_INTR != 0).then_some(Answer::Interrupted);
            let answer = match message.payload {
                NetlinkPayload::InnerMessage(object) => Some(Answer::Object(Some(object))),
                NetlinkPayload::Error(error) => {
                    let explanation = explanation(&error, flags);
                    Some(Answer::End(error.raw_code().saturating_neg(), explanation))
                }
                NetlinkPayload::Done(done) => Some(Answer::End(done.code.saturating_neg(), None)),
                _ => None,
            };
            for answer in interrupted.into_iter().chain(answer) {
                if let Some(end) = reply.take(answer, operation) {
                    return end;
                }
            }
        }
        // An acknowledgement without an error ends the stream and is not passed on.
        reply
            .take(Answer::End(0, None), operation)
            .unwrap_or(Ok(Outcome::Interrupted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::tests::private_namespace;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap()
            .block_on(future)
    }

    /// The same steps as those of the blocking socket's tests, and the blocking socket as the
    /// judge.
    #[test]
    fn links_addresses_and_routes() {
        let Some(namespace) = private_namespace() else {
            return;
        };
        run(steps(&namespace));
    }

    async fn steps(namespace: &Namespace) {
        let (connection, messages) = Connection::open_in(namespace).unwrap();
        tokio::spawn(messages);
        let name: InterfaceName = "veth-a".parse().unwrap();
        let peer: InterfaceName = "veth-b".parse().unwrap();
        let kind = crate::LinkKind::Veth {
            peer: &peer,
            peer_namespace: None,
        };
        let new = crate::NewLink::new(&name, kind);
        connection.create_link(&new).await.unwrap();
        let error = connection.create_link(&new).await.unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Exists);
        let mut socket = namespace.connect().unwrap();
        let other: InterfaceName = "nonsense".parse().unwrap();
        // Refused with a message, which is the kernel's and changes with it.
        let kind = crate::LinkKind::Other("no-such-kind");
        let nonsense = crate::NewLink::new(&other, kind);
        let refused = connection.create_link(&nonsense).await.unwrap_err();
        let judged = socket.create_link(&nonsense).unwrap_err();
        assert_eq!(refused.to_string(), judged.to_string());
        assert_eq!(refused.raw_os_error(), judged.raw_os_error());

        let link = connection.link_by_name(&name).await.unwrap();
        connection
            .add_address(link.index, "192.0.2.7/24".parse().unwrap())
            .await
            .unwrap();
        connection.set_up(link.index).await.unwrap();
        let default = Route::default_gateway("192.0.2.1".parse().unwrap(), Some(link.index));
        connection.add_route(&default).await.unwrap();

        assert!(socket.link_by_name(&name).unwrap().is_up);
        assert_eq!(connection.links().await.unwrap(), socket.links().unwrap());
        assert_eq!(
            connection.addresses(Some(link.index)).await.unwrap(),
            socket.addresses(Some(link.index)).unwrap()
        );
        let routes = connection.routes().await.unwrap();
        assert!(routes.contains(&default));
        assert_eq!(routes, socket.routes().unwrap());

        assert_eq!(
            connection.statistics(&peer).await.unwrap(),
            socket.statistics(&peer).unwrap()
        );

        connection.delete_link(link.index).await.unwrap();
        let error = connection.link_by_name(&name).await.unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::NotFound);
    }
}
