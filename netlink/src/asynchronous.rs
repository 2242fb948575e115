//! The verbs of [`Socket`](crate::Socket) for programs that live in a tokio runtime, on the crate `rtnetlink`.

use std::future::Future;

use futures_util::StreamExt;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;

use crate::address::Address;
use crate::error::{Error, Repr, Result};
use crate::interface_name::InterfaceName;
use crate::link::{Link, LinkIndex};
use crate::request::{self, Request};
use crate::route::Route;

/// A connection to the kernel's routing subsystem, in the network namespace of the thread that opened it.
///
/// It can be cloned and used from many tasks; answers find their way. Nothing is bounded in time here: that is what the
/// runtime's timeouts are for.
#[derive(Clone, Debug)]
pub struct Connection {
    handle: rtnetlink::Handle,
}

impl Connection {
    /// Connects. The future that comes with the connection carries the messages: it is spawned, and ends when the last
    /// clone of the connection is gone.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn open() -> Result<(Self, impl Future<Output = ()> + Send + 'static)> {
        let (messages, handle, _) = rtnetlink::new_connection()
            .map_err(|source| Error::io("open netlink socket", source))?;
        Ok((Self { handle }, messages))
    }

    /// The device with this name.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub async fn link_by_name(&self, name: &InterfaceName) -> Result<Link> {
        let request = request::link_by_name(name);
        let operation = request.operation.clone();
        let objects = self.exchange(request).await?;
        let link = objects.iter().find_map(Link::from_message);
        link.ok_or_else(|| {
            Repr::Protocol {
                operation,
                problem: "the answer describes no link",
            }
            .into()
        })
    }

    /// All devices of the namespace.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub async fn links(&self) -> Result<Vec<Link>> {
        let objects = self.exchange(request::links()).await?;
        Ok(objects.iter().filter_map(Link::from_message).collect())
    }

    /// The addresses of one device, or of all, of every family.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub async fn addresses(&self, link: Option<LinkIndex>) -> Result<Vec<Address>> {
        let objects = self.exchange(request::addresses()).await?;
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
        let objects = self.exchange(request::routes()).await?;
        Ok(objects.iter().filter_map(Route::from_message).collect())
    }

    pub(crate) async fn change(&self, request: Request) -> Result<()> {
        self.exchange(request).await.map(drop)
    }

    /// Sends a request and reads to the end of the answer. `rtnetlink` numbers the messages itself.
    async fn exchange(&self, request: Request) -> Result<Vec<RouteNetlinkMessage>> {
        let operation = request.operation.clone();
        let mut answers = self
            .handle
            .clone()
            .request(request.into_message(0))
            .map_err(|error| Error::io(operation.as_str(), std::io::Error::other(error)))?;
        let mut objects = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer.payload {
                NetlinkPayload::InnerMessage(object) => objects.push(object),
                NetlinkPayload::Error(error) if error.code.is_some() => {
                    return Err(Repr::Refused {
                        operation,
                        words: None,
                        source: error.to_io(),
                    }
                    .into());
                }
                _ => {}
            }
        }
        Ok(objects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Namespace;
    use crate::socket::tests::private_namespace;
    use nix::sched::{CloneFlags, setns};

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap()
            .block_on(future)
    }

    /// The same steps as those of the blocking socket's tests, and the blocking socket as the judge.
    #[test]
    fn links_addresses_and_routes() {
        let Some(namespace) = private_namespace() else {
            return;
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                setns(&namespace, CloneFlags::CLONE_NEWNET).unwrap();
                run(steps(&namespace));
            });
        });
    }

    async fn steps(namespace: &Namespace) {
        let (connection, messages) = Connection::open().unwrap();
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

        let link = connection.link_by_name(&name).await.unwrap();
        connection
            .add_address(link.index, "192.0.2.7/24".parse().unwrap())
            .await
            .unwrap();
        connection.set_up(link.index).await.unwrap();
        let default = Route::default_gateway("192.0.2.1".parse().unwrap(), Some(link.index));
        connection.add_route(&default).await.unwrap();

        let mut socket = namespace.connect().unwrap();
        assert!(socket.link_by_name(&name).unwrap().is_up);
        assert_eq!(connection.links().await.unwrap(), socket.links().unwrap());
        assert_eq!(
            connection.addresses(Some(link.index)).await.unwrap(),
            socket.addresses(Some(link.index)).unwrap()
        );
        let routes = connection.routes().await.unwrap();
        assert!(routes.contains(&default));
        assert_eq!(routes, socket.routes().unwrap());

        connection.delete_link(link.index).await.unwrap();
        let error = connection.link_by_name(&name).await.unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::NotFound);
    }
}
