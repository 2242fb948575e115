//! Device nodes and the links beside them. Everything is made below the handle of the container's own `/dev`: a symbolic
//! link in the image leads nowhere else.

use configs::config::{Device, DeviceType};
use nsenter::plan::{Dir, Expect, Leaf, Op, Slot};

use super::requested::Requested;
use super::rootfs::Rootfs;
use super::steps::{Steps, c_string, clean};
use crate::{Error, Result};

const DEV: &str = "/dev";

/// The links that every `/dev` has.
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Nodes, links and `ptmx`, unless `/dev` is a bind mount.
pub(super) fn make(steps: &mut Steps, requested: &Requested<'_>, root: &mut Rootfs) -> Result<()> {
    if root.dev_is_bound {
        return Ok(());
    }
    let fresh = root.dev.is_some();
    let dev = match root.dev {
        Some(dev) => dev,
        None => {
            let into = steps.slot();
            // Without a mount of its own it is the image's: that may not lead anywhere else, even inside.
            steps.push(
                "/dev must be an ordinary directory",
                Op::MakePlainDirectory {
                    root: root.slot,
                    path: c"/dev".to_owned(),
                    into,
                },
            );
            root.dev = Some(into);
            root.mounts.keep(into);
            into
        }
    };
    let devices = requested
        .config
        .devices
        .iter()
        .filter(|device| !device.path.is_empty())
        .map(|device| Node::of(device, root, dev))
        .collect::<Result<Vec<_>>>()?;
    let devices: Vec<Node<'_>> = devices
        .into_iter()
        .filter(|node| node.path != "/dev/ptmx")
        .collect();
    if !devices.is_empty() {
        nodes(steps, requested, &devices)?;
    }
    links(steps, requested, dev, fresh)
}

/// A node to make, and where.
#[derive(Debug)]
struct Node<'a> {
    device: &'a Device,
    path: String,
    /// The handle its path starts at.
    base: Slot,
    /// Directories between the handle and the node; empty for none.
    parent: String,
    name: String,
    file_type: u32,
    numbers: (u32, u32),
}

impl<'a> Node<'a> {
    fn of(device: &'a Device, root: &Rootfs, dev: Slot) -> Result<Self> {
        let path = clean(&device.path);
        let number = |value: i64| {
            u32::try_from(value)
                .map_err(|_| Error::config(format!("cannot mkdev() device with wildcards: {path}")))
        };
        let file_type = match device.kind {
            DeviceType::Char => libc::S_IFCHR,
            DeviceType::Block => libc::S_IFBLK,
            DeviceType::Fifo => libc::S_IFIFO,
            DeviceType::All => {
                return Err(Error::config(format!(
                    "{path}: a device node is of type c, b or p"
                )));
            }
        };
        let numbers = if file_type == libc::S_IFIFO {
            (0, 0)
        } else {
            (number(device.major)?, number(device.minor)?)
        };
        let (base, below) = match path
            .strip_prefix(DEV)
            .and_then(|rest| rest.strip_prefix('/'))
        {
            Some(below) => (dev, below),
            None => (root.slot, path.trim_start_matches('/')),
        };
        let (parent, name) = below.rsplit_once('/').unwrap_or(("", below));
        if name.is_empty() {
            return Err(Error::config(format!(
                "{path:?} is no path of a device node"
            )));
        }
        let (parent, name) = (parent.to_owned(), name.to_owned());
        Ok(Self {
            device,
            path,
            base,
            parent,
            name,
            file_type,
            numbers,
        })
    }

    /// The directory of the node; true if it was opened for it.
    fn directory(&self, steps: &mut Steps) -> Result<(Slot, bool)> {
        if self.parent.is_empty() {
            return Ok((self.base, false));
        }
        let into = steps.slot();
        steps.push(
            format!("create the directory of {}", self.path),
            Op::MakePath {
                root: self.base,
                path: c_string("linux.devices.path", self.parent.as_str())?,
                leaf: Leaf::Directory,
                into,
            },
        );
        Ok((into, true))
    }
}

/// Makes the nodes; where that is not permitted, the host's nodes are bound over empty files instead.
fn nodes(steps: &mut Steps, requested: &Requested<'_>, devices: &[Node<'_>]) -> Result<()> {
    if requested.in_user_namespace() {
        return bound(steps, devices);
    }
    let (bind, done) = (steps.label(), steps.label());
    for node in devices {
        let (dir, opened) = node.directory(steps)?;
        let op = Op::MakeNode {
            dir,
            name: c_string("linux.devices.path", node.name.as_str())?,
            mode: node.file_type | (node.device.file_mode & 0o7777),
            device: node.numbers,
            uid: node.device.uid,
            gid: node.device.gid,
        };
        let context = format!("make device node {}", node.path);
        if opened {
            // The handle must be closed on both ways.
            let (refused, next) = (steps.label(), steps.label());
            steps.push_or(context, op, &[libc::EPERM], refused);
            steps.push("close a descriptor", Op::Close(dir));
            steps.jump(next);
            steps.bind(refused);
            steps.push("close a descriptor", Op::Close(dir));
            steps.jump(bind);
            steps.bind(next);
            steps.release(dir);
        } else {
            steps.push_or(context, op, &[libc::EPERM], bind);
        }
    }
    steps.jump(done);
    steps.bind(bind);
    bound(steps, devices)?;
    steps.bind(done);
    Ok(())
}

fn bound(steps: &mut Steps, devices: &[Node<'_>]) -> Result<()> {
    for node in devices {
        let (tree, target) = (steps.slot(), steps.slot());
        steps.push(
            format!("open the host's {}", node.path),
            Op::CloneTree {
                dir: Dir::Cwd,
                path: c_string("linux.devices.path", node.path.as_str())?,
                recursive: false,
                into: tree,
            },
        );
        let device = (node.file_type != libc::S_IFIFO).then_some(node.numbers);
        steps.push(
            format!("check that the host's {} is the device", node.path),
            Op::Verify {
                fd: tree,
                expect: Expect {
                    file_type: Some(node.file_type),
                    device,
                    ..Expect::default()
                },
            },
        );
        let below = if node.parent.is_empty() {
            node.name.clone()
        } else {
            format!("{}/{}", node.parent, node.name)
        };
        steps.push(
            format!("create {}", node.path),
            Op::MakePath {
                root: node.base,
                path: c_string("linux.devices.path", below)?,
                leaf: Leaf::File,
                into: target,
            },
        );
        steps.push(
            format!("bind {}", node.path),
            Op::Attach {
                mount: tree,
                target,
            },
        );
        steps.close(target);
        steps.close(tree);
    }
    Ok(())
}

fn links(steps: &mut Steps, requested: &Requested<'_>, dev: Slot, fresh: bool) -> Result<()> {
    let core = requested.host.kcore.then_some(("core", "/proc/kcore"));
    for (name, target) in LINKS.into_iter().chain(core) {
        steps.push(
            format!("link /dev/{name}"),
            Op::Symlink {
                dir: dev,
                name: c_string("link", name)?,
                target: c_string("link", target)?,
            },
        );
    }
    if !fresh {
        steps.push(
            "remove /dev/ptmx",
            Op::Remove {
                dir: dev,
                name: c"ptmx".to_owned(),
            },
        );
    }
    steps.push(
        "link /dev/ptmx",
        Op::Symlink {
            dir: dev,
            name: c"ptmx".to_owned(),
            target: c"pts/ptmx".to_owned(),
        },
    );
    Ok(())
}
