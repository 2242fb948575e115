//! The loop over the steps, and what they share.

mod channel;
mod copy;
mod devices;
mod hooks;
mod last;
mod listing;
mod masks;
mod mounts;
mod namespaces;
mod paths;
mod process;
mod procfs;
mod words;

use core::ffi::CStr;

use super::{sys, text, wire};
use sys::{Errno, Fd, Result, SharedPid, Times};
use wire::{
    Blob, Code, FIRST_DESCRIPTOR, MAX_DETAIL, MAX_SLOTS, MAX_TOLERATED, NONE, Record, View,
    WARNINGS,
};

/// What a failing step can tell beyond its errno.
struct Detail {
    bytes: [u8; MAX_DETAIL],
    length: usize,
}

impl Detail {
    fn set(&mut self, text: &[u8]) {
        self.length = text.len().min(MAX_DETAIL);
        for (to, from) in self.bytes.iter_mut().zip(text) {
            *to = *from;
        }
    }

    fn get(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

/// What did not work and is no failure.
struct Warnings {
    ambient: u64,
    count: u32,
    list: [(u32, i32); MAX_TOLERATED],
}

impl Warnings {
    fn tolerated(&mut self, step: u32, errno: Errno) {
        if let Some(entry) = usize::try_from(self.count)
            .ok()
            .and_then(|at| self.list.get_mut(at))
        {
            *entry = (step, errno.0);
        }
        self.count = self.count.saturating_add(1);
    }

    fn encode(&self) -> [u8; WARNINGS] {
        let mut bytes = [0; WARNINGS];
        let words = self
            .list
            .iter()
            .flat_map(|(step, errno)| [*step, errno.unsigned_abs()]);
        let [low, high] = words::halves(self.ambient);
        let all = [low, high, self.count, 0].into_iter().chain(words);
        for (to, word) in bytes.chunks_exact_mut(4).zip(all) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// Attributes of a mount that can only be set once it is attached (kernels before 5.12).
#[derive(Clone, Copy)]
struct Postponed {
    slot: u32,
    set: u64,
    clear: u64,
    propagation: u64,
    keep_locked: bool,
}

/// The process that executes a plan.
struct Init {
    plan: View<'static>,
    /// Where the end of each step is written down, if anybody wants to know.
    times: Option<Times>,
    /// Where the kernel writes the process id of the second stage, until that is made.
    second_stage: Option<SharedPid>,
    /// The socket to the parent; -1 once it is closed.
    control: i32,
    step: u32,
    /// The descriptor table: -1 is empty.
    fds: [i32; MAX_SLOTS],
    /// Slots whose directory was made by this process.
    made: [bool; MAX_SLOTS],
    detail: Detail,
    warnings: Warnings,
    /// The signal this process gets when its parent ends; the kernel forgets it when credentials
    /// change.
    death_signal: u32,
    /// Whether the plan has made this process dumpable.
    dumpable: bool,
    /// `chdir` was refused and will be tried again.
    directory_refused: bool,
    /// What [`Code::Exec`] runs.
    program: Option<&'static CStr>,
    /// The step that asked for the home directory, until the answer is picked up.
    home_asked: Option<u32>,
    /// `HOME=…`, if it was asked for.
    home: Option<&'static CStr>,
    postponed: [Option<Postponed>; 8],
}

const SIGKILL: u32 = 9;

/// Executes the plan in this descriptor. The next one is the control channel, the inputs follow,
/// then the memory for the times of the steps if these are timed, then the word for the process id
/// of the second stage if there is one.
pub(crate) fn run(plan_fd: u32, timed: bool, two_stages: bool) -> ! {
    match begin().and_then(|()| Init::new(plan_fd, timed, two_stages)) {
        Ok(mut init) => init.steps(),
        Err(errno) => {
            channel::cannot_begin(plan_fd, errno);
            sys::exit(255)
        }
    }
}

/// What comes before every plan: not dumpable (`PR_SET_DUMPABLE` is 4), no signal ignored or
/// blocked, and modes as they are asked for.
fn begin() -> Result<()> {
    sys::prctl(4, 0, 0)?;
    process::reset_signals()?;
    sys::umask(0)
}

/// Whether the step lists this errno as no failure.
fn tolerates(record: &Record, errno: Errno) -> bool {
    errno.0 > 0
        && record
            .errnos
            .iter()
            .any(|listed| i32::from(*listed) == errno.0)
}

impl Init {
    fn new(plan_fd: u32, timed: bool, two_stages: bool) -> Result<Self> {
        let number = |offset: u32| {
            plan_fd
                .checked_add(offset)
                .and_then(|fd| i32::try_from(fd).ok())
                .ok_or(Errno::EINVAL)
        };
        let plan = View::new(sys::map_sealed(number(0)?)?).ok_or(Errno::EINVAL)?;
        if FIRST_DESCRIPTOR.checked_add(plan.header().passed) != Some(plan_fd) {
            return Err(Errno::EINVAL);
        }
        let mut fds = [-1; MAX_SLOTS];
        for (slot, offset) in plan.inputs().zip(2..) {
            *fds.get_mut(usize::from(slot)).ok_or(Errno::EINVAL)? = number(offset)?;
        }
        sys::close(number(0)?);
        // What the parent could not close between clone and execution. From here on every open
        // descriptor is known.
        let inputs = u32::try_from(plan.inputs().count()).map_err(|_| Errno::EINVAL)?;
        let after_inputs = plan_fd.saturating_add(2).saturating_add(inputs);
        let times = if timed {
            let fd = i32::try_from(after_inputs).map_err(|_| Errno::EINVAL)?;
            Some(Times::map(fd, plan.header().records.length)?)
        } else {
            None
        };
        let second_stage = if two_stages {
            let fd = i32::try_from(after_inputs.saturating_add(u32::from(timed)));
            Some(SharedPid::map(fd.map_err(|_| Errno::EINVAL)?)?)
        } else {
            None
        };
        last::close_inherited(after_inputs);
        let init = Self {
            plan,
            times,
            second_stage,
            control: number(1)?,
            step: 0,
            fds,
            made: [false; MAX_SLOTS],
            detail: Detail {
                bytes: [0; MAX_DETAIL],
                length: 0,
            },
            warnings: Warnings {
                ambient: 0,
                count: 0,
                list: [(0, 0); MAX_TOLERATED],
            },
            death_signal: SIGKILL,
            dumpable: false,
            directory_refused: false,
            program: None,
            home_asked: None,
            home: None,
            postponed: [None; 8],
        };
        init.close_start_fifo_on_exec()?;
        init.arm()?;
        Ok(init)
    }

    /// Asks the kernel for the death signal.
    fn arm(&self) -> Result<()> {
        let signal = usize::try_from(self.death_signal).map_err(|_| Errno::EINVAL)?;
        sys::prctl(1, signal, 0).map(drop)
    }

    /// After a change of credentials: the kernel has forgotten the death signal, and may have made
    /// the process dumpable again (`fs.suid_dumpable`).
    fn rearm(&self) -> Result<()> {
        if !self.dumpable {
            match sys::prctl(4, 0, 0) {
                // A filter that is loaded by now may forbid it. Whoever could trace this process
                // has the same filter.
                Err(_) if self.death_signal == 0 => {}
                result => drop(result?),
            }
        }
        if self.death_signal == 0 {
            Ok(())
        } else {
            self.arm()
        }
    }

    fn steps(&mut self) -> ! {
        loop {
            let Some(record) = self.plan.record(self.step) else {
                self.fail(Errno::EINVAL)
            };
            self.detail.length = 0;
            let mut jumps = record.code == Code::Jump as u16;
            if let Err(errno) = self.perform(&record) {
                if !tolerates(&record, errno) {
                    self.fail(errno);
                }
                self.warnings.tolerated(self.step, errno);
                jumps = record.jump != 0;
            }
            if let Some(times) = &mut self.times {
                times.set(self.step);
            }
            // Forward only: whatever the plan says, the loop ends.
            self.step = match record.jump {
                target if jumps && target > self.step => target,
                _ if jumps => self.fail(Errno::EINVAL),
                _ => self.step.saturating_add(1),
            };
        }
    }

    #[allow(clippy::too_many_lines, reason = "one line an operation")]
    fn perform(&mut self, r: &Record) -> Result<()> {
        match Code::of(r.code).ok_or(Errno::EINVAL)? {
            Code::Open => {
                let dir = self.dir(r.a)?;
                let fd = sys::openat2(dir, self.text(r.p)?, r.c, r.d, r.x)?;
                self.fill(r.b, fd)
            }
            Code::Write => {
                let bytes = self.data(r.p)?;
                if sys::write(self.fd(r.a)?, bytes)? == bytes.len() {
                    Ok(())
                } else {
                    Err(Errno::EIO)
                }
            }
            Code::Verify => self.verify(r),
            Code::Close => self.empty(r.a),
            Code::Jump => Ok(()),

            Code::Dumpable => {
                self.dumpable = r.a != 0;
                sys::prctl(4, usize::from(self.dumpable), 0).map(drop)
            }
            Code::Name => sys::set_name(self.text(r.p)?),
            Code::DeathSignal => {
                self.death_signal = r.a;
                self.arm()
            }
            Code::NoNewPrivileges => sys::prctl(38, 1, 0).map(drop),
            Code::KeepCapabilities => sys::prctl(8, usize::from(r.a != 0), 0).map(drop),
            Code::NewSession => sys::setsid(),
            Code::ControllingTerminal => sys::controlling_terminal(self.fd(r.a)?),
            Code::Umask => sys::umask(r.a),
            Code::Affinity => process::affinity(if r.a == 0 {
                None
            } else {
                Some(self.data(r.p)?)
            }),
            Code::Scheduler => sys::set_scheduler(self.data(r.p)?),
            Code::IoPriority => sys::set_io_priority(r.a),
            Code::Personality => sys::personality(r.x),
            Code::ResourceLimit => sys::set_resource_limit(r.a, r.x, r.y),
            Code::MemoryPolicy => sys::set_memory_policy(r.a, self.data(r.p)?),
            Code::SetGroups => sys::setgroups(self.data(r.p)?),
            Code::SetGid => {
                sys::setresgid(r.a)?;
                self.rearm()
            }
            Code::SetUid => {
                sys::setresuid(r.a)?;
                self.rearm()
            }
            Code::BoundingSet => process::bounding_set(r.x, r.a),
            Code::Capabilities => {
                sys::capset(r.x, r.y, r.z)?;
                self.rearm()
            }
            Code::AmbientSet => {
                self.warnings.ambient |= process::ambient_set(r.x)?;
                Ok(())
            }
            Code::Keyring => process::keyring(self.text(r.p)?, r.a),

            Code::Unshare => self.unshare(r.a),
            Code::Join => self.join(self.data(r.p)?),
            Code::JoinProcess => self.join_process(r.a, r.b),
            Code::SecondStage => self.second_stage(),

            Code::MakePath => self.make_path(r),
            Code::MakePlainDirectory => {
                let fd = paths::make_plain(self.fd(r.a)?, self.text(r.p)?)?;
                self.fill(r.b, fd)
            }
            Code::NewMount => self.new_mount(r),
            Code::Reconfigure => self.reconfigure(r),
            Code::CheckOptions => self.check_options(r),
            Code::CloneTree => {
                let fd = sys::clone_tree(self.dir(r.a)?, self.text(r.p)?, r.c != 0)?;
                self.fill(r.b, fd)
            }
            Code::MountAttributes => self.mount_attributes(r),
            Code::Attach => self.attach(r.a, r.b),
            Code::Propagation => sys::mount(None, self.text(r.p)?, r.x),
            Code::HolderPropagation => mounts::holder_propagation(self.fd(r.a)?, r.x),
            Code::PivotRoot => mounts::pivot_root(self.fd(r.a)?),
            Code::MoveRoot => mounts::move_root(self.fd(r.a)?),
            Code::Chroot => mounts::chroot(self.fd(r.a)?),
            Code::Unmount => sys::umount(self.text(r.p)?, r.a),
            Code::Detach => procfs::inside(self.fd(r.a)?, || sys::umount(c".", sys::MNT_DETACH)),
            Code::MakeNode => devices::make_node(self.fd(r.a)?, self.text(r.p)?, r),
            Code::Symlink => {
                match sys::symlinkat(self.text(r.q)?, self.fd(r.a)?, self.text(r.p)?) {
                    Err(Errno::EEXIST) => Ok(()),
                    result => result,
                }
            }
            Code::Remove => match sys::unlinkat(self.fd(r.a)?, self.text(r.p)?) {
                Err(Errno::ENOENT) => Ok(()),
                result => result,
            },
            Code::Mask => self.mask(r),
            Code::ReadonlyPaths => self.readonly_paths(r),
            Code::CopyTree => self.copy_tree(r.a, r.b),
            Code::SetXattr => procfs::set_xattr(self.fd(r.a)?, self.text(r.p)?, self.data(r.q)?),
            Code::ChangeDirectoryTo => sys::fchdir(self.fd(r.a)?),

            Code::Pty => self.pty(r),
            Code::Stdio => devices::stdio(self.fd(r.a)?),
            Code::ReopenNull => devices::reopen_null(),
            Code::StdioOwner => devices::stdio_owner(r.a),

            Code::Netlink => process::netlink(self.data(r.p)?),
            Code::Socket => {
                let fd = sys::socket(r.a, r.b, r.c)?;
                self.fill(r.d, fd)
            }
            Code::HostName => sys::sethostname(self.data(r.p)?),
            Code::DomainName => sys::setdomainname(self.data(r.p)?),
            Code::Sysctl => self.sysctl(r),

            Code::ChangeDirectory => self.change_directory(self.text(r.p)?, r.a != 0),
            Code::RetryDirectory => {
                if self.directory_refused {
                    sys::chdir(self.text(r.p)?)
                } else {
                    Ok(())
                }
            }
            Code::VerifyDirectory => process::verify_directory(),

            Code::AskGate => self.ask_gate(r.a),
            Code::AskIdMaps => self.ask_id_maps(),
            Code::SendDescriptor => self.send_descriptor(r.a, self.fd(r.b)?),
            Code::AskDescriptor => self.ask_descriptor(r.a, r.b),
            Code::LendDescriptor => self.lend_descriptor(r.a, self.fd(r.b)?),
            Code::AskConsole => self.ask_console(self.fd(r.a)?),
            Code::AskHome => self.ask_home(self.text(r.p)?),
            Code::AskReady => self.ask_ready(),
            Code::Hook => self.hook(r),

            Code::Seccomp => self.seccomp(r),
            Code::Lookup => self.lookup(r),
            Code::CloseControl => self.close_control(),
            Code::WaitStart => self.wait_start(r),
            Code::LateHooks => self.late_hooks(r),
            Code::Exec => self.exec(r),
        }
    }

    /// The descriptor in a slot.
    pub(super) fn fd(&self, slot: u32) -> Result<i32> {
        match usize::try_from(slot)
            .ok()
            .and_then(|slot| self.fds.get(slot))
        {
            Some(fd) if *fd >= 0 => Ok(*fd),
            _ => Err(Errno::EBADF),
        }
    }

    /// The descriptor a path starts at.
    fn dir(&self, slot: u32) -> Result<i32> {
        if slot == NONE {
            Ok(sys::CWD)
        } else {
            self.fd(slot)
        }
    }

    /// Puts a descriptor into a slot; one that was there is closed.
    fn fill(&mut self, slot: u32, fd: Fd) -> Result<()> {
        self.empty(slot)?;
        let entry = usize::try_from(slot)
            .ok()
            .and_then(|slot| self.fds.get_mut(slot));
        *entry.ok_or(Errno::EINVAL)? = fd.into_raw();
        Ok(())
    }

    /// Closes what is in a slot, if anything is.
    fn empty(&mut self, slot: u32) -> Result<()> {
        let slot = usize::try_from(slot).map_err(|_| Errno::EINVAL)?;
        let entry = self.fds.get_mut(slot).ok_or(Errno::EINVAL)?;
        if *entry >= 0 {
            sys::close(*entry);
            *entry = -1;
        }
        if let Some(made) = self.made.get_mut(slot) {
            *made = false;
        }
        Ok(())
    }

    fn text(&self, blob: Blob) -> Result<&'static CStr> {
        self.plan.string(blob).ok_or(Errno::EINVAL)
    }

    fn data(&self, blob: Blob) -> Result<&'static [u8]> {
        self.plan.bytes(blob).ok_or(Errno::EINVAL)
    }

    /// Compares a descriptor with what it must be.
    fn verify(&self, r: &Record) -> Result<()> {
        let fd = self.fd(r.a)?;
        let stat = sys::fstat(fd)?;
        let right = (r.b & 1 == 0 || stat.file_type() == r.c)
            && (r.b & 2 == 0 || stat.device() == (r.d, r.e))
            && (r.b & 4 == 0 || stat.ino == r.x)
            && (r.b & 8 == 0 || sys::fstatfs(fd)?.0 == r.y);
        if right { Ok(()) } else { Err(Errno::EBADMSG) }
    }

    /// The death of the step: told to the parent, or if that is gone, as one line on standard
    /// error.
    fn fail(&self, errno: Errno) -> ! {
        if self.control >= 0 {
            self.report(errno);
        } else {
            self.complain(errno);
        }
        sys::exit(255)
    }
}
