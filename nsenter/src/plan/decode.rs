//! From bytes back to operations: what `encode.rs` wrote, read without trusting any of it.

use std::ffi::CString;

use super::op::{Dir, Expect, FsOption, HookCommand, Label, Leaf, Op, Slot};
use super::{Input, Step};
use crate::wire::{Blob, Code, MAX_SLOTS, NONE, Record, View, u16_at, u32_at, u64_at};

/// All the steps and inputs of a block, or `None` if any part of it is malformed.
pub(super) fn plan(bytes: &[u8]) -> Option<(Vec<Input>, Vec<Step>)> {
    let view = View::new(bytes)?;
    let names = view.strings(view.header().input_names)?;
    let slots: Vec<u16> = view.inputs().collect();
    let inputs: Vec<Input> = slots
        .iter()
        .zip(names)
        .map(|(slot, name)| {
            Some(Input {
                slot: Slot(*slot),
                name: name.to_str().ok()?.to_owned(),
            })
        })
        .collect::<Option<_>>()?;
    if inputs.len() != slots.len() {
        return None;
    }
    let steps = (0..view.steps())
        .map(|index| step(&view, index))
        .collect::<Option<_>>()?;
    Some((inputs, steps))
}

fn step(view: &View<'_>, index: u32) -> Option<Step> {
    let record = view.record(index)?;
    let jumps = record.jump != 0;
    if jumps && (record.jump <= index || record.jump > view.steps()) {
        return None;
    }
    let context = std::str::from_utf8(view.bytes(record.context)?)
        .ok()?
        .to_owned();
    let op = op(view, &record)?;
    let otherwise = (jumps && !matches!(op, Op::Jump(_))).then_some(record.jump);
    let errnos = record
        .errnos
        .iter()
        .take_while(|e| **e != 0)
        .map(|e| i32::from(*e))
        .collect();
    Some(Step {
        context,
        op,
        errnos,
        otherwise,
    })
}

fn slot(number: u32) -> Option<Slot> {
    (usize::try_from(number).ok()? < MAX_SLOTS).then_some(Slot(u16::try_from(number).ok()?))
}

fn optional_slot(number: u32) -> Option<Option<Slot>> {
    if number == NONE {
        Some(None)
    } else {
        slot(number).map(Some)
    }
}

fn dir(number: u32) -> Option<Dir> {
    Some(optional_slot(number)?.map_or(Dir::Cwd, Dir::Slot))
}

fn string(view: &View<'_>, blob: Blob) -> Option<CString> {
    view.string(blob).map(CString::from)
}

fn strings(view: &View<'_>, blob: Blob) -> Option<Vec<CString>> {
    Some(view.strings(blob)?.map(CString::from).collect())
}

fn bytes(view: &View<'_>, blob: Blob) -> Option<Vec<u8>> {
    view.bytes(blob).map(<[u8]>::to_vec)
}

fn hooks(view: &View<'_>, blob: Blob) -> Option<Vec<HookCommand>> {
    view.hooks(blob)?
        .map(|hook| {
            Some(HookCommand {
                path: string(view, hook.path)?,
                args: strings(view, hook.args)?,
                env: if hook.has_env == 0 {
                    None
                } else {
                    Some(strings(view, hook.env)?)
                },
                stdin: (bytes(view, hook.before_pid)?, bytes(view, hook.after_pid)?),
                timeout_ms: hook.timeout_ms,
            })
        })
        .collect()
}

fn placed(view: &View<'_>, blob: Blob) -> Option<Vec<(Slot, CString)>> {
    view.placed_paths(blob)?
        .map(|entry| {
            let (root, path) = entry?;
            Some((slot(root.into())?, path.into()))
        })
        .collect()
}

fn fs_options(mut bytes: &[u8]) -> Option<Vec<FsOption>> {
    fn take(bytes: &mut &[u8]) -> Option<CString> {
        let text = std::ffi::CStr::from_bytes_until_nul(bytes).ok()?;
        *bytes = bytes.get(text.count_bytes() + 1..)?;
        Some(text.into())
    }
    let mut options = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        bytes = rest;
        let key = take(&mut bytes)?;
        options.push(match kind {
            b'f' => FsOption::Flag(key),
            b's' => FsOption::String(key, take(&mut bytes)?),
            b'd' => {
                let number = u16_at(bytes, 0)?;
                bytes = bytes.get(2..)?;
                FsOption::Descriptor(key, slot(number.into())?)
            }
            _ => return None,
        });
    }
    Some(options)
}

#[allow(
    clippy::too_many_lines,
    reason = "one arm an operation, as in encode.rs"
)]
fn op(view: &View<'_>, r: &Record) -> Option<Op> {
    let flag = |number: u32| number != 0;
    Some(match Code::of(r.code)? {
        Code::Open => Op::Open {
            dir: dir(r.a)?,
            path: string(view, r.p)?,
            flags: r.c,
            mode: r.d,
            resolve: r.x,
            into: slot(r.b)?,
        },
        Code::Write => Op::Write {
            fd: slot(r.a)?,
            bytes: bytes(view, r.p)?,
        },
        Code::Verify => Op::Verify {
            fd: slot(r.a)?,
            expect: Expect {
                file_type: flag(r.b & 1).then_some(r.c),
                device: flag(r.b & 2).then_some((r.d, r.e)),
                inode: flag(r.b & 4).then_some(r.x),
                magic: flag(r.b & 8).then_some(r.y),
            },
        },
        Code::Close => Op::Close(slot(r.a)?),
        Code::Jump => Op::Jump(Label(r.jump)),
        Code::Dumpable => Op::Dumpable(flag(r.a)),
        Code::Name => Op::Name(string(view, r.p)?),
        Code::DeathSignal => Op::DeathSignal(r.a),
        Code::NoNewPrivileges => Op::NoNewPrivileges,
        Code::KeepCapabilities => Op::KeepCapabilities(flag(r.a)),
        Code::NewSession => Op::NewSession,
        Code::ControllingTerminal => Op::ControllingTerminal(slot(r.a)?),
        Code::Umask => Op::Umask(r.a),
        Code::Affinity => Op::Affinity(if flag(r.a) {
            Some(bytes(view, r.p)?)
        } else {
            None
        }),
        Code::Scheduler => Op::Scheduler(bytes(view, r.p)?),
        Code::IoPriority => Op::IoPriority(r.a),
        Code::Personality => Op::Personality(r.x),
        Code::ResourceLimit => Op::ResourceLimit {
            resource: r.a,
            soft: r.x,
            hard: r.y,
        },
        Code::MemoryPolicy => {
            let raw = view.bytes(r.p)?;
            if raw.len() % 8 != 0 {
                return None;
            }
            Op::MemoryPolicy {
                mode: r.a,
                nodes: raw.chunks_exact(8).filter_map(|w| u64_at(w, 0)).collect(),
            }
        }
        Code::SetGroups => {
            let raw = view.bytes(r.p)?;
            if raw.len() % 4 != 0 {
                return None;
            }
            Op::SetGroups(raw.chunks_exact(4).filter_map(|w| u32_at(w, 0)).collect())
        }
        Code::SetGid => Op::SetGid(r.a),
        Code::SetUid => Op::SetUid(r.a),
        Code::BoundingSet => Op::BoundingSet {
            keep: r.x,
            last: r.a,
        },
        Code::Capabilities => Op::Capabilities {
            effective: r.x,
            permitted: r.y,
            inheritable: r.z,
        },
        Code::AmbientSet => Op::AmbientSet(r.x),
        Code::Keyring => Op::Keyring {
            name: string(view, r.p)?,
            add_permissions: r.a,
        },
        Code::Unshare => Op::Unshare(r.a),
        Code::Join => {
            let raw = view.bytes(r.p)?;
            if raw.len() % 8 != 0 {
                return None;
            }
            Op::Join(
                raw.chunks_exact(8)
                    .map(|pair| Some((slot(u32_at(pair, 0)?)?, u32_at(pair, 4)?)))
                    .collect::<Option<_>>()?,
            )
        }
        Code::JoinProcess => Op::JoinProcess {
            pidfd: slot(r.a)?,
            flags: r.b,
        },
        Code::SecondStage => Op::SecondStage,
        Code::MakePath => Op::MakePath {
            root: slot(r.a)?,
            path: string(view, r.p)?,
            leaf: match r.c {
                0 => Leaf::Directory,
                1 => Leaf::File,
                2 => Leaf::Like(slot(r.d)?),
                _ => return None,
            },
            into: slot(r.b)?,
        },
        Code::MakePlainDirectory => Op::MakePlainDirectory {
            root: slot(r.a)?,
            path: string(view, r.p)?,
            into: slot(r.b)?,
        },
        Code::NewMount => Op::NewMount {
            fstype: string(view, r.p)?,
            source: if flag(r.c) {
                Some(string(view, r.q)?)
            } else {
                None
            },
            options: fs_options(view.bytes(r.r)?)?,
            mode_of: optional_slot(r.b)?,
            attributes: r.x,
            into: slot(r.a)?,
        },
        Code::Reconfigure => Op::Reconfigure {
            mount: slot(r.a)?,
            options: fs_options(view.bytes(r.r)?)?,
        },
        Code::CheckOptions => Op::CheckOptions {
            fstype: string(view, r.p)?,
            options: fs_options(view.bytes(r.r)?)?,
        },
        Code::CloneTree => Op::CloneTree {
            dir: dir(r.a)?,
            path: string(view, r.p)?,
            recursive: flag(r.c),
            into: slot(r.b)?,
        },
        Code::MountAttributes => Op::MountAttributes {
            mount: slot(r.a)?,
            set: r.x,
            clear: r.y,
            propagation: r.z,
            recursive: flag(r.b),
            keep_locked: flag(r.c),
        },
        Code::Attach => Op::Attach {
            mount: slot(r.a)?,
            target: slot(r.b)?,
        },
        Code::Propagation => Op::Propagation {
            path: string(view, r.p)?,
            flags: r.x,
        },
        Code::HolderPropagation => Op::HolderPropagation {
            directory: slot(r.a)?,
            kind: r.x,
        },
        Code::PivotRoot => Op::PivotRoot(slot(r.a)?),
        Code::MoveRoot => Op::MoveRoot(slot(r.a)?),
        Code::Chroot => Op::Chroot(slot(r.a)?),
        Code::Unmount => Op::Unmount {
            path: string(view, r.p)?,
            flags: r.a,
        },
        Code::Detach => Op::Detach(slot(r.a)?),
        Code::MakeNode => Op::MakeNode {
            dir: slot(r.a)?,
            name: string(view, r.p)?,
            mode: r.b,
            device: (r.c, r.d),
            uid: u32::try_from(r.x & 0xffff_ffff).ok()?,
            gid: u32::try_from(r.x >> 32).ok()?,
        },
        Code::Symlink => Op::Symlink {
            dir: slot(r.a)?,
            name: string(view, r.p)?,
            target: string(view, r.q)?,
        },
        Code::Remove => Op::Remove {
            dir: slot(r.a)?,
            name: string(view, r.p)?,
        },
        Code::Mask => Op::Mask {
            paths: placed(view, r.p)?,
            null: slot(r.a)?,
            context: if flag(r.c) {
                Some(string(view, r.q)?)
            } else {
                None
            },
        },
        Code::ReadonlyPaths => Op::ReadonlyPaths(placed(view, r.p)?),
        Code::CopyTree => Op::CopyTree {
            from: slot(r.a)?,
            to: slot(r.b)?,
        },
        Code::SetXattr => Op::SetXattr {
            fd: slot(r.a)?,
            name: string(view, r.p)?,
            value: bytes(view, r.q)?,
        },
        Code::ChangeDirectoryTo => Op::ChangeDirectoryTo(slot(r.a)?),
        Code::Pty => Op::Pty {
            devpts: slot(r.a)?,
            master: slot(r.b)?,
            slave: slot(r.c)?,
        },
        Code::Stdio => Op::Stdio(slot(r.a)?),
        Code::ReopenNull => Op::ReopenNull,
        Code::StdioOwner => Op::StdioOwner(r.a),
        Code::Netlink => Op::Netlink(bytes(view, r.p)?),
        Code::Socket => Op::Socket {
            family: r.a,
            kind: r.b,
            protocol: r.c,
            into: slot(r.d)?,
        },
        Code::HostName => Op::HostName(bytes(view, r.p)?),
        Code::DomainName => Op::DomainName(bytes(view, r.p)?),
        Code::Sysctl => Op::Sysctl {
            procfs: slot(r.a)?,
            path: string(view, r.p)?,
            value: bytes(view, r.q)?,
        },
        Code::ChangeDirectory => Op::ChangeDirectory {
            path: string(view, r.p)?,
            retry_later: flag(r.a),
        },
        Code::RetryDirectory => Op::RetryDirectory(string(view, r.p)?),
        Code::VerifyDirectory => Op::VerifyDirectory,
        Code::AskGate => Op::AskGate(r.a),
        Code::AskIdMaps => Op::AskIdMaps,
        Code::SendDescriptor => Op::SendDescriptor {
            tag: r.a,
            fd: slot(r.b)?,
        },
        Code::AskDescriptor => Op::AskDescriptor {
            tag: r.a,
            into: slot(r.b)?,
        },
        Code::LendDescriptor => Op::LendDescriptor {
            tag: r.a,
            fd: slot(r.b)?,
        },
        Code::AskConsole => Op::AskConsole(slot(r.a)?),
        Code::AskHome => Op::AskHome(string(view, r.p)?),
        Code::AskReady => Op::AskReady,
        Code::Hook => {
            let mut all = hooks(view, r.p)?;
            if all.len() != 1 {
                return None;
            }
            Op::Hook(all.pop()?)
        }
        Code::Seccomp => Op::Seccomp {
            flags: r.a,
            program: bytes(view, r.p)?,
            listener: flag(r.b),
        },
        Code::Lookup => Op::Lookup(strings(view, r.p)?),
        Code::CloseControl => Op::CloseControl,
        Code::WaitStart => Op::WaitStart(slot(r.a)?),
        Code::LateHooks => Op::LateHooks(hooks(view, r.p)?),
        Code::Exec => Op::Exec {
            args: strings(view, r.p)?,
            env: strings(view, r.q)?,
        },
    })
}
