//! On trees of plain files. What the kernel does by itself there (creating `tasks` in a new
//! directory, removing a group with its files) the tree does not; the tests prepare it.

use super::*;
use crate::ErrorKind;
use std::fs::{self, File};

struct Fake {
    directory: tempfile::TempDir,
}

impl Fake {
    fn new(files: &[(&str, &str)]) -> Self {
        let fake = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        fake.write("schemata", "L3:0=7ff;1=7ff\nMB:0=100;1=100\n");
        fake.write("tasks", "");
        fake.write("info/last_cmd_status", "ok\n");
        for (path, text) in files {
            fake.write(path, text);
        }
        fake
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.directory.path().join(path)).unwrap()
    }

    fn exists(&self, path: &str) -> bool {
        self.directory.path().join(path).exists()
    }

    fn root(&self) -> Root {
        Root::open_at(
            File::open(self.directory.path()).unwrap(),
            "/sys/fs/resctrl",
        )
    }
}

fn cache(clos_id: &str) -> Settings {
    Settings {
        clos_id: clos_id.into(),
        l3_cache_schema: "L3:0=f".into(),
        ..Settings::default()
    }
}

#[test]
fn a_container_gets_a_class_of_its_own() {
    let fake = Fake::new(&[]);
    let root = fake.root();
    let group = Group::create(&root, &cache(""), "web").unwrap();
    assert!(group.was_created() && fake.exists("web"));
    assert_eq!(group.path(), Path::new("/sys/fs/resctrl/web"));
    assert_eq!(group.monitoring_path(), None);
    assert!(
        !Group::create(&root, &cache(""), "web")
            .unwrap()
            .was_created()
    );
}

#[test]
fn a_named_class_is_shared_and_the_default_class_is_the_root() {
    let fake = Fake::new(&[("gold/tasks", "")]);
    let root = fake.root();
    let group = Group::create(&root, &cache("gold"), "web").unwrap();
    assert!(!group.was_created() && !fake.exists("web"));
    group.add(42).unwrap();
    assert_eq!(fake.read("gold/tasks"), "42");
    let default = Group::create(&root, &cache("/"), "web").unwrap();
    default.add(43).unwrap();
    assert_eq!(fake.read("tasks"), "43");
}

#[test]
fn a_class_without_settings_must_be_there() {
    let fake = Fake::new(&[("gold/tasks", "")]);
    let root = fake.root();
    let named = |clos_id: &str| Settings {
        clos_id: clos_id.into(),
        ..Settings::default()
    };
    Group::create(&root, &named("gold"), "web").unwrap();
    let error = Group::create(&root, &named("silver"), "web").unwrap_err();
    assert!(
        error.to_string().starts_with(
            "clos dir not accessible (must be pre-created when schemata, l3CacheSchema and memBwSchema are empty): No such file"
        ),
        "{error}"
    );
    assert!(!fake.exists("silver"));
    // Without any class named, an empty one is made.
    assert!(
        Group::create(&root, &Settings::default(), "web")
            .unwrap()
            .was_created()
    );
}

#[test]
fn names_cannot_leave_the_root() {
    let fake = Fake::new(&[]);
    let root = fake.root();
    for (clos_id, container) in [
        ("..", "web"),
        ("a/b", "web"),
        ("", ".."),
        ("", "a/b"),
        ("", ""),
    ] {
        for error in [
            Group::create(&root, &cache(clos_id), container).unwrap_err(),
            Group::load(&root, &cache(clos_id), container).unwrap_err(),
        ] {
            assert_eq!(
                error.kind(),
                ErrorKind::Invalid,
                "{clos_id:?} {container:?}"
            );
        }
    }
}

#[test]
fn a_monitored_task_is_in_both_groups() {
    let fake = Fake::new(&[("gold/tasks", ""), ("gold/mon_groups/web/tasks", "")]);
    let root = fake.root();
    let settings = Settings {
        enable_monitoring: true,
        ..cache("gold")
    };
    let group = Group::create(&root, &settings, "web").unwrap();
    let path = group.monitoring_path().unwrap();
    assert_eq!(path, Path::new("/sys/fs/resctrl/gold/mon_groups/web"));
    group.add(7).unwrap();
    assert_eq!(fake.read("gold/tasks"), "7");
    assert_eq!(fake.read("gold/mon_groups/web/tasks"), "7");
}

#[test]
fn settings_are_one_write() {
    let fake = Fake::new(&[("web/schemata", "L3:0=7ff\n")]);
    let root = fake.root();
    let settings = Settings {
        schemata: vec!["MB:0=50".into()],
        ..cache("")
    };
    let group = Group::create(&root, &settings, "web").unwrap();
    group.set(&settings).unwrap();
    assert_eq!(fake.read("web/schemata"), "L3:0=f\nMB:0=50\n");
    group.set(&Settings::default()).unwrap();
    assert_eq!(fake.read("web/schemata"), "L3:0=f\nMB:0=50\n");
}

#[test]
fn a_refusal_carries_the_kernels_words() {
    let fake = Fake::new(&[
        ("web/x", ""),
        ("info/last_cmd_status", "mask f is too small\n"),
    ]);
    // A directory instead of the file makes every write fail.
    fs::create_dir(fake.directory.path().join("web/schemata")).unwrap();
    let root = fake.root();
    let group = Group::create(&root, &cache(""), "web").unwrap();
    let error = group.set(&cache("")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(
        error.to_string(),
        "intelrdt: unable to write \"L3:0=f\\n\": Is a directory (os error 21), last_cmd_status: mask f is too small"
    );
    let error = group.add(1).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with(", last_cmd_status: mask f is too small"),
        "{error}"
    );
    assert_eq!(error.path(), Some(Path::new("/sys/fs/resctrl/web/tasks")));
}

#[test]
fn a_group_is_found_again_until_it_is_gone() {
    let fake = Fake::new(&[("web/tasks", "")]);
    let root = fake.root();
    Group::load(&root, &cache(""), "web")
        .unwrap()
        .unwrap()
        .add(9)
        .unwrap();
    assert_eq!(fake.read("web/tasks"), "9");
    assert!(Group::load(&root, &cache(""), "other").unwrap().is_none());
}

#[test]
fn a_container_removes_what_is_its_own() {
    let fake = Fake::new(&[("gold/tasks", "")]);
    let root = fake.root();
    let load = |settings: &Settings| Group::load(&root, settings, "web").unwrap();
    Group::create(&root, &cache(""), "web").unwrap();
    let (group, again) = (load(&cache("")).unwrap(), load(&cache("")).unwrap());
    group.delete().unwrap();
    assert!(!fake.exists("web"));
    again.delete().unwrap();
    assert!(load(&cache("")).is_none());

    let monitored = Settings {
        enable_monitoring: true,
        ..cache("gold")
    };
    fs::create_dir_all(fake.directory.path().join("gold/mon_groups/web")).unwrap();
    load(&monitored).unwrap().delete().unwrap();
    assert!(!fake.exists("gold/mon_groups/web") && fake.exists("gold"));
    load(&monitored).unwrap().delete().unwrap();
    load(&cache("gold")).unwrap().delete().unwrap();
    assert!(fake.exists("gold"));
}

#[test]
fn a_group_with_files_of_the_tree_is_not_removed() {
    let fake = Fake::new(&[]);
    let root = fake.root();
    let group = Group::create(&root, &cache(""), "web").unwrap();
    fake.write("web/tasks", "");
    let error = group.delete().unwrap_err();
    assert_eq!(error.to_string(), "remove /sys/fs/resctrl/web");
    assert_eq!(error.raw_os_error(), Some(Errno::NOTEMPTY.raw_os_error()));
}

#[test]
fn differences_are_the_lines_that_would_change_something() {
    let fake = Fake::new(&[("gold/schemata", "    L3:0=7ff;1=00f\n    MB:0=100;1= 50\n")]);
    let root = fake.root();
    let wanted = |schemata: &[&str]| Settings {
        clos_id: "gold".into(),
        schemata: schemata.iter().map(|line| (*line).to_owned()).collect(),
        ..Settings::default()
    };
    let differences = |schemata| {
        let group = Group::load(&root, &wanted(&[]), "web").unwrap().unwrap();
        let lines = group.differences(&wanted(schemata)).unwrap();
        lines.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(differences(&["L3:1=f", "MB:1=50"]), [] as [&str; 0]);
    assert_eq!(differences(&["L3:1=ff", "MB:1=50"]), ["L3:1=ff"]);
}

const MACHINE: [(&str, &str); 11] = [
    ("info/L3/cbm_mask", "7ff\n"),
    ("info/L3/min_cbm_bits", "1\n"),
    ("info/L3/num_closids", "16\n"),
    ("info/MB/bandwidth_gran", "10\n"),
    ("info/MB/delay_linear", "1\n"),
    ("info/MB/min_bandwidth", "20\n"),
    ("info/MB/num_closids", "8\n"),
    (
        "info/L3_MON/mon_features",
        "llc_occupancy\nmbm_total_bytes\nmbm_local_bytes\n",
    ),
    ("web/schemata", "    L3:0=1;1=2\n    MB:0=50;1=60\n"),
    ("web/mon_data/mon_L3_01/llc_occupancy", "2048\n"),
    ("web/mon_data/mon_L3_00/llc_occupancy", "1024\n"),
];

#[test]
fn stats_of_a_class() {
    let fake = Fake::new(&MACHINE);
    fake.write("web/mon_data/mon_L3_00/mbm_total_bytes", "7\n");
    fake.write("web/mon_data/mon_L3_00/mbm_local_bytes", "Unavailable\n");
    let root = fake.root();
    let group = Group::load(&root, &cache(""), "web").unwrap().unwrap();
    let stats = group.stats().unwrap();
    let info = stats.l3_cache_info.unwrap();
    assert_eq!(
        (info.cbm_mask.as_str(), info.min_cbm_bits, info.num_closids),
        ("7ff", 1, 16)
    );
    let info = stats.mem_bw_info.unwrap();
    assert_eq!((info.bandwidth_gran, info.delay_linear), (10, 1));
    assert_eq!((info.min_bandwidth, info.num_closids), (20, 8));
    assert_eq!(stats.l3_cache_schema_root, "L3:0=7ff;1=7ff");
    assert_eq!(stats.mem_bw_schema, "MB:0=50;1=60");
    assert_eq!(stats.schemata, ["L3:0=1;1=2", "MB:0=50;1=60"]);
    let occupied: Vec<_> = stats
        .cmt_stats
        .iter()
        .map(|cache| cache.llc_occupancy)
        .collect();
    assert_eq!(occupied, [Some(1024), Some(2048)]);
    assert_eq!(stats.mbm_stats.len(), 1);
    assert_eq!(stats.mbm_stats[0].mbm_total_bytes, Some(7));
    assert_eq!(stats.mbm_stats[0].mbm_local_bytes, None);
}

#[test]
fn stats_prefer_the_monitoring_group() {
    let fake = Fake::new(&MACHINE);
    fake.write("web/mon_groups/web/mon_data/mon_L3_00/llc_occupancy", "5\n");
    let root = fake.root();
    let settings = Settings {
        enable_monitoring: true,
        ..cache("")
    };
    let group = Group::load(&root, &settings, "web").unwrap().unwrap();
    let stats = group.stats().unwrap();
    assert_eq!(stats.cmt_stats.len(), 1);
    assert_eq!(stats.cmt_stats[0].llc_occupancy, Some(5));
}

#[test]
fn features_of_a_machine() {
    let features = Fake::new(&MACHINE).root().features().unwrap();
    assert!(features.cache_allocation && features.bandwidth_allocation && features.monitors());
    let prioritized = Fake::new(&[("info/L3CODE/cbm_mask", "7"), ("info/L3DATA/cbm_mask", "7")]);
    assert_eq!(
        prioritized.root().features().unwrap(),
        crate::Features::default()
    );
}

#[test]
fn a_counter_that_is_no_number() {
    let fake = Fake::new(&MACHINE);
    fake.write("web/mon_data/mon_L3_00/llc_occupancy", "much\n");
    let root = fake.root();
    let group = Group::load(&root, &cache(""), "web").unwrap().unwrap();
    let error = group.stats().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert_eq!(
        error.to_string(),
        "/sys/fs/resctrl/web/mon_data/mon_L3_00/llc_occupancy holds no number: \"much\""
    );
}

#[cfg(feature = "serde")]
#[test]
fn stats_have_the_names_engines_read() {
    let fake = Fake::new(&MACHINE);
    let root = fake.root();
    let group = Group::load(&root, &cache(""), "web").unwrap().unwrap();
    let json = serde_json::to_value(group.stats().unwrap()).unwrap();
    assert_eq!(json["l3_cache_info"]["cbm_mask"], "7ff");
    assert_eq!(json["mem_bw_schema"], "MB:0=50;1=60");
    assert_eq!(json["cmt_stats"][1]["llc_occupancy"], 2048);
    assert!(json.get("mbm_stats").is_none());
}
