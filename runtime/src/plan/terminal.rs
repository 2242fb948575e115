//! The pseudo terminal of the process, taken from the container's own devpts.

use nsenter::plan::{Dir, Leaf, Op, Slot};

use super::params::ProcessParams;
use super::rootfs::Rootfs;
use super::steps::Steps;

/// Makes a pair, sends the master away, puts the other end on the standard streams and, for an
/// init, on `/dev/console`.
///
/// Gives back the open end, which later becomes the controlling terminal.
pub(super) fn open(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    root: Option<&Rootfs>,
) -> Option<Slot> {
    params.process.terminal.as_ref()?;
    let (master, slave) = (steps.slot(), steps.slot());
    let mounted = root.and_then(|root| root.mounts.root_of("/dev/pts"));
    let devpts = match mounted {
        Some(devpts) => devpts,
        None => find(steps, root),
    };
    steps.push(
        "open a pseudo terminal",
        Op::Pty {
            devpts,
            master,
            slave,
        },
    );
    if mounted.is_none() {
        steps.close(devpts);
    }
    if let Some(root) = root
        && root.mount_namespace
    {
        console(steps, root, slave);
    }
    steps.push("send the console", Op::AskConsole(master));
    steps.close(master);
    steps.push(
        "use the terminal for the standard streams",
        Op::Stdio(slave),
    );
    Some(slave)
}

/// Opens `/dev/pts`, whatever that is: it is looked at when the terminal is made.
fn find(steps: &mut Steps, root: Option<&Rootfs>) -> Slot {
    let into = steps.slot();
    let (dir, path, confine) = match root {
        Some(root) => (Dir::Slot(root.slot), c"dev/pts", libc::RESOLVE_IN_ROOT),
        None => (Dir::Cwd, c"/dev/pts", 0),
    };
    steps.push(
        "open /dev/pts",
        Op::Open {
            dir,
            path: path.to_owned(),
            flags: (libc::O_PATH | libc::O_DIRECTORY).cast_unsigned(),
            mode: 0,
            resolve: libc::RESOLVE_NO_MAGICLINKS | confine,
            into,
        },
    );
    into
}

/// Binds the terminal over `/dev/console`: by its descriptor, not by a name below `/dev/pts`.
fn console(steps: &mut Steps, root: &Rootfs, slave: Slot) {
    let (tree, target) = (steps.slot(), steps.slot());
    steps.push(
        "create /dev/console",
        match root.dev {
            Some(dev) => Op::MakePath {
                root: dev,
                path: c"console".to_owned(),
                leaf: Leaf::File,
                into: target,
            },
            None => Op::MakePath {
                root: root.slot,
                path: c"dev/console".to_owned(),
                leaf: Leaf::File,
                into: target,
            },
        },
    );
    steps.push(
        "clone the terminal for /dev/console",
        Op::CloneTree {
            dir: Dir::Slot(slave),
            path: c"".to_owned(),
            recursive: false,
            into: tree,
        },
    );
    steps.push(
        "bind /dev/console",
        Op::Attach {
            mount: tree,
            target,
        },
    );
    steps.close(target);
    steps.close(tree);
}

/// Makes the terminal the controlling one of the session.
pub(super) fn control(steps: &mut Steps, slave: Option<Slot>) {
    if let Some(slave) = slave {
        steps.push(
            "set the controlling terminal",
            Op::ControllingTerminal(slave),
        );
        steps.close(slave);
    }
}
