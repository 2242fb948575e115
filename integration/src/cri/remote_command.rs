//! A command in a container whose streams are connected to this program, as `kubectl exec` has it:
//! the protocol `v4.channel.k8s.io` over a WebSocket.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use tungstenite::protocol::{Message, Role, WebSocket};

use crate::limited::TIMEOUT;

/// The protocol: each message begins with the number of its channel, and the last one of
/// [`STATUS`] is JSON.
const PROTOCOL: &str = "v4.channel.k8s.io";
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;

/// The streams of one command, or of a container that is attached to.
pub struct RemoteCommand {
    socket: WebSocket<TcpStream>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    status: Option<Value>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Unread output: of its standard output, or of its terminal.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// Its exit code.
    pub exit_code: i32,
}

impl RemoteCommand {
    /// Connects to the address that the engine has answered.
    ///
    /// # Panics
    /// It cannot be reached, or does not know the protocol.
    pub fn connect(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("an address without TLS");
        let (host, path) = address.split_once('/').expect("a path");
        let mut stream = TcpStream::connect(host).expect("connect");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
        // The key is a challenge against caches between the two, and there is none.
        let key = "AAAAAAAAAAAAAAAAAAAAAA==";
        write!(
            stream,
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n"
        )
        .expect("write");
        let head = head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains(PROTOCOL), "{head}");
        Self {
            socket: WebSocket::from_raw_socket(stream, Role::Client, None),
            stdout: Vec::new(),
            stderr: Vec::new(),
            status: None,
        }
    }

    /// Writes to its standard input, or types on its terminal.
    ///
    /// # Panics
    /// The connection is broken.
    pub fn write(&mut self, bytes: &[u8]) {
        self.send(STDIN, bytes);
    }

    /// Changes the size of its terminal.
    ///
    /// # Panics
    /// The connection is broken.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let size = json!({ "Width": columns, "Height": rows });
        self.send(RESIZE, size.to_string().as_bytes());
    }

    /// Reads its standard output, or what its terminal shows, until `text` is in it.
    ///
    /// # Panics
    /// It ends before.
    pub fn read_until(&mut self, text: &str) -> String {
        while !String::from_utf8_lossy(&self.stdout).contains(text) {
            let read = self.receive();
            assert!(read, "{text:?} was not written: {:?}", self.shown());
        }
        let shown = self.shown();
        self.stdout.clear();
        shown
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// There is no status, or one without an exit code.
    pub fn end(mut self) -> Ended {
        while self.receive() {}
        let status = self.status.take().expect("a status");
        Ended {
            stdout: self.shown(),
            stderr: String::from_utf8_lossy(&self.stderr).into_owned(),
            exit_code: exit_code(&status).unwrap_or_else(|| panic!("no exit code: {status}")),
        }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    fn send(&mut self, channel: u8, bytes: &[u8]) {
        let message: Vec<u8> = [&[channel], bytes].concat();
        self.socket
            .send(Message::Binary(message.into()))
            .expect("the connection stands");
    }

    /// Receives one message. Returns whether there may be more.
    fn receive(&mut self) -> bool {
        let message = match self.socket.read() {
            Ok(message) => message.into_data(),
            Err(tungstenite::Error::Io(error)) if is_timeout(&error) => {
                panic!("nothing came in time, after {:?}", self.shown())
            }
            // Engines close the connection beneath, too.
            Err(_) => return false,
        };
        match message.split_first() {
            Some((&STDOUT, bytes)) => self.stdout.extend_from_slice(bytes),
            Some((&STDERR, bytes)) => self.stderr.extend_from_slice(bytes),
            // The first one is empty, and says that the streams are there.
            Some((&STATUS, bytes)) if !bytes.is_empty() => {
                self.status = Some(serde_json::from_slice(bytes).expect("a status is JSON"));
            }
            _ => {}
        }
        true
    }
}

impl std::fmt::Debug for RemoteCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteCommand").finish_non_exhaustive()
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock
}

/// The head of an answer. What comes behind it belongs to the WebSocket.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).expect("text")
}

/// The exit code that a status, an object of the Kubernetes API, tells.
fn exit_code(status: &Value) -> Option<i32> {
    if status["status"] == "Success" {
        return Some(0);
    }
    let causes = status["details"]["causes"].as_array()?;
    let cause = causes.iter().find(|cause| cause["reason"] == "ExitCode")?;
    cause["message"].as_str()?.parse().ok()
}
