//! What is handed out over sockets: pidfds, seccomp listeners, readiness.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

use cofferdam::configs::config::{ActionName, Seccomp, SeccompSyscall};
use cofferdam::{NotifySocket, Signal};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::bundle::{Bundle, forever, shell};

/// One message: its data and its only descriptor.
pub(crate) fn receive(stream: &UnixStream) -> (Vec<u8>, OwnedFd) {
    let mut data = vec![0_u8; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut data)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )
    .unwrap();
    let mut received: Vec<OwnedFd> = control
        .drain()
        .filter_map(|message| {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                Some(rights)
            } else {
                None
            }
        })
        .flatten()
        .collect();
    data.truncate(message.bytes);
    assert_eq!(received.len(), 1);
    (data, received.remove(0))
}

/// The pid that `/proc/self/fdinfo` has for a pidfd.
fn pid_of(pidfd: &OwnedFd) -> i32 {
    use std::os::fd::AsRawFd;
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap();
    text.lines()
        .find_map(|line| line.strip_prefix("Pid:"))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn pidfds_are_those_of_the_programs() {
    let Some(bundle) = Bundle::new() else { return };
    let path = bundle.outside().join("pidfd.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut process = forever();
    process.pidfd_socket(&path);
    let container = bundle.run(process).unwrap();
    let (name, pidfd) = receive(&listener.accept().unwrap().0);
    assert_eq!(name, b"standard");
    assert_eq!(pid_of(&pidfd), container.pid().unwrap());

    let mut process = forever();
    process.pidfd_socket(&path);
    let child = container.exec(process).unwrap();
    let (name, pidfd) = receive(&listener.accept().unwrap().0);
    assert_eq!(name, b"setns");
    assert_eq!(pid_of(&pidfd), child.pid());

    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut process = forever();
    process.pidfd_connected(theirs.into());
    let child = container.exec(process).unwrap();
    let (name, pidfd) = receive(&ours);
    assert_eq!(name, b"setns");
    assert_eq!(pid_of(&pidfd), child.pid());
}

#[test]
fn the_agent_gets_the_listener_with_the_state() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    let path = bundle.outside().join("agent.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let rule = SeccompSyscall {
        name: "chroot".to_owned(),
        action: ActionName::Notify,
        errno_ret: None,
        args: Vec::new(),
    };
    bundle.config.seccomp = Some(Seccomp {
        default_action: ActionName::Allow,
        architectures: Vec::new(),
        flags: Vec::new(),
        syscalls: vec![rule],
        default_errno_ret: None,
        listener_path: path.to_str().unwrap().to_owned(),
        listener_metadata: "secret".to_owned(),
    });
    let container = bundle.create(forever()).unwrap();
    let (data, notify) = receive(&listener.accept().unwrap().0);
    let message: serde_json::Value = serde_json::from_slice(&data).unwrap();
    assert_eq!(message["fds"], serde_json::json!(["seccompFd"]));
    assert_eq!(message["metadata"], "secret");
    assert_eq!(message["pid"], container.pid().unwrap());
    assert_eq!(message["state"]["status"], "creating");
    assert_eq!(message["state"]["id"], bundle.id.as_str());
    let link = std::fs::read_link(format!("/proc/self/fd/{}", {
        use std::os::fd::AsRawFd;
        notify.as_fd().as_raw_fd()
    }));
    assert!(link.unwrap().to_str().unwrap().contains("seccomp notify"));
    container.start().unwrap();

    let child = container.exec(forever()).unwrap();
    let (data, _notify) = receive(&listener.accept().unwrap().0);
    let message: serde_json::Value = serde_json::from_slice(&data).unwrap();
    assert_eq!(message["pid"], child.pid());
    assert_eq!(message["state"]["pid"], container.pid().unwrap());
    assert_eq!(message["state"]["status"], "running");
    container.signal(Signal::KILL).unwrap();
    container.wait().unwrap();
    container.destroy().unwrap();
    bundle.assert_nothing_left();

    drop(listener);
    std::fs::remove_file(path).unwrap();
    let error = bundle.create(forever()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("failed to connect with seccomp agent"),
        "{}",
        error.chain()
    );
    bundle.assert_nothing_left();
}

#[test]
fn readiness_reaches_the_service_manager() {
    let Some(bundle) = Bundle::new() else { return };
    let host = bundle.outside().join("manager.sock");
    let manager = UnixDatagram::bind(&host).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut process = shell(
        "test -S /run/notify/notify.sock && test $NOTIFY_SOCKET = /run/notify/notify.sock; read forever < /dev/zero",
    );
    process.notify_socket(&host);
    let container = bundle.create(process).unwrap();
    let socket = NotifySocket::bind(&container, &host).unwrap().unwrap();
    container.start().unwrap();
    let forwarder = std::thread::spawn(move || socket.forward());
    // busybox has no datagram client: what the program would do, through its own view of the
    // socket.
    let inside = format!(
        "/proc/{}/root/run/notify/notify.sock",
        container.pid().unwrap()
    );
    UnixDatagram::unbound()
        .unwrap()
        .send_to(b"READY=1", inside)
        .unwrap();
    let mut datagram = [0_u8; 64];
    for expected in [
        "READY=1".to_owned(),
        format!("MAINPID={}", container.pid().unwrap()),
        "BARRIER=1".to_owned(),
    ] {
        let length = manager.recv(&mut datagram).unwrap();
        assert_eq!(String::from_utf8_lossy(&datagram[..length]), expected);
    }
    forwarder.join().unwrap().unwrap();
    container.signal(Signal::KILL).unwrap();
    container.wait().unwrap();
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}
