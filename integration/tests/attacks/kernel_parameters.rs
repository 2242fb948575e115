//! Kernel parameters that are not the container's (CVE-2022-0811).

use cofferdam_integration::{Case, need};
use serde_json::json;

use crate::host::Host;
use crate::victim;

#[test]
fn names_that_lead_elsewhere_are_refused() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let panic = std::fs::read_to_string("/proc/sys/kernel/panic").unwrap();
    let long = ["net"; 300].join(".");
    let keys = [
        "net/../kernel/panic",
        "net.ipv4/../../kernel/panic",
        "net/ipv4/../../kernel/panic",
        "net....kernel.panic",
        "net.ipv4.../kernel.panic",
        "kernel.panic",
        "kernel/panic",
        "kernel.shmmax+x",
        "kernel/shmmax+x",
        "vm.stat_interval",
        "kernel.core_pattern",
        "fs.mqueue/../file-max",
        "fs.mqueue.../file-max",
        "/kernel/shmmax",
        "../kernel/panic",
        "",
        ".",
        "net",
        "net.",
        "kernel.shm_rmid_forced/../panic",
        "kernel.shmmax\nkernel.panic",
        "kernel.shmmax=1\nkernel.panic",
        &long,
    ];
    for key in keys {
        case.bundle.config["linux"]["sysctl"] = json!({ key: "77" });
        victim::refused(&case.run(), &format!("the parameter {key:?}"));
        case.nothing_left();
        assert_eq!(
            std::fs::read_to_string("/proc/sys/kernel/panic").unwrap(),
            panic,
            "{key:?}"
        );
    }
    host.unchanged("kernel parameters");
    case.finish();
}

#[test]
fn a_value_is_one_value() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    for value in [
        "1\0 2",
        "\0",
        "4096\nkernel.panic=77",
        "4096+kernel.panic=77",
    ] {
        case.bundle.config["linux"]["sysctl"] = json!({ "kernel.shmmax": value });
        let output = case.inside_or_refused("cat /proc/sys/kernel/shmmax /proc/sys/kernel/panic");
        assert!(!output.contains("77"), "{value:?}: {output}");
    }
    host.unchanged("values");
    case.finish();
}

trait InsideOrRefused {
    /// The output of a script, or nothing if the container was refused with a message.
    fn inside_or_refused(&mut self, script: &str) -> String;
}

impl InsideOrRefused for Case {
    fn inside_or_refused(&mut self, script: &str) -> String {
        self.bundle.script(script);
        let output = self.run();
        victim::sane(&output);
        if output.code == 0 {
            output.stdout
        } else {
            String::new()
        }
    }
}

#[test]
fn parameters_need_the_namespace_that_they_belong_to() {
    need!(Root, Busybox);
    let host = Host::new();
    for (key, namespace) in [
        ("net.ipv4.ip_unprivileged_port_start", "network"),
        ("kernel.shmmax", "ipc"),
        ("kernel.msgmax", "ipc"),
        ("kernel.sem", "ipc"),
        ("fs.mqueue.msg_max", "ipc"),
        ("kernel.domainname", "uts"),
        ("kernel.hostname", "uts"),
    ] {
        let file = format!("/proc/sys/{}", key.replace('.', "/"));
        let before = std::fs::read_to_string(&file).unwrap();
        let mut case = Case::new();
        case.bundle
            .config
            .as_object_mut()
            .unwrap()
            .remove("hostname");
        case.bundle.without_namespace(namespace);
        case.bundle.config["linux"]["sysctl"] = json!({ key: "77" });
        victim::refused(&case.run(), &format!("{key} of the host"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before, "{key}");
        case.finish();
    }
    host.unchanged("parameters of the host");
}
