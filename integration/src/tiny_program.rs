//! The smallest programs a container can run, so that what is measured is the runtime.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Address at which the only segment is loaded.
const BASE: u64 = 0x40_0000;
const HEADERS: u64 = 64 + 56;

/// `exit(0)`.
#[cfg(target_arch = "x86_64")]
pub const TRUE: &[u8] = &[
    0xb8, 0x3c, 0, 0, 0, // mov eax, 60
    0x31, 0xff, // xor edi, edi
    0x0f, 0x05, // syscall
];

/// `for (;;) pause();`
#[cfg(target_arch = "x86_64")]
pub const PAUSE: &[u8] = &[
    0xb8, 0x22, 0, 0, 0, // mov eax, 34
    0x0f, 0x05, // syscall
    0xeb, 0xf7, // jmp back to the first instruction
];

/// `flock(9, LOCK_EX); exit(0)`.
#[cfg(target_arch = "x86_64")]
pub const LOCK_9: &[u8] = &[
    0xb8, 0x49, 0, 0, 0, // mov eax, 73
    0xbf, 0x09, 0, 0, 0, // mov edi, 9
    0xbe, 0x02, 0, 0, 0, // mov esi, 2
    0x0f, 0x05, // syscall
    0xb8, 0x3c, 0, 0, 0, // mov eax, 60
    0x31, 0xff, // xor edi, edi
    0x0f, 0x05, // syscall
];

/// `exit(0)`.
#[cfg(target_arch = "aarch64")]
pub const TRUE: &[u8] = &[
    0xa8, 0x0b, 0x80, 0xd2, // mov x8, 93
    0x00, 0x00, 0x80, 0xd2, // mov x0, 0
    0x01, 0x00, 0x00, 0xd4, // svc 0
];

/// `for (;;) ppoll(NULL, 0, NULL, NULL);`
#[cfg(target_arch = "aarch64")]
pub const PAUSE: &[u8] = &[
    0x28, 0x09, 0x80, 0xd2, // mov x8, 73
    0x00, 0x00, 0x80, 0xd2, // mov x0, 0
    0x01, 0x00, 0x80, 0xd2, // mov x1, 0
    0x02, 0x00, 0x80, 0xd2, // mov x2, 0
    0x03, 0x00, 0x80, 0xd2, // mov x3, 0
    0x01, 0x00, 0x00, 0xd4, // svc 0
    0xfa, 0xff, 0xff, 0x17, // b back to the first instruction
];

/// `flock(9, LOCK_EX); exit(0)`.
#[cfg(target_arch = "aarch64")]
pub const LOCK_9: &[u8] = &[
    0x08, 0x04, 0x80, 0xd2, // mov x8, 32
    0x20, 0x01, 0x80, 0xd2, // mov x0, 9
    0x41, 0x00, 0x80, 0xd2, // mov x1, 2
    0x01, 0x00, 0x00, 0xd4, // svc 0
    0xa8, 0x0b, 0x80, 0xd2, // mov x8, 93
    0x00, 0x00, 0x80, 0xd2, // mov x0, 0
    0x01, 0x00, 0x00, 0xd4, // svc 0
];

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

/// Writes an executable ELF file that holds just `code`.
pub fn write(path: &Path, code: &[u8]) -> io::Result<()> {
    fs::write(path, image(code))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Type of the program header that names the interpreter of a program (elf(5)).
const PT_INTERP: u32 = 3;

/// Writes an executable ELF file that needs an interpreter: the kernel loads that one beside it and
/// begins there (elf(5), `PT_INTERP`).
pub fn write_interpreted(path: &Path, interpreter: &str) -> io::Result<()> {
    let mut elf = image(TRUE);
    // In place of its own segment, of which nothing is executed.
    let name = [interpreter.as_bytes(), b"\0"].concat();
    let (offset, size) = (elf.len() as u64, name.len() as u64);
    let header = &mut elf[64..120];
    header[..4].copy_from_slice(&PT_INTERP.to_le_bytes());
    header[8..16].copy_from_slice(&offset.to_le_bytes());
    for field in [32..40, 40..48] {
        header[field].copy_from_slice(&size.to_le_bytes());
    }
    elf.extend(name);
    fs::write(path, elf)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Whether an ELF file of 64 bits names an interpreter.
pub fn has_interpreter(elf: &[u8]) -> bool {
    let number = |at: usize, size: usize| {
        let bytes = elf[at..at + size].iter().rev();
        bytes.fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let (first, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).any(|index| number(first + index * size, 4) == PT_INTERP as usize)
}

/// See elf(5): one file header, one program header, the code.
fn image(code: &[u8]) -> Vec<u8> {
    let size = HEADERS + code.len() as u64;
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    elf.extend(2u16.to_le_bytes()); // ET_EXEC
    elf.extend(MACHINE.to_le_bytes());
    elf.extend(1u32.to_le_bytes());
    elf.extend((BASE + HEADERS).to_le_bytes()); // entry
    elf.extend(64u64.to_le_bytes()); // program headers
    elf.extend(0u64.to_le_bytes()); // no section headers
    elf.extend(0u32.to_le_bytes());
    for field in [64u16, 56, 1, 64, 0, 0] {
        elf.extend(field.to_le_bytes());
    }
    elf.extend(1u32.to_le_bytes()); // PT_LOAD
    elf.extend(5u32.to_le_bytes()); // readable and executable
    elf.extend(0u64.to_le_bytes());
    elf.extend(BASE.to_le_bytes());
    elf.extend(BASE.to_le_bytes());
    elf.extend(size.to_le_bytes());
    elf.extend(size.to_le_bytes());
    elf.extend(0x1000u64.to_le_bytes());
    elf.extend(code);
    elf
}
