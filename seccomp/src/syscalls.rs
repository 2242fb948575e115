//! Names and numbers of system calls.

mod table;

use crate::architecture::{Architecture, X32_SYSCALL_BIT};
use table::{NONE, TABLE};

pub(crate) use table::LINUX_VERSION;

/// A system call's name, as an index into the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syscall(u16);

/// Slots of the hash table over the names: a power of two with room to spare.
const SLOTS: usize = 2048;

/// An empty slot.
const EMPTY: u16 = u16::MAX;

/// Open addressing over the names of [`TABLE`], so that a name is found without comparing it with
/// ten others: a profile has hundreds.
static SLOT: [u16; SLOTS] = fill();

/// FNV-1a, 32 bits: short, and names are short.
const fn hash(name: &[u8]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut rest = name;
    while let [first, others @ ..] = rest {
        // A cast in a const fn: `u32::from` is not const. Widening loses nothing.
        hash = (hash ^ *first as u32).wrapping_mul(0x0100_0193);
        rest = others;
    }
    (hash ^ (hash >> 15)) as usize % SLOTS
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, where a bad index is a compile error"
)]
#[allow(
    clippy::cast_possible_truncation,
    reason = "the table has far fewer than 65535 names"
)]
const fn fill() -> [u16; SLOTS] {
    let mut slots = [EMPTY; SLOTS];
    let mut index = 0;
    while index < TABLE.len() {
        let mut slot = hash(TABLE[index].0.as_bytes());
        while slots[slot] != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        slots[slot] = index as u16;
        index += 1;
    }
    slots
}

/// The column of an architecture in the table; `None` for those this crate has no numbers for.
fn column(arch: Architecture) -> Option<usize> {
    Some(match arch {
        Architecture::X86_64 => 0,
        Architecture::X32 => 1,
        Architecture::X86 => 2,
        Architecture::Arm => 3,
        Architecture::Aarch64 => 4,
        Architecture::Riscv64 => 5,
        Architecture::Loongarch64 => 6,
        _ => return None,
    })
}

/// Whether the table has numbers for an architecture.
pub(crate) fn knows(arch: Architecture) -> bool {
    column(arch).is_some()
}

/// The first system call number of an architecture.
pub(crate) fn base(arch: Architecture) -> u32 {
    if arch == Architecture::X32 {
        X32_SYSCALL_BIT
    } else {
        0
    }
}

impl Architecture {
    /// The name of the system call with a number, as the kernel shows it to a filter. `None` for a
    /// number without a call, and for an architecture of which this crate has no numbers.
    ///
    /// ```
    /// use cofferdam_seccomp::Architecture;
    ///
    /// assert_eq!(Architecture::X86_64.syscall_name(165), Some("mount"));
    /// ```
    #[must_use]
    pub fn syscall_name(self, number: u32) -> Option<&'static str> {
        Syscall::all()
            .find(|call| call.number(self) == Some(number))
            .map(Syscall::name)
    }

    /// The number of a system call, as the kernel shows it to a filter: on x32 with bit 30 set.
    /// `None` for a name that this architecture does not have, and for an architecture of which
    /// this crate has no numbers.
    ///
    /// ```
    /// use cofferdam_seccomp::Architecture;
    ///
    /// assert_eq!(Architecture::X86_64.syscall_number("mount"), Some(165));
    /// assert_eq!(Architecture::Aarch64.syscall_number("iopl"), None);
    /// ```
    #[must_use]
    pub fn syscall_number(self, name: &str) -> Option<u32> {
        Syscall::from_name(name)?.number(self)
    }
}

impl Syscall {
    /// The system call with this name on any architecture.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let mut slot = hash(name.as_bytes());
        loop {
            let index = *SLOT.get(slot).filter(|index| **index != EMPTY)?;
            if TABLE.get(usize::from(index))?.0 == name {
                return Some(Self(index));
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// Every system call of the table.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..).take(TABLE.len()).map(Self)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        TABLE.get(usize::from(self.0)).map_or("", |(name, _)| name)
    }

    /// Its number on an architecture, as the kernel shows it to a filter (on x32 with bit 30 set).
    pub(crate) fn number(self, arch: Architecture) -> Option<u32> {
        let (_, numbers) = TABLE.get(usize::from(self.0))?;
        numbers
            .get(column(arch)?)
            .copied()
            .filter(|number| *number != NONE)
    }
}
