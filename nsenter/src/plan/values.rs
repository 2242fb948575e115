//! The types of fields that are structures, and the value of any field.

use std::ffi::{CStr, CString};

use crate::fields::Slot;
use crate::namespace_types::NamespaceSet;

/// One option of a new file system ([`Op::NewMount`](super::Op::NewMount)), as given to
/// `fsconfig(2)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FsOption {
    /// `FSCONFIG_SET_FLAG`.
    Flag(CString),
    /// `FSCONFIG_SET_STRING`.
    String(CString, CString),
    /// `FSCONFIG_SET_FD`: an object that is named by a descriptor, not by a path that would be
    /// resolved once more.
    Descriptor(CString, Slot),
}

/// A program run by the stub on behalf of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookCommand {
    /// Absolute path of the program.
    pub path: CString,
    /// Its arguments, `argv[0]` first, verbatim.
    pub args: Vec<CString>,
    /// Its environment: exactly this; `None` is the environment of the container process
    /// ([`Op::Exec`](super::Op::Exec)).
    pub env: Option<Vec<CString>>,
    /// State JSON for its standard input, in two halves; the stub writes its own process id
    /// (decimal) between them.
    pub stdin: (Vec<u8>, Vec<u8>),
    /// How long it may run, in milliseconds; 0 means without bound.
    pub timeout_ms: u32,
}

/// What a field of an operation says, for programs that show plans
/// ([`Op::fields`](super::Op::fields)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldValue<'a> {
    /// A number: an id, a count, a limit, or a constant that no flags are combined with.
    Number(u64),
    /// Bits.
    Flags(u64),
    /// A file type and permission bits (`inode(7)`).
    Mode(u32),
    /// Major and minor number of a device.
    Device(u32, u32),
    /// On or off.
    Switch(bool),
    /// The index of a step to continue at.
    Step(u32),
    /// A descriptor that is used.
    Reads(Slot),
    /// Where a new descriptor goes.
    Fills(Slot),
    /// A descriptor that is closed.
    Empties(Slot),
    /// One of a few words that explain themselves.
    Word(&'static str),
    /// Types of namespaces.
    Namespaces(NamespaceSet),
    /// A path, a name, an option.
    Text(&'a CStr),
    /// Several of them.
    Texts(&'a [CString]),
    /// What is written, or a structure of the kernel.
    Bytes(&'a [u8]),
    /// A system call filter, 8 bytes an instruction.
    Program(&'a [u8]),
    /// A mask of CPUs, bit by bit; `None` is all of them.
    Cpus(Option<&'a [u8]>),
    /// Ids.
    Numbers(&'a [u32]),
    /// A mask of memory nodes, 64 a word.
    Nodes(&'a [u64]),
    /// Paths, each with the root of its resolution.
    Paths(&'a [(Slot, CString)]),
    /// An option of a file system.
    Option(&'a FsOption),
    /// A hook.
    Hook(&'a HookCommand),
}
