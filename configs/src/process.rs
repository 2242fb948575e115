//! From the bundle's process object to the attributes a process is started with.

use crate::config::{
    Capabilities, CpuAffinity, IoPriorityClass, Rlimit, RlimitType, SchedulerFlag, SchedulerPolicy,
};
use crate::{Error, ErrorKind, Result, oci, validate};

mod environment;

pub use environment::Environment;

/// What a process is started with, in the types the runtime works with.
///
/// Fields that are `None` were not given: a process of an existing container then takes the
/// container's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessAttributes {
    /// The argument vector.
    pub args: Vec<String>,
    /// The environment.
    pub env: Environment,
    /// Absolute working directory inside the container.
    pub cwd: String,
    /// User id inside the container.
    pub uid: u32,
    /// Group id inside the container.
    pub gid: u32,
    /// Supplementary group ids inside the container.
    pub additional_gids: Vec<u32>,
    /// File mode creation mask.
    pub umask: Option<u32>,
    /// Capability sets as names; what the kernel does not have is for the runtime to report and
    /// skip.
    pub capabilities: Option<Capabilities>,
    /// Resource limits, in the order to set them.
    pub rlimits: Vec<Rlimit>,
    /// Set `no_new_privs`.
    pub no_new_privileges: bool,
    /// AppArmor profile to change to on exec.
    pub apparmor_profile: Option<String>,
    /// SELinux label.
    pub selinux_label: Option<String>,
    /// `oom_score_adj`.
    pub oom_score_adj: Option<i32>,
    /// Scheduling policy and parameters.
    pub scheduling: Option<SchedulingAttributes>,
    /// I/O class and priority.
    pub io_priority: Option<IoPriority>,
    /// CPUs before and after joining the cgroup.
    pub cpu_affinity: Option<CpuAffinity>,
    /// Give the process a pseudo terminal.
    pub terminal: bool,
    /// Rows and columns of the terminal.
    pub console_size: Option<(u16, u16)>,
}

impl ProcessAttributes {
    /// Converts a process object. Working directory and arguments are taken as they are:
    /// [`oci::Process::check`] is about those.
    ///
    /// # Errors
    /// An environment entry is malformed, a string has a NUL, or a limit, policy, class or CPU list
    /// is not known.
    pub fn from_oci(process: &oci::Process) -> Result<Self> {
        let strings = process.args.iter().map(|arg| ("args", arg)).chain([
            ("cwd", &process.cwd),
            ("apparmorProfile", &process.apparmor_profile),
            ("selinuxLabel", &process.selinux_label),
        ]);
        for (field, text) in strings {
            if text.contains('\0') {
                return Err(Error::new(
                    ErrorKind::Data,
                    format!("process {field} contains a NUL byte"),
                ));
            }
        }
        let non_empty = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Ok(Self {
            args: process.args.clone(),
            env: Environment::new(process.env.as_deref())?,
            cwd: process.cwd.clone(),
            uid: process.user.uid,
            gid: process.user.gid,
            additional_gids: process.user.additional_gids.clone(),
            umask: process.user.umask,
            capabilities: process.capabilities.as_ref().map(Capabilities::from),
            rlimits: rlimits(&process.rlimits)?,
            no_new_privileges: process.no_new_privileges,
            apparmor_profile: non_empty(&process.apparmor_profile),
            selinux_label: non_empty(&process.selinux_label),
            oom_score_adj: process.oom_score_adj,
            scheduling: process
                .scheduler
                .as_ref()
                .map(SchedulingAttributes::from_oci)
                .transpose()?,
            io_priority: process
                .io_priority
                .as_ref()
                .map(IoPriority::from_oci)
                .transpose()?,
            cpu_affinity: match &process.exec_cpu_affinity {
                None => None,
                Some(affinity) => CpuAffinity::from_oci(affinity)
                    .map_err(|error| Error::conversion(error.to_string()))?,
            },
            terminal: process.terminal,
            console_size: process.console_size.and_then(console_size),
        })
    }
}

/// Converts resource limits.
///
/// # Errors
/// A name is not known: `invalid rlimit type: X`.
pub fn rlimits(limits: &[oci::PosixRlimit]) -> Result<Vec<Rlimit>> {
    limits
        .iter()
        .map(|limit| {
            let kind = RlimitType::from_name(&limit.kind)
                .ok_or_else(|| Error::conversion(format!("invalid rlimit type: {}", limit.kind)))?;
            Ok(Rlimit {
                kind,
                hard: limit.hard,
                soft: limit.soft,
            })
        })
        .collect()
}

/// Rows and columns, when both are given and fit the kernel's `struct winsize`.
fn console_size(size: oci::ConsoleSize) -> Option<(u16, u16)> {
    let (rows, columns) = (
        u16::try_from(size.height).ok()?,
        u16::try_from(size.width).ok()?,
    );
    (rows != 0 && columns != 0).then_some((rows, columns))
}

/// The parameters of `sched_setattr(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchedulingAttributes {
    /// The policy.
    pub policy: SchedulerPolicy,
    /// `SCHED_FLAG_…` bits.
    pub flags: u64,
    /// Nice value.
    pub nice: i32,
    /// Static priority.
    pub priority: u32,
    /// Nanoseconds.
    pub runtime: u64,
    /// Nanoseconds.
    pub deadline: u64,
    /// Nanoseconds.
    pub period: u64,
}

impl SchedulingAttributes {
    /// Checks and converts scheduling attributes.
    ///
    /// # Errors
    /// A name is not known, or as [`validate::scheduler`].
    pub fn from_oci(scheduler: &oci::Scheduler) -> Result<Self> {
        validate::scheduler(scheduler)?;
        let policy = SchedulerPolicy::from_name(&scheduler.policy).ok_or_else(|| {
            Error::conversion(format!("invalid scheduler policy: {}", scheduler.policy))
        })?;
        let mut flags = 0;
        for name in &scheduler.flags {
            let flag = SchedulerFlag::from_name(name)
                .ok_or_else(|| Error::conversion(format!("invalid scheduler flag: {name}")))?;
            flags |= flag.to_int();
        }
        let priority = u32::try_from(scheduler.priority).map_err(|_| {
            Error::conversion(format!(
                "invalid scheduler.priority: {}",
                scheduler.priority
            ))
        })?;
        Ok(Self {
            policy,
            flags,
            nice: scheduler.nice,
            priority,
            runtime: scheduler.runtime,
            deadline: scheduler.deadline,
            period: scheduler.period,
        })
    }
}

/// An I/O class and priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoPriority {
    /// The class.
    pub class: IoPriorityClass,
    /// 0 (highest) to 7.
    pub priority: u8,
}

impl IoPriority {
    /// Checks and converts class and priority.
    ///
    /// # Errors
    /// As [`validate::io_priority`].
    pub fn from_oci(io: &oci::IoPriority) -> Result<Self> {
        validate::io_priority(io)?;
        match (
            IoPriorityClass::from_name(&io.class),
            u8::try_from(io.priority),
        ) {
            (Some(class), Ok(priority)) => Ok(Self { class, priority }),
            _ => Err(Error::invalid(format!(
                "invalid ioPriority.Class: {:?}",
                io.class
            ))),
        }
    }

    /// The value `ioprio_set(2)` takes: the class in the upper bits.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.class.to_int() << 13 | self.priority as u32
    }
}

#[cfg(test)]
mod tests;
