//! Which devices the container may use: those that every container has, and making any node.

/// What `devices.allow` of cgroup v1 gets, after `a` was denied.
pub(crate) const RULES: [&[u8]; 10] = [
    b"c *:* m",
    b"b *:* m",
    b"c 1:3 rwm",
    b"c 1:5 rwm",
    b"c 1:7 rwm",
    b"c 1:8 rwm",
    b"c 1:9 rwm",
    b"c 5:0 rwm",
    b"c 5:2 rwm",
    b"c 136:* rwm",
];

// Operation codes of linux/bpf.h: a load of 32 bits, jumps by a comparison with a constant, and
// what is done to a register.
const LOAD: u8 = 0x61;
const JUMP_IF: u8 = 0x15;
const JUMP_UNLESS: u8 = 0x55;
const AND: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const SET: u8 = 0xb7;
const COPY: u8 = 0xbf;
const EXIT: u8 = 0x95;

/// One instruction, in the byte order of both architectures.
const fn instruction(code: u8, to: u64, from: u64, offset: u64, constant: u64) -> u64 {
    code as u64 | to << 8 | from << 12 | offset << 16 | constant << 32
}

/// A jump from the instruction with the number `at` to the one with the number `target`.
const fn jump(at: u64, code: u8, register: u64, constant: u64, target: u64) -> u64 {
    instruction(code, register, 0, target - at - 1, constant)
}

const MAKE_NODE: u64 = 1;
const CHARACTER_DEVICE: u64 = 2;
const GRANT: u64 = 19;
const END: u64 = 20;

/// The same for `BPF_PROG_TYPE_CGROUP_DEVICE`: r1 points to a `struct bpf_cgroup_dev_ctx`, which is
/// access and type in one word, then major and minor; r0 says whether access is granted.
pub(crate) const PROGRAM: [u64; 21] = [
    instruction(SET, 0, 0, 0, 0),
    instruction(LOAD, 2, 1, 0, 0),
    instruction(COPY, 3, 2, 0, 0),
    instruction(SHIFT_RIGHT, 3, 0, 0, 16),
    jump(4, JUMP_IF, 3, MAKE_NODE, GRANT),
    instruction(AND, 2, 0, 0, 0xffff),
    jump(6, JUMP_UNLESS, 2, CHARACTER_DEVICE, END),
    instruction(LOAD, 2, 1, 4, 0),
    instruction(LOAD, 3, 1, 8, 0),
    jump(9, JUMP_IF, 2, 136, GRANT),
    jump(10, JUMP_UNLESS, 2, 5, 13),
    jump(11, JUMP_IF, 3, 0, GRANT),
    jump(12, JUMP_IF, 3, 2, GRANT),
    jump(13, JUMP_UNLESS, 2, 1, END),
    jump(14, JUMP_IF, 3, 3, GRANT),
    jump(15, JUMP_IF, 3, 5, GRANT),
    jump(16, JUMP_IF, 3, 7, GRANT),
    jump(17, JUMP_IF, 3, 8, GRANT),
    jump(18, JUMP_UNLESS, 3, 9, END),
    instruction(SET, 0, 0, 0, 1),
    instruction(EXIT, 0, 0, 0, 0),
];
