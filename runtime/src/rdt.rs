//! The Intel RDT group of a container.

use configs::Config;
use configs::config::IntelRdt;
use intelrdt::{Features, Group, Root, Settings};

use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::system::System;

/// Refuses settings that cannot be meant, before anything is made.
pub(crate) fn check(config: &Config) -> Result<()> {
    match &config.intel_rdt {
        None => Ok(()),
        Some(from) => settings(from)
            .check()
            .map_err(|error| Error::with(ErrorKind::InvalidConfig, "linux.intelRdt", error)),
    }
}

pub(crate) fn settings(from: &IntelRdt) -> Settings {
    Settings {
        clos_id: from.clos_id.clone(),
        schemata: from.schemata.clone(),
        l3_cache_schema: from.l3_cache_schema.clone(),
        mem_bw_schema: from.mem_bw_schema.clone(),
        enable_monitoring: from.enable_monitoring,
    }
}

/// The directories that were made: of the class, and of the monitoring group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) class: String,
    pub(crate) monitoring: String,
}

/// resctrl, for what cannot be done without.
fn required(system: &System) -> Result<&Root> {
    system.resctrl()?.ok_or_else(|| {
        Error::new(
            ErrorKind::Unsupported,
            "linux.intelRdt: Intel RDT not available",
        )
    })
}

/// Makes the group.
pub(crate) fn create(system: &System, settings: &Settings, id: &ContainerId) -> Result<Paths> {
    let group = Group::create(required(system)?, settings, id.as_str())
        .map_err(|error| Error::system("make the Intel RDT group", error))?;
    let monitoring = group.monitoring_path();
    Ok(Paths {
        class: group.path().to_string_lossy().into_owned(),
        monitoring: monitoring
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_default(),
    })
}

/// Puts the init process into the group and writes the settings.
pub(crate) fn join_first(
    system: &System,
    settings: &Settings,
    id: &ContainerId,
    pid: u32,
) -> Result<()> {
    let failed = |error| Error::system("join the Intel RDT group", error);
    let group = Group::load(required(system)?, settings, id.as_str()).map_err(failed)?;
    let group = group.ok_or_else(|| {
        Error::new(
            ErrorKind::System,
            "the Intel RDT group of the container is gone",
        )
    })?;
    group.add(pid).map_err(failed)?;
    group
        .set(settings)
        .map_err(|error| Error::system("set the Intel RDT schemata", error))
}

/// Puts a process that joins the container into the group. With a group that was removed, the
/// kernel has moved the container's own processes to the default class, where this one is as well:
/// that is a warning, and no error.
pub(crate) fn join(
    system: &System,
    settings: &Settings,
    id: &ContainerId,
    pid: u32,
) -> Result<Option<String>> {
    let failed = |error| Error::system("join the Intel RDT group", error);
    let group = match system.resctrl()? {
        Some(root) => Group::load(root, settings, id.as_str()).map_err(failed)?,
        None => None,
    };
    match group {
        Some(group) => group.add(pid).map(|()| None).map_err(failed),
        None => Ok(Some(
            "the Intel RDT group of the container is gone: the process is in the default class"
                .to_owned(),
        )),
    }
}

/// Removes what belongs to the container alone. Where resctrl is not mounted any more there is
/// nothing: the kernel removes all groups with the mount.
pub(crate) fn delete(system: &System, settings: &Settings, id: &ContainerId) -> Result<()> {
    let failed = |error| Error::system("unable to remove container's IntelRDT group", error);
    let group = match system.resctrl()? {
        Some(root) => Group::load(root, settings, id.as_str()).map_err(failed)?,
        None => None,
    };
    group.map_or(Ok(()), |group| group.delete().map_err(failed))
}

/// What is configured and used; nothing if the container has no group.
pub(crate) fn stats(
    system: &System,
    from: Option<&IntelRdt>,
    id: &ContainerId,
) -> Result<intelrdt::Stats> {
    let failed = |error| Error::system("read the Intel RDT statistics", error);
    let Some(from) = from else {
        return Ok(intelrdt::Stats::default());
    };
    let group = match system.resctrl()? {
        Some(root) => Group::load(root, &settings(from), id.as_str()).map_err(failed)?,
        None => None,
    };
    group.map_or_else(
        || Ok(intelrdt::Stats::default()),
        |group| group.stats().map_err(failed),
    )
}

/// A change of the settings that can be made, and taken back.
pub(crate) struct Change<'a> {
    group: Group<'a>,
    wanted: Settings,
    before: Settings,
}

impl<'a> Change<'a> {
    /// Checks a change before anything is written; `None` without one.
    pub(crate) fn new(
        system: &'a System,
        id: &ContainerId,
        old: Option<&IntelRdt>,
        new: Option<&IntelRdt>,
    ) -> Result<Option<Self>> {
        let Some(new) = new.filter(|new| old != Some(*new)) else {
            return Ok(None);
        };
        let wanted = settings(new);
        let failed = |error| Error::system("look at the Intel RDT group", error);
        wanted
            .check()
            .map_err(|error| Error::with(ErrorKind::InvalidConfig, "linux.intelRdt", error))?;
        let root = system.resctrl()?;
        let features = root.map_or(Ok(Features::default()), Root::features);
        features
            .map_err(failed)?
            .check(&wanted)
            .map_err(|error| Error::new(ErrorKind::Unsupported, error.to_string()))?;
        let existing = match root.filter(|_| old.is_some()) {
            Some(root) => Group::load(root, &wanted, id.as_str()).map_err(failed)?,
            None => None,
        };
        let group = existing.ok_or_else(|| {
            Error::config("updating a non-existent Intel RDT configuration is not supported")
        })?;
        let before = Settings {
            schemata: vec![group.schemata().map_err(failed)?],
            ..Settings::default()
        };
        Ok(Some(Self {
            group,
            wanted,
            before,
        }))
    }

    /// Writes the new settings.
    pub(crate) fn make(&self) -> Result<()> {
        self.group
            .set(&self.wanted)
            .map_err(|error| Error::system("set the Intel RDT schemata", error))
    }

    /// Writes the settings that the kernel had before.
    pub(crate) fn take_back(&self) -> Result<()> {
        self.group
            .set(&self.before)
            .map_err(|error| Error::system("set the former Intel RDT schemata", error))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::container::Container;
    use crate::container::status::tests::Machine;

    #[test]
    fn a_class_that_leads_elsewhere_is_refused_early() {
        for class in ["..", "a/b", "."] {
            let rdt = IntelRdt {
                clos_id: class.to_owned(),
                ..IntelRdt::default()
            };
            let config = Config {
                intel_rdt: Some(rdt),
                ..Config::default()
            };
            let error = check(&config).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{class}");
            assert!(
                error.chain().starts_with("linux.intelRdt: "),
                "{}",
                error.chain()
            );
        }
        assert!(check(&Config::default()).is_ok());
    }

    /// A machine with cgroup v2, a made-up resctrl, and one container with a class of its own.
    struct Rdt(Machine);

    impl Rdt {
        fn new() -> Self {
            let machine = Machine::new();
            for directory in [
                "info/L3",
                "info/MB",
                "x/mon_groups/x",
                "x/mon_data/mon_L3_00",
            ] {
                fs::create_dir_all(machine.path("resctrl").join(directory)).unwrap();
            }
            let file = |name: &str, text: &str| {
                fs::write(machine.path("resctrl").join(name), text).unwrap();
            };
            for (name, text) in [
                ("cbm_mask", "ff\n"),
                ("min_cbm_bits", "1\n"),
                ("num_closids", "4\n"),
            ] {
                file(&format!("info/L3/{name}"), text);
            }
            for name in [
                "bandwidth_gran",
                "delay_linear",
                "min_bandwidth",
                "num_closids",
            ] {
                file(&format!("info/MB/{name}"), "10\n");
            }
            file("schemata", "    L3:0=ff\n    MB:0=100\n");
            file("x/schemata", "    L3:0=0f\n    MB:0=100\n");
            file("x/tasks", "");
            file("x/mon_groups/x/tasks", "");
            fs::write(machine.path("cgroup/x/memory.max"), "max\n").unwrap();
            fs::write(machine.path("cgroup/x/cgroup.procs"), "42\n").unwrap();
            machine.process(42, 'S', 1000);
            let this = Self(machine);
            let settings = IntelRdt {
                l3_cache_schema: "L3:0=0f".to_owned(),
                enable_monitoring: true,
                ..IntelRdt::default()
            };
            let settings = serde_json::to_string(&settings).unwrap();
            this.record(&format!(r#","intel_rdt":{settings}"#));
            this
        }

        /// The record of the container, with this in its configuration.
        fn record(&self, rdt: &str) {
            let cgroup = format!(r#","cgroup_paths":{{"":{:?}}}"#, self.0.path("cgroup/x"));
            let path = format!(r#","intel_rdt_path":{:?}"#, self.0.path("resctrl/x"));
            self.0.record_with(&cgroup, &path);
            let file = self.0.path("state/x/state.json");
            let text = fs::read_to_string(&file).unwrap();
            let config = r#""config":{"cgroups":{}"#;
            fs::write(
                file,
                text.replace(r#""config":{"#, &format!("{config}{rdt}")),
            )
            .unwrap();
        }

        fn container(&self) -> Container {
            let root = fs::File::open(self.0.path("resctrl")).unwrap();
            self.0.container_with(|system| {
                system.with_resctrl(Root::open_at(root, "/sys/fs/resctrl"))
            })
        }

        /// The container where resctrl is not mounted (any more).
        fn unmounted(&self) -> Container {
            self.0.container_with(|system| system)
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.0.path(name)).unwrap()
        }
    }

    fn rdt_settings() -> Settings {
        Settings {
            l3_cache_schema: "L3:0=0f".to_owned(),
            enable_monitoring: true,
            ..Settings::default()
        }
    }

    #[test]
    fn what_a_container_needs_of_the_record() {
        let machine = Rdt::new();
        let config = machine.container().config().unwrap();
        let recorded = config.intel_rdt.expect("the test's record has settings");
        assert_eq!(settings(&recorded), rdt_settings());
    }

    #[test]
    fn a_process_joins_the_class_and_the_monitoring_group() {
        let machine = Rdt::new();
        let container = machine.container();
        let (system, id) = (container.system(), container.id());
        assert_eq!(join(system, &rdt_settings(), id, 77).unwrap(), None);
        assert_eq!(machine.read("resctrl/x/tasks"), "77");
        assert_eq!(machine.read("resctrl/x/mon_groups/x/tasks"), "77");
        join_first(system, &rdt_settings(), id, 78).unwrap();
        assert_eq!(machine.read("resctrl/x/tasks"), "78");
        assert!(machine.read("resctrl/x/schemata").starts_with("L3:0=0f\n"));
    }

    #[test]
    fn a_group_or_a_mount_that_is_gone_stops_neither_exec_nor_stats() {
        let machine = Rdt::new();
        for container in [machine.unmounted(), {
            fs::remove_dir_all(machine.0.path("resctrl/x")).unwrap();
            machine.container()
        }] {
            let (system, id) = (container.system(), container.id());
            let warning = join(system, &rdt_settings(), id, 77).unwrap();
            assert!(warning.unwrap().contains("is gone"));
            // For the first process there must be one.
            assert!(join_first(system, &rdt_settings(), id, 77).is_err());
            assert_eq!(
                container.stats().unwrap().intel_rdt,
                intelrdt::Stats::default()
            );
            delete(system, &rdt_settings(), id).unwrap();
        }
    }

    #[test]
    fn a_class_that_cannot_be_looked_at_is_not_taken_for_gone() {
        let machine = Rdt::new();
        fs::remove_dir_all(machine.0.path("resctrl/x")).unwrap();
        // A link is never followed: ELOOP.
        std::os::unix::fs::symlink("/", machine.0.path("resctrl/x")).unwrap();
        let container = machine.container();
        let (system, id) = (container.system(), container.id());
        assert!(join(system, &rdt_settings(), id, 77).is_err());
        assert!(container.stats().is_err());
    }

    #[test]
    fn updates_that_cannot_be_say_so_before_anything_changes() {
        let with = |cache: &str, bandwidth: &str| IntelRdt {
            l3_cache_schema: cache.to_owned(),
            mem_bw_schema: bandwidth.to_owned(),
            ..IntelRdt::default()
        };
        let machine = Rdt::new();
        let change = |container: &Container, new: IntelRdt, memory: i64| {
            let mut config = container.config().unwrap();
            config.cgroups.resources.memory = memory;
            config.intel_rdt = Some(new);
            container
                .set(&config)
                .map(drop)
                .map_err(|error| error.chain())
        };
        let unchanged = || {
            assert_eq!(machine.read("cgroup/x/memory.max"), "max\n");
            assert_eq!(
                machine.read("resctrl/x/schemata"),
                "    L3:0=0f\n    MB:0=100\n"
            );
        };
        let unmounted = machine.unmounted();
        assert_eq!(
            change(&unmounted, with("L3:0=1", ""), 4096).unwrap_err(),
            "Intel RDT/CAT: l3 cache schema is not enabled"
        );
        unchanged();
        fs::remove_dir_all(machine.0.path("resctrl/info/MB")).unwrap();
        assert_eq!(
            change(&machine.container(), with("", "MB:0=50"), 4096).unwrap_err(),
            "Intel RDT/MBA: memory bandwidth schema is not enabled"
        );
        unchanged();
        machine.record("");
        assert_eq!(
            change(&machine.container(), with("L3:0=1", ""), 4096).unwrap_err(),
            "updating a non-existent Intel RDT configuration is not supported"
        );
        unchanged();
    }

    #[test]
    fn a_container_is_removed_with_its_class_or_without_resctrl() {
        for unmounted in [false, true] {
            let machine = Rdt::new();
            // It has ended, and its cgroup is gone. A class of plain files can only be removed when
            // it is empty.
            fs::remove_dir_all(machine.0.path("proc/42")).unwrap();
            fs::remove_dir_all(machine.0.path("cgroup/x")).unwrap();
            fs::remove_dir_all(machine.0.path("resctrl/x")).unwrap();
            fs::create_dir(machine.0.path("resctrl/x")).unwrap();
            let container = if unmounted {
                machine.unmounted()
            } else {
                machine.container()
            };
            container.destroy().unwrap();
            assert!(!machine.0.path("state/x").exists());
            assert_eq!(machine.0.path("resctrl/x").exists(), unmounted);
        }
    }

    #[test]
    fn without_a_group_there_is_nothing_to_tell() {
        let id = "x".parse().unwrap();
        let machine = Rdt::new();
        let container = machine.container();
        let stats = stats(container.system(), None, &id).unwrap();
        assert_eq!(stats, intelrdt::Stats::default());
    }
}
