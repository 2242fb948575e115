//! Cgroups that systemd creates: transient scopes and slices
//! (<https://systemd.io/CGROUP_DELEGATION/>, org.freedesktop.systemd1(5)).
//!
//! A scope cannot be without a process, so it comes into being when the first one is added.

mod address;
mod bus;
mod call_error;
mod gvariant;
mod manager;
mod message;
mod name;
mod properties;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use zbus::{OwnedObjectPath, Variant};

use self::bus::{Bus, CALL_LIMIT};
use self::call_error::CallError;
use self::manager::{
    JOB_LIMIT, call, is_running, manager_property, property_of, subscribe, version, wait_for_job,
};
use self::properties::{Property, property};
use crate::{Applied, CgroupSpec, Error, ErrorKind, Hierarchy, Mode, Resources, Result};

const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// The unit of a cgroup.
#[derive(Debug)]
pub(crate) struct Unit {
    /// `PREFIX-NAME.scope` or `NAME.slice`.
    unit: String,
    /// What the description says.
    name: String,
    /// The slice it is in, a path of its own on disk.
    slice: String,
    user: bool,
    mode: Mode,
    properties: Vec<Property>,
    started: AtomicBool,
    /// How long calls have waited without an answer, in milliseconds.
    waited: AtomicU64,
}

/// The least that a call may take, after others had no answer: enough for a manager that works.
const LAST_LIMIT: Duration = Duration::from_secs(1);

impl Unit {
    /// The unit that `spec` describes.
    pub(crate) fn new(hierarchy: &Hierarchy, spec: &CgroupSpec) -> Result<Self> {
        let mode = hierarchy.mode();
        if spec.rootless && mode != Mode::V2 {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "cannot use rootless systemd cgroups manager on cgroup v1",
            ));
        }
        if !is_running() {
            return Err(crate::spec::systemd_missing());
        }
        Self::described(spec, mode)
    }

    /// As [`new`](Self::new), whatever the machine is.
    fn described(spec: &CgroupSpec, mode: Mode) -> Result<Self> {
        let name = spec.name.clone().unwrap_or_default();
        let unit = name::unit(&name, &spec.scope_prefix);
        let valid = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        if name.is_empty() || unit.len() > 255 || !unit.chars().all(valid) {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format_args!("{unit:?} is not a name for a systemd unit"),
            ));
        }
        let parent = spec.parent.as_deref().and_then(Path::to_str).unwrap_or("");
        let slice = match parent {
            "" if spec.rootless => "user.slice",
            "" => "system.slice",
            slice => slice,
        };
        name::slice_path(slice)?;
        let properties = spec.systemd_properties.iter().map(|(name, value)| {
            let parsed = gvariant::parse(value).map_err(|error| {
                Error::because(
                    ErrorKind::InvalidConfig,
                    format_args!("systemd property {name}={value}: value parse error"),
                    error,
                )
            })?;
            Ok((name.clone(), parsed))
        });
        Ok(Self {
            unit,
            name,
            slice: slice.to_owned(),
            user: spec.rootless,
            mode,
            properties: properties.collect::<Result<_>>()?,
            started: AtomicBool::new(false),
            waited: AtomicU64::new(0),
        })
    }

    /// The unit of a cgroup that exists already. Without systemd it can still be looked at.
    pub(crate) fn existing(hierarchy: &Hierarchy, spec: &CgroupSpec) -> Result<Self> {
        let unit = Self::described(spec, hierarchy.mode())?;
        unit.started.store(true, Ordering::Relaxed);
        Ok(unit)
    }

    /// Whether it only comes into being with its first process.
    pub(crate) fn is_scope(&self) -> bool {
        !name::is_slice(&self.unit)
    }

    pub(crate) fn is_started(&self) -> bool {
        self.started.load(Ordering::Relaxed)
    }

    /// Where systemd puts the cgroup, below the cgroup of the manager itself.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        if self.is_scope() {
            Ok(name::slice_path(&self.slice)?.join(&self.unit))
        } else {
            name::slice_path(&self.unit)
        }
    }

    /// The cgroup that the manager of the calling user has; empty for the one of the system.
    pub(crate) fn manager_path(&self) -> Result<PathBuf> {
        if !self.user {
            return Ok(PathBuf::new());
        }
        let mut bus = self.connect()?;
        let path = manager_property(&mut bus, "ControlGroup")?;
        Ok(crate::spec::relative(Path::new(&path)))
    }

    fn connect(&self) -> Result<Bus> {
        self.counting_waits(|| manager::connect(self.user, self.call_limit()))
    }

    /// How long the next call may take, less what earlier calls have waited without an answer.
    fn call_limit(&self) -> Duration {
        let waited = Duration::from_millis(self.waited.load(Ordering::Relaxed));
        CALL_LIMIT.saturating_sub(waited).max(LAST_LIMIT)
    }

    /// Counts the time of `work` if there was no answer.
    fn counting_waits<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        work().inspect_err(|error| {
            let silent = std::error::Error::source(error)
                .and_then(|source| source.downcast_ref::<Error>())
                .is_some_and(|source| source.kind() == ErrorKind::Timeout);
            if silent || error.kind() == ErrorKind::Timeout {
                let waited = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.waited.fetch_add(waited, Ordering::Relaxed);
            }
        })
    }

    /// Starts the unit, with its first process if it is a scope.
    pub(crate) fn start(&self, pid: Option<u32>, resources: &Resources) -> Result<()> {
        let mut bus = self.connect()?;
        let job = self.counting_waits(|| self.start_on(&mut bus, pid, resources))?;
        let Some(job) = job else {
            return Ok(());
        };
        self.counting_waits(|| self.started_by(&mut bus, &job, JOB_LIMIT, || self.connect()))
    }

    /// Asks systemd to start the unit. Returns the job that does it, `None` if the unit exists and
    /// that is enough.
    fn start_on(
        &self,
        bus: &mut Bus,
        pid: Option<u32>,
        resources: &Resources,
    ) -> Result<Option<OwnedObjectPath>> {
        let version = version(bus);
        let mut properties = self.start_properties(pid, resources, version)?;
        if self.mode != Mode::V2 {
            // As long as no unit of a slice has rules, systemd does not use the controller there.
            // When it begins to, it moves everybody below the slice up to it: that has
            // to be before our process has a place of its own.
            let applied = &mut Applied::default();
            properties.extend(properties::devices(resources, version, applied)?);
        }
        subscribe(bus)?;
        let aux: Vec<(&str, Vec<Property>)> = Vec::new();
        let names: Vec<_> = properties.iter().map(|(name, _)| name.as_str()).collect();
        let what = format!(
            "unable to start unit {:?} (properties {})",
            self.unit,
            names.join(" ")
        );
        let arguments = (self.unit.as_str(), "replace", properties, aux);
        let unable = |error: CallError| error.into_error(&what);
        let mut started = call(bus, "StartTransientUnit", &arguments);
        if started
            .as_ref()
            .is_err_and(|error| error.is("org.freedesktop.systemd1.UnitExists"))
        {
            if pid.is_none() {
                self.started.store(true, Ordering::Relaxed);
                return Ok(None);
            }
            // What a container of the same name left behind when it failed.
            self.reset_failed(bus);
            started = call(bus, "StartTransientUnit", &arguments);
        }
        let (job,): (OwnedObjectPath,) = started.map_err(unable)?.body()?;
        Ok(Some(job))
    }

    /// Waits until the job has started the unit. A connection on which nothing came in time is of
    /// no more use: `reconnect` makes the one for the reset.
    fn started_by(
        &self,
        bus: &mut Bus,
        job: &OwnedObjectPath,
        limit: Duration,
        reconnect: impl FnOnce() -> Result<Bus>,
    ) -> Result<()> {
        match wait_for_job(bus, job.as_str(), limit) {
            Ok(result) if result == "done" => {}
            Ok(result) => {
                self.reset_failed(bus);
                return Err(Error::new(
                    ErrorKind::Systemd,
                    format_args!(
                        "error creating systemd unit `{}`: got `{result}`",
                        self.unit
                    ),
                ));
            }
            Err(error) => {
                if let Ok(mut bus) = reconnect() {
                    self.reset_failed(&mut bus);
                }
                return Err(Error::because(
                    error.kind(),
                    format_args!("Timeout waiting for systemd to create {}", self.unit),
                    error,
                ));
            }
        }
        self.started.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn start_properties(
        &self,
        pid: Option<u32>,
        resources: &Resources,
        version: u32,
    ) -> Result<Vec<Property>> {
        let mut properties = vec![property(
            "Description",
            format!("libcontainer container {}", self.name),
        )];
        if self.is_scope() {
            properties.push(property("Slice", self.slice.clone()));
            properties.push(property("Delegate", true));
        } else {
            properties.push(property("Wants", vec![self.slice.clone()]));
        }
        if let Some(pid) = pid {
            properties.push(property("PIDs", vec![pid]));
        }
        let io = if self.mode == Mode::V2 {
            "IOAccounting"
        } else {
            "BlockIOAccounting"
        };
        for accounting in ["MemoryAccounting", "CPUAccounting", io, "TasksAccounting"] {
            properties.push(property(accounting, true));
        }
        properties.push(property("DefaultDependencies", false));
        if version >= 253 {
            // It cannot be changed later.
            let policy = resources
                .unified
                .get("memory.oom.group")
                .map(|on| on.trim());
            match policy {
                Some("1") => properties.push(property("OOMPolicy", "kill")),
                Some("0") => properties.push(property("OOMPolicy", "continue")),
                _ => {}
            }
        }
        for (name, value) in &self.properties {
            let value = value.try_clone().map_err(|error| {
                Error::because(
                    ErrorKind::Systemd,
                    format_args!("copy the systemd property {name}"),
                    error,
                )
            })?;
            properties.push((name.clone(), value));
        }
        Ok(properties)
    }

    fn reset_failed(&self, bus: &mut Bus) {
        if let Err(error) = call(bus, "ResetFailedUnit", &(self.unit.as_str(),)) {
            log::debug!("reset {}: {error:?}", self.unit);
        }
    }

    /// Sets the limits as properties of the unit. Returns what is left to write to the files.
    ///
    /// On cgroup v1 systemd empties the list of devices and fills it again, whichever property is
    /// set. `hold` has to keep the processes from running into that, as long as its result lives.
    pub(crate) fn set<G>(
        &self,
        resources: &Resources,
        applied: &mut Applied,
        hold: impl FnOnce() -> Result<G>,
    ) -> Result<Resources> {
        let mut bus = self.connect()?;
        self.counting_waits(|| self.set_on(&mut bus, resources, applied, hold))
    }

    fn set_on<G>(
        &self,
        bus: &mut Bus,
        resources: &Resources,
        applied: &mut Applied,
        hold: impl FnOnce() -> Result<G>,
    ) -> Result<Resources> {
        let mut rounded = resources.clone();
        let version = version(bus);
        let properties = if self.mode == Mode::V2 {
            properties::v2(&mut rounded, version, applied)?
        } else {
            properties::v1(&mut rounded, version, applied)?
        };
        if !properties.is_empty() {
            let held = if self.mode != Mode::V2 && self.rewrites_devices(bus, resources)? {
                Some(hold()?)
            } else {
                None
            };
            let arguments = (self.unit.as_str(), true, properties);
            call(bus, "SetUnitProperties", &arguments)
                .map_err(|error| error.into_error("unable to set unit properties"))?;
            drop(held);
        }
        Ok(rounded)
    }

    /// Whether systemd has a list of devices to write: unless a new one is set, that is what the
    /// unit has already.
    fn rewrites_devices(&self, bus: &mut Bus, resources: &Resources) -> Result<bool> {
        if !resources.skip_devices {
            return Ok(true);
        }
        if resources.skip_freeze_on_set {
            return Ok(false);
        }
        let (path,): (OwnedObjectPath,) = match call(bus, "GetUnit", &(self.unit.as_str(),)) {
            Ok(reply) => reply.body()?,
            Err(error) if error.is(NO_SUCH_UNIT) => return Ok(false),
            Err(error) => return Err(error.into_error(&format!("find unit {:?}", self.unit))),
        };
        let interface = if self.is_scope() {
            "org.freedesktop.systemd1.Scope"
        } else {
            "org.freedesktop.systemd1.Slice"
        };
        let mut read = |name| property_of(bus, path.as_str(), interface, name);
        let open = matches!(&*read("DevicePolicy")?, Variant::Str(policy) if policy.as_str() == "auto")
            && matches!(&*read("DeviceAllow")?, Variant::Array(list) if list.is_empty());
        Ok(!open)
    }

    /// Moves a process into the unit, or a sub-cgroup of it (`/`, `/a/b`).
    pub(crate) fn attach(&self, sub_path: &str, pid: u32) -> Result<()> {
        let mut bus = self.connect()?;
        let arguments = (self.unit.as_str(), sub_path, vec![pid]);
        call(&mut bus, "AttachProcessesToUnit", &arguments)
            .map(drop)
            .map_err(|error| error.into_error(&format!("attach {pid} to {:?}", self.unit)))
    }

    /// Stops the unit. One that is gone already is as good.
    pub(crate) fn stop(&self) -> Result<()> {
        let mut bus = self.connect()?;
        self.counting_waits(|| self.stop_on(&mut bus))
    }

    fn stop_on(&self, bus: &mut Bus) -> Result<()> {
        subscribe(bus)?;
        match call(bus, "StopUnit", &(self.unit.as_str(), "replace")) {
            Ok(reply) => {
                let (job,): (OwnedObjectPath,) = reply.body()?;
                match wait_for_job(bus, job.as_str(), JOB_LIMIT) {
                    Ok(result) if result == "done" => {}
                    other => log::debug!("stop {}: {other:?}", self.unit),
                }
            }
            Err(error) if error.is(NO_SUCH_UNIT) => {}
            Err(error) => {
                return Err(error.into_error(&format!("unable to stop unit {:?}", self.unit)));
            }
        }
        // Otherwise a failed unit stays listed, and in the way of the next one.
        self.reset_failed(bus);
        self.started.store(false, Ordering::Relaxed);
        Ok(())
    }
}
