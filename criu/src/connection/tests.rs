//! The conversation, with a peer that says what CRIU would.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;

use prost::Message as _;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType, recv, sendmsg, socketpair,
};

use super::*;
use crate::error::ErrorKind;
use crate::rpc::{Options, Restored};

/// What the peer does, one after the other.
enum Step {
    /// Waits for a request and expects this type and `notify_success`.
    Hear(RequestType, Option<bool>),
    Say(Response),
    SayWith(Response, OwnedFd),
    SayBytes(Vec<u8>),
}

fn peer(steps: Vec<Step>) -> (Connection, JoinHandle<()>) {
    let (own, other) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    let thread = std::thread::spawn(move || {
        let say = |bytes: &[u8], descriptor: Option<&OwnedFd>| {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let borrowed = descriptor.map(|fd| [fd.as_fd()]);
            if let Some(borrowed) = &borrowed {
                assert!(control.push(SendAncillaryMessage::ScmRights(borrowed)));
            }
            let io = [IoSlice::new(bytes)];
            sendmsg(&other, &io, &mut control, SendFlags::empty()).unwrap();
        };
        for step in steps {
            match step {
                Step::Hear(kind, success) => {
                    let mut bytes = vec![0; 4096];
                    let (count, _) = recv(&other, &mut bytes[..], RecvFlags::empty()).unwrap();
                    let request = Request::decode(&bytes[..count]).unwrap();
                    assert_eq!(request.r#type, kind as i32);
                    assert_eq!(request.notify_success, success);
                }
                Step::Say(response) => say(&response.encode_to_vec(), None),
                Step::SayWith(response, fd) => say(&response.encode_to_vec(), Some(&fd)),
                Step::SayBytes(bytes) => say(&bytes, None),
            }
        }
    });
    (Connection(own), thread)
}

fn asked(kind: RequestType) -> Request {
    Request {
        r#type: kind.into(),
        opts: Some(Options::default()),
        ..Request::default()
    }
}

fn done(kind: RequestType) -> Response {
    Response {
        r#type: kind.into(),
        success: true,
        ..Response::default()
    }
}

fn stage(name: &str, pid: i32) -> Response {
    Response {
        notify: Some(Notify {
            script: Some(name.to_owned()),
            pid: Some(pid),
        }),
        ..done(RequestType::Notify)
    }
}

fn refused(steps: Vec<Step>) -> Error {
    let (connection, thread) = peer(steps);
    let answer = connection.call(&asked(RequestType::Dump), &mut |_| Ok(()));
    thread.join().unwrap();
    answer.unwrap_err()
}

#[test]
fn notifications_come_in_order_and_are_answered() {
    let (connection, thread) = peer(vec![
        Step::Hear(RequestType::Restore, None),
        Step::Say(stage("setup-namespaces", 42)),
        Step::Hear(RequestType::Notify, Some(true)),
        Step::Say(stage("a-new-one", 0)),
        Step::Hear(RequestType::Notify, Some(true)),
        Step::Say(Response {
            restore: Some(Restored { pid: 42 }),
            ..done(RequestType::Restore)
        }),
    ]);
    let mut seen = Vec::new();
    let answer = connection.call(&asked(RequestType::Restore), &mut |notification| {
        seen.push((notification.stage, notification.pid));
        Ok(())
    });
    thread.join().unwrap();
    assert_eq!(answer.unwrap().restore.unwrap().pid, 42);
    let other = Stage::Other("a-new-one".to_owned());
    assert_eq!(seen, [(Stage::SetupNamespaces, Some(42)), (other, None)]);
}

#[test]
fn a_descriptor_comes_with_its_notification() {
    let (reader, writer) = io::pipe().unwrap();
    let (connection, thread) = peer(vec![
        Step::Hear(RequestType::Restore, None),
        Step::SayWith(stage("orphan-pts-master", 1), writer.into()),
        Step::Hear(RequestType::Notify, Some(true)),
        Step::Say(done(RequestType::Restore)),
    ]);
    let mut got = None;
    let answer = connection.call(&asked(RequestType::Restore), &mut |notification| {
        assert_eq!(notification.stage, Stage::OrphanPtsMaster);
        got = notification.descriptor;
        Ok(())
    });
    thread.join().unwrap();
    answer.unwrap();
    rustix::io::write(got.unwrap(), b"x").unwrap();
    assert_eq!(io::read_to_string(reader).unwrap(), "x");
}

#[test]
fn a_failure_of_the_caller_is_the_error_though_criu_goes_on_to_its_own() {
    let (connection, thread) = peer(vec![
        Step::Hear(RequestType::Dump, None),
        Step::Say(stage("post-dump", 7)),
        Step::Hear(RequestType::Notify, Some(false)),
        Step::Say(stage("network-unlock", 7)),
        Step::Hear(RequestType::Notify, Some(true)),
        Step::Say(Response {
            success: false,
            ..done(RequestType::Dump)
        }),
    ]);
    let answer = connection.call(
        &asked(RequestType::Dump),
        &mut |notification| match notification.stage {
            Stage::PostDump => Err("no room".into()),
            _ => Ok(()),
        },
    );
    thread.join().unwrap();
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Notification);
    assert_eq!(error.to_string(), "notification post-dump");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "no room");
}

#[test]
fn a_refusal_has_the_errno_and_the_words_of_criu() {
    let error = refused(vec![
        Step::Hear(RequestType::Dump, None),
        Step::Say(Response {
            success: false,
            cr_errno: Some(52),
            cr_errmsg: Some("Can't dump: a socket\n".to_owned()),
            ..done(RequestType::Dump)
        }),
    ]);
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(error.raw_os_error(), Some(52));
    assert_eq!(
        error.to_string(),
        "criu failed: type DUMP errno 52: Can't dump: a socket"
    );
}

#[test]
fn what_is_not_the_protocol_is_an_error() {
    let hear = || Step::Hear(RequestType::Dump, None);
    for (step, expected) in [
        (
            Step::Say(done(RequestType::Restore)),
            "asked for DUMP, answered 2",
        ),
        (Step::SayBytes(vec![0xff; 9]), "receive an answer of CRIU: "),
        // Required fields are missing, which reads as a request of no type.
        (Step::SayBytes(vec![0x10, 1]), "asked for DUMP, answered 0"),
        (
            Step::SayBytes(vec![0; LONGEST_ANSWER + 1]),
            "longer than 65536",
        ),
    ] {
        let error = refused(vec![hear(), step]);
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.to_string().contains(expected), "{error}");
    }
    let error = refused(vec![hear()]);
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().ends_with("CRIU has ended"), "{error}");
}

#[test]
fn an_end_while_we_ask_is_an_error_and_no_signal() {
    let (connection, thread) = peer(Vec::new());
    thread.join().unwrap();
    let error = connection.call(&asked(RequestType::Dump), &mut |_| Ok(()));
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.raw_os_error(), Some(Errno::PIPE.raw_os_error()));
}
