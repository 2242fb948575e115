//! The encoding of a plan and of the messages on the control channel: the one file that the crate
//! and the stub share.
//!
//! A plan is one contiguous block, little-endian:
//!
//! ```text
//! header | input slots, two bytes each | records, RECORD bytes each | data area | contexts
//! ```
//!
//! Every reference into the block is a [`Blob`] (offset and length from its start). A string is
//! followed by a NUL byte that its length does not count; a list of strings is a run of
//! NUL-terminated strings and its length counts the NULs. Which field of a record means what is
//! said once, by `plan/encode.rs`; reading never trusts an offset, a length or a code. Contexts
//! (what a step is called in messages) come last, so that the stub never touches their pages.

use core::ffi::CStr;

/// First four bytes of a plan: "CPLN".
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"CPLN");
/// Version of the encoding. Stub and crate are built together; the check guards against a
/// mismatched prebuilt stub.
pub(crate) const VERSION: u16 = 1;
/// ELF machine number of this architecture (`elf.h`).
pub(crate) const MACHINE: u16 = if cfg!(target_arch = "x86_64") {
    62
} else {
    183
};
/// Largest plan.
pub(crate) const MAX_PLAN: usize = 16 << 20;
/// Most steps of a plan.
pub(crate) const MAX_STEPS: usize = 1 << 16;
/// Entries of the descriptor table.
pub(crate) const MAX_SLOTS: usize = 512;
/// Size of the header.
pub(crate) const HEADER: usize = 56;
/// Size of a record.
pub(crate) const RECORD: usize = 96;
/// Size of an encoded hook command.
pub(crate) const HOOK: usize = 56;
/// Size of the time at which a step ended: nanoseconds of the monotonic clock, 0 for none.
pub(crate) const TIME: usize = 8;
/// Stands after the descriptor number in the stub's argument if the descriptor after the inputs
/// takes the times of the steps.
pub(crate) const TIMED: u8 = b't';
/// Comes last in the stub's argument if the last descriptor takes the process id of the second
/// stage: one word, which the kernel writes.
pub(crate) const SECOND_STAGE: u8 = b's';
/// Stands for "no slot", and for the current directory where a directory is expected.
pub(crate) const NONE: u32 = u32::MAX;
/// Most errnos a step can list.
pub(crate) const MAX_ERRNOS: usize = 6;
/// The plan's descriptor in the stub: the first after the standard streams and the passed
/// descriptors. The control channel comes next, then the inputs in order.
pub(crate) const FIRST_DESCRIPTOR: u32 = 3;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($variant = $number,)* }
        impl $name {
            /// The variant with this number.
            pub(crate) fn of(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }
            /// Every variant, for exhaustive tests.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

codes! {
    /// Operation codes, one a variant of `Op`.
    Code {
        Open = 1, Write = 2, Verify = 3, Close = 4, Jump = 5,
        Dumpable = 10, Name = 11, DeathSignal = 12, NoNewPrivileges = 13, KeepCapabilities = 14, NewSession = 15,
        ControllingTerminal = 16, Umask = 17, Affinity = 18, Scheduler = 19, IoPriority = 20, Personality = 21,
        MemoryPolicy = 22, SetGroups = 23, SetGid = 24, SetUid = 25, BoundingSet = 26, Capabilities = 27,
        AmbientSet = 28, Keyring = 29, ResourceLimit = 30,
        Unshare = 40, Join = 41, JoinProcess = 42, SecondStage = 43,
        MakePath = 50, MakePlainDirectory = 51, NewMount = 52, CloneTree = 53, MountAttributes = 54, Attach = 55,
        Propagation = 56, PivotRoot = 57, MoveRoot = 58, Chroot = 59, Unmount = 60, MakeNode = 61, Symlink = 62,
        Remove = 63, Mask = 64, ReadonlyPaths = 65, CopyTree = 66, SetXattr = 67, ChangeDirectoryTo = 68,
        HolderPropagation = 69, Reconfigure = 70, CheckOptions = 71, Detach = 72,
        Pty = 80, Stdio = 81, ReopenNull = 82, StdioOwner = 83,
        Netlink = 90, Socket = 91, HostName = 92, DomainName = 93, Sysctl = 94,
        ChangeDirectory = 100, RetryDirectory = 101, VerifyDirectory = 102,
        AskGate = 110, AskIdMaps = 111, SendDescriptor = 112, AskDescriptor = 113, LendDescriptor = 114,
        AskConsole = 115, AskHome = 116, AskReady = 117, Hook = 118,
        Seccomp = 130, Lookup = 131, CloseControl = 132, WaitStart = 133, LateHooks = 134, Exec = 135,
    }
}

codes! {
    /// What a packet on the control channel is.
    Message {
        // From the stub.
        Gate = 1, IdMaps = 2, SecondStage = 3, Send = 4, Ask = 5, Lend = 6, Console = 7, Home = 8, HomeEnd = 9,
        Ready = 10, HookStarted = 11, HookEnded = 12, Listener = 13, Done = 14, Fail = 15, NoRoom = 16, NotBegun = 17,
        // From the parent.
        Go = 32,
    }
}

/// Size of the head of every packet.
pub(crate) const PACKET: usize = 16;
/// Most bytes after the head.
pub(crate) const MAX_PAYLOAD: usize = 32 << 10;
/// Most bytes of [`Message::Fail`]'s detail.
pub(crate) const MAX_DETAIL: usize = 256;
/// Detail of a failed [`Code::MakePath`]: a link leads the path onto a procfs.
pub(crate) const INSIDE_PROCFS: &[u8] = b"inside a procfs";
/// Most bytes of a home directory the parent may answer.
pub(crate) const MAX_HOME: usize = 4096;
/// Most bytes of the file that [`Code::AskHome`] sends.
pub(crate) const MAX_HOME_FILE: usize = 1 << 20;
/// Most tolerated failures reported by name; more are only counted.
pub(crate) const MAX_TOLERATED: usize = 32;
/// Size of the payload of [`Message::Ready`] and [`Message::Done`]: the ambient capabilities that
/// could not be raised (u64), the number of tolerated failures (u32, padded to u64), and for each
/// reported one step and errno (u32 each).
pub(crate) const WARNINGS: usize = 16 + 8 * MAX_TOLERATED;

/// The head of a packet: what it is, which step it belongs to, and a value (a process id, a status,
/// an errno, …).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) message: Message,
    pub(crate) step: u32,
    pub(crate) value: u32,
}

impl Packet {
    /// The encoded head; `extra` is the number of payload bytes that follow.
    pub(crate) fn encode(self, extra: u32) -> [u8; PACKET] {
        let mut bytes = [0; PACKET];
        put(&mut bytes, 0, &(self.message as u32).to_le_bytes());
        put(&mut bytes, 4, &self.step.to_le_bytes());
        put(&mut bytes, 8, &self.value.to_le_bytes());
        put(&mut bytes, 12, &extra.to_le_bytes());
        bytes
    }

    /// Reads a packet; the rest of the bytes must be exactly the payload it announces.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let message = Message::of(u16::try_from(u32_at(bytes, 0)?).ok()?)?;
        let payload = bytes.get(PACKET..)?;
        if usize::try_from(u32_at(bytes, 12)?).ok()? != payload.len() {
            return None;
        }
        let packet = Self {
            message,
            step: u32_at(bytes, 4)?,
            value: u32_at(bytes, 8)?,
        };
        Some((packet, payload))
    }
}

/// A piece of the block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

/// One step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) code: u16,
    /// Errnos that are no failure; 0 ends the list.
    pub(crate) errnos: [u16; MAX_ERRNOS],
    /// Where to continue on one of them (and for a jump, always); 0 is the next step: jumps only
    /// go forward.
    pub(crate) jump: u32,
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) c: u32,
    pub(crate) d: u32,
    pub(crate) e: u32,
    pub(crate) x: u64,
    pub(crate) y: u64,
    pub(crate) z: u64,
    pub(crate) p: Blob,
    pub(crate) q: Blob,
    pub(crate) r: Blob,
    /// What the step is called.
    pub(crate) context: Blob,
}

impl Record {
    /// Encodes into exactly [`RECORD`] bytes.
    pub(crate) fn encode(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        put(&mut bytes, 0, &self.code.to_le_bytes());
        for (index, errno) in self.errnos.iter().enumerate() {
            put(&mut bytes, 4 + 2 * index, &errno.to_le_bytes());
        }
        for (index, word) in [self.jump, self.a, self.b, self.c, self.d, self.e]
            .iter()
            .enumerate()
        {
            put(&mut bytes, 16 + 4 * index, &word.to_le_bytes());
        }
        for (index, word) in [self.x, self.y, self.z].iter().enumerate() {
            put(&mut bytes, 40 + 8 * index, &word.to_le_bytes());
        }
        for (index, blob) in [self.p, self.q, self.r, self.context].iter().enumerate() {
            put_blob(&mut bytes, 64 + 8 * index, *blob);
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut errnos = [0; MAX_ERRNOS];
        for (index, errno) in errnos.iter_mut().enumerate() {
            *errno = u16_at(bytes, 4 + 2 * index)?;
        }
        Some(Self {
            code: u16_at(bytes, 0)?,
            errnos,
            jump: u32_at(bytes, 16)?,
            a: u32_at(bytes, 20)?,
            b: u32_at(bytes, 24)?,
            c: u32_at(bytes, 28)?,
            d: u32_at(bytes, 32)?,
            e: u32_at(bytes, 36)?,
            x: u64_at(bytes, 40)?,
            y: u64_at(bytes, 48)?,
            z: u64_at(bytes, 56)?,
            p: blob_at(bytes, 64)?,
            q: blob_at(bytes, 72)?,
            r: blob_at(bytes, 80)?,
            context: blob_at(bytes, 88)?,
        })
    }
}

/// A hook command inside the data area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HookRecord {
    pub(crate) path: Blob,
    pub(crate) args: Blob,
    pub(crate) env: Blob,
    pub(crate) before_pid: Blob,
    pub(crate) after_pid: Blob,
    /// Whether `env` counts; otherwise the environment of the container process does.
    pub(crate) has_env: u32,
    pub(crate) timeout_ms: u32,
    pub(crate) argc: u32,
    pub(crate) envc: u32,
}

impl HookRecord {
    /// Encodes into exactly [`HOOK`] bytes.
    pub(crate) fn encode(&self) -> [u8; HOOK] {
        let mut bytes = [0; HOOK];
        let blobs = [
            self.path,
            self.args,
            self.env,
            self.before_pid,
            self.after_pid,
        ];
        for (index, blob) in blobs.iter().enumerate() {
            put_blob(&mut bytes, 8 * index, *blob);
        }
        for (index, word) in [self.has_env, self.timeout_ms, self.argc, self.envc]
            .iter()
            .enumerate()
        {
            put(&mut bytes, 40 + 4 * index, &word.to_le_bytes());
        }
        bytes
    }

    /// Reads one of the [`HOOK`]-sized pieces of a record's data.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            path: blob_at(bytes, 0)?,
            args: blob_at(bytes, 8)?,
            env: blob_at(bytes, 16)?,
            before_pid: blob_at(bytes, 24)?,
            after_pid: blob_at(bytes, 32)?,
            has_env: u32_at(bytes, 40)?,
            timeout_ms: u32_at(bytes, 44)?,
            argc: u32_at(bytes, 48)?,
            envc: u32_at(bytes, 52)?,
        })
    }
}

/// The head of the block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) size: u32,
    pub(crate) clone_flags: u32,
    pub(crate) passed: u32,
    pub(crate) slots: u32,
    pub(crate) inputs: Blob,
    /// The names of the inputs, a list of strings.
    pub(crate) input_names: Blob,
    /// Where the records start, and how many there are.
    pub(crate) records: Blob,
}

impl Header {
    /// Encodes into exactly [`HEADER`] bytes.
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        put(&mut bytes, 0, &MAGIC.to_le_bytes());
        put(&mut bytes, 4, &VERSION.to_le_bytes());
        put(&mut bytes, 6, &MACHINE.to_le_bytes());
        for (index, word) in [self.size, self.clone_flags, self.passed, self.slots]
            .iter()
            .enumerate()
        {
            put(&mut bytes, 8 + 4 * index, &word.to_le_bytes());
        }
        for (index, blob) in [self.inputs, self.input_names, self.records]
            .iter()
            .enumerate()
        {
            put_blob(&mut bytes, 24 + 8 * index, *blob);
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        if u32_at(bytes, 0)? != MAGIC
            || u16_at(bytes, 4)? != VERSION
            || u16_at(bytes, 6)? != MACHINE
        {
            return None;
        }
        Some(Self {
            size: u32_at(bytes, 8)?,
            clone_flags: u32_at(bytes, 12)?,
            passed: u32_at(bytes, 16)?,
            slots: u32_at(bytes, 20)?,
            inputs: blob_at(bytes, 24)?,
            input_names: blob_at(bytes, 32)?,
            records: blob_at(bytes, 40)?,
        })
    }
}

/// A plan that is read: every access is checked against the bounds of the block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    bytes: &'a [u8],
    header: Header,
}

impl<'a> View<'a> {
    /// Checks the header. `None` if this is no plan of this version and architecture, or if it is
    /// cut off.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let header = Header::decode(bytes)?;
        let slots = usize::try_from(header.slots).ok()?;
        let steps = usize::try_from(header.records.length).ok()?;
        if bytes.len() > MAX_PLAN
            || usize::try_from(header.size).ok()? != bytes.len()
            || slots > MAX_SLOTS
            || steps > MAX_STEPS
            || usize::try_from(header.inputs.length).ok()? > 2 * slots
            || header.inputs.length % 2 != 0
            || header.passed > 0xffff
        {
            return None;
        }
        let view = Self { bytes, header };
        for slot in view.inputs() {
            if usize::from(slot) >= slots {
                return None;
            }
        }
        let start = usize::try_from(header.records.offset).ok()?;
        bytes.get(start..start.checked_add(steps.checked_mul(RECORD)?)?)?;
        Some(view)
    }

    /// The header.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The slots that are filled before the stub starts, in the order of their descriptors.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.bytes(self.header.inputs)
            .unwrap_or(&[])
            .chunks_exact(2)
            .filter_map(|slot| u16_at(slot, 0))
    }

    /// How many steps there are.
    pub(crate) fn steps(&self) -> u32 {
        self.header.records.length
    }

    /// A step.
    pub(crate) fn record(&self, index: u32) -> Option<Record> {
        if index >= self.steps() {
            return None;
        }
        let start = usize::try_from(self.header.records.offset).ok()?;
        let start = start.checked_add(usize::try_from(index).ok()?.checked_mul(RECORD)?)?;
        Record::decode(self.bytes.get(start..start.checked_add(RECORD)?)?)
    }

    /// The bytes of a blob.
    pub(crate) fn bytes(&self, blob: Blob) -> Option<&'a [u8]> {
        let start = usize::try_from(blob.offset).ok()?;
        self.bytes
            .get(start..start.checked_add(usize::try_from(blob.length).ok()?)?)
    }

    /// A string: its bytes, and the NUL after them. None of them may be NUL.
    pub(crate) fn string(&self, blob: Blob) -> Option<&'a CStr> {
        let start = usize::try_from(blob.offset).ok()?;
        let end = start
            .checked_add(usize::try_from(blob.length).ok()?)?
            .checked_add(1)?;
        CStr::from_bytes_with_nul(self.bytes.get(start..end)?).ok()
    }

    /// A list of strings.
    pub(crate) fn strings(&self, blob: Blob) -> Option<Strings<'a>> {
        let rest = self.bytes(blob)?;
        (rest.is_empty() || rest.last() == Some(&0)).then_some(Strings { rest })
    }

    /// A list of paths, each with the slot of the directory it starts at.
    pub(crate) fn placed_paths(&self, blob: Blob) -> Option<PlacedPaths<'a>> {
        self.bytes(blob).map(|rest| PlacedPaths { rest })
    }

    /// The hook commands of a record.
    pub(crate) fn hooks(&self, blob: Blob) -> Option<impl Iterator<Item = HookRecord> + use<'a>> {
        let bytes = self.bytes(blob)?;
        (bytes.len() % HOOK == 0).then(|| bytes.chunks_exact(HOOK).filter_map(HookRecord::decode))
    }
}

/// A list of strings that is walked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strings<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a CStr;

    fn next(&mut self) -> Option<&'a CStr> {
        let text = CStr::from_bytes_until_nul(self.rest).ok()?;
        self.rest = self.rest.get(text.count_bytes() + 1..)?;
        Some(text)
    }
}

/// A list of paths that is walked, each of which stands after the slot of the directory it starts
/// at. What is malformed ends it, with `None` as the last item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlacedPaths<'a> {
    rest: &'a [u8],
}

impl<'a> PlacedPaths<'a> {
    fn first(list: &'a [u8]) -> Option<(u16, &'a CStr, &'a [u8])> {
        let root = u16_at(list, 0)?;
        let path = CStr::from_bytes_until_nul(list.get(2..)?).ok()?;
        Some((root, path, list.get(2 + path.count_bytes() + 1..)?))
    }
}

impl<'a> Iterator for PlacedPaths<'a> {
    type Item = Option<(u16, &'a CStr)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let first = Self::first(self.rest);
        self.rest = first.map_or(&[], |(_, _, rest)| rest);
        Some(first.map(|(root, path, _)| (root, path)))
    }
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    let room = bytes.get_mut(offset..);
    if let Some(to) = room.and_then(|room| room.get_mut(..value.len())) {
        to.copy_from_slice(value);
    }
}

fn put_blob(bytes: &mut [u8], offset: usize, blob: Blob) {
    put(bytes, offset, &blob.offset.to_le_bytes());
    put(bytes, offset + 4, &blob.length.to_le_bytes());
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

/// The number at an offset.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array_at(bytes, offset).map(u16::from_le_bytes)
}

/// The number at an offset.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_le_bytes)
}

/// The number at an offset.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    array_at(bytes, offset).map(u64::from_le_bytes)
}

fn blob_at(bytes: &[u8], offset: usize) -> Option<Blob> {
    Some(Blob {
        offset: u32_at(bytes, offset)?,
        length: u32_at(bytes, offset + 4)?,
    })
}
