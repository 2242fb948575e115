//! Calls that 32-bit x86 enters through one of two system calls: socketcall(2) and ipc(2).
//!
//! The first argument of those says which call is meant, the second points to its arguments. Linux
//! 4.3 and 5.1 gave most of the calls numbers of their own, and programs use both ways, so a rule
//! applies to both. libseccomp does the same, and this follows it: of a rule's conditions, one on
//! the first argument gives way to the one that selects the call.

/// How a call is entered the old way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Multiplexed {
    /// The number of socketcall(2) or ipc(2) on 32-bit x86.
    pub(super) number: u32,
    /// The value of its first argument.
    pub(super) selector: u64,
}

const SOCKETCALL: u32 = 102;
const IPC: u32 = 117;

/// The old way of a call on 32-bit x86, if there is one (`SYS_*` in `linux/net.h`, `linux/ipc.h`).
pub(super) fn x86(name: &str) -> Option<Multiplexed> {
    let (number, selector) = match name {
        "socket" => (SOCKETCALL, 1),
        "bind" => (SOCKETCALL, 2),
        "connect" => (SOCKETCALL, 3),
        "listen" => (SOCKETCALL, 4),
        "accept" => (SOCKETCALL, 5),
        "getsockname" => (SOCKETCALL, 6),
        "getpeername" => (SOCKETCALL, 7),
        "socketpair" => (SOCKETCALL, 8),
        "send" => (SOCKETCALL, 9),
        "recv" => (SOCKETCALL, 10),
        "sendto" => (SOCKETCALL, 11),
        "recvfrom" => (SOCKETCALL, 12),
        "shutdown" => (SOCKETCALL, 13),
        "setsockopt" => (SOCKETCALL, 14),
        "getsockopt" => (SOCKETCALL, 15),
        "sendmsg" => (SOCKETCALL, 16),
        "recvmsg" => (SOCKETCALL, 17),
        "accept4" => (SOCKETCALL, 18),
        "recvmmsg" => (SOCKETCALL, 19),
        "sendmmsg" => (SOCKETCALL, 20),
        "semop" => (IPC, 1),
        "semget" => (IPC, 2),
        "semctl" => (IPC, 3),
        "semtimedop" => (IPC, 4),
        "msgsnd" => (IPC, 11),
        "msgrcv" => (IPC, 12),
        "msgget" => (IPC, 13),
        "msgctl" => (IPC, 14),
        "shmat" => (IPC, 21),
        "shmdt" => (IPC, 22),
        "shmget" => (IPC, 23),
        "shmctl" => (IPC, 24),
        _ => return None,
    };
    Some(Multiplexed { number, selector })
}
