//! A plan as text: one line a step, for people who review what will happen.
//!
//! Slots are written `$3`, flags in hexadecimal, modes in octal, ids and counts in decimal; bytes
//! are escaped, so that a line stays a line whatever a configuration says.

use std::ffi::CString;
use std::fmt::{self, Write as _};

use super::op::{Dir, Expect, FsOption, HookCommand, Leaf, Op, Slot};
use super::{Plan, Step, encode};
use crate::namespaces::Kind;

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.0)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clone = kinds(self.clone_flags());
        writeln!(
            f,
            "plan: clone {clone}; {} passed descriptors",
            self.passed()
        )?;
        for input in self.inputs() {
            writeln!(f, "input {}: {}", input.slot, input.name.escape_debug())?;
        }
        for (index, step) in self.steps().iter().enumerate() {
            writeln!(f, "{index}: {step}")?;
        }
        Ok(())
    }
}

/// The operation, and after a `#` what it is called and what happens on which errno.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line(format!("{:?}", encode::code(&self.op)));
        operation(&mut line, &self.op);
        write!(f, "{} # {}", line.0, self.context.escape_debug())?;
        if !self.errnos.is_empty() {
            let errnos: Vec<String> = self.errnos.iter().map(ToString::to_string).collect();
            write!(f, "; on errno {} go ", errnos.join(","))?;
            match self.otherwise {
                Some(step) => write!(f, "to {step}")?,
                None => f.write_str("on")?,
            }
        }
        Ok(())
    }
}

/// Namespaces by name; what has none, as a number.
fn kinds(flags: u32) -> String {
    let mut names: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| flags & kind.flag() != 0)
        .map(|kind| kind.to_string())
        .collect();
    let rest = Kind::ALL
        .into_iter()
        .fold(flags, |rest, kind| rest & !kind.flag());
    if rest != 0 {
        names.push(format!("{rest:#x}"));
    }
    if names.is_empty() {
        "none".into()
    } else {
        names.join(",")
    }
}

fn quoted(bytes: &[u8]) -> String {
    // As `escape_ascii`, with valid UTF-8 left readable.
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        text.extend(chunk.valid().escape_debug());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    text
}

fn listed(strings: &[CString]) -> String {
    let quoted: Vec<String> = strings
        .iter()
        .map(|string| quoted(string.as_bytes()))
        .collect();
    format!("[{}]", quoted.join(", "))
}

fn placed(paths: &[(Slot, CString)]) -> String {
    let each: Vec<String> = paths
        .iter()
        .map(|(root, path)| format!("{root} {}", quoted(path.as_bytes())))
        .collect();
    format!("[{}]", each.join(", "))
}

/// The line that is written.
struct Line(String);

impl Line {
    fn options(&mut self, options: &[FsOption]) -> &mut Self {
        for option in options {
            match option {
                FsOption::Flag(key) => self.text("option", key),
                FsOption::Descriptor(key, slot) => {
                    self.field("option", format_args!("{}:{slot}", quoted(key.as_bytes())))
                }
                FsOption::String(key, value) => self.field(
                    "option",
                    format_args!("{}:{}", quoted(key.as_bytes()), quoted(value.as_bytes())),
                ),
            };
        }
        self
    }

    fn word(&mut self, word: impl fmt::Display) -> &mut Self {
        let _ = write!(self.0, " {word}");
        self
    }

    fn field(&mut self, name: &str, value: impl fmt::Display) -> &mut Self {
        self.word(format_args!("{name}={value}"))
    }

    fn text(&mut self, name: &str, value: &CString) -> &mut Self {
        self.bytes(name, value.as_bytes())
    }

    fn bytes(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.field(name, quoted(value))
    }

    fn hex(&mut self, name: &str, value: impl Into<u64>) -> &mut Self {
        self.field(name, format_args!("{:#x}", value.into()))
    }

    fn octal(&mut self, name: &str, value: u32) -> &mut Self {
        self.field(name, format_args!("{value:#o}"))
    }

    fn dir(&mut self, dir: &Dir) -> &mut Self {
        match dir {
            Dir::Cwd => self,
            Dir::Slot(slot) => self.field("dir", slot),
        }
    }

    /// A word that is there or not.
    fn flag(&mut self, name: &str, on: bool) -> &mut Self {
        if on { self.word(name) } else { self }
    }

    fn hook(&mut self, hook: &HookCommand) -> &mut Self {
        self.text("path", &hook.path)
            .field("args", listed(&hook.args));
        match &hook.env {
            Some(env) => self.field("env", listed(env)),
            None => self.word("env-of-program"),
        };
        let (before, after) = (&hook.stdin.0, &hook.stdin.1);
        self.field(
            "stdin",
            format_args!("{}+pid+{}", quoted(before), quoted(after)),
        );
        self.field("timeout_ms", hook.timeout_ms)
    }

    fn expect(&mut self, expect: &Expect) -> &mut Self {
        if let Some(kind) = expect.file_type {
            self.octal("type", kind);
        }
        if let Some((major, minor)) = expect.device {
            self.field("device", format_args!("{major}:{minor}"));
        }
        if let Some(inode) = expect.inode {
            self.field("inode", inode);
        }
        if let Some(magic) = expect.magic {
            self.hex("magic", magic);
        }
        self
    }
}

#[allow(clippy::too_many_lines, reason = "one arm an operation")]
fn operation(line: &mut Line, op: &Op) {
    match op {
        Op::Open {
            dir,
            path,
            flags,
            mode,
            resolve,
            into,
        } => line
            .dir(dir)
            .text("path", path)
            .hex("flags", *flags)
            .octal("mode", *mode)
            .hex("resolve", *resolve)
            .field("into", into),
        Op::Write { fd, bytes } => line.field("fd", fd).bytes("bytes", bytes),
        Op::Verify { fd, expect } => line.field("fd", fd).expect(expect),
        Op::Close(slot)
        | Op::ControllingTerminal(slot)
        | Op::Detach(slot)
        | Op::PivotRoot(slot)
        | Op::MoveRoot(slot)
        | Op::Chroot(slot)
        | Op::ChangeDirectoryTo(slot)
        | Op::Stdio(slot)
        | Op::AskConsole(slot)
        | Op::WaitStart(slot) => line.word(slot),
        Op::Jump(label) => line.field("to", label.0),
        Op::Dumpable(on) | Op::KeepCapabilities(on) => line.word(on),
        Op::Name(text) | Op::RetryDirectory(text) | Op::AskHome(text) => {
            line.word(quoted(text.as_bytes()))
        }
        Op::NoNewPrivileges
        | Op::NewSession
        | Op::SecondStage
        | Op::ReopenNull
        | Op::VerifyDirectory
        | Op::AskIdMaps
        | Op::AskReady
        | Op::CloseControl => line,
        Op::DeathSignal(number)
        | Op::IoPriority(number)
        | Op::SetGid(number)
        | Op::SetUid(number)
        | Op::StdioOwner(number)
        | Op::AskGate(number) => line.word(number),
        Op::Umask(mask) => line.word(format_args!("{mask:#o}")),
        Op::Affinity(None) => line.word("all"),
        Op::Affinity(Some(mask)) => line.bytes("mask", mask),
        Op::Scheduler(bytes) | Op::Netlink(bytes) | Op::HostName(bytes) | Op::DomainName(bytes) => {
            line.word(quoted(bytes))
        }
        Op::Personality(domain) => line.word(format_args!("{domain:#x}")),
        Op::ResourceLimit {
            resource,
            soft,
            hard,
        } => line
            .field("resource", resource)
            .field("soft", soft)
            .field("hard", hard),
        Op::MemoryPolicy { mode, nodes } => line
            .hex("mode", *mode)
            .field("nodes", format_args!("{nodes:x?}")),
        Op::SetGroups(gids) => line.word(format_args!("{gids:?}")),
        Op::BoundingSet { keep, last } => line.hex("keep", *keep).field("last", last),
        Op::Capabilities {
            effective,
            permitted,
            inheritable,
        } => line
            .hex("effective", *effective)
            .hex("permitted", *permitted)
            .hex("inheritable", *inheritable),
        Op::AmbientSet(set) => line.word(format_args!("{set:#x}")),
        Op::Keyring {
            name,
            add_permissions,
        } => line
            .text("name", name)
            .hex("add_permissions", *add_permissions),
        Op::Unshare(flags) => line.word(kinds(*flags)),
        Op::Join(namespaces) => {
            for (slot, kind) in namespaces {
                line.field(&kinds(*kind), slot);
            }
            line
        }
        Op::JoinProcess { pidfd, flags } => line.field("pidfd", pidfd).word(kinds(*flags)),
        Op::MakePath {
            root,
            path,
            leaf,
            into,
        } => {
            line.field("root", root).text("path", path);
            match leaf {
                Leaf::Directory => line.word("directory"),
                Leaf::File => line.word("file"),
                Leaf::Like(slot) => line.field("like", slot),
            };
            line.field("into", into)
        }
        Op::MakePlainDirectory { root, path, into } => line
            .field("root", root)
            .text("path", path)
            .field("into", into),
        Op::NewMount {
            fstype,
            source,
            options,
            mode_of,
            attributes,
            into,
        } => {
            line.text("fstype", fstype);
            if let Some(source) = source {
                line.text("source", source);
            }
            if let Some(slot) = mode_of {
                line.field("mode_of", slot);
            }
            line.options(options);
            line.hex("attributes", *attributes).field("into", into)
        }
        Op::Reconfigure { mount, options } => line.field("mount", mount).options(options),
        Op::CheckOptions { fstype, options } => line.text("fstype", fstype).options(options),
        Op::CloneTree {
            dir,
            path,
            recursive,
            into,
        } => line
            .dir(dir)
            .text("path", path)
            .flag("recursive", *recursive)
            .field("into", into),
        Op::MountAttributes {
            mount,
            set,
            clear,
            propagation,
            recursive,
            keep_locked,
        } => line
            .field("mount", mount)
            .hex("set", *set)
            .hex("clear", *clear)
            .hex("propagation", *propagation)
            .flag("recursive", *recursive)
            .flag("keep-locked", *keep_locked),
        Op::Attach { mount, target } => line.field("mount", mount).field("target", target),
        Op::Propagation { path, flags } => line.text("path", path).hex("flags", *flags),
        Op::HolderPropagation { directory, kind } => {
            line.field("directory", directory).hex("kind", *kind)
        }
        Op::Unmount { path, flags } => line.text("path", path).hex("flags", *flags),
        Op::MakeNode {
            dir,
            name,
            mode,
            device,
            uid,
            gid,
        } => line
            .field("dir", dir)
            .text("name", name)
            .octal("mode", *mode)
            .field("device", format_args!("{}:{}", device.0, device.1))
            .field("owner", format_args!("{uid}:{gid}")),
        Op::Symlink { dir, name, target } => line
            .field("dir", dir)
            .text("name", name)
            .text("target", target),
        Op::Remove { dir, name } => line.field("dir", dir).text("name", name),
        Op::Mask {
            paths,
            null,
            context,
        } => {
            line.field("paths", placed(paths)).field("null", null);
            match context {
                Some(context) => line.text("context", context),
                None => line,
            }
        }
        Op::ReadonlyPaths(paths) => line.field("paths", placed(paths)),
        Op::CopyTree { from, to } => line.field("from", from).field("to", to),
        Op::SetXattr { fd, name, value } => line
            .field("fd", fd)
            .text("name", name)
            .bytes("value", value),
        Op::Pty {
            devpts,
            master,
            slave,
        } => line
            .field("devpts", devpts)
            .field("master", master)
            .field("slave", slave),
        Op::Socket {
            family,
            kind,
            protocol,
            into,
        } => line
            .field("family", family)
            .field("kind", kind)
            .field("protocol", protocol)
            .field("into", into),
        Op::Sysctl {
            procfs,
            path,
            value,
        } => line
            .field("procfs", procfs)
            .text("path", path)
            .bytes("value", value),
        Op::ChangeDirectory { path, retry_later } => {
            line.text("path", path).flag("retry-later", *retry_later)
        }
        Op::SendDescriptor { tag, fd } | Op::LendDescriptor { tag, fd } => {
            line.field("tag", tag).field("fd", fd)
        }
        Op::AskDescriptor { tag, into } => line.field("tag", tag).field("into", into),
        Op::Hook(hook) => line.hook(hook),
        Op::Seccomp {
            flags,
            program,
            listener,
        } => line
            .hex("flags", *flags)
            .field("instructions", program.len() / 8)
            .bytes("program", program)
            .flag("listener", *listener),
        Op::Lookup(candidates) => line.word(listed(candidates)),
        Op::LateHooks(hooks) => {
            for hook in hooks {
                line.word("hook").hook(hook);
            }
            line
        }
        Op::Exec { args, env } => line.field("args", listed(args)).field("env", listed(env)),
    };
}
