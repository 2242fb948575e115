use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use configs::Config;
use configs::config::IntelRdt;
use intelrdt::Root;

use super::*;
use crate::process::Stdio;
use crate::process::signal::Signal;
use crate::system::System;

#[test]
fn a_limit_of_processes_has_room_for_criu() {
    let wider = |pids_limit, unified: &str| {
        let limits = cgroups::Resources {
            pids_limit,
            unified: [("pids.max".to_owned(), unified.to_owned())].into(),
            ..cgroups::Resources::default()
        };
        let wider = with_room_for_criu(&limits);
        (wider.pids_limit, wider.unified.get("pids.max").cloned())
    };
    assert_eq!(wider(Some(2), "3"), (Some(34), Some("35".to_owned())));
    assert_eq!(wider(Some(-1), "max"), (Some(-1), Some("max".to_owned())));
    assert_eq!(wider(Some(i64::MAX), "").0, Some(i64::MAX));
    assert_eq!(wider(None, "").0, None);
}

/// A program in the place of CRIU. It answers what it is asked for its version (4.1), and restores
/// a process that sleeps in a mount namespace of its own.
const CRIU: &str = r#"#!/bin/sh
dd bs=65536 count=1 <&3 >/dev/null 2>&1
printf '\010\012\020\001\122\004\010\004\020\001' >&3
dd bs=65536 count=1 <&3 >/dev/null 2>&1
unshare --mount sleep 1000 <&- >&- 2>&- 3>&- & pid=$!
while [ "$(readlink /proc/$pid/ns/mnt)" = "$(readlink /proc/$$/ns/mnt)" ]; do :; done
octal() { printf '\\%03o' "$1"; }
number=$(octal $((pid & 127 | 128)))$(octal $((pid >> 7 & 127 | 128)))$(octal $((pid >> 14 & 127)))
printf "\010\006\020\001\052\022\012\014post-restore\020$number" >&3
dd bs=65536 count=1 <&3 >/dev/null 2>&1
printf "\010\006\020\001\052\020\012\012pre-resume\020$number" >&3
dd bs=65536 count=1 <&3 >/dev/null 2>&1
printf "\010\002\020\001\042\004\010$number" >&3
"#;

/// A machine with a made-up resctrl, whose groups are plain directories.
struct Rdt(tempfile::TempDir);

impl Rdt {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        for directory in ["resctrl/info/L3", "images", "bundle"] {
            fs::create_dir_all(this.path(directory)).unwrap();
        }
        for (name, text) in [
            ("info/L3/cbm_mask", "ff\n"),
            ("info/L3/min_cbm_bits", "1\n"),
            ("info/L3/num_closids", "4\n"),
            ("schemata", "    L3:0=ff\n"),
        ] {
            fs::write(this.path("resctrl").join(name), text).unwrap();
        }
        fs::write(this.path("images/descriptors.json"), "[]").unwrap();
        // What there always is: an inventory, and a tree without processes.
        for (name, magic) in [
            ("inventory.img", 0x5831_3116_u32),
            ("pstree.img", 0x5027_3030),
        ] {
            let bytes = [0x5456_4319, magic].map(u32::to_le_bytes).concat();
            fs::write(this.path("images").join(name), bytes).unwrap();
        }
        fs::write(this.path("criu"), CRIU).unwrap();
        let mode = PermissionsExt::from_mode(0o755);
        fs::set_permissions(this.path("criu"), mode).unwrap();
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The files that the kernel makes with a group.
    fn group(&self, name: &str) {
        let group = self.path("resctrl").join(name);
        fs::create_dir_all(&group).unwrap();
        for file in ["tasks", "schemata"] {
            fs::write(group.join(file), "").unwrap();
        }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn restore(&self, id: &ContainerId, rdt: IntelRdt) -> Result<Container> {
        self.restore_labelled(id, Some(rdt), "")
    }

    fn restore_labelled(
        &self,
        id: &ContainerId,
        rdt: Option<IntelRdt>,
        label: &str,
    ) -> Result<Container> {
        let root = fs::File::open(self.path("resctrl")).unwrap();
        let system = System::default().with_resctrl(Root::open_at(root, "/sys/fs/resctrl"));
        let host = Runtime::new(self.path("state"))
            .unwrap()
            .with_system(system);
        let mut config = Config {
            rootfs: self.path("bundle").into_os_string().into_string().unwrap(),
            intel_rdt: rdt,
            process_label: label.to_owned(),
            ..Config::default()
        };
        config.cgroups.path = format!("/{id}");
        config.namespaces.set(NamespaceType::Mount, "");
        let mut process = Process::new(["/bin/true"]);
        for stream in [Process::stdin, Process::stdout, Process::stderr] {
            let _ = stream(&mut process, Stdio::Null);
        }
        let mut options = RestoreOptions::new(self.path("images"));
        options.criu.program = Some(self.path("criu"));
        // Whether the machine has Intel RDT is a question to its processor.
        let checked = Validated {
            config,
            warnings: Vec::new(),
        };
        restore(&host, id, checked, process, &options)
    }
}

fn rdt(class: &str) -> IntelRdt {
    IntelRdt {
        clos_id: class.to_owned(),
        l3_cache_schema: "L3:0=0f".to_owned(),
        enable_monitoring: true,
        ..IntelRdt::default()
    }
}

/// CRIU joins the groups, so that all that it restores is there, too; the record names them.
#[test]
fn a_restored_container_is_in_its_rdt_groups() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let id: ContainerId = format!("cofferdam-rdt-{}", std::process::id())
        .parse()
        .unwrap();
    for class in ["", "shared"] {
        let machine = Rdt::new();
        let name = if class.is_empty() { id.as_str() } else { class };
        let monitoring = format!("{name}/mon_groups/{id}");
        machine.group(name);
        machine.group(&monitoring);
        let container = machine.restore(&id, rdt(class));
        let container = container.unwrap_or_else(|error| panic!("{}", error.chain()));
        let group = machine.read(&format!("resctrl/{name}/tasks"));
        assert!(group.parse::<u32>().is_ok(), "{group}");
        assert_eq!(machine.read(&format!("resctrl/{monitoring}/tasks")), group);
        let schemata = machine.read(&format!("resctrl/{name}/schemata"));
        assert_eq!(schemata, "L3:0=0f\n");
        let record = machine.read(&format!("state/{id}/state.json"));
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        let paths = ["intel_rdt_path", "intel_rdt_mon_path"].map(|name| record[name].clone());
        let expected = [name, &monitoring].map(|name| format!("/sys/fs/resctrl/{name}"));
        assert_eq!(paths, expected);

        container.signal(Signal::KILL).unwrap();
        let limit = Duration::from_secs(30);
        assert!(container.wait_timeout(limit).unwrap());
        // The kernel removes a group with its files.
        fs::remove_dir_all(machine.path("resctrl").join(name)).unwrap();
        container.destroy().unwrap();
    }
}

/// The groups are made before CRIU restores, and removed with everything else if it fails. (Where
/// the kernel does not make their files, CRIU cannot join.)
#[test]
fn a_failed_restore_leaves_no_rdt_group() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let id: ContainerId = format!("cofferdam-no-rdt-{}", std::process::id())
        .parse()
        .unwrap();
    let machine = Rdt::new();
    let mut alone = rdt("");
    alone.enable_monitoring = false;
    let error = machine.restore(&id, alone).unwrap_err();
    let text = error.chain();
    assert!(
        text.contains("join the Intel RDT group: intelrdt: unable to write"),
        "{text}"
    );
    assert!(!machine.path("resctrl").join(id.as_str()).exists());
    assert!(!machine.path("state").join(id.as_str()).exists());
}

/// CRIU that is built without SELinux leaves its own label to what it restores.
#[test]
fn a_process_with_the_label_of_criu_does_not_go_on() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let id: ContainerId = format!("cofferdam-label-{}", std::process::id())
        .parse()
        .unwrap();
    let machine = Rdt::new();
    let label = "system_u:system_r:container_t:s0:c11,c22";
    let error = machine.restore_labelled(&id, None, label).unwrap_err();
    let text = error.chain();
    assert!(text.contains("the SELinux label"), "{text}");
    assert!(!machine.path("state").join(id.as_str()).exists());
}
