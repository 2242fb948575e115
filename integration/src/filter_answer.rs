//! A seccomp(2) filter around a command that answers some of its system calls in place of the
//! kernel.

use std::process::Command;

use crate::reduced_kernel::sys;

/// What a filter answers, and to which calls. It needs `CAP_SYS_ADMIN` to be loaded, since
/// `no_new_privs` would change what containers are.
#[derive(Clone, Copy, Debug)]
pub struct FilterAnswer<'a> {
    /// The number of the call.
    pub call: libc::c_long,
    /// Numbers of arguments, and the low halves of their values: the calls that are answered.
    pub arguments: &'a [(u32, u32)],
    /// The errno of the answer; 0 is success.
    pub errno: u16,
}

impl FilterAnswer<'_> {
    /// Lets a command, and all that it starts, run under the filter.
    pub(crate) fn restrict(&self, command: &mut Command) {
        sys::filter_before_exec(command, self.program());
    }

    fn program(&self) -> Vec<libc::sock_filter> {
        const LOAD: u16 = 0x20;
        const IS: u16 = 0x15;
        const RETURN: u16 = 0x06;
        const NUMBER: u32 = 0;
        /// Where the arguments begin in `struct seccomp_data`.
        const ARGUMENTS: u32 = 16;
        let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        let number = u32::try_from(self.call).expect("a number of a system call");
        let words = self.arguments.iter();
        let words = words.map(|(argument, value)| (ARGUMENTS + 8 * argument, *value));
        let compared: Vec<_> = std::iter::once((NUMBER, number)).chain(words).collect();
        let mut program = Vec::new();
        for (at, (offset, value)) in compared.iter().enumerate() {
            // A difference leads beyond the answer.
            let beyond = u8::try_from(2 * (compared.len() - at) - 1).expect("few arguments");
            program.push(step(LOAD, 0, 0, *offset));
            program.push(step(IS, 0, beyond, *value));
        }
        let answer = libc::SECCOMP_RET_ERRNO | u32::from(self.errno);
        program.push(step(RETURN, 0, 0, answer));
        program.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
        program
    }
}
