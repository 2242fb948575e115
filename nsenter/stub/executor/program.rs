//! The last steps: filter, program, start.

use core::ffi::CStr;

use super::fields::Texts;
use super::fixed_string::FixedString;
use super::messages;
use super::operations::Operation;
use super::sys::{self, CWD, Errno, Pointers, Result};
use super::wire::{FIRST_DESCRIPTOR, Message, PACKET};
use super::{Executor, Home, listing, proc_self_fd};

impl Executor {
    pub(super) fn seccomp(&mut self, flags: u32, program: &[u8], listener: bool) -> Result<()> {
        // The filter need not let the clock be read.
        self.times = None;
        let fd = sys::seccomp(flags, program)?;
        if !listener {
            return Ok(());
        }
        // The number is enough: the supervisor takes the descriptor out of this process.
        self.tell(
            Message::Listener,
            u32::try_from(fd).map_err(|_| Errno::EINVAL)?,
            &[],
        )?;
        self.answer(&mut [0; PACKET])?;
        sys::close(i32::try_from(fd).map_err(|_| Errno::EINVAL)?);
        Ok(())
    }

    /// The first candidate that can be executed. Of a single one the error is what the kernel says.
    /// Of several it is the first that does not just mean "not there".
    pub(super) fn lookup(&mut self, candidates: Texts<'static>) -> Result<()> {
        let mut tried = 0;
        let (mut last, mut telling) = (Errno::ENOENT, None);
        for candidate in candidates {
            match executable(candidate) {
                Ok(()) => {
                    self.program = Some(candidate);
                    return Ok(());
                }
                Err(errno) => {
                    tried += 1;
                    last = errno;
                    if !matches!(errno, Errno::ENOENT | Errno::ENOTDIR) {
                        telling = telling.or(Some(errno));
                    }
                }
            }
        }
        match tried {
            1 => Err(last),
            _ => Err(telling.unwrap_or(Errno::ENOENT)),
        }
    }

    /// What a step does.
    pub(super) fn operation(&self, step: u32) -> Option<Operation<'static>> {
        Operation::of(&self.plan, &self.plan.record(step)?)
    }

    /// What this step is called.
    pub(super) fn context(&self) -> &'static [u8] {
        let record = self.plan.record(self.step);
        record
            .and_then(|record| self.plan.bytes(record.context))
            .unwrap_or(&[])
    }

    /// A number that no descriptor of this process reaches: the kernel gives the lowest that is
    /// free, so it is bounded by how many can be open at once, generously counted.
    pub(super) fn descriptors_end(&self) -> u32 {
        FIRST_DESCRIPTOR
            .saturating_add(self.plan.header().passed)
            .saturating_add(2048)
    }

    /// The fifo that the plan waits for, as long as it is open. No wait comes before the control
    /// channel is closed.
    fn start_fifo(&self) -> Option<i32> {
        for step in (0..self.plan.steps()).rev() {
            match self.operation(step)? {
                Operation::CloseControl {} => return None,
                Operation::WaitStart { fifo } => return self.fd(fifo).ok(),
                _ => {}
            }
        }
        None
    }

    /// Lets the kernel close the fifo when it executes the program. Done before all steps: a filter
    /// may forbid it later.
    pub(super) fn close_start_fifo_on_exec(&self) -> Result<()> {
        self.start_fifo().map_or(Ok(()), sys::close_on_exec)
    }

    pub(super) fn exec(&mut self, args: Texts<'static>, env: Texts<'static>) -> Result<()> {
        let program = self.program.ok_or(Errno::EINVAL)?;
        self.close_all_but(self.start_fifo());
        let args = pointers(args, None)?;
        let env = pointers(env, self.home.as_ref().map(Home::as_cstr))?;
        Err(execute(program, &args, &env))
    }

    /// Closes every descriptor that the program does not get, but for the fifo that it is started
    /// by.
    pub(super) fn close_all_but(&self, fifo: Option<i32>) {
        let first = FIRST_DESCRIPTOR.saturating_add(self.plan.header().passed);
        match fifo {
            // The one thing that the kernel closes: its end shows that the program has begun.
            Some(fifo) => {
                let fifo = fifo.unsigned_abs();
                if fifo > first && sys::close_range(first, fifo - 1).is_err() {
                    close_numbers(first, fifo);
                }
                close_between(fifo.saturating_add(1), self.descriptors_end());
            }
            None => close_between(first, self.descriptors_end()),
        }
    }

    /// Closes what was left open, before the first step that follows a path of the container's
    /// wherever it leads: `/proc/self/fd/N` would lead through what is open.
    pub(super) fn close_left(&self) {
        let Some(end) = sys::end_leaving() else {
            return;
        };
        let passed = FIRST_DESCRIPTOR.saturating_add(self.plan.header().passed);
        let mut first = passed;
        for number in passed..=end {
            let used = i32::try_from(number)
                .is_ok_and(|number| number == self.control || self.fds.contains(&number));
            if number != end && !used {
                continue;
            }
            if number > first && sys::close_range(first, number - 1).is_err() {
                close_numbers(first, number);
            }
            first = number + 1;
        }
    }

    /// One line on standard error, after the control channel is closed.
    pub(super) fn complain(&self, errno: Errno) {
        let mut line = FixedString::<4608>::new();
        match (self.program, self.operation(self.step)) {
            (Some(program), Some(Operation::Exec { .. })) => {
                line.push_some(b"exec ");
                line.push_some(program.to_bytes());
            }
            _ => line.push_some(self.context()),
        }
        line.push_some(b": ");
        push_errno(&mut line, errno);
        let _ = line.push(b"\n");
        let _ = sys::write_all(2, line.get());
    }
}

/// The strings of a list as pointers, and one more.
pub(super) fn pointers<'a>(list: Texts<'static>, more: Option<&'a CStr>) -> Result<Pointers<'a>> {
    let count = usize::try_from(list.announced())
        .ok()
        .and_then(|count| count.checked_add(1))
        .ok_or(Errno::E2BIG)?;
    let mut pointers = Pointers::new(count)?;
    for text in list.chain(more) {
        pointers.push(text)?;
    }
    Ok(pointers)
}

/// `execve(2)`; returns only an error. A program that is open for writing (`ETXTBSY`) is
/// tried again for a while: a host with many threads writes a program in one and starts a process
/// in another, which holds a copy of the descriptor for a moment.
pub(super) fn execute(program: &CStr, args: &Pointers<'_>, env: &Pointers<'_>) -> Errno {
    let mut errno = sys::execve(program, args, env);
    for _ in 0..20 {
        if errno != Errno::ETXTBSY {
            break;
        }
        let _ = sys::poll(&mut [], Some(5));
        errno = sys::execve(program, args, env);
    }
    errno
}

/// The text of an errno, or its number.
pub(super) fn push_errno<const N: usize>(line: &mut FixedString<N>, errno: Errno) {
    match messages::errno(errno.0) {
        "" => {
            line.push_some(b"errno ");
            line.push_number(u64::from(errno.0.unsigned_abs()));
        }
        text => line.push_some(text.as_bytes()),
    }
}

/// A file that the effective ids may execute.
fn executable(path: &CStr) -> Result<()> {
    let stat = sys::stat(CWD, path, true)?;
    if stat.is_directory() {
        return Err(Errno::EISDIR);
    }
    match sys::may_execute(path) {
        // No such call, or a filter that does not know it: any execute bit counts.
        Err(Errno::ENOSYS | Errno::EPERM) if stat.mode & 0o111 != 0 => Ok(()),
        Err(Errno::ENOSYS | Errno::EPERM) => Err(Errno::EACCES),
        result => result,
    }
}

/// Closes every descriptor from this number on, of those this process can have.
pub(super) fn close_between(first: u32, end: u32) {
    // A kernel or filter without close_range: all numbers are known, since nothing else was open at
    // the start.
    if sys::close_from(first).is_err() {
        close_numbers(first, end);
    }
}

/// Closes whatever the host left open from this number on.
pub(super) fn close_inherited(first: u32) {
    if sys::close_from(first).is_ok() {
        return;
    }
    // What procfs lists is complete. Without it every number is tried: a host's limit is usually
    // below a million.
    if close_listed(first).is_err() {
        close_numbers(first, sys::descriptor_limit().clamp(65_536, 1 << 20));
    }
}

fn close_numbers(first: u32, end: u32) {
    for fd in first..end {
        sys::close(i32::try_from(fd).unwrap_or(-1));
    }
}

fn close_listed(first: u32) -> Result<()> {
    let list = proc_self_fd::own_descriptors()?;
    listing::names(list.raw(), |name| {
        let number = name.to_str().ok().and_then(|name| name.parse::<i32>().ok());
        if let Some(number) = number
            && number.unsigned_abs() >= first
            && number != list.raw()
        {
            sys::close(number);
        }
        Ok(())
    })
}
