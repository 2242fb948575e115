//! Calls of gRPC with one message in either direction, over HTTP/2 without TLS.

use std::fmt;
use std::path::Path;

use h2::client::SendRequest;
use http::header::{CONTENT_TYPE, HeaderMap, TE};
use prost::Message;
use prost::bytes::{BufMut, Bytes, BytesMut};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::messages::Call;
use crate::limited::ENGINE_TIMEOUT;

/// What comes before each message: whether it is compressed, and its length in four bytes.
const PREFIX: usize = 5;

/// A connection to an engine.
#[derive(Debug)]
pub struct Client {
    requests: SendRequest<Bytes>,
    // Drives the connection.
    runtime: Runtime,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The code, by its number in gRPC: 5 is `NOT_FOUND`, 2 is `UNKNOWN`.
    pub code: u32,
    /// What the engine says.
    pub message: String,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {}: {}", self.code, self.message)
    }
}

impl Client {
    /// Connects to a socket.
    ///
    /// # Panics
    /// Nobody listens there, or what listens does not speak HTTP/2.
    pub fn connect(socket: &Path) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread for the connection");
        let requests = runtime.block_on(async {
            let stream = UnixStream::connect(socket).await.expect("connect");
            let (requests, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
            // Its end is seen by the calls.
            tokio::spawn(async { drop(connection.await) });
            requests
        });
        Self { requests, runtime }
    }

    /// Makes a call.
    ///
    /// # Errors
    /// Those of the engine.
    ///
    /// # Panics
    /// The connection breaks, or there is no answer in time.
    pub fn call<C: Call>(&self, request: &C) -> Result<C::Answer, Status> {
        let answered = self.runtime.block_on(async {
            timeout(
                ENGINE_TIMEOUT,
                exchange(self.requests.clone(), C::PATH, request),
            )
            .await
        });
        let (message, status) = answered
            .unwrap_or_else(|_| panic!("{}: no answer", C::PATH))
            .unwrap_or_else(|error| panic!("{}: {error}", C::PATH));
        status?;
        let message = message.get(PREFIX..).expect("a message has a prefix");
        Ok(C::Answer::decode(message).expect("a message of the CRI"))
    }
}

/// Sends a request, and gives what came back: the message with its prefix, and the status.
async fn exchange(
    requests: SendRequest<Bytes>,
    path: &str,
    request: &impl Message,
) -> Result<(Vec<u8>, Result<(), Status>), h2::Error> {
    let head = http::Request::post(format!("http://localhost{path}"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .body(())
        .expect("a request");
    let (response, mut stream) = requests.ready().await?.send_request(head, false)?;
    stream.send_data(framed(request), true)?;
    let (head, mut body) = response.await?.into_parts();
    let mut message = Vec::new();
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        message.extend_from_slice(&part);
    }
    // The status is behind the message or, if there is none, in the head.
    let trailers = body.trailers().await?;
    Ok((message, status(&trailers.unwrap_or(head.headers))))
}

fn framed(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::with_capacity(PREFIX + message.encoded_len());
    bytes.put_u8(0);
    bytes.put_u32(message.encoded_len().try_into().expect("a short message"));
    message.encode(&mut bytes).expect("there is room");
    bytes.freeze()
}

fn status(headers: &HeaderMap) -> Result<(), Status> {
    let text = |name| headers.get(name).map(|value| value.as_bytes());
    match text("grpc-status").expect("an answer has a status") {
        b"0" => Ok(()),
        code => Err(Status {
            code: std::str::from_utf8(code)
                .ok()
                .and_then(|code| code.parse().ok())
                .expect("a status is a number"),
            message: percent_decoded(text("grpc-message").unwrap_or_default()),
        }),
    }
}

/// `%` and two digits stand for a byte that a header cannot hold.
fn percent_decoded(text: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let code = behind.get(..2).filter(|_| first == b'%');
        let byte = code
            .and_then(|code| std::str::from_utf8(code).ok())
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = match byte {
            Some(_) => behind.get(2..).unwrap_or_default(),
            None => behind,
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn a_message_may_have_any_byte() {
        for (sent, meant) in [
            (&b"no such container"[..], "no such container"),
            (b"a%20b%0A", "a b\n"),
            (b"100%", "100%"),
            (b"%zz %C3%A9", "%zz é"),
        ] {
            assert_eq!(percent_decoded(sent), meant);
        }
    }
}
