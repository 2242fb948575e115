//! Nothing is made, planned or added without being checked, whatever way the library is used.

use std::fs;

use cofferdam::configs::config::{Capabilities, IdMap, Mount, MountFlags, NamespaceType};
use cofferdam::configs::oci::{IoPriority, Scheduler, Spec, TimeOffset};
use cofferdam::configs::{Config, HostInfo, json, specconv};
use cofferdam::seccomp::Backend;
use cofferdam::{ErrorKind, Process, Signal};

use crate::bundle::{Bundle, forever, output, read_all, shell};

/// Makes a configuration one that is refused.
type Change = Box<dyn Fn(&mut Config)>;

/// What the command line refuses, and the text of the error.
fn refused() -> Vec<(&'static str, Change)> {
    let sysctl = |name: &'static str| -> Change {
        Box::new(move |config| {
            config.sysctl.insert(name.to_owned(), "0".to_owned());
        })
    };
    let map = IdMap {
        container_id: 0,
        host_id: 100_000,
        size: 10,
    };
    vec![
        (
            "is not in a separate kernel namespace",
            sysctl("kernel.panic"),
        ),
        (
            "is not in a separate kernel namespace",
            sysctl("vm.overcommit_memory"),
        ),
        (
            "is not allowed in the hosts ipc namespace",
            Box::new(|config| {
                config
                    .sysctl
                    .insert("kernel.shmmax".to_owned(), "1".to_owned());
                without(config, NamespaceType::Ipc);
            }),
        ),
        (
            "not allowed in host network namespace",
            Box::new(|config| {
                config
                    .sysctl
                    .insert("net.ipv4.ip_forward".to_owned(), "1".to_owned());
                config
                    .namespaces
                    .set(NamespaceType::Network, "/proc/self/ns/net");
                config.networks.clear();
            }),
        ),
        (
            "user namespace isn't enabled",
            Box::new(move |config| config.uid_mappings = vec![map]),
        ),
        (
            "without a private UTS namespace",
            Box::new(|config| without(config, NamespaceType::Uts)),
        ),
        (
            "without a private MNT namespace",
            Box::new(|config| without(config, NamespaceType::Mount)),
        ),
        (
            "time namespace isn't enabled",
            Box::new(|config| {
                config
                    .time_offsets
                    .insert("boottime".to_owned(), TimeOffset::default());
            }),
        ),
        (
            "invalid rootfs",
            Box::new(|config| config.rootfs.push_str("-link")),
        ),
        (
            "invalid rootfs",
            Box::new(|config| config.rootfs.push_str("-missing")),
        ),
        (
            "bind mounts cannot have any filesystem-specific options applied",
            Box::new(|config| {
                config.mounts.push(Mount {
                    source: "/".to_owned(),
                    destination: "/mnt".to_owned(),
                    device: "bind".to_owned(),
                    flags: MountFlags::BIND,
                    data: "size=1".to_owned(),
                    ..Mount::default()
                });
            }),
        ),
        (
            "scheduler.priority can only be specified",
            Box::new(|config| {
                config.scheduler = Some(Scheduler {
                    policy: "SCHED_OTHER".to_owned(),
                    priority: 1,
                    ..Scheduler::default()
                });
            }),
        ),
    ]
}

fn without(config: &mut Config, kind: NamespaceType) {
    config.namespaces = config
        .namespaces
        .iter()
        .filter(|namespace| namespace.kind != kind)
        .cloned()
        .collect();
}

#[test]
fn no_way_to_make_or_plan_a_container_skips_the_validation() {
    let Some(bundle) = Bundle::new() else { return };
    let link = bundle.outside().join("rootfs-link");
    std::os::unix::fs::symlink(bundle.rootfs(), link).unwrap();
    for (text, change) in refused() {
        let mut config = bundle.config.clone();
        change(&mut config);
        let (runtime, id) = (&bundle.runtime, &bundle.id);
        for error in [
            runtime.plan(id, &config, &forever()).unwrap_err(),
            runtime.create(id, config.clone(), forever()).unwrap_err(),
            runtime.run(id, config.clone(), forever()).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{}", error.chain());
            assert!(error.chain().contains(text), "{}", error.chain());
        }
        bundle.assert_nothing_left();
    }
}

#[test]
fn processes_are_checked_as_those_of_bundles_are() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.run(forever()).unwrap();
    type Change = fn(&mut Process);
    let changes: [(&str, Change); 4] = [
        ("Cwd must be an absolute path", |process| {
            process.cwd("tmp");
        }),
        ("invalid scheduler.nice", |process| {
            process.scheduler(Scheduler {
                policy: "SCHED_OTHER".to_owned(),
                nice: 20,
                ..Scheduler::default()
            });
        }),
        ("invalid ioPriority.Class", |process| {
            process.io_priority(IoPriority::default());
        }),
        ("args", |process| {
            process.args([""; 0]);
        }),
    ];
    for (text, change) in changes {
        let process = || {
            let mut process = forever();
            change(&mut process);
            process
        };
        let other = "cofferdam-test-never-made".parse().unwrap();
        let (runtime, config) = (&bundle.runtime, &bundle.config);
        for error in [
            container.exec(process()).unwrap_err(),
            runtime
                .create(&other, config.clone(), process())
                .unwrap_err(),
            runtime.plan(&other, config, &process()).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{}", error.chain());
            assert!(error.chain().contains(text), "{}", error.chain());
        }
    }
    container.signal(Signal::KILL).unwrap();
    container.wait().unwrap();
    container.destroy().unwrap();
}

#[test]
fn a_process_has_no_capabilities_unless_it_is_given_some() {
    let Some(bundle) = Bundle::new() else { return };
    let sets =
        "while read -r line; do case $line in Cap*) echo $line;; esac; done < /proc/self/status";
    let none = "0000000000000000";
    let expected = |sets: [&str; 5]| {
        let names = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
        let lines = names
            .iter()
            .zip(sets)
            .map(|(name, set)| format!("{name}: {set}\n"));
        lines.collect::<String>()
    };
    assert_eq!(bundle.config.capabilities, None);
    let mut container = bundle
        .run(shell(&format!("{sets}; while :; do sleep 1000; done")))
        .unwrap();
    let mut child = container.exec(shell(sets)).unwrap();
    assert_eq!(read_all(&mut child), expected([none; 5]));
    child.wait().unwrap();
    // What Docker gives, as its containers show it.
    let docker = "00000000a80425fb";
    let mut process = shell(sets);
    process.capabilities(Capabilities::docker_default());
    let mut child = container.exec(process).unwrap();
    assert_eq!(
        read_all(&mut child),
        expected([none, docker, docker, docker, none])
    );
    child.wait().unwrap();
    container.signal(Signal::KILL).unwrap();
    container.wait().unwrap();
    assert_eq!(output(&mut container), expected([none; 5]));
    container.destroy().unwrap();
}

/// A bundle on disk, for the root file system of a test.
fn written(bundle: &Bundle, change: impl FnOnce(&mut Spec)) {
    let mut spec = Spec::example();
    let process = spec.process.get_or_insert_default();
    process.terminal = false;
    process.args = ["sh", "-c", "exit 7"].map(str::to_owned).to_vec();
    process.env = Some(vec!["PATH=/bin".to_owned()]);
    let linux = spec.linux.get_or_insert_default();
    linux.cgroups_path = format!("/{}", bundle.id);
    change(&mut spec);
    let text = json::to_string(&spec).unwrap();
    fs::write(bundle.outside().join("config.json"), text).unwrap();
}

#[test]
fn one_call_leads_from_a_bundle_to_a_container() {
    let Some(bundle) = Bundle::new() else { return };
    written(&bundle, |_| {});
    let loaded = || cofferdam::Bundle::load(bundle.outside()).unwrap();
    let (plan, warnings) = bundle.runtime.plan_bundle(&bundle.id, loaded()).unwrap();
    assert!(plan.contains("drop capabilities"), "{plan}");
    assert_eq!(warnings, [""; 0]);
    let container = bundle.runtime.run_bundle(&bundle.id, loaded()).unwrap();
    assert_eq!(container.wait().unwrap().code(), 7);
    container.destroy().unwrap();
    let container = bundle.runtime.create_bundle(&bundle.id, loaded()).unwrap();
    assert_eq!(container.bundle(), bundle.outside().canonicalize().unwrap());
    container.start().unwrap();
    assert_eq!(container.wait().unwrap().code(), 7);
    container.destroy().unwrap();
    // The same through a configuration that the program may change.
    let (mut config, _) = loaded().configuration(&bundle.id).unwrap();
    "changed".clone_into(&mut config.hostname);
    let mut container = bundle
        .runtime
        .run(&bundle.id, config, shell("hostname"))
        .unwrap();
    assert_eq!(output(&mut container), "changed\n");
    container.wait().unwrap();
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn a_bundle_is_validated_and_its_warnings_survive_a_failure() {
    let Some(bundle) = Bundle::new() else { return };
    written(&bundle, |spec| {
        let linux = spec.linux.get_or_insert_default();
        linux
            .sysctl
            .insert("kernel.panic".to_owned(), "0".to_owned());
    });
    let loaded = || cofferdam::Bundle::load(bundle.outside()).unwrap();
    for error in [
        bundle
            .runtime
            .plan_bundle(&bundle.id, loaded())
            .unwrap_err(),
        bundle
            .runtime
            .create_bundle(&bundle.id, loaded())
            .unwrap_err(),
        bundle.runtime.run_bundle(&bundle.id, loaded()).unwrap_err(),
        loaded().configuration(&bundle.id).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.chain().contains("kernel.panic"), "{}", error.chain());
    }
    written(&bundle, |spec| {
        let process = spec.process.get_or_insert_default();
        process.args = vec!["/nonexistent".to_owned()];
        let sets = process.capabilities.get_or_insert_default();
        sets.bounding
            .get_or_insert_default()
            .push("CAP_TEST".to_owned());
        let linux = spec.linux.get_or_insert_default();
        linux.uid_mappings = vec![IdMap::default()];
    });
    let error = bundle
        .runtime
        .create_bundle(&bundle.id, loaded())
        .unwrap_err();
    let warnings = error.warnings().join("\n");
    for text in ["CAP_TEST", "linux.uidMappings"] {
        assert!(warnings.contains(text), "{warnings}");
    }
    bundle.assert_nothing_left();

    let container = bundle.run(forever()).unwrap();
    let mut process = Process::new(["/nonexistent"]);
    let mut sets = Capabilities::none();
    sets.bounding.push("CAP_TEST".to_owned());
    process.capabilities(sets);
    let error = container.exec(process).unwrap_err();
    assert!(error.warnings().join("\n").contains("CAP_TEST"));
    container.signal(Signal::KILL).unwrap();
    container.wait().unwrap();
    container.destroy().unwrap();
}

#[test]
fn the_chosen_compiler_makes_the_filters() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    let filter = serde_json::json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_MIPSEL"],
        "syscalls": [{ "names": ["kill"], "action": "SCMP_ACT_ERRNO" }],
    });
    let filter = serde_json::from_value(filter).unwrap();
    bundle.config.seccomp = specconv::seccomp(&filter, &HostInfo::default()).unwrap();
    let default = bundle.runtime.clone();
    bundle.runtime = default.clone().with_seccomp_backend(Backend::Native);
    let error = bundle.run(forever()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.chain().contains("MIPSEL"), "{}", error.chain());
    bundle.assert_nothing_left();

    bundle.runtime = default.with_seccomp_backend(Backend::Libseccomp);
    if !Backend::Libseccomp.is_available() {
        let error = bundle.run(forever()).unwrap_err();
        assert!(error.chain().contains("libseccomp"), "{}", error.chain());
        return bundle.assert_nothing_left();
    }
    let container = bundle.run(forever()).unwrap();
    assert_eq!(container.warnings(), [""; 0]);
    let mut killer = container.exec(shell("kill -0 1")).unwrap();
    let said = read_all(&mut killer);
    assert!(said.contains("Operation not permitted"), "{said}");
    container.signal(Signal::KILL).unwrap();
    container.wait().unwrap();
    container.destroy().unwrap();
}
