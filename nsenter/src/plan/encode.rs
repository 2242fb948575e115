//! From operations to bytes. The match below is the definition of what each field of a record
//! means; `decode.rs` and the stub read the same fields.

use std::ffi::CString;

use super::op::{Dir, FsOption, HookCommand, Leaf, Op, Slot};
use crate::wire::{Blob, Code, HookRecord, NONE, Record};

/// Collects the data of the records.
#[derive(Debug)]
pub(super) struct Area {
    base: usize,
    bytes: Vec<u8>,
}

impl Area {
    /// An area that will start at this offset of the block.
    pub(super) fn new(base: usize) -> Self {
        Self {
            base,
            bytes: Vec::new(),
        }
    }

    /// The collected bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Appends bytes. A block beyond 4 GiB saturates here and is refused by the size check of the
    /// builder.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Blob {
        let offset = u32::try_from(self.base + self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(bytes);
        Blob {
            offset,
            length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        }
    }

    /// Appends a string and its NUL.
    pub(super) fn string(&mut self, string: &CString) -> Blob {
        let blob = self.bytes(string.as_bytes());
        self.bytes.push(0);
        blob
    }

    /// Appends a list of strings.
    pub(super) fn strings(&mut self, strings: &[CString]) -> Blob {
        let joined: Vec<u8> = strings
            .iter()
            .flat_map(|s| s.as_bytes_with_nul())
            .copied()
            .collect();
        self.bytes(&joined)
    }

    /// Appends paths, each after the slot of the directory it starts at.
    fn placed(&mut self, paths: &[(Slot, CString)]) -> Blob {
        let mut joined = Vec::new();
        for (root, path) in paths {
            joined.extend_from_slice(&root.0.to_le_bytes());
            joined.extend_from_slice(path.as_bytes_with_nul());
        }
        self.bytes(&joined)
    }

    fn hooks(&mut self, hooks: &[HookCommand]) -> Blob {
        let mut records = Vec::new();
        for hook in hooks {
            let env = hook.env.as_deref();
            let record = HookRecord {
                path: self.string(&hook.path),
                args: self.strings(&hook.args),
                env: self.strings(env.unwrap_or(&[])),
                before_pid: self.bytes(&hook.stdin.0),
                after_pid: self.bytes(&hook.stdin.1),
                has_env: u32::from(env.is_some()),
                timeout_ms: hook.timeout_ms,
                argc: count(&hook.args),
                envc: count(env.unwrap_or(&[])),
            };
            records.extend_from_slice(&record.encode());
        }
        self.bytes(&records)
    }
}

fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

fn slot(slot: Slot) -> u32 {
    u32::from(slot.0)
}

fn dir(dir: Dir) -> u32 {
    match dir {
        Dir::Cwd => NONE,
        Dir::Slot(s) => slot(s),
    }
}

/// Options of a file system: a letter, then NUL-terminated strings, or a slot.
fn fs_options(options: &[FsOption]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for option in options {
        match option {
            FsOption::Flag(key) => {
                encoded.push(b'f');
                encoded.extend_from_slice(key.as_bytes_with_nul());
            }
            FsOption::Descriptor(key, fd) => {
                encoded.push(b'd');
                encoded.extend_from_slice(key.as_bytes_with_nul());
                encoded.extend_from_slice(&fd.0.to_le_bytes());
            }
            FsOption::String(key, value) => {
                encoded.push(b's');
                encoded.extend_from_slice(key.as_bytes_with_nul());
                encoded.extend_from_slice(value.as_bytes_with_nul());
            }
        }
    }
    encoded
}

/// The record of an operation, without errnos, jump and context. Labels are resolved by the
/// builder.
#[allow(
    clippy::too_many_lines,
    reason = "one arm an operation: the table of the encoding"
)]
pub(super) fn record(op: &Op, area: &mut Area) -> Record {
    let mut r = Record {
        code: code(op) as u16,
        ..Record::default()
    };
    match op {
        Op::Open {
            dir: from,
            path,
            flags,
            mode,
            resolve,
            into,
        } => {
            (r.a, r.b, r.c, r.d, r.x) = (dir(*from), slot(*into), *flags, *mode, *resolve);
            r.p = area.string(path);
        }
        Op::Write { fd, bytes } => (r.a, r.p) = (slot(*fd), area.bytes(bytes)),
        Op::Verify { fd, expect } => {
            r.a = slot(*fd);
            r.b = u32::from(expect.file_type.is_some())
                | u32::from(expect.device.is_some()) << 1
                | u32::from(expect.inode.is_some()) << 2
                | u32::from(expect.magic.is_some()) << 3;
            r.c = expect.file_type.unwrap_or_default();
            (r.d, r.e) = expect.device.unwrap_or_default();
            r.x = expect.inode.unwrap_or_default();
            r.y = expect.magic.unwrap_or_default();
        }
        Op::Close(fd)
        | Op::ControllingTerminal(fd)
        | Op::Detach(fd)
        | Op::PivotRoot(fd)
        | Op::MoveRoot(fd)
        | Op::Chroot(fd)
        | Op::ChangeDirectoryTo(fd)
        | Op::Stdio(fd)
        | Op::AskConsole(fd)
        | Op::WaitStart(fd) => r.a = slot(*fd),
        Op::Jump(_)
        | Op::NoNewPrivileges
        | Op::NewSession
        | Op::SecondStage
        | Op::ReopenNull
        | Op::VerifyDirectory
        | Op::AskIdMaps
        | Op::AskReady
        | Op::CloseControl => {}
        Op::Dumpable(on) | Op::KeepCapabilities(on) => r.a = u32::from(*on),
        Op::Name(text) | Op::RetryDirectory(text) | Op::AskHome(text) => r.p = area.string(text),
        Op::DeathSignal(n)
        | Op::Umask(n)
        | Op::IoPriority(n)
        | Op::SetGid(n)
        | Op::SetUid(n)
        | Op::Unshare(n)
        | Op::StdioOwner(n)
        | Op::AskGate(n) => r.a = *n,
        Op::Affinity(mask) => {
            (r.a, r.p) = (
                u32::from(mask.is_some()),
                area.bytes(mask.as_deref().unwrap_or(&[])),
            );
        }
        Op::Scheduler(bytes) | Op::Netlink(bytes) | Op::HostName(bytes) | Op::DomainName(bytes) => {
            r.p = area.bytes(bytes);
        }
        Op::Personality(domain) => r.x = *domain,
        Op::ResourceLimit {
            resource,
            soft,
            hard,
        } => (r.a, r.x, r.y) = (*resource, *soft, *hard),
        Op::MemoryPolicy { mode, nodes } => {
            let words: Vec<u8> = nodes.iter().flat_map(|word| word.to_le_bytes()).collect();
            (r.a, r.p) = (*mode, area.bytes(&words));
        }
        Op::SetGroups(gids) => {
            let words: Vec<u8> = gids.iter().flat_map(|gid| gid.to_le_bytes()).collect();
            r.p = area.bytes(&words);
        }
        Op::BoundingSet { keep, last } => (r.x, r.a) = (*keep, *last),
        Op::Capabilities {
            effective,
            permitted,
            inheritable,
        } => {
            (r.x, r.y, r.z) = (*effective, *permitted, *inheritable);
        }
        Op::AmbientSet(set) => r.x = *set,
        Op::Keyring {
            name,
            add_permissions,
        } => (r.p, r.a) = (area.string(name), *add_permissions),
        Op::Join(namespaces) => {
            let pairs: Vec<u8> = namespaces
                .iter()
                .flat_map(|(fd, kind)| [slot(*fd).to_le_bytes(), kind.to_le_bytes()])
                .flatten()
                .collect();
            r.p = area.bytes(&pairs);
        }
        Op::JoinProcess { pidfd, flags } => (r.a, r.b) = (slot(*pidfd), *flags),
        Op::MakePath {
            root,
            path,
            leaf,
            into,
        } => {
            (r.a, r.b, r.p) = (slot(*root), slot(*into), area.string(path));
            (r.c, r.d) = match leaf {
                Leaf::Directory => (0, NONE),
                Leaf::File => (1, NONE),
                Leaf::Like(source) => (2, slot(*source)),
            };
        }
        Op::MakePlainDirectory { root, path, into } => {
            (r.a, r.b, r.p) = (slot(*root), slot(*into), area.string(path));
        }
        Op::NewMount {
            fstype,
            source,
            options,
            mode_of,
            attributes,
            into,
        } => {
            (r.a, r.b, r.x) = (slot(*into), mode_of.map_or(NONE, slot), *attributes);
            r.p = area.string(fstype);
            if let Some(source) = source {
                (r.c, r.q) = (1, area.string(source));
            }
            r.r = area.bytes(&fs_options(options));
        }
        Op::Reconfigure { mount, options } => {
            (r.a, r.r) = (slot(*mount), area.bytes(&fs_options(options)));
        }
        Op::CheckOptions { fstype, options } => {
            (r.p, r.r) = (area.string(fstype), area.bytes(&fs_options(options)));
        }
        Op::CloneTree {
            dir: from,
            path,
            recursive,
            into,
        } => {
            (r.a, r.b, r.c, r.p) = (
                dir(*from),
                slot(*into),
                u32::from(*recursive),
                area.string(path),
            );
        }
        Op::MountAttributes {
            mount,
            set,
            clear,
            propagation,
            recursive,
            keep_locked,
        } => {
            (r.a, r.b, r.c) = (slot(*mount), u32::from(*recursive), u32::from(*keep_locked));
            (r.x, r.y, r.z) = (*set, *clear, *propagation);
        }
        Op::Attach { mount, target } => (r.a, r.b) = (slot(*mount), slot(*target)),
        Op::Propagation { path, flags } => (r.x, r.p) = (*flags, area.string(path)),
        Op::HolderPropagation { directory, kind } => (r.a, r.x) = (slot(*directory), *kind),
        Op::Unmount { path, flags } => (r.a, r.p) = (*flags, area.string(path)),
        Op::MakeNode {
            dir: from,
            name,
            mode,
            device,
            uid,
            gid,
        } => {
            (r.a, r.b, r.c, r.d) = (slot(*from), *mode, device.0, device.1);
            r.x = u64::from(*uid) | u64::from(*gid) << 32;
            r.p = area.string(name);
        }
        Op::Symlink {
            dir: from,
            name,
            target,
        } => {
            (r.a, r.p, r.q) = (slot(*from), area.string(name), area.string(target));
        }
        Op::Remove { dir: from, name } => (r.a, r.p) = (slot(*from), area.string(name)),
        Op::Mask {
            paths,
            null,
            context,
        } => {
            (r.a, r.p) = (slot(*null), area.placed(paths));
            if let Some(context) = context {
                (r.c, r.q) = (1, area.string(context));
            }
        }
        Op::ReadonlyPaths(paths) => r.p = area.placed(paths),
        Op::CopyTree { from, to } => (r.a, r.b) = (slot(*from), slot(*to)),
        Op::SetXattr { fd, name, value } => {
            (r.a, r.p, r.q) = (slot(*fd), area.string(name), area.bytes(value));
        }
        Op::Pty {
            devpts,
            master,
            slave,
        } => {
            (r.a, r.b, r.c) = (slot(*devpts), slot(*master), slot(*slave));
        }
        Op::Socket {
            family,
            kind,
            protocol,
            into,
        } => {
            (r.a, r.b, r.c, r.d) = (*family, *kind, *protocol, slot(*into));
        }
        Op::Sysctl {
            procfs,
            path,
            value,
        } => {
            (r.a, r.p, r.q) = (slot(*procfs), area.string(path), area.bytes(value));
        }
        Op::ChangeDirectory { path, retry_later } => {
            (r.a, r.p) = (u32::from(*retry_later), area.string(path));
        }
        Op::SendDescriptor { tag, fd } | Op::LendDescriptor { tag, fd } => {
            (r.a, r.b) = (*tag, slot(*fd))
        }
        Op::AskDescriptor { tag, into } => (r.a, r.b) = (*tag, slot(*into)),
        Op::Hook(hook) => r.p = area.hooks(std::slice::from_ref(hook)),
        Op::Seccomp {
            flags,
            program,
            listener,
        } => {
            (r.a, r.b, r.p) = (*flags, u32::from(*listener), area.bytes(program));
        }
        Op::Lookup(candidates) => r.p = area.strings(candidates),
        Op::LateHooks(hooks) => r.p = area.hooks(hooks),
        Op::Exec { args, env } => {
            (r.a, r.b) = (count(args), count(env));
            (r.p, r.q) = (area.strings(args), area.strings(env));
        }
    }
    r
}

/// The code of an operation.
pub(super) fn code(op: &Op) -> Code {
    macro_rules! same {
        ($($name:ident)*) => { match op { $(Op::$name { .. } => Code::$name,)* } };
    }
    same! {
        Open Write Verify Close Jump Dumpable Name DeathSignal NoNewPrivileges KeepCapabilities NewSession
        ControllingTerminal Umask Affinity Scheduler IoPriority Personality ResourceLimit MemoryPolicy SetGroups SetGid SetUid
        BoundingSet Capabilities AmbientSet Keyring Unshare Join JoinProcess SecondStage MakePath MakePlainDirectory
        NewMount CloneTree MountAttributes Attach Propagation HolderPropagation PivotRoot MoveRoot Chroot Unmount
        Reconfigure CheckOptions Detach
        MakeNode Symlink Remove Mask ReadonlyPaths CopyTree SetXattr ChangeDirectoryTo Pty Stdio ReopenNull StdioOwner
        Netlink Socket HostName DomainName Sysctl ChangeDirectory RetryDirectory VerifyDirectory AskGate AskIdMaps
        SendDescriptor AskDescriptor LendDescriptor AskConsole AskHome AskReady Hook Seccomp Lookup CloseControl
        WaitStart LateHooks Exec
    }
}
