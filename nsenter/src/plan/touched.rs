//! Which descriptor slots an operation reads, fills and empties.

use super::op::{Dir, FsOption, Leaf, Op, Slot};

/// What an operation does with the descriptor table.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) reads: Vec<Slot>,
    pub(super) fills: Vec<Slot>,
    pub(super) empties: Vec<Slot>,
}

/// The slots of an operation.
pub(super) fn by(op: &Op) -> Touched {
    let from = |dir: &Dir| match dir {
        Dir::Cwd => None,
        Dir::Slot(slot) => Some(*slot),
    };
    let mut t = Touched::default();
    match op {
        Op::Open { dir, into, .. } | Op::CloneTree { dir, into, .. } => {
            t.reads.extend(from(dir));
            t.fills.push(*into);
        }
        Op::Close(slot) => t.empties.push(*slot),
        Op::Write { fd, .. }
        | Op::Verify { fd, .. }
        | Op::ControllingTerminal(fd)
        | Op::PivotRoot(fd)
        | Op::MoveRoot(fd)
        | Op::Chroot(fd)
        | Op::SetXattr { fd, .. }
        | Op::ChangeDirectoryTo(fd)
        | Op::Stdio(fd)
        | Op::SendDescriptor { fd, .. }
        | Op::LendDescriptor { fd, .. }
        | Op::AskConsole(fd)
        | Op::WaitStart(fd)
        | Op::JoinProcess { pidfd: fd, .. }
        | Op::HolderPropagation { directory: fd, .. }
        | Op::MountAttributes { mount: fd, .. }
        | Op::Detach(fd)
        | Op::MakeNode { dir: fd, .. }
        | Op::Symlink { dir: fd, .. }
        | Op::Remove { dir: fd, .. }
        | Op::Sysctl { procfs: fd, .. } => t.reads.push(*fd),
        Op::Join(namespaces) => t.reads.extend(namespaces.iter().map(|(fd, _)| *fd)),
        Op::MakePath {
            root, leaf, into, ..
        } => {
            t.reads.push(*root);
            if let Leaf::Like(source) = leaf {
                t.reads.push(*source);
            }
            t.fills.push(*into);
        }
        Op::MakePlainDirectory { root, into, .. } => {
            t.reads.push(*root);
            t.fills.push(*into);
        }
        // `mode_of` may be empty: it is asked for the mode only if it is there.
        Op::NewMount { into, options, .. } => {
            t.reads.extend(named_by(options));
            t.fills.push(*into);
        }
        Op::Reconfigure { mount, options } => {
            t.reads.push(*mount);
            t.reads.extend(named_by(options));
        }
        Op::CheckOptions { options, .. } => t.reads.extend(named_by(options)),
        Op::Socket { into, .. } | Op::AskDescriptor { into, .. } => {
            t.fills.push(*into);
        }
        Op::Attach { mount, target } => t.reads.extend([*mount, *target]),
        Op::Mask { paths, null, .. } => {
            t.reads.push(*null);
            t.reads.extend(paths.iter().map(|(root, _)| *root));
        }
        Op::ReadonlyPaths(paths) => t.reads.extend(paths.iter().map(|(root, _)| *root)),
        Op::CopyTree { from, to } => t.reads.extend([*from, *to]),
        Op::Pty {
            devpts,
            master,
            slave,
        } => {
            t.reads.push(*devpts);
            t.fills.extend([*master, *slave]);
        }
        Op::Jump(_)
        | Op::Dumpable(_)
        | Op::Name(_)
        | Op::DeathSignal(_)
        | Op::NoNewPrivileges
        | Op::KeepCapabilities(_)
        | Op::NewSession
        | Op::Umask(_)
        | Op::Affinity(_)
        | Op::Scheduler(_)
        | Op::IoPriority(_)
        | Op::Personality(_)
        | Op::ResourceLimit { .. }
        | Op::MemoryPolicy { .. }
        | Op::SetGroups(_)
        | Op::SetGid(_)
        | Op::SetUid(_)
        | Op::BoundingSet { .. }
        | Op::Capabilities { .. }
        | Op::AmbientSet(_)
        | Op::Keyring { .. }
        | Op::Unshare(_)
        | Op::SecondStage
        | Op::Propagation { .. }
        | Op::Unmount { .. }
        | Op::ReopenNull
        | Op::StdioOwner(_)
        | Op::Netlink(_)
        | Op::HostName(_)
        | Op::DomainName(_)
        | Op::ChangeDirectory { .. }
        | Op::RetryDirectory(_)
        | Op::VerifyDirectory
        | Op::AskGate(_)
        | Op::AskIdMaps
        | Op::AskHome(_)
        | Op::AskReady
        | Op::Hook(_)
        | Op::Seccomp { .. }
        | Op::Lookup(_)
        | Op::CloseControl
        | Op::LateHooks(_)
        | Op::Exec { .. } => {}
    }
    t
}

/// The descriptors among the options of a file system.
fn named_by(options: &[FsOption]) -> impl Iterator<Item = Slot> {
    options.iter().filter_map(|option| match option {
        FsOption::Descriptor(_, slot) => Some(*slot),
        FsOption::Flag(_) | FsOption::String(..) => None,
    })
}
