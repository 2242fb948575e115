//! Programs in sandboxes that an asynchronous program waits for.

use std::io::ErrorKind;
use std::time::Duration;

use cofferdam::{ExitStatus, Signal, Stdio};
use tokio::net::unix::pipe::{Receiver, Sender};

use crate::bundle::Bundle;
use crate::command::{assert_nothing_left, shell};

/// Reads to the end.
async fn read(pipe: Receiver) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        pipe.readable().await.unwrap();
        let mut buffer = [0; 4096];
        match pipe.try_read(&mut buffer) {
            Ok(0) => return all,
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn write(pipe: &Sender, line: &[u8]) {
    loop {
        pipe.writable().await.unwrap();
        match pipe.try_write(line) {
            Ok(count) => return assert_eq!(count, line.len()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_end_is_waited_for_while_its_output_is_read() {
    let Some(bundle) = Bundle::new() else { return };
    // More than a pipe holds.
    let script = "read line; echo got $line; head -c 200000 /dev/zero; cat; exit 3";
    let mut command = shell(&bundle, script);
    command.stdin(Stdio::Pipe).stdout(Stdio::Pipe);
    let mut child = command.spawn_async().await.unwrap();
    assert!(child.id() > 0 && child.stderr.is_none());
    write(child.stdin.as_ref().unwrap(), b"it\n").await;
    let stdout = child.stdout.take().unwrap();
    // Waiting closes the input, which the program reads to its end.
    let (status, output) = tokio::join!(child.wait(), read(stdout));
    assert_eq!(status.unwrap(), ExitStatus::Exited(3));
    assert!(output.starts_with(b"got it\n"));
    assert_eq!(output.len(), 200_000 + "got it\n".len());
    assert_eq!(child.wait().await.unwrap(), ExitStatus::Exited(3));
    assert!(child.usage().is_some() && !child.timed_out());
    assert_nothing_left(&bundle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_given_up_loses_nothing() {
    let Some(bundle) = Bundle::new() else { return };
    let command = shell(&bundle, "sleep 1000");
    let mut child = command.spawn_async().await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(1), child.wait()).await;
    assert!(given_up.is_err());
    child.kill().unwrap();
    let status = child.wait().await.unwrap();
    assert_eq!(status, ExitStatus::Signaled(Signal::KILL));
    assert_nothing_left(&bundle);
}

#[test]
fn dropping_it_removes_the_sandbox() {
    let Some(bundle) = Bundle::new() else { return };
    let command = shell(&bundle, "sleep 1000");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { drop(command.spawn_async().await.unwrap()) });
    // Waits for its blocking threads.
    drop(runtime);
    assert_nothing_left(&bundle);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_run_is_an_error() {
    let Some(bundle) = Bundle::new() else { return };
    let mut command = shell(&bundle, "true");
    command.pids(0);
    let error = command.spawn_async().await.unwrap_err();
    assert_eq!(error.kind(), cofferdam::ErrorKind::InvalidConfig);
    assert_nothing_left(&bundle);
}
