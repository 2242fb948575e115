//! The Intel RDT group of a container.

use configs::Config;
use configs::config::IntelRdt;
use intelrdt::{Group, Root, Settings};

use super::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;

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

fn root() -> Result<Root> {
    Root::system().map_err(|error| Error::with(ErrorKind::Unsupported, "linux.intelRdt", error))
}

/// The directories that were made: of the class, and of the monitoring group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) class: String,
    pub(crate) monitoring: String,
}

/// Makes the group.
pub(crate) fn create(settings: &Settings, id: &ContainerId) -> Result<Paths> {
    let root = root()?;
    let group = Group::create(&root, settings, id.as_str())
        .map_err(|error| Error::system("make the Intel RDT group", error))?;
    let monitoring = group.monitoring_path();
    Ok(Paths {
        class: group.path().to_string_lossy().into_owned(),
        monitoring: monitoring
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_default(),
    })
}

/// Puts a process into the group and, for the first one, writes the settings.
pub(crate) fn join(settings: &Settings, id: &ContainerId, pid: u32, first: bool) -> Result<()> {
    let failed = |error| Error::system("join the Intel RDT group", error);
    let root = root()?;
    let Some(group) = Group::load(&root, settings, id.as_str()).map_err(failed)? else {
        return Err(Error::new(
            ErrorKind::System,
            "the Intel RDT group of the container is gone",
        ));
    };
    group.add(pid).map_err(failed)?;
    if first {
        group
            .set(settings)
            .map_err(|error| Error::system("set the Intel RDT schemata", error))?;
    }
    Ok(())
}

/// Removes what belongs to the container alone.
pub(crate) fn delete(settings: &Settings, id: &ContainerId) -> Result<()> {
    Group::delete(&root()?, settings, id.as_str())
        .map_err(|error| Error::system("unable to remove container's IntelRDT group", error))
}

/// What is configured and used; nothing if the container has no group.
pub(crate) fn stats(from: Option<&IntelRdt>, id: &ContainerId) -> Result<intelrdt::Stats> {
    let Some(from) = from else {
        return Ok(intelrdt::Stats::default());
    };
    let failed = |error| Error::system("read the Intel RDT statistics", error);
    let root = root()?;
    match Group::load(&root, &settings(from), id.as_str()).map_err(failed)? {
        Some(group) => group.stats().map_err(failed),
        None => Ok(intelrdt::Stats::default()),
    }
}

impl Container {
    /// Changes the group of a running container.
    pub(super) fn set_rdt(&self, config: &Config) -> Result<()> {
        let failed = |error| Error::system("set the Intel RDT schemata", error);
        check(config)?;
        let Some(from) = &config.intel_rdt else {
            return Ok(());
        };
        let (root, settings) = (root()?, settings(from));
        match Group::load(&root, &settings, self.id.as_str()).map_err(failed)? {
            Some(group) => group.set(&settings).map_err(failed),
            None => Err(Error::config(
                "linux.intelRdt: the container was made without an Intel RDT group",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn without_a_group_there_is_nothing_to_tell() {
        let id = "x".parse().unwrap();
        assert_eq!(stats(None, &id).unwrap(), intelrdt::Stats::default());
    }
}
