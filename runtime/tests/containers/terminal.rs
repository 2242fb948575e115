//! Processes on a terminal of their own.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use cofferdam::{Signal, Terminal};

use crate::bundle::{Bundle, forever, shell};
use crate::sockets::receive;

/// Reads a master until the text appears.
fn read_until(master: &mut std::fs::File, text: &str) -> String {
    let mut seen = String::new();
    let mut chunk = [0_u8; 256];
    while !seen.contains(text) {
        match master.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(length) => seen.push_str(&String::from_utf8_lossy(&chunk[..length])),
        }
    }
    seen
}

#[test]
fn a_kept_console_speaks_to_the_process() {
    let Some(bundle) = Bundle::new() else { return };
    let mut process = shell(
        "test -t 0 && test -t 1 && test -t 2 && echo tty; stty size; read line; echo got $line",
    );
    process.terminal(Some(Terminal::Keep)).console_size(30, 100);
    let mut container = bundle.run(process).unwrap();
    let console = container.init_mut().unwrap().console().take().unwrap();
    assert_eq!(console.name(), "/dev/pts/0");
    let mut master = std::fs::File::from(console.into_descriptor());
    let seen = read_until(&mut master, "100");
    assert!(seen.contains("tty") && seen.contains("30 100"), "{seen:?}");
    master.write_all(b"something\n").unwrap();
    let seen = read_until(&mut master, "got something");
    assert!(seen.contains("got something"), "{seen:?}");
    assert!(container.wait().unwrap().success());
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn a_console_is_sent_with_its_name() {
    let Some(bundle) = Bundle::new() else { return };
    let path = bundle.outside().join("console.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut process = forever();
    process.terminal(Some(Terminal::Socket(path)));
    let mut container = bundle.create(process).unwrap();
    assert!(container.init_mut().unwrap().console().is_none());

    let (stream, _) = listener.accept().unwrap();
    let (name, terminal) = receive(&stream);
    assert_eq!(name, b"/dev/pts/0");
    // Kept: when it is closed, the init process gets a SIGHUP.
    assert!(rustix::termios::isatty(&terminal));
    container.signal(Signal::KILL).unwrap();
    container.wait().unwrap();
    container.destroy().unwrap();
    drop(terminal);
}
