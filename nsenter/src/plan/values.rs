//! The types of fields that are structures.

use std::ffi::CString;

use crate::fields::Slot;

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
