//! The encoding of a plan and of the messages on the control channel. The library and the stub
//! share this file, and `operations.rs` and `fields.rs`, which say what the steps of a plan are.
//!
//! A plan is one contiguous block, little-endian:
//!
//! ```text
//! header | input slots, two bytes each | records, RECORD bytes each | fields | contexts
//! ```
//!
//! Every reference into the block is a [`Blob`] (offset and length from its start). The fields of a
//! step are encoded one after the other, as the table of operations lists them; reading never
//! trusts an offset, a length or a number. Contexts (what a step is called in messages) come last,
//! so that the stub never touches their pages.

/// First four bytes of a plan: "CPLN".
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"CPLN");
/// Version of the encoding. Stub and crate are built together; the check guards against a
/// mismatched prebuilt stub.
pub(crate) const VERSION: u16 = 2;
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
pub(crate) const RECORD: usize = 36;
/// Size of the time at which a step ended: nanoseconds of the monotonic clock, 0 for none.
pub(crate) const TIME: usize = 8;
/// Comes after the descriptor number in the stub's argument if the descriptor after the inputs
/// takes the times of the steps.
pub(crate) const TIMED: u8 = b't';
/// Comes last in the stub's argument if the last descriptor takes the process id of the second
/// stage: one word, which the kernel writes.
pub(crate) const SECOND_STAGE: u8 = b's';
/// Most errnos a step can list.
pub(crate) const MAX_ERRNOS: usize = 6;
/// The plan's descriptor in the stub: the first after the standard streams and the passed
/// descriptors. The control channel comes next, then the inputs in order.
pub(crate) const FIRST_DESCRIPTOR: u32 = 3;

macro_rules! messages {
    ($($variant:ident = $number:literal,)*) => {
        /// What a packet on the control channel is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Message { $($variant = $number,)* }
        impl Message {
            /// The variant with this number.
            fn of(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }
            /// Every variant, for exhaustive tests.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

messages! {
    // From the stub.
    Gate = 1, IdMaps = 2, SecondStage = 3, Send = 4, Ask = 5, SendAndWait = 6, Console = 7,
    Home = 8, HomeEnd = 9,
    Ready = 10, HookStarted = 11, HookEnded = 12, Listener = 13, Done = 14, Fail = 15, NoRoom = 16,
    NotBegun = 17,
    // From the supervisor.
    Go = 32,
}

/// Size of the head of every packet.
pub(crate) const PACKET: usize = 16;
/// Most bytes after the head.
pub(crate) const MAX_PAYLOAD: usize = 8 << 10;
/// Most bytes of [`Message::Fail`]'s detail.
pub(crate) const MAX_DETAIL: usize = 256;
/// Detail of a failed [`Op::MakePath`](crate::plan::Op::MakePath): a link leads the path onto a
/// procfs.
pub(crate) const INSIDE_PROCFS: &[u8] = b"inside a procfs";
/// Most bytes of a home directory the supervisor may answer.
pub(crate) const MAX_HOME: usize = 4096;
/// Most bytes of the file that [`Op::AskHome`](crate::plan::Op::AskHome) sends.
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
        let message = Message::of(u32_at(bytes, 0)?)?;
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
    /// The number of the operation.
    pub(crate) operation: u16,
    /// Tolerated errnos; 0 ends the list.
    pub(crate) errnos: [u16; MAX_ERRNOS],
    /// Where to continue on one of them; 0 is the next step: jumps only go forward.
    pub(crate) otherwise: u32,
    /// The fields of the operation.
    pub(crate) fields: Blob,
    /// What the step is called.
    pub(crate) context: Blob,
}

impl Record {
    /// Encodes into exactly [`RECORD`] bytes.
    pub(crate) fn encode(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        put(&mut bytes, 0, &self.operation.to_le_bytes());
        for (index, errno) in self.errnos.iter().enumerate() {
            put(&mut bytes, 4 + 2 * index, &errno.to_le_bytes());
        }
        put(&mut bytes, 16, &self.otherwise.to_le_bytes());
        put_blob(&mut bytes, 20, self.fields);
        put_blob(&mut bytes, 28, self.context);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut errnos = [0; MAX_ERRNOS];
        for (index, errno) in errnos.iter_mut().enumerate() {
            *errno = u16_at(bytes, 4 + 2 * index)?;
        }
        Some(Self {
            operation: u16_at(bytes, 0)?,
            errnos,
            otherwise: u32_at(bytes, 16)?,
            fields: blob_at(bytes, 20)?,
            context: blob_at(bytes, 28)?,
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
    /// The names of the inputs, each with a NUL after it.
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
    /// Checks the header. `None` if this is not a plan of this version and architecture, or if it
    /// is cut off.
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
