//! The content of `state.json`.
//!
//! The layout is libcontainer's: cAdvisor, podman and others read it. Two keys are our own and
//! are at the end, where readers of the original skip them: `creator` and `host_mounts`.
//!
//! There is one file, and no second one with "the important part": two files can disagree after a
//! crash. Commands that need little of it ([`Record`]) have the reader skip the rest of the
//! configuration without building anything from it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use configs::Config;
use configs::config::{Hooks, IntelRdt, Namespaces, Network, Route};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use super::encoded::Encoded;
use super::scan;

/// What `state.json` holds, with the configuration as a [`Config`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct State<C = Config> {
    /// Container id.
    pub id: String,
    /// Pid of the init process in the numbers of the host; -1 before there is one.
    pub init_process_pid: i32,
    /// Start time of the init process in clock ticks since boot (field 22 of `/proc/PID/stat`):
    /// with the pid it names one process, also after the pid was given to another.
    #[serde(deserialize_with = "number_or_text")]
    pub init_process_start: u64,
    /// When the container was created, RFC 3339, UTC.
    pub created: String,
    /// The configuration.
    pub config: C,
    /// Made without privilege, with cgroups that may be missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rootless: bool,
    /// Directories of the cgroup by controller; the v2 one has the empty name.
    #[serde(default)]
    pub cgroup_paths: BTreeMap<String, PathBuf>,
    /// `/proc/PID/ns/…` of the init process by type (`NEWPID`, …), for every type the kernel has.
    #[serde(default)]
    pub namespace_paths: BTreeMap<String, String>,
    /// Where the standard streams of the init process lead.
    #[serde(default)]
    pub external_descriptors: Vec<String>,
    /// Directory of the Intel RDT group.
    #[serde(default)]
    pub intel_rdt_path: String,
    /// Directory of the Intel RDT monitoring group.
    #[serde(default)]
    pub intel_rdt_mon_path: String,
    /// The process that is creating this container. Present only until it is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator: Option<Creator>,
    /// Mounts in the mount namespace of the host, in the order they were made, of a container that
    /// has no mount namespace of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_mounts: Vec<HostMount>,
}

/// A mount in the mount namespace of the host.
///
/// Ids are those of `statx(2)`: with `STATX_MNT_ID_UNIQUE` (Linux 6.8), else with `STATX_MNT_ID`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostMount {
    /// Where it is, as seen from inside the root file system.
    pub destination: PathBuf,
    /// Id of the mount that this led to before; absent if there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Its own id; absent before it is made, and if a later mount of the container hides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<u64>,
}

/// A process that is creating a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creator {
    /// Its pid.
    pub pid: u32,
    /// Its start time in clock ticks since boot.
    pub start: u64,
    /// Whether it is a command that does nothing else, and may be killed to end the creation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub command: bool,
}

/// The part of [`State`] that commands need which do not change the configuration or run a process
/// with it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Record {
    pub(crate) init_process_pid: i32,
    #[serde(deserialize_with = "number_or_text")]
    pub(crate) init_process_start: u64,
    pub(crate) created: String,
    pub(crate) config: ConfigRecord,
    #[serde(default)]
    pub(crate) cgroup_paths: BTreeMap<String, PathBuf>,
    #[serde(default)]
    pub(crate) intel_rdt_path: String,
    #[serde(default)]
    pub(crate) creator: Option<Creator>,
    #[serde(default)]
    pub(crate) host_mounts: Vec<HostMount>,
}

impl Record {
    /// The record in the text of a state file.
    pub(super) fn from_json(text: &[u8]) -> serde_json::Result<Self> {
        scan::record(text).map_or_else(|| serde_json::from_slice(text), Ok)
    }
}

/// The same for [`Config`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConfigRecord {
    pub(crate) rootfs: String,
    pub(crate) labels: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) namespaces: Namespaces,
    #[serde(rename = "Hooks", deserialize_with = "null_is_default")]
    pub(crate) hooks: Hooks,
    pub(crate) rootless_cgroups: bool,
    pub(crate) cgroups: CgroupRecord,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) networks: Vec<Network>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) routes: Vec<Route>,
    pub(crate) intel_rdt: Option<IntelRdt>,
}

/// The same for [`configs::config::Cgroup`]: who made the cgroup, and what systemd calls it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct CgroupRecord {
    pub(crate) name: String,
    pub(crate) parent: String,
    pub(crate) scope_prefix: String,
    #[serde(rename = "Systemd")]
    pub(crate) systemd: bool,
    #[serde(rename = "Rootless")]
    pub(crate) rootless: bool,
}

impl From<State<Encoded<Config>>> for Record {
    fn from(state: State<Encoded<Config>>) -> Self {
        let config = state.config.into_inner();
        Self {
            init_process_pid: state.init_process_pid,
            init_process_start: state.init_process_start,
            created: state.created,
            config: ConfigRecord {
                rootfs: config.rootfs,
                labels: config.labels,
                namespaces: config.namespaces,
                hooks: config.hooks,
                rootless_cgroups: config.rootless_cgroups,
                cgroups: CgroupRecord {
                    name: config.cgroups.name,
                    parent: config.cgroups.parent,
                    scope_prefix: config.cgroups.scope_prefix,
                    systemd: config.cgroups.systemd,
                    rootless: config.cgroups.rootless,
                },
                networks: config.networks,
                routes: config.routes,
                intel_rdt: config.intel_rdt,
            },
            cgroup_paths: state.cgroup_paths,
            intel_rdt_path: state.intel_rdt_path,
            creator: state.creator,
            host_mounts: state.host_mounts,
        }
    }
}

#[cfg(test)]
impl State {
    /// The same, as a creation has it.
    pub(crate) fn encoded(self) -> State<Encoded<Config>> {
        State {
            id: self.id,
            init_process_pid: self.init_process_pid,
            init_process_start: self.init_process_start,
            created: self.created,
            config: Encoded::new(self.config),
            rootless: self.rootless,
            cgroup_paths: self.cgroup_paths,
            namespace_paths: self.namespace_paths,
            external_descriptors: self.external_descriptors,
            intel_rdt_path: self.intel_rdt_path,
            intel_rdt_mon_path: self.intel_rdt_mon_path,
            creator: self.creator,
            host_mounts: self.host_mounts,
        }
    }
}

fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Start times were stored as text until 2017.
fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct NumberOrText;

    impl Visitor<'_> for NumberOrText {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of clock ticks")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            if text.is_empty() {
                Ok(0)
            } else {
                text.parse().map_err(E::custom)
            }
        }
    }

    deserializer.deserialize_any(NumberOrText)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::encoded::to_json;

    fn sample() -> State {
        let mut config = Config {
            rootfs: "/bundle/rootfs".to_owned(),
            ..Config::default()
        };
        config.labels = vec!["a=b".to_owned(), "bundle=/bundle".to_owned()];
        config
            .namespaces
            .set(configs::config::NamespaceType::Pid, "");
        config.cgroups.systemd = true;
        config.cgroups.name = "x".to_owned();
        config.cgroups.parent = "machine.slice".to_owned();
        config.cgroups.scope_prefix = "engine".to_owned();
        State {
            id: "x".to_owned(),
            init_process_pid: 42,
            init_process_start: 4711,
            created: "2026-01-02T03:04:05Z".to_owned(),
            config,
            rootless: false,
            cgroup_paths: [(
                "memory".to_owned(),
                PathBuf::from("/sys/fs/cgroup/memory/x"),
            )]
            .into(),
            namespace_paths: [("NEWPID".to_owned(), "/proc/42/ns/pid".to_owned())].into(),
            external_descriptors: vec!["/dev/null".to_owned(); 3],
            intel_rdt_path: String::new(),
            intel_rdt_mon_path: String::new(),
            creator: None,
            host_mounts: Vec::new(),
        }
    }

    #[test]
    fn keys_and_their_order_are_the_original_ones() {
        let text = serde_json::to_string(&sample()).unwrap();
        let keys = [
            "id",
            "init_process_pid",
            "init_process_start",
            "created",
            "config",
            "cgroup_paths",
            "namespace_paths",
            "external_descriptors",
            "intel_rdt_path",
            "intel_rdt_mon_path",
        ];
        let mut at = 0;
        for key in keys {
            let found = text
                .get(at..)
                .and_then(|rest| rest.find(&format!("\"{key}\":")))
                .unwrap_or_else(|| panic!("{key} in {text}"));
            at += found;
        }
        for ours in ["creator", "host_mounts", "rootless\""] {
            assert!(!text.contains(ours), "{ours}");
        }
        assert_eq!(serde_json::from_str::<State>(&text).unwrap(), sample());
    }

    #[test]
    fn a_record_is_the_same_file_read_with_less_effort() {
        let mut state = sample();
        state.creator = Some(Creator {
            pid: 7,
            start: 8,
            command: false,
        });
        let record: Record = serde_json::from_slice(&serde_json::to_vec(&state).unwrap()).unwrap();
        assert_eq!(record.init_process_pid, 42);
        assert_eq!(record.init_process_start, 4711);
        assert_eq!(record.config.rootfs, "/bundle/rootfs");
        assert_eq!(record.config.labels, state.config.labels);
        assert_eq!(record.config.namespaces, state.config.namespaces);
        assert_eq!(record.cgroup_paths, state.cgroup_paths);
        assert_eq!(record.creator, state.creator);
        let text = serde_json::to_string(&state).unwrap();
        let state = state.encoded();
        assert_eq!(to_json(&state, 0).unwrap(), text.as_bytes());
        assert_eq!(record.config.cgroups, Record::from(state).config.cgroups);
    }

    #[test]
    fn a_start_time_may_be_text() {
        let text = serde_json::to_string(&sample()).unwrap().replace(
            "\"init_process_start\":4711",
            "\"init_process_start\":\"4711\"",
        );
        assert_eq!(
            serde_json::from_str::<State>(&text)
                .unwrap()
                .init_process_start,
            4711
        );
        let text = text.replace("\"4711\"", "\"4711x\"");
        assert!(serde_json::from_str::<State>(&text).is_err());
    }
}
