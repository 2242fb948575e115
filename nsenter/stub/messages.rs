//! What errors and signals are called in messages: lower case, as the C library and
//! Go, which those who read the messages of container tools know.

/// The text of an errno, with any C library: `too many levels of symbolic links` for `ELOOP`, which
/// musl calls otherwise. Empty for one that is not in the table (errno(3)).
#[must_use]
pub fn errno(number: i32) -> &'static str {
    match number {
        1 => "operation not permitted",
        2 => "no such file or directory",
        3 => "no such process",
        4 => "interrupted system call",
        5 => "input/output error",
        6 => "no such device or address",
        7 => "argument list too long",
        8 => "exec format error",
        9 => "bad file descriptor",
        10 => "no child processes",
        11 => "resource temporarily unavailable",
        12 => "cannot allocate memory",
        13 => "permission denied",
        14 => "bad address",
        16 => "device or resource busy",
        17 => "file exists",
        18 => "invalid cross-device link",
        20 => "not a directory",
        21 => "is a directory",
        22 => "invalid argument",
        23 => "too many open files in system",
        24 => "too many open files",
        26 => "text file busy",
        28 => "no space left on device",
        25 => "inappropriate ioctl for device",
        27 => "file too large",
        29 => "illegal seek",
        30 => "read-only file system",
        31 => "too many links",
        32 => "broken pipe",
        36 => "file name too long",
        38 => "function not implemented",
        39 => "directory not empty",
        40 => "too many levels of symbolic links",
        61 => "no data available",
        62 => "timer expired",
        71 => "protocol error",
        74 => "bad message",
        75 => "value too large for defined data type",
        80 => "accessing a corrupted shared library",
        88 => "socket operation on non-socket",
        90 => "message too long",
        95 => "operation not supported",
        97 => "address family not supported by protocol",
        98 => "address already in use",
        99 => "cannot assign requested address",
        104 => "connection reset by peer",
        105 => "no buffer space available",
        107 => "transport endpoint is not connected",
        110 => "connection timed out",
        111 => "connection refused",
        116 => "stale file handle",
        117 => "structure needs cleaning",
        122 => "disk quota exceeded",
        126 => "required key not available",
        _ => "",
    }
}

/// The text of a signal; empty for a real-time signal, which has no name: it is called `signal N`.
pub(crate) fn signal(number: i32) -> &'static str {
    match number {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        10 => "user defined signal 1",
        11 => "segmentation fault",
        12 => "user defined signal 2",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        16 => "stack fault",
        17 => "child exited",
        18 => "continued",
        19 => "stopped (signal)",
        20 => "stopped",
        21 => "stopped (tty input)",
        22 => "stopped (tty output)",
        23 => "urgent I/O condition",
        24 => "CPU time limit exceeded",
        25 => "file size limit exceeded",
        26 => "virtual timer expired",
        27 => "profiling timer expired",
        28 => "window changed",
        29 => "I/O possible",
        30 => "power failure",
        31 => "bad system call",
        _ => "",
    }
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn errnos_are_called_as_glibc_calls_them() {
        let mut known = 0;
        for number in 1..134 {
            let text = errno(number);
            if text.is_empty() {
                continue;
            }
            known += 1;
            let usual = std::io::Error::from_raw_os_error(number).to_string();
            let (usual, _) = usual.split_once(" (os error").unwrap();
            assert_eq!(text.to_lowercase(), usual.to_lowercase());
        }
        assert!(known > 50, "{known}");
    }
}
