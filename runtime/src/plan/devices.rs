//! Device nodes and the links beside them. Everything is made below the handle of the container's
//! own `/dev`: a symbolic link in the image leads nowhere else.

use ::devices::Kind;
use configs::Config;
use configs::config::{Device, IdMap, NamespaceType};
use nsenter::plan::{Dir, Expect, Leaf, Op, Slot};
use user::IdMaps;

use super::output::Tag;
use super::params::ProcessParams;
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

/// The link of a machine that shows its memory.
const KCORE: (&str, &str) = ("core", "/proc/kcore");

/// Nodes, links and `ptmx`, unless `/dev` is a bind mount.
pub(super) fn make(steps: &mut Steps, params: &ProcessParams<'_>, root: &mut Rootfs) -> Result<()> {
    if root.dev_is_bound {
        return Ok(());
    }
    let fresh = root.dev.is_some();
    let dev = match root.dev {
        Some(dev) => dev,
        None => {
            let into = steps.slot();
            // Without a mount of its own it is the image's: that may not lead anywhere else, even
            // inside.
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
    let devices = params
        .config
        .devices
        .iter()
        .enumerate()
        .filter(|(_, device)| !device.path.is_empty())
        .map(|(index, device)| Node::of(index, device, root, dev))
        .collect::<Result<Vec<_>>>()?;
    let devices: Vec<Node<'_>> = devices
        .into_iter()
        .filter(|node| node.path != "/dev/ptmx")
        .collect();
    if !devices.is_empty() {
        nodes(steps, params, &devices, dev)?;
    }
    links(steps, params, dev, fresh)
}

/// A node to make, and where.
#[derive(Debug)]
struct Node<'a> {
    /// The index in the configuration.
    index: usize,
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
    fn of(index: usize, device: &'a Device, root: &Rootfs, dev: Slot) -> Result<Self> {
        let path = clean(&device.path);
        let number = |value: i64| {
            u32::try_from(value)
                .map_err(|_| Error::config(format!("cannot mkdev() device with wildcards: {path}")))
        };
        let Some(file_type) = device.kind.file_type() else {
            return Err(Error::config(format!(
                "{path}: a device node is of type c, b or p"
            )));
        };
        let numbers = if device.kind == Kind::Fifo {
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
            index,
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
            ["create the directory of ", &self.path].concat(),
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

/// Makes the nodes; where that is not permitted, the host's nodes are bound over empty files
/// instead.
fn nodes(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    devices: &[Node<'_>],
    dev: Slot,
) -> Result<()> {
    if params.in_user_namespace() {
        return in_user_namespace(steps, params, devices, dev);
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
        let context = ["make device node ", &node.path].concat();
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
    for node in devices {
        bound(steps, node, None)?;
    }
    steps.bind(done);
    Ok(())
}

/// Whether the supervisor makes the node, in the user namespace of the host, where that is
/// permitted: it is not one of those that every host has, or it is to have another owner or mode.
pub(crate) fn is_made_by_parent(config: &Config, device: &Device) -> bool {
    let root = (config.host_root_uid().ok(), config.host_root_gid().ok());
    let usual = ::devices::defaults::nodes().any(|node| {
        node.path.as_os_str() == clean(&device.path).as_str()
            && device.kind == Kind::Char
            && (device.major, device.minor) == (node.major.into(), node.minor.into())
            && device.file_mode & 0o7777 == node.mode
            && ((device.uid, device.gid) == (0, 0) || (Some(device.uid), Some(device.gid)) == root)
    });
    let wanted = !device.path.is_empty() && clean(&device.path) != "/dev/ptmx";
    wanted && !usual && matches!(device.kind, Kind::Char | Kind::Block)
}

/// In a user namespace the kernel lets no process make device nodes: the host's are bound, or those
/// that the supervisor makes on a tmpfs of the host's user namespace.
fn in_user_namespace(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    devices: &[Node<'_>],
    dev: Slot,
) -> Result<()> {
    // A supervisor that is itself in a user namespace can make no more of them.
    let privileged = params.has(NamespaceType::User)
        && params.host.effective_uid == 0
        && !params.host.in_user_namespace;
    let (asked, usual): (Vec<_>, Vec<_>) = devices
        .iter()
        .partition(|node| privileged && is_made_by_parent(params.config, node.device));
    for node in usual {
        if node.file_type == libc::S_IFIFO {
            fifo(steps, params, node)?;
        } else {
            bound(steps, node, None)?;
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    let made = steps.slot();
    steps.push(
        "ask the supervisor for device nodes",
        Op::AskDescriptor {
            tag: Tag::Devices.number(),
            into: made,
        },
    );
    // Only what is attached can be cloned (before Linux 6.15): over the directory, below whose own
    // handle all goes on.
    let target = steps.slot();
    steps.push(
        "open /dev",
        Op::Open {
            dir: Dir::Slot(dev),
            path: c".".to_owned(),
            flags: (libc::O_PATH | libc::O_DIRECTORY).cast_unsigned(),
            mode: 0,
            resolve: libc::RESOLVE_BENEATH,
            into: target,
        },
    );
    steps.push(
        "attach the device nodes of the supervisor",
        Op::Attach {
            mount: made,
            target,
        },
    );
    steps.close(target);
    for node in asked {
        bound(steps, node, Some(made))?;
    }
    steps.push(
        "detach the device nodes of the supervisor",
        Op::Detach(made),
    );
    steps.close(made);
    Ok(())
}

/// A named pipe can be made everywhere.
fn fifo(steps: &mut Steps, params: &ProcessParams<'_>, node: &Node<'_>) -> Result<()> {
    // The configuration has ids of the host, and here they are those of the container.
    let inside = |maps: &[IdMap], id: u32| {
        IdMaps::new(maps)
            .container_id(id)
            .filter(|_| params.has(NamespaceType::User))
            .unwrap_or(id)
    };
    let (dir, opened) = node.directory(steps)?;
    steps.push(
        format!("make {}", node.path),
        Op::MakeNode {
            dir,
            name: c_string("linux.devices.path", node.name.as_str())?,
            mode: node.file_type | (node.device.file_mode & 0o7777),
            device: (0, 0),
            uid: inside(&params.config.uid_mappings, node.device.uid),
            gid: inside(&params.config.gid_mappings, node.device.gid),
        },
    );
    if opened {
        steps.close(dir);
    }
    Ok(())
}

/// Binds a node: one that the supervisor has made, if it could, or the host's.
fn bound(steps: &mut Steps, node: &Node<'_>, made: Option<Slot>) -> Result<()> {
    let (tree, target) = (steps.slot(), steps.slot());
    let host = Op::CloneTree {
        dir: Dir::Cwd,
        path: c_string("linux.devices.path", node.path.as_str())?,
        recursive: false,
        into: tree,
    };
    let context = ["open the host's ", &node.path].concat();
    if let Some(made) = made {
        let (missing, found) = (steps.label(), steps.label());
        steps.push_or(
            format!("open the node for {}", node.path),
            Op::CloneTree {
                dir: Dir::Slot(made),
                path: c_string("linux.devices", node.index.to_string())?,
                recursive: false,
                into: tree,
            },
            &[libc::ENOENT],
            missing,
        );
        steps.jump(found);
        steps.bind(missing);
        steps.push(context, host);
        steps.bind(found);
    } else {
        steps.push(context, host);
    }
    let device = (node.file_type != libc::S_IFIFO).then_some(node.numbers);
    steps.push(
        ["check that the host's ", &node.path, " is the device"].concat(),
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
        ["create ", &node.path].concat(),
        Op::MakePath {
            root: node.base,
            path: c_string("linux.devices.path", below)?,
            leaf: Leaf::File,
            into: target,
        },
    );
    steps.push(
        ["bind ", &node.path].concat(),
        Op::Attach {
            mount: tree,
            target,
        },
    );
    steps.close(target);
    steps.close(tree);
    Ok(())
}

/// Whether a path goes through one of the links that every `/dev` has, which lead out of it.
pub(super) fn leaves_dev(path: &str) -> bool {
    let name = path
        .strip_prefix("/dev/")
        .and_then(|rest| rest.split('/').next());
    let links = LINKS.into_iter().chain([KCORE]);
    name.is_some_and(|name| links.map(|(link, _)| link).any(|link| link == name))
}

fn links(steps: &mut Steps, params: &ProcessParams<'_>, dev: Slot, fresh: bool) -> Result<()> {
    let core = params.host.kcore.then_some(KCORE);
    for (name, target) in LINKS.into_iter().chain(core) {
        steps.push(
            ["link /dev/", name].concat(),
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
