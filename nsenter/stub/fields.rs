//! The kinds of fields that operations have, as they are in an encoded plan.
//!
//! The fields of an operation follow each other without padding, numbers little-endian. A string is
//! its length in four bytes, its bytes and a NUL; bytes are their length and themselves; a list is
//! its length in bytes and its items. Reading trusts none of it.

use core::ffi::CStr;

use super::wire::{MAX_SLOTS, u16_at, u32_at, u64_at};

/// Means "no slot", and for the current directory where a directory is expected.
pub(crate) const NO_SLOT: u16 = u16::MAX;

/// An entry of the stub's descriptor table.
///
/// Operations name descriptors by slot, never by number. A slot is filled either before the stub
/// starts (an *input* of the plan) or by the operation whose `into` field names it, and is emptied
/// by [`Op::Close`](crate::plan::Op::Close).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub(crate) u16);

/// A forward jump target, made by [`PlanBuilder::label`](crate::plan::PlanBuilder::label).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label(pub(crate) u32);

/// Where a relative path starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dir {
    /// The current directory (`AT_FDCWD`); absolute paths are resolved from the current root.
    Cwd,
    /// A descriptor of a directory.
    Slot(Slot),
}

/// What the last component of a path made by [`Op::MakePath`](crate::plan::Op::MakePath) becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// A directory.
    Directory,
    /// An empty regular file with mode 0644, created with `O_EXCL | O_NOFOLLOW`.
    File,
    /// A directory if the descriptor in the slot is one, else an empty regular file. Used for bind
    /// mounts, whose source decides what the mount point must be.
    Like(Slot),
}

/// What a descriptor must be ([`Op::Verify`](crate::plan::Op::Verify)). Every field that is `Some`
/// is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// `st_mode & S_IFMT`.
    pub file_type: Option<u32>,
    /// `st_rdev`, as major and minor number.
    pub device: Option<(u32, u32)>,
    /// `st_ino`.
    pub inode: Option<u64>,
    /// `f_type` of `fstatfs(2)`.
    pub magic: Option<u64>,
}

/// Reads fields one after the other. What is malformed reads as zero or empty, and
/// [`is_done`](Self::is_done) says so at the end: one check for a whole operation.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl<'a> Reader<'a> {
    /// Starts at the first of these bytes.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            failed: false,
        }
    }

    /// Whether everything was well-formed, and nothing is left.
    pub(crate) fn is_done(&self) -> bool {
        !self.failed && self.rest.is_empty()
    }

    fn fail(&mut self) {
        self.failed = true;
        self.rest = &[];
    }

    #[inline(never)]
    fn take(&mut self, count: usize) -> &'a [u8] {
        if let Some((taken, rest)) = self.rest.split_at_checked(count) {
            self.rest = rest;
            taken
        } else {
            self.fail();
            &[]
        }
    }

    fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    fn u16(&mut self) -> u16 {
        u16_at(self.take(2), 0).unwrap_or_default()
    }

    #[inline(never)]
    fn u32(&mut self) -> u32 {
        u32_at(self.take(4), 0).unwrap_or_default()
    }

    #[inline(never)]
    fn u64(&mut self) -> u64 {
        u64_at(self.take(8), 0).unwrap_or_default()
    }

    /// One of two; any other number is malformed.
    #[inline(never)]
    fn flag(&mut self) -> bool {
        let number = self.u8();
        if number > 1 {
            self.fail();
        }
        number == 1
    }

    #[inline(never)]
    fn slot(&mut self) -> Slot {
        let number = self.u16();
        if usize::from(number) >= MAX_SLOTS {
            self.fail();
        }
        Slot(number)
    }

    #[inline(never)]
    fn optional_slot(&mut self) -> Option<Slot> {
        if u16_at(self.rest, 0) == Some(NO_SLOT) {
            self.take(2);
            None
        } else {
            Some(self.slot())
        }
    }

    /// Bytes after their length.
    #[inline(never)]
    fn bytes(&mut self) -> &'a [u8] {
        let length = self.u32();
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// As [`bytes`](Self::bytes), whole items of this size.
    fn items(&mut self, size: usize) -> &'a [u8] {
        let bytes = self.bytes();
        if !bytes.len().is_multiple_of(size) {
            self.fail();
        }
        bytes
    }

    /// A string after its length, and the NUL after that. None of its bytes may be NUL.
    #[inline(never)]
    fn text(&mut self) -> &'a CStr {
        let length = usize::try_from(self.u32()).unwrap_or(usize::MAX);
        let bytes = self.take(length.saturating_add(1));
        CStr::from_bytes_with_nul(bytes).unwrap_or_else(|_| {
            self.fail();
            c""
        })
    }

    /// Up to and with the next NUL.
    #[inline(never)]
    fn text_until_nul(&mut self) -> &'a CStr {
        match CStr::from_bytes_until_nul(self.rest) {
            Ok(text) => {
                self.take(text.count_bytes() + 1);
                text
            }
            Err(_) => {
                self.fail();
                c""
            }
        }
    }

    #[inline(never)]
    fn texts(&mut self) -> Texts<'a> {
        let announced = self.u32();
        let rest = self.bytes();
        if rest.last().is_some_and(|last| *last != 0) {
            self.fail();
        }
        Texts { announced, rest }
    }

    #[inline(never)]
    fn hook(&mut self) -> HookRef<'a> {
        HookRef {
            path: self.text(),
            args: self.texts(),
            env: self.flag().then(|| self.texts()),
            stdin: (self.bytes(), self.bytes()),
            timeout_ms: self.u32(),
        }
    }
}

/// A list of strings: how many are announced, and a run of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texts<'a> {
    announced: u32,
    rest: &'a [u8],
}

impl Texts<'_> {
    /// How many strings the list announces.
    pub(crate) fn announced(&self) -> u32 {
        self.announced
    }
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a CStr;

    fn next(&mut self) -> Option<&'a CStr> {
        let text = CStr::from_bytes_until_nul(self.rest).ok()?;
        self.rest = self.rest.get(text.count_bytes() + 1..)?;
        Some(text)
    }
}

/// A hook command, see `plan::HookCommand`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HookRef<'a> {
    pub(crate) path: &'a CStr,
    pub(crate) args: Texts<'a>,
    /// `None` is the environment of the program.
    pub(crate) env: Option<Texts<'a>>,
    pub(crate) stdin: (&'a [u8], &'a [u8]),
    pub(crate) timeout_ms: u32,
}

/// An option of a file system, see `plan::FsOption`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FsOptionRef<'a> {
    Flag(&'a CStr),
    String(&'a CStr, &'a CStr),
    Descriptor(&'a CStr, Slot),
}

/// The first byte of an encoded option.
pub(crate) const FLAG_OPTION: u8 = b'f';
/// The first byte of an encoded option.
pub(crate) const STRING_OPTION: u8 = b's';
/// The first byte of an encoded option.
pub(crate) const DESCRIPTOR_OPTION: u8 = b'd';

/// What a list consists of.
pub(crate) trait Item<'a>: Sized {
    /// Reads one.
    fn read(reader: &mut Reader<'a>) -> Self;
}

impl Item<'_> for (Slot, u32) {
    fn read(reader: &mut Reader<'_>) -> Self {
        (reader.slot(), reader.u32())
    }
}

impl<'a> Item<'a> for (Slot, &'a CStr) {
    fn read(reader: &mut Reader<'a>) -> Self {
        (reader.slot(), reader.text_until_nul())
    }
}

impl<'a> Item<'a> for HookRef<'a> {
    fn read(reader: &mut Reader<'a>) -> Self {
        reader.hook()
    }
}

impl<'a> Item<'a> for FsOptionRef<'a> {
    fn read(reader: &mut Reader<'a>) -> Self {
        let kind = reader.u8();
        let key = reader.text_until_nul();
        match kind {
            STRING_OPTION => Self::String(key, reader.text_until_nul()),
            DESCRIPTOR_OPTION => Self::Descriptor(key, reader.slot()),
            FLAG_OPTION => Self::Flag(key),
            _ => {
                reader.fail();
                Self::Flag(key)
            }
        }
    }
}

/// A list that is walked. What is malformed ends it, with `None` as the last item.
#[derive(Debug)]
pub(crate) struct List<'a, T> {
    rest: &'a [u8],
    items: core::marker::PhantomData<T>,
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<'_, T> {}

impl<'a, T: Item<'a>> Iterator for List<'a, T> {
    type Item = Option<T>;

    fn next(&mut self) -> Option<Option<T>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut reader = Reader::new(self.rest);
        let item = T::read(&mut reader);
        self.rest = reader.rest;
        Some((!reader.failed).then_some(item))
    }
}

/// A kind of field.
pub(crate) trait Field {
    /// What it is when it is read: borrowed from the plan.
    type Value<'a>: Copy + core::fmt::Debug;

    /// Reads it.
    fn read<'a>(reader: &mut Reader<'a>) -> Self::Value<'a>;
}

/// Kinds, most of them names without a value: `KIND: type = how it is read`.
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident: $value:ty = $read:expr;)+) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;
        field!($name: $value = $read);
    )+ };
}

macro_rules! field {
    ($name:ident: $value:ty = $read:expr) => {
        impl Field for $name {
            type Value<'a> = $value;

            fn read<'a>(reader: &mut Reader<'a>) -> $value {
                let read: fn(&mut Reader<'a>) -> $value = $read;
                read(reader)
            }
        }
    };
}

fields! {
    /// A number, an id, a signal.
    Number: u32 = Reader::u32;
    /// A large number.
    Number64: u64 = Reader::u64;
    /// Bits.
    Flags: u32 = Reader::u32;
    /// Many bits.
    Flags64: u64 = Reader::u64;
    /// Type and permission bits of a file.
    Mode: u32 = Reader::u32;
    /// `CLONE_NEW*`.
    Namespaces: u32 = Reader::u32;
    /// Major and minor number of a device.
    Device: (u32, u32) = |reader| (reader.u32(), reader.u32());
    /// On or off.
    Switch: bool = Reader::flag;
    /// A string.
    Text: &'a CStr = Reader::text;
    /// A string, if there is one.
    OptionalText: Option<&'a CStr> = |reader| reader.flag().then(|| reader.text());
    /// Strings.
    TextList: Texts<'a> = Reader::texts;
    /// Bytes.
    Bytes: &'a [u8] = Reader::bytes;
    /// Instructions of a seccomp filter, eight bytes each.
    Program: &'a [u8] = Reader::bytes;
    /// CPUs, one bit each, or all of them.
    CpuMask: Option<&'a [u8]> = |reader| reader.flag().then(|| reader.bytes());
    /// Numbers of four bytes.
    Numbers: &'a [u8] = |reader| reader.items(4);
    /// Nodes of memory, one bit each, eight bytes at a time.
    NodeMask: &'a [u8] = |reader| reader.items(8);
    /// A slot that must be filled.
    Uses: Slot = Reader::slot;
    /// A slot that may be filled.
    MaybeUses: Option<Slot> = Reader::optional_slot;
    /// A slot that the operation fills.
    Fills: Slot = Reader::slot;
    /// A slot that the operation empties.
    Empties: Slot = Reader::slot;
    /// Namespaces, each a descriptor and its `CLONE_NEW*`.
    NamespaceList: List<'a, (Slot, u32)> = list;
    /// Paths, each after the slot of the directory it starts at.
    PlacedPaths: List<'a, (Slot, &'a CStr)> = list;
    /// Options of a file system.
    FsOptions: List<'a, FsOptionRef<'a>> = list;
    /// A hook.
    Hook: HookRef<'a> = Reader::hook;
    /// Hooks.
    Hooks: List<'a, HookRef<'a>> = list;
}

field!(Label: Label = |reader| Label(reader.u32()));
field!(Dir: Dir = |reader| reader.optional_slot().map_or(Dir::Cwd, Dir::Slot));
field!(Leaf: Leaf = leaf);
field!(Expect: Expect = expect);

fn list<'a, T>(reader: &mut Reader<'a>) -> List<'a, T> {
    List {
        rest: reader.bytes(),
        items: core::marker::PhantomData,
    }
}

fn leaf(reader: &mut Reader<'_>) -> Leaf {
    match reader.u8() {
        0 => Leaf::Directory,
        1 => Leaf::File,
        2 => Leaf::Like(reader.slot()),
        _ => {
            reader.fail();
            Leaf::File
        }
    }
}

fn expect(reader: &mut Reader<'_>) -> Expect {
    Expect {
        file_type: reader.flag().then(|| reader.u32()),
        device: reader.flag().then(|| (reader.u32(), reader.u32())),
        inode: reader.flag().then(|| reader.u64()),
        magic: reader.flag().then(|| reader.u64()),
    }
}
