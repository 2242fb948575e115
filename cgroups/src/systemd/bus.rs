//! A blocking connection to systemd's D-Bus interface, in which every step has a deadline.
//!
//! No thread and no executor: one call at a time is all that is needed here.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::Serialize;
use zbus::DynamicType;

use super::address::Address;
use super::call_error::{CallError, failed, no_answer, remaining};
use super::message::{ERROR, FIXED, METHOD_CALL, METHOD_RETURN, Message, SIGNAL};
use crate::{Error, ErrorKind, Result};

/// How long a single call may take: a manager that does not answer must not block the caller for
/// longer than ten seconds, cleaning up included.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(8);

/// A connection.
#[derive(Debug)]
pub(super) struct Bus {
    stream: UnixStream,
    direct: bool,
    serial: u32,
    /// How long each call may take.
    limit: Duration,
    /// Signals that came while a reply was expected.
    signals: VecDeque<Message>,
}

impl Bus {
    /// Connects within `limit`, which is also what each call may take then.
    pub(super) fn connect(address: &Address, limit: Duration) -> Result<Self> {
        let deadline = Instant::now() + limit;
        let stream = address.connect(deadline)?;
        let direct = matches!(address, Address::Direct(_));
        Self::start(stream, direct, limit, deadline)
    }

    /// The same connection, with another limit for each call.
    pub(super) fn answering_within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// How long each call may take.
    #[cfg(test)]
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Takes over a connected socket: authentication and, on a bus, the greeting.
    fn start(stream: UnixStream, direct: bool, limit: Duration, deadline: Instant) -> Result<Self> {
        let mut bus = Self {
            stream,
            direct,
            serial: 0,
            limit,
            signals: VecDeque::new(),
        };
        bus.authenticate(deadline)?;
        if !direct {
            let hello = bus.call_until(
                deadline,
                ["org.freedesktop.DBus", "/org/freedesktop/DBus"],
                ["org.freedesktop.DBus", "Hello"],
                &(),
            );
            hello.map_err(|error| error.into_error("greet the message bus"))?;
        }
        Ok(bus)
    }

    /// `EXTERNAL` without a name: the daemon takes our identity from the socket, which is right in
    /// user namespaces as well.
    ///
    /// All lines are sent at once. systemd does not look at a message that arrives together with
    /// the last of them, so the first one must not be sent before the answer.
    fn authenticate(&mut self, deadline: Instant) -> Result<()> {
        self.send(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n", deadline)?;
        for expected in ["DATA", "OK "] {
            let line = self.receive_line(deadline)?;
            if !line.starts_with(expected) {
                return Err(Error::new(
                    ErrorKind::Systemd,
                    format_args!("the message bus refused us: {line}"),
                ));
            }
        }
        Ok(())
    }

    fn receive_line(&mut self, deadline: Instant) -> Result<String> {
        const LONGEST: usize = 512;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.receive(&mut byte, deadline)?;
            line.extend(byte);
            if line.len() > LONGEST {
                return Err(failed("authenticate", io::ErrorKind::InvalidData));
            }
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<()> {
        let left = remaining(deadline)?;
        let mut send = || {
            self.stream.set_write_timeout(Some(left))?;
            self.stream.write_all(bytes)
        };
        send().map_err(|error| timed("send to systemd", error))
    }

    fn receive(&mut self, mut buffer: &mut [u8], deadline: Instant) -> Result<()> {
        while !buffer.is_empty() {
            let left = remaining(deadline)?;
            let mut read = || {
                self.stream.set_read_timeout(Some(left))?;
                self.stream.read(buffer)
            };
            match read() {
                Ok(0) => {
                    return Err(failed("wait for systemd", io::ErrorKind::UnexpectedEof));
                }
                Ok(count) => buffer = buffer.get_mut(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(timed("wait for systemd", error)),
            }
        }
        Ok(())
    }

    fn receive_message(&mut self, deadline: Instant) -> Result<Message> {
        let mut fixed = [0; FIXED];
        self.receive(&mut fixed, deadline)?;
        let mut bytes = fixed.to_vec();
        bytes.resize(FIXED + Message::rest_of(&fixed)?, 0);
        let rest = bytes.get_mut(FIXED..).unwrap_or_default();
        self.receive(rest, deadline)?;
        Message::decode(&bytes)
    }

    /// Calls a method: `[destination, object path]`, `[interface, member]`.
    pub(super) fn call<B>(
        &mut self,
        place: [&str; 2],
        method: [&str; 2],
        body: &B,
    ) -> Result<Message, CallError>
    where
        B: Serialize + DynamicType,
    {
        self.call_until(Instant::now() + self.limit, place, method, body)
    }

    fn call_until<B>(
        &mut self,
        deadline: Instant,
        [destination, path]: [&str; 2],
        [interface, member]: [&str; 2],
        body: &B,
    ) -> Result<Message, CallError>
    where
        B: Serialize + DynamicType,
    {
        self.serial += 1;
        let serial = self.serial;
        let mut message = Message::new(METHOD_CALL, serial, body)?;
        path.clone_into(&mut message.path);
        interface.clone_into(&mut message.interface);
        member.clone_into(&mut message.member);
        if !self.direct {
            destination.clone_into(&mut message.destination);
        }
        self.send(&message.encode()?, deadline)?;
        loop {
            let message = self.receive_message(deadline)?;
            match message.kind {
                METHOD_RETURN if message.reply_serial == serial => return Ok(message),
                ERROR if message.reply_serial == serial => {
                    let text = message.error_text();
                    return Err(CallError::Refused {
                        name: message.error_name,
                        text,
                    });
                }
                SIGNAL => self.signals.push_back(message),
                _ => {}
            }
        }
    }

    /// Whether there is a bus between, which has to be asked for signals.
    pub(super) fn is_direct(&self) -> bool {
        self.direct
    }

    /// Waits for the next signal.
    pub(super) fn signal(&mut self, deadline: Instant) -> Result<Message> {
        loop {
            if let Some(signal) = self.signals.pop_front() {
                return Ok(signal);
            }
            let message = self.receive_message(deadline)?;
            if message.kind == SIGNAL {
                return Ok(message);
            }
        }
    }
}

fn timed(what: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => no_answer(),
        _ => failed(what, error),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::thread::JoinHandle;

    use super::*;

    /// The other end of a connection, which answers as the test says.
    pub(crate) struct Peer {
        stream: UnixStream,
        serial: u32,
    }

    impl Peer {
        pub(crate) fn receive(&mut self) -> Option<Message> {
            let mut fixed = [0; FIXED];
            self.stream.read_exact(&mut fixed).ok()?;
            let mut bytes = fixed.to_vec();
            bytes.resize(FIXED + Message::rest_of(&fixed).unwrap(), 0);
            self.stream.read_exact(&mut bytes[FIXED..]).unwrap();
            Some(Message::decode(&bytes).unwrap())
        }

        fn write(&mut self, message: &Message) {
            self.stream.write_all(&message.encode().unwrap()).unwrap();
        }

        pub(crate) fn reply<B: Serialize + DynamicType>(&mut self, call: &Message, body: &B) {
            self.serial += 1;
            let mut message = Message::new(METHOD_RETURN, self.serial, body).unwrap();
            message.reply_serial = call.serial;
            self.write(&message);
        }

        pub(crate) fn refuse(&mut self, call: &Message, name: &str, text: &str) {
            self.serial += 1;
            let mut message = Message::new(ERROR, self.serial, &(text,)).unwrap();
            message.reply_serial = call.serial;
            message.error_name = name.to_owned();
            self.write(&message);
        }

        pub(crate) fn signal<B: Serialize + DynamicType>(&mut self, member: &str, body: &B) {
            self.serial += 1;
            let mut message = Message::new(SIGNAL, self.serial, body).unwrap();
            message.path = "/org/freedesktop/systemd1".into();
            message.interface = "org.freedesktop.systemd1.Manager".into();
            message.member = member.to_owned();
            self.write(&message);
        }
    }

    /// A connection to a thread that plays systemd.
    pub(crate) fn connected<T: Send + 'static>(
        play: impl FnOnce(&mut Peer) -> T + Send + 'static,
    ) -> (Bus, JoinHandle<T>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || {
            let mut peer = Peer {
                stream: theirs,
                serial: 0,
            };
            let mut lines = [0; 29];
            peer.stream.read_exact(&mut lines).unwrap();
            assert_eq!(&lines, b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
            peer.stream.write_all(b"DATA\r\nOK 1234\r\n").unwrap();
            play(&mut peer)
        });
        let deadline = Instant::now() + CALL_LIMIT;
        (
            Bus::start(ours, true, CALL_LIMIT, deadline).unwrap(),
            thread,
        )
    }

    #[test]
    fn signals_before_the_reply_are_kept() {
        let (mut bus, peer) = connected(|peer| {
            let call = peer.receive().unwrap();
            assert_eq!(call.member, "Ping");
            assert_eq!(call.destination, "");
            peer.signal("JobRemoved", &(1_u32,));
            peer.reply(&call, &("pong",));
            peer.signal("JobRemoved", &(2_u32,));
        });
        let reply = bus.call(["d", "/p"], ["i.i", "Ping"], &()).unwrap();
        assert_eq!(reply.body::<(String,)>().unwrap().0, "pong");
        let deadline = Instant::now() + CALL_LIMIT;
        for number in [1, 2] {
            let signal = bus.signal(deadline).unwrap();
            assert_eq!(signal.body::<(u32,)>().unwrap().0, number);
        }
        peer.join().unwrap();
        // The peer is gone.
        assert_eq!(bus.signal(deadline).unwrap_err().kind(), ErrorKind::Systemd);
    }

    #[test]
    fn refusals_and_silence() {
        let (mut bus, peer) = connected(|peer| {
            let call = peer.receive().unwrap();
            peer.refuse(&call, "org.example.No", "not today");
            // Until the client gives up.
            assert!(peer.receive().is_none());
        });
        let error = bus.call(["d", "/p"], ["i.i", "M"], &()).unwrap_err();
        assert!(error.is("org.example.No") && !error.is("other"));
        assert_eq!(error.into_error("do it").to_string(), "do it: not today");
        let soon = Instant::now() + Duration::from_millis(20);
        let error = bus.signal(soon).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        drop(bus);
        peer.join().unwrap();
    }
}
