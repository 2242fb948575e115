//! The loop over the steps, and what they share.

mod channel;
mod copy;
mod devices;
mod fixed_string;
mod hooks;
mod listing;
mod masks;
mod mounts;
mod namespaces;
mod paths;
mod proc_self_fd;
mod process;
mod program;
mod slots;

use core::ffi::CStr;

use super::{fields, messages, operations, sys, wire};
use fields::{Expect, Slot};
use fixed_string::FixedString;
use mounts::NewMount;
use operations::Operation;
use slots::Known;
use sys::{Errno, Fd, Result, SharedPid, Times};
use wire::{
    FIRST_DESCRIPTOR, MAX_DETAIL, MAX_HOME, MAX_SLOTS, MAX_TOLERATED, Record, View, WARNINGS,
};

/// `HOME=…`. It needs no memory of its own: the limits of the program may be in force already.
type Home = FixedString<{ MAX_HOME + 8 }>;

/// What a failing step reports beside its errno.
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

/// What did not work and is tolerated.
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
        let listed = self
            .list
            .iter()
            .flat_map(|(step, errno)| [*step, errno.unsigned_abs()]);
        let [low, high] = fixed_string::halves(self.ambient);
        let all = [low, high, self.count, 0].into_iter().chain(listed);
        for (to, word) in bytes.chunks_exact_mut(4).zip(all) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// A change of the attributes of a mount.
#[derive(Clone, Copy)]
struct Change {
    set: u64,
    clear: u64,
    propagation: u64,
    keep_locked: bool,
}

/// The process that executes a plan.
struct Executor {
    plan: View<'static>,
    /// Where the end of each step is recorded, if the steps are timed.
    times: Option<Times>,
    /// Where the kernel writes the process id of the second stage, until that is made.
    second_stage: Option<SharedPid>,
    /// The socket to the supervisor; -1 once it is closed.
    control: i32,
    step: u32,
    /// The descriptor table: -1 is empty.
    fds: [i32; MAX_SLOTS],
    /// What is known of what is in a slot.
    known: [Known; MAX_SLOTS],
    /// Every mount of the host in this mount namespace is slave or private.
    root_isolated: bool,
    /// The node that a step has made as wanted, and that step.
    node: Option<(u32, devices::Made)>,
    /// The directory that a step has made the working directory, and that step.
    inside: Option<(u32, i32)>,
    /// What the standard streams are, as far as that was looked at.
    streams: [Option<sys::Stat>; 3],
    detail: Detail,
    warnings: Warnings,
    /// The signal this process gets when its parent ends; the kernel forgets it when credentials
    /// change.
    death_signal: u32,
    /// Whether the plan has made this process dumpable.
    dumpable: bool,
    /// `chdir` was refused and will be tried again.
    directory_refused: bool,
    /// What [`Operation::Exec`] runs.
    program: Option<&'static CStr>,
    /// The step that asked for the home directory, until the answer is picked up.
    home_asked: Option<u32>,
    /// `HOME=…`, if it was asked for.
    home: Option<Home>,
    /// Changes that can only be made once the mount in the slot is attached (kernels before 5.12).
    postponed: [Option<(Slot, Change)>; 8],
}

/// Executes the plan in this descriptor. The next one is the control channel, the inputs follow,
/// then the memory for the times of the steps if these are timed, then the word for the process id
/// of the second stage if there is one.
pub(crate) fn run(plan_fd: u32, timed: bool, two_stages: bool) -> ! {
    let fail = |errno| -> ! {
        channel::cannot_begin(plan_fd, errno);
        sys::exit(255)
    };
    let plan = match begin().and_then(|()| sealed_plan(plan_fd)) {
        Ok(plan) => plan,
        Err(errno) => fail(errno),
    };
    // Where it stays: it takes two pages, and each copy of it would take two more.
    let mut executor = Executor::idle(plan);
    match executor.open(plan_fd, timed, two_stages) {
        Ok(()) => executor.steps(),
        Err(errno) => fail(errno),
    }
}

/// The plan in this descriptor.
fn sealed_plan(plan_fd: u32) -> Result<View<'static>> {
    let number = i32::try_from(plan_fd).map_err(|_| Errno::EINVAL)?;
    let plan = View::new(sys::map_sealed(number)?).ok_or(Errno::EINVAL)?;
    if FIRST_DESCRIPTOR.checked_add(plan.header().passed) != Some(plan_fd) {
        return Err(Errno::EINVAL);
    }
    Ok(plan)
}

/// What comes before every plan: not dumpable, no signal ignored or blocked, and modes as they are
/// asked for.
fn begin() -> Result<()> {
    sys::prctl(sys::PR_SET_DUMPABLE, 0, 0)?;
    sys::leave_descriptors();
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

impl Executor {
    /// An executor that has opened nothing yet.
    #[inline(always)]
    fn idle(plan: View<'static>) -> Self {
        Self {
            plan,
            times: None,
            second_stage: None,
            control: -1,
            step: 0,
            fds: [-1; MAX_SLOTS],
            known: [Known::default(); MAX_SLOTS],
            root_isolated: false,
            node: None,
            inside: None,
            streams: [None; 3],
            detail: Detail {
                bytes: [0; MAX_DETAIL],
                length: 0,
            },
            warnings: Warnings {
                ambient: 0,
                count: 0,
                list: [(0, 0); MAX_TOLERATED],
            },
            death_signal: sys::SIGKILL,
            dumpable: false,
            directory_refused: false,
            program: None,
            home_asked: None,
            home: None,
            postponed: [None; 8],
        }
    }

    /// Takes over the descriptors that this process was started with.
    fn open(&mut self, plan_fd: u32, timed: bool, two_stages: bool) -> Result<()> {
        let number = |offset: u32| {
            plan_fd
                .checked_add(offset)
                .and_then(|fd| i32::try_from(fd).ok())
                .ok_or(Errno::EINVAL)
        };
        for (slot, offset) in self.plan.inputs().zip(2..) {
            let entry = self.fds.get_mut(usize::from(slot));
            *entry.ok_or(Errno::EINVAL)? = number(offset)?;
        }
        // What the supervisor could not close between clone and execution. From here on every open
        // descriptor is known.
        let inputs = u32::try_from(self.plan.inputs().count()).map_err(|_| Errno::EINVAL)?;
        let after_inputs = plan_fd.saturating_add(2).saturating_add(inputs);
        if timed {
            let fd = i32::try_from(after_inputs).map_err(|_| Errno::EINVAL)?;
            self.times = Some(Times::map(fd, self.plan.header().records.length)?);
        }
        if two_stages {
            let fd = i32::try_from(after_inputs.saturating_add(u32::from(timed)));
            self.second_stage = Some(SharedPid::map(fd.map_err(|_| Errno::EINVAL)?)?);
        }
        program::close_inherited(after_inputs);
        Fd::from_raw(number(0)?).leave();
        self.control = number(1)?;
        self.close_start_fifo_on_exec()?;
        self.arm()
    }

    /// Asks the kernel for the death signal.
    fn arm(&self) -> Result<()> {
        let signal = usize::try_from(self.death_signal).map_err(|_| Errno::EINVAL)?;
        sys::prctl(sys::PR_SET_PDEATHSIG, signal, 0).map(drop)
    }

    /// After a change of credentials: the kernel has forgotten the death signal, and may have made
    /// the process dumpable again (`fs.suid_dumpable`).
    fn rearm(&self) -> Result<()> {
        if !self.dumpable {
            match sys::prctl(sys::PR_SET_DUMPABLE, 0, 0) {
                // A filter that is loaded by now may forbid it. A process that could trace this one
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
            let Some(operation) = Operation::of(&self.plan, &record) else {
                self.fail(Errno::EINVAL)
            };
            let mut target = match operation {
                Operation::Jump { to } => Some(to.0),
                _ => None,
            };
            if let Err(errno) = self.perform(operation) {
                if !tolerates(&record, errno) {
                    self.fail(errno);
                }
                self.warnings.tolerated(self.step, errno);
                target = (record.otherwise != 0).then_some(record.otherwise);
            }
            if let Some(times) = &mut self.times {
                times.set(self.step);
            }
            // Forward only: whatever the plan says, the loop ends.
            self.step = match target {
                Some(target) if target > self.step => target,
                Some(_) => self.fail(Errno::EINVAL),
                None => self.step.saturating_add(1),
            };
        }
    }

    /// Executes one operation. What each does is documented in the table (`operations.rs`).
    #[allow(clippy::too_many_lines, reason = "one arm an operation")]
    fn perform(&mut self, operation: Operation<'static>) -> Result<()> {
        use Operation as O;
        match operation {
            O::Open {
                dir,
                path,
                flags,
                mode,
                resolve,
                into,
            } => {
                let fd = sys::openat2(self.dir(dir)?, path, flags, mode, resolve)?;
                self.fill(into, fd)?;
                // Nothing waits for the end of a file that is only written.
                let written = flags & sys::O_ACCMODE == sys::O_WRONLY;
                self.mark(into, |known| {
                    known.place = written || flags & sys::O_PATH != 0;
                });
                Ok(())
            }
            O::Write { fd, bytes } => whole(sys::write(self.fd(fd)?, bytes)?, bytes),
            O::Verify { fd, expect } => verify(self.fd(fd)?, &expect),
            O::Close { fd } => self.empty(fd),
            O::Jump { to: _ } => Ok(()),

            O::Dumpable { on } => {
                self.dumpable = on;
                sys::prctl(sys::PR_SET_DUMPABLE, usize::from(on), 0).map(drop)
            }
            O::Name { name } => sys::set_name(name),
            O::DeathSignal { signal } => {
                self.death_signal = signal;
                self.arm()
            }
            O::NoNewPrivileges {} => sys::prctl(sys::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop),
            O::KeepCapabilities { on } => {
                sys::prctl(sys::PR_SET_KEEPCAPS, usize::from(on), 0).map(drop)
            }
            O::NewSession {} => sys::setsid(),
            O::ControllingTerminal { terminal } => sys::controlling_terminal(self.fd(terminal)?),
            O::Umask { mask } => sys::umask(mask),
            O::Affinity { mask } => process::affinity(mask),
            O::Scheduler { attributes } => sys::set_scheduler(attributes),
            O::IoPriority { value } => sys::set_io_priority(value),
            O::Personality { domain } => sys::personality(domain),
            O::ResourceLimit {
                resource,
                soft,
                hard,
            } => sys::set_resource_limit(resource, soft, hard),
            O::MemoryPolicy { mode, nodes } => sys::set_memory_policy(mode, nodes),
            O::SetGroups { gids } => sys::setgroups(gids),
            O::SetGid { gid } => {
                sys::setresgid(gid)?;
                self.rearm()
            }
            O::SetUid { uid } => {
                sys::setresuid(uid)?;
                self.rearm()
            }
            O::BoundingSet { keep, last } => process::bounding_set(keep, last),
            O::Capabilities {
                effective,
                permitted,
                inheritable,
            } => {
                // The kernel forgets the death signal, and may make the process dumpable, with
                // other ids or with a permitted capability more. This call can give none.
                sys::capset(effective, permitted, inheritable)
            }
            O::AmbientSet { set } => {
                self.warnings.ambient |= process::ambient_set(set)?;
                Ok(())
            }
            O::Keyring {
                name,
                add_permissions,
            } => process::keyring(name, add_permissions),

            O::Unshare { namespaces } => {
                self.root_isolated = false;
                self.unshare(namespaces)
            }
            O::Join { namespaces } => {
                self.root_isolated = false;
                self.join(namespaces)
            }
            O::JoinProcess { pidfd, namespaces } => {
                self.root_isolated = false;
                self.join_process(pidfd, namespaces)
            }
            O::SecondStage {} => self.second_stage(),

            O::MakePath {
                root,
                path,
                leaf,
                into,
            } => self.make_path(root, path, leaf, into),
            O::MakePlainDirectory { root, path, into } => {
                let fd = paths::make_plain(self.fd(root)?, path)?;
                self.fill(into, fd)?;
                self.mark(into, |known| known.place = true);
                Ok(())
            }
            O::NewMount {
                fstype,
                source,
                mode_of,
                options,
                attributes,
                into,
            } => {
                let mount = self.new_mount(fstype, source, mode_of, options, attributes)?;
                self.fill(into, mount)?;
                self.mark(into, |known| {
                    known.fresh = fstype.to_bytes() == b"tmpfs";
                    known.place = true;
                });
                Ok(())
            }
            O::MountOn {
                target,
                fstype,
                source,
                options,
                attributes,
            } => {
                let new = NewMount {
                    fstype,
                    source,
                    options,
                    attributes,
                };
                self.mount_on(self.fd(target)?, &new)
            }
            O::MountIn {
                dir,
                name,
                fstype,
                source,
                options,
                attributes,
            } => {
                let new = NewMount {
                    fstype,
                    source,
                    options,
                    attributes,
                };
                self.mount_in(self.fd(dir)?, name, &new)
            }
            O::BindDirectory { dir, name, source } => self.bind_directory(dir, name, source),
            O::MountAttributesOfAll {
                mount,
                names,
                set,
                clear,
            } => {
                let change = Change {
                    set,
                    clear,
                    propagation: sys::MS_PRIVATE,
                    keep_locked: false,
                };
                mounts::attributes_of_all(self.fd(mount)?, names, change)
            }
            O::Reconfigure { mount, options } => self.reconfigure(mount, options),
            O::CheckOptions { fstype, options } => self.check_options(fstype, options),
            O::CloneTree {
                dir,
                path,
                recursive,
                into,
            } => {
                let fd = sys::clone_tree(self.dir(dir)?, path, recursive)?;
                self.fill(into, fd)?;
                self.mark(into, |known| known.place = true);
                Ok(())
            }
            O::MountAttributes {
                mount,
                set,
                clear,
                propagation,
                recursive,
                keep_locked,
            } => {
                let change = Change {
                    set,
                    clear,
                    propagation,
                    keep_locked,
                };
                self.mount_attributes(mount, recursive, change)
            }
            O::Attach { mount, target } => self.attach(mount, target),
            O::Propagation { path, flags } => {
                sys::mount(None, path, flags)?;
                self.root_isolated = path == c"/"
                    && flags & sys::MS_REC != 0
                    && flags & (sys::MS_SLAVE | sys::MS_PRIVATE) != 0;
                Ok(())
            }
            O::HolderPropagation { directory, kind } => {
                self.root_isolated &= kind & sys::MS_PRIVATE != 0;
                mounts::holder_propagation(self.fd(directory)?, kind)
            }
            O::PivotRoot { root } => mounts::pivot_root(self.fd(root)?, self.root_isolated),
            O::MoveRoot { root } => mounts::move_root(self.fd(root)?),
            O::Chroot { root } => mounts::chroot(self.fd(root)?),
            O::Unmount { path, flags } => sys::umount(path, flags),
            O::Detach { mount } => {
                proc_self_fd::inside(self.fd(mount)?, || sys::umount(c".", sys::MNT_DETACH))
            }
            O::MakeNode {
                dir,
                name,
                mode,
                device,
                uid,
                gid,
            } => {
                let dir = self.fd(dir)?;
                let wanted = devices::Made {
                    dir,
                    mode,
                    owner: (uid, gid),
                };
                // Nothing in between can have changed what decides.
                let before = self.node.take().filter(|(step, _)| step + 1 == self.step);
                let before = before.map(|(_, made)| made);
                if devices::make_node(&wanted, name, device, before.as_ref())? {
                    self.node = Some((self.step, wanted));
                }
                Ok(())
            }
            O::Symlink { dir, name, target } => match sys::symlinkat(target, self.fd(dir)?, name) {
                Err(Errno::EEXIST) => Ok(()),
                result => result,
            },
            O::Remove { dir, name } => match sys::unlinkat(self.fd(dir)?, name) {
                Err(Errno::ENOENT) => Ok(()),
                result => result,
            },
            O::Mask {
                paths,
                null,
                context,
            } => self.mask(paths, null, context),
            O::ReadonlyPaths { paths } => self.readonly_paths(paths),
            O::CopyTree { from, to } => copy::tree(self.fd(from)?, self.fd(to)?),
            O::SetXattr { fd, name, value } => proc_self_fd::set_xattr(self.fd(fd)?, name, value),
            O::ChangeDirectoryTo { directory } => sys::fchdir(self.fd(directory)?),

            O::Pty {
                devpts,
                master,
                slave,
            } => {
                let pair = devices::pty(self.fd(devpts)?)?;
                self.fill(master, pair.0)?;
                self.fill(slave, pair.1)
            }
            O::Stdio { fd } => {
                self.streams = [None; 3];
                devices::stdio(self.fd(fd)?)
            }
            O::ReopenNull {} => devices::reopen_null(&mut self.streams),
            O::StdioOwner { uid } => devices::stdio_owner(uid, &self.streams),

            O::Netlink { request } => process::netlink(request),
            O::Socket {
                family,
                kind,
                protocol,
                into,
            } => {
                let fd = sys::socket(family, kind, protocol)?;
                self.fill(into, fd)
            }
            O::HostName { name } => sys::sethostname(name),
            O::DomainName { name } => sys::setdomainname(name),
            O::Sysctl {
                procfs,
                path,
                value,
            } => self.sysctl(self.fd(procfs)?, path, value),

            O::ChangeDirectory { path, retry_later } => {
                self.close_left();
                self.change_directory(path, retry_later)
            }
            O::RetryDirectory { path } if self.directory_refused => sys::chdir(path),
            O::RetryDirectory { path: _ } => Ok(()),
            O::VerifyDirectory {} => process::verify_directory(),

            O::AskGate { number } => self.ask_gate(number),
            O::AskIdMaps {} => self.ask_id_maps(),
            O::SendDescriptor { tag, fd } => self.send_descriptor(tag, self.fd(fd)?),
            O::AskDescriptor { tag, into } => self.ask_descriptor(tag, into),
            O::SendDescriptorAndWait { tag, fd } => {
                self.send_descriptor_and_wait(tag, self.fd(fd)?)
            }
            O::AskConsole { master } => self.ask_console(self.fd(master)?),
            O::AskHome { path, otherwise } => self.ask_home(path, otherwise),
            O::AskReady {} => {
                // Before a filter may forbid it.
                self.close_left();
                self.ask_ready()
            }
            O::Hook { command } => self.hook(&command),

            O::Seccomp {
                flags,
                program,
                listener,
            } => self.seccomp(flags, program, listener),
            O::Lookup { candidates } => {
                self.close_left();
                self.lookup(candidates)
            }
            O::CloseControl {} => self.close_control(),
            O::WaitStart { fifo } => {
                let fifo = self.fd(fifo)?;
                self.close_all_but(Some(fifo));
                for slot in self.fds.iter_mut().filter(|slot| **slot != fifo) {
                    *slot = -1;
                }
                process::wait_start(fifo)
            }
            O::LateHooks { hooks } => self.late_hooks(hooks),
            O::Exec { args, env } => self.exec(args, env),
            O::Exit {} => {
                self.close_control()?;
                sys::exit(0)
            }
        }
    }

    /// Reports the failure of the step to the supervisor, or if the channel is closed, as one line
    /// on standard error.
    fn fail(&self, errno: Errno) -> ! {
        if self.control >= 0 {
            self.report(errno);
        } else {
            self.complain(errno);
        }
        sys::exit(255)
    }
}

/// A short write is an error.
fn whole(written: usize, bytes: &[u8]) -> Result<()> {
    if written == bytes.len() {
        Ok(())
    } else {
        Err(Errno::EIO)
    }
}

/// Compares a descriptor with what it must be.
fn verify(fd: i32, expect: &Expect) -> Result<()> {
    let of_file = expect.file_type.is_some() || expect.device.is_some() || expect.inode.is_some();
    let right = if of_file || expect.magic.is_none() {
        let stat = sys::fstat(fd)?;
        expect.file_type.is_none_or(|kind| stat.file_type() == kind)
            && expect.device.is_none_or(|device| stat.device() == device)
            && expect.inode.is_none_or(|inode| stat.ino == inode)
    } else {
        true
    };
    let right = match expect.magic {
        Some(magic) if right => sys::fstatfs(fd)?.0 == magic,
        _ => right,
    };
    if right { Ok(()) } else { Err(Errno::EBADMSG) }
}
