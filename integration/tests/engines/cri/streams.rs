//! Commands whose streams a client has: `kubectl exec` and `kubectl attach`.

use cofferdam_integration::cri::RemoteCommand;
use cofferdam_integration::cri::messages::{AttachRequest, ExecRequest};
use cofferdam_integration::engine::{Container, Node, container_config};
use cofferdam_integration::need;

use super::SLEEP;

/// What a program does that has a terminal.
const ON_A_TERMINAL: &str = "tty; echo asks; read -r line; echo \"got $line\"; \
                             until [ \"$(stty size)\" = '45 123' ]; do :; done; \
                             trap 'exit 9' INT; echo sized; while :; do sleep 1; done";

/// A shell in a container, with its standard input. A terminal takes its errors, too.
fn shell(node: &Node, container: &Container<'_>, script: &str, tty: bool) -> RemoteCommand {
    let answer = node.call(&ExecRequest {
        container_id: container.id().to_owned(),
        cmd: ["/bin/sh", "-c", script].map(str::to_owned).into(),
        tty,
        stdin: true,
        stdout: true,
        stderr: !tty,
    });
    RemoteCommand::connect(&answer.url)
}

#[test]
fn a_command_has_a_terminal() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    let pod = node.pod(node.pod_config());
    let container = pod.run(container_config("one", SLEEP));
    let mut command = shell(&node, &container, ON_A_TERMINAL, true);
    let shown = command.read_until("asks");
    assert!(shown.starts_with("/dev/pts/"), "{shown}");
    command.write(b"word\n");
    let _ = command.read_until("got word");
    // The engine takes sizes in beside what is typed.
    command.resize(123, 45);
    let _ = command.read_until("sized");
    // A terminal makes a signal of Ctrl-C.
    command.write(&[3]);
    let ended = command.end();
    assert_eq!(ended.exit_code, 9, "{ended:?}");
    pod.remove();
}

#[test]
fn a_command_has_streams_of_its_own() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    let pod = node.pod(node.pod_config());
    let container = pod.run(container_config("one", SLEEP));
    let script = "read -r line; echo \"out $line\"; echo \"err $line\" >&2";
    let mut command = shell(&node, &container, script, false);
    command.write(b"typed\n");
    let ended = command.end();
    assert_eq!(ended.exit_code, 0, "{ended:?}");
    assert_eq!(ended.stdout, "out typed\n");
    assert_eq!(ended.stderr, "err typed\n");
    pod.remove();
}

#[test]
fn a_container_with_a_terminal_is_attached_to() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    let pod = node.pod(node.pod_config());
    let script = "read -r line; echo \"pid-$$-$(tty) $line\"; read -r line; exit $line";
    let mut config = container_config("one", script);
    (config.tty, config.stdin) = (true, true);
    let container = pod.run(config);
    let answer = node.call(&AttachRequest {
        container_id: container.id().to_owned(),
        stdin: true,
        tty: true,
        stdout: true,
        stderr: false,
    });
    let mut attached = RemoteCommand::connect(&answer.url);
    attached.write(b"word\n");
    let _ = attached.read_until("pid-1-/dev/pts/0 word");
    attached.write(b"5\n");
    assert_eq!(container.ended().exit_code, 5);
    pod.remove();
}
