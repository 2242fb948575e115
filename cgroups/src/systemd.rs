//! Cgroups that systemd creates: transient scopes and slices
//! (<https://systemd.io/CGROUP_DELEGATION/>, org.freedesktop.systemd1(5)).
//!
//! A scope cannot be without a process, so it comes into being when the first one is added.

mod bus;
mod gvariant;
mod message;
mod name;
mod properties;
#[cfg(test)]
mod tests;

use std::{
    env,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use zbus::{OwnedObjectPath, OwnedVariant, Variant};

use self::{
    bus::{Address, Bus, CallError},
    properties::{Property, property},
};
use crate::{Applied, CgroupSpec, Error, ErrorKind, Hierarchy, Mode, Resources, Result};

const SYSTEMD: [&str; 2] = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1"];
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// How long systemd may take to start or stop a unit.
const JOB_LIMIT: Duration = Duration::from_secs(30);

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
}

impl Unit {
    /// The unit that `spec` describes.
    pub(crate) fn new(hierarchy: &Hierarchy, spec: &CgroupSpec) -> Result<Self> {
        if !is_running() {
            return Err(crate::spec::systemd_missing());
        }
        let mode = hierarchy.mode();
        if spec.rootless && mode != Mode::V2 {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "cannot use rootless systemd cgroups manager on cgroup v1",
            ));
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
            let value = gvariant::parse(value)?;
            Ok((name.clone(), value))
        });
        Ok(Self {
            unit,
            name,
            slice: slice.to_owned(),
            user: spec.rootless,
            mode,
            properties: properties.collect::<Result<_>>()?,
            started: AtomicBool::new(false),
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
        if !is_running() {
            return Err(crate::spec::systemd_missing());
        }
        let addresses = if self.user {
            user_addresses()
        } else {
            system_addresses()
        };
        let mut refused = None;
        for address in addresses {
            match Bus::connect(&address) {
                Ok(bus) => return Ok(bus),
                Err(error) => {
                    log::debug!("{error}");
                    refused.get_or_insert(error);
                }
            }
        }
        let what = "failed to connect to dbus (hint: for rootless containers, maybe you need to \
                    install dbus-user-session package)";
        Err(match refused {
            Some(error) => Error::because(ErrorKind::Systemd, what, error),
            None => Error::new(
                ErrorKind::Systemd,
                format_args!("{what}: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set"),
            ),
        })
    }

    /// Starts the unit, with its first process if it is a scope.
    pub(crate) fn start(&self, pid: Option<u32>, resources: &Resources) -> Result<()> {
        let mut bus = self.connect()?;
        self.start_on(&mut bus, pid, resources)
    }

    fn start_on(&self, bus: &mut Bus, pid: Option<u32>, resources: &Resources) -> Result<()> {
        let version = version(bus);
        let properties = self.start_properties(pid, resources, version);
        subscribe(bus)?;
        let aux: Vec<(&str, Vec<Property>)> = Vec::new();
        let arguments = (self.unit.as_str(), "replace", properties, aux);
        let unable =
            |error: CallError| error.into_error(&format!("unable to start unit {:?}", self.unit));
        let mut started = call(bus, "StartTransientUnit", &arguments);
        if started
            .as_ref()
            .is_err_and(|error| error.is("org.freedesktop.systemd1.UnitExists"))
        {
            if pid.is_none() {
                self.started.store(true, Ordering::Relaxed);
                return Ok(());
            }
            // What a container of the same name left behind when it failed.
            self.reset_failed(bus);
            started = call(bus, "StartTransientUnit", &arguments);
        }
        let (job,): (OwnedObjectPath,) = started.map_err(unable)?.body()?;
        match wait_for_job(bus, job.as_str()) {
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
                if let Ok(mut bus) = self.connect() {
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
    ) -> Vec<Property> {
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
            if let Ok(value) = value.try_clone() {
                properties.push((name.clone(), value));
            }
        }
        properties
    }

    fn reset_failed(&self, bus: &mut Bus) {
        if let Err(error) = call(bus, "ResetFailedUnit", &(self.unit.as_str(),)) {
            log::debug!("reset {}: {error:?}", self.unit);
        }
    }

    /// Tells systemd the limits. Returns what is left to write to the files.
    ///
    /// On cgroup v1 systemd empties the list of devices and fills it again, whatever it is told.
    /// `hold` has to keep the processes from running into that, as long as its result lives.
    pub(crate) fn set<G>(
        &self,
        resources: &Resources,
        applied: &mut Applied,
        hold: impl FnOnce() -> Result<G>,
    ) -> Result<Resources> {
        let mut bus = self.connect()?;
        self.set_on(&mut bus, resources, applied, hold)
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

    /// Whether systemd has a list of devices to write: unless it is told of one, that is what the
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
        self.stop_on(&mut bus)
    }

    fn stop_on(&self, bus: &mut Bus) -> Result<()> {
        subscribe(bus)?;
        match call(bus, "StopUnit", &(self.unit.as_str(), "replace")) {
            Ok(reply) => {
                let (job,): (OwnedObjectPath,) = reply.body()?;
                match wait_for_job(bus, job.as_str()) {
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

/// Whether systemd is the init system (sd_booted(3)).
pub(crate) fn is_running() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn system_addresses() -> Vec<Address> {
    let mut addresses = match env::var("DBUS_SYSTEM_BUS_ADDRESS") {
        Ok(text) => bus::parse_addresses(&text),
        Err(_) => vec![Address::Bus("/run/dbus/system_bus_socket".into())],
    };
    if rustix::process::geteuid().is_root() {
        // There is systemd before, and without, a message bus.
        addresses.push(Address::Direct("/run/systemd/private".into()));
    }
    addresses
}

fn user_addresses() -> Vec<Address> {
    if let Ok(text) = env::var("DBUS_SESSION_BUS_ADDRESS") {
        return bus::parse_addresses(&text);
    }
    let directory = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let socket = directory.map(|directory| directory.join("bus"));
    socket
        .filter(|socket| socket.exists())
        .map(Address::Bus)
        .into_iter()
        .collect()
}

fn call<B>(bus: &mut Bus, method: &str, arguments: &B) -> Result<message::Message, CallError>
where
    B: serde::Serialize + zbus::DynamicType,
{
    bus.call(SYSTEMD, [MANAGER, method], arguments)
}

/// Asks for the signals about jobs.
fn subscribe(bus: &mut Bus) -> Result<()> {
    if !bus.is_direct() {
        let rule = format!(
            "type='signal',path='{}',interface='{MANAGER}',member='JobRemoved'",
            SYSTEMD[1]
        );
        bus.call(
            ["org.freedesktop.DBus", "/org/freedesktop/DBus"],
            ["org.freedesktop.DBus", "AddMatch"],
            &(rule,),
        )
        .map_err(|error| error.into_error("subscribe to the message bus"))?;
    }
    match call(bus, "Subscribe", &()) {
        Ok(_) => Ok(()),
        Err(error) if error.is("org.freedesktop.systemd1.AlreadySubscribed") => Ok(()),
        Err(error) => Err(error.into_error("subscribe to systemd")),
    }
}

/// Waits for the end of a job and returns its result.
fn wait_for_job(bus: &mut Bus, job: &str) -> Result<String> {
    let deadline = Instant::now() + JOB_LIMIT;
    loop {
        let signal = bus.signal(deadline)?;
        if signal.member != "JobRemoved" || signal.interface != MANAGER {
            continue;
        }
        let (_, removed, _, result): (u32, OwnedObjectPath, String, String) = signal.body()?;
        if removed.as_str() == job {
            return Ok(result);
        }
    }
}

fn property_of(bus: &mut Bus, path: &str, interface: &str, name: &str) -> Result<OwnedVariant> {
    let [destination, _] = SYSTEMD;
    let reply = bus
        .call(
            [destination, path],
            ["org.freedesktop.DBus.Properties", "Get"],
            &(interface, name),
        )
        .map_err(|error| error.into_error(&format!("read property {name} of systemd")))?;
    let (value,) = reply.body()?;
    Ok(value)
}

fn manager_property(bus: &mut Bus, name: &str) -> Result<String> {
    let [_, path] = SYSTEMD;
    let value = property_of(bus, path, MANAGER, name)?;
    match &*value {
        Variant::Str(text) => Ok(text.to_string()),
        other => Err(Error::new(
            ErrorKind::Systemd,
            format_args!("property {name} of systemd is {other}"),
        )),
    }
}

/// The version of systemd; 0 if it does not say.
fn version(bus: &mut Bus) -> u32 {
    match manager_property(bus, "Version") {
        Ok(text) => parse_version(&text),
        Err(error) => {
            log::debug!("{error}");
            0
        }
    }
}

/// `v245.4-1.fc32`, `257`, `"252"`: the digits at the start.
fn parse_version(text: &str) -> u32 {
    let text = text.trim_matches('"');
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.get(..end).unwrap_or("").parse().unwrap_or(0)
}
