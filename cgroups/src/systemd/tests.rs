use zbus::OwnedVariant;

use super::bus::tests::{Peer, connected};
use super::manager::parse_version;
use super::message::Message;
use super::*;
use crate::Cgroup;

fn spec() -> CgroupSpec {
    CgroupSpec {
        systemd: true,
        scope_prefix: "runc".into(),
        systemd_properties: vec![("TimeoutStopUSec".into(), "uint64 5".into())],
        ..CgroupSpec::named("c1")
    }
}

fn unit() -> Unit {
    Unit::described(&spec(), Mode::V2).unwrap()
}

fn job(number: u32) -> OwnedObjectPath {
    OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/job/{number}")).unwrap()
}

/// Starts the unit and waits for it, on one connection.
fn start(unit: &Unit, bus: &mut Bus, pid: Option<u32>, resources: &Resources) -> Result<()> {
    match unit.start_on(bus, pid, resources)? {
        Some(job) => unit.started_by(bus, &job, JOB_LIMIT, || panic!("in time")),
        None => Ok(()),
    }
}

/// Answers calls until one of `method`, which is returned.
fn until(peer: &mut Peer, method: &str) -> Message {
    loop {
        let call = peer.receive().unwrap();
        match call.member.as_str() {
            member if member == method => return call,
            "Get" => peer.reply(&call, &(Variant::from("257.9-1"),)),
            "Subscribe" | "ResetFailedUnit" => peer.reply(&call, &()),
            other => panic!("unexpected call of {other}"),
        }
    }
}

/// Ends another job first: only the own one counts.
fn end_job(peer: &mut Peer, number: u32, result: &str) {
    for (number, result) in [(number + 1, "failed"), (number, result)] {
        peer.signal(
            "JobRemoved",
            &(number, job(number), "runc-c1.scope", result),
        );
    }
}

type Started = (
    String,
    String,
    Vec<(String, OwnedVariant)>,
    Vec<(String, Vec<(String, OwnedVariant)>)>,
);

#[test]
fn a_scope_starts_with_its_process() {
    let (mut bus, peer) = connected(|peer| {
        let call = until(peer, "StartTransientUnit");
        peer.reply(&call, &(job(7),));
        end_job(peer, 7, "done");
        call.body::<Started>().unwrap()
    });
    let unit = unit();
    let resources = Resources {
        unified: [("memory.oom.group".to_owned(), "1".to_owned())].into(),
        ..Resources::default()
    };
    assert!(unit.is_scope() && !unit.is_started());
    start(&unit, &mut bus, Some(42), &resources).unwrap();
    assert!(unit.is_started());
    let (name, mode, properties, aux) = peer.join().unwrap();
    assert_eq!((name.as_str(), mode.as_str()), ("runc-c1.scope", "replace"));
    assert!(aux.is_empty());
    let text: Vec<_> = properties
        .iter()
        .map(|(name, value)| format!("{name}={}", **value))
        .collect();
    assert_eq!(
        text,
        [
            "Description=\"libcontainer container c1\"",
            "Slice=\"system.slice\"",
            "Delegate=true",
            "PIDs=[uint32 42]",
            "MemoryAccounting=true",
            "CPUAccounting=true",
            "IOAccounting=true",
            "TasksAccounting=true",
            "DefaultDependencies=false",
            "OOMPolicy=\"kill\"",
            "TimeoutStopUSec=uint64 5",
        ]
    );
}

#[test]
fn on_v1_a_scope_has_its_device_rules_from_the_start() {
    let (mut bus, peer) = connected(|peer| {
        let call = until(peer, "StartTransientUnit");
        peer.reply(&call, &(job(7),));
        end_job(peer, 7, "done");
        call.body::<Started>().unwrap()
    });
    let unit = Unit::described(&spec(), Mode::V1).unwrap();
    let resources = Resources {
        devices: vec![devices::Rule::everything(false)],
        ..Resources::default()
    };
    start(&unit, &mut bus, Some(42), &resources).unwrap();
    let (_, _, properties, _) = peer.join().unwrap();
    let place = |wanted: &str| properties.iter().position(|(name, _)| name == wanted);
    assert!(
        place("TimeoutStopUSec") < place("DevicePolicy"),
        "after what the user asked for"
    );
    let policy = properties.iter().find(|(name, _)| name == "DevicePolicy");
    assert_eq!(policy.unwrap().1.to_string(), "\"strict\"");
}

#[test]
fn a_leftover_unit_is_reset_once() {
    for second in [true, false] {
        let (mut bus, peer) = connected(move |peer| {
            let exists = "org.freedesktop.systemd1.UnitExists";
            let call = until(peer, "StartTransientUnit");
            peer.refuse(&call, exists, "it exists");
            let reset = until(peer, "ResetFailedUnit");
            peer.reply(&reset, &());
            let call = until(peer, "StartTransientUnit");
            if second {
                peer.reply(&call, &(job(3),));
                end_job(peer, 3, "done");
            } else {
                peer.refuse(&call, exists, "it exists");
            }
        });
        let started = start(&unit(), &mut bus, Some(42), &Resources::default());
        peer.join().unwrap();
        match started {
            Ok(()) => assert!(second),
            Err(error) => {
                assert!(!second);
                let text = error.to_string();
                let start = "unable to start unit \"runc-c1.scope\" (properties Description Slice ";
                assert!(text.starts_with(start), "{text}");
                assert!(text.ends_with("): it exists"), "{text}");
            }
        }
    }
}

#[test]
fn a_slice_may_exist() {
    let (mut bus, peer) = connected(|peer| {
        let call = until(peer, "StartTransientUnit");
        let (_, _, properties, _): Started = call.body().unwrap();
        peer.refuse(&call, "org.freedesktop.systemd1.UnitExists", "it exists");
        properties
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    });
    let spec = CgroupSpec {
        parent: Some("kube.slice".into()),
        systemd: true,
        ..CgroupSpec::named("kube-pod1.slice")
    };
    let unit = Unit::described(&spec, Mode::V1).unwrap();
    assert_eq!(
        unit.path().unwrap(),
        Path::new("kube.slice/kube-pod1.slice")
    );
    start(&unit, &mut bus, None, &Resources::default()).unwrap();
    let names = peer.join().unwrap();
    assert!(names.contains(&"Wants".to_owned()) && names.contains(&"BlockIOAccounting".to_owned()));
    assert!(!names.contains(&"Delegate".to_owned()) && !names.contains(&"PIDs".to_owned()));
}

#[test]
fn a_failed_job_is_an_error_and_is_reset() {
    let (mut bus, peer) = connected(|peer| {
        let call = until(peer, "StartTransientUnit");
        peer.reply(&call, &(job(9),));
        end_job(peer, 9, "failed");
        let reset = until(peer, "ResetFailedUnit");
        peer.reply(&reset, &());
    });
    let unit = unit();
    let error = start(&unit, &mut bus, Some(42), &Resources::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "error creating systemd unit `runc-c1.scope`: got `failed`"
    );
    assert!(!unit.is_started());
    peer.join().unwrap();
}

#[test]
fn a_job_that_does_not_end_is_an_error_and_is_reset() {
    let (ended, silent) = std::sync::mpsc::channel::<()>();
    let (mut bus, peer) = connected(move |peer| {
        let call = until(peer, "StartTransientUnit");
        peer.reply(&call, &(job(9),));
        // The connection stays, without a signal.
        silent.recv().unwrap_err();
    });
    let (again, other_peer) = connected(|peer| {
        let reset = until(peer, "ResetFailedUnit");
        peer.reply(&reset, &());
        reset.body::<(String,)>().unwrap().0
    });
    let unit = unit();
    let job = unit.start_on(&mut bus, Some(42), &Resources::default());
    let job = job.unwrap().unwrap();
    let error = unit
        .started_by(&mut bus, &job, Duration::from_millis(20), || Ok(again))
        .unwrap_err();
    drop(ended);
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let text = "Timeout waiting for systemd to create runc-c1.scope";
    assert!(error.to_string().starts_with(text), "{error}");
    assert!(!unit.is_started());
    assert_eq!(other_peer.join().unwrap(), "runc-c1.scope");
    peer.join().unwrap();
}

#[test]
fn a_limit_below_the_usage_is_refused_before_systemd_hears_of_it() {
    let fake = crate::fake::Fake::v2("memory", "/");
    fake.file("c1/memory.current", "100\n");
    fake.files("c1", &["memory.max"]);
    let paths = fake.cgroup("c1").paths();
    let cgroup = Cgroup::load_as(&fake.hierarchy(), &paths, &spec()).unwrap();
    let set = |memory, swap, check| {
        cgroup.set(&Resources {
            memory,
            memory_swap: swap,
            memory_check_before_update: check,
            ..Resources::default()
        })
    };
    for (memory, swap, text) in [
        (Some(100), None, "rejecting memory limit 100 <= usage 100"),
        (
            Some(101),
            Some(99),
            "rejecting memory+swap limit 99 <= usage 100",
        ),
    ] {
        let error = set(memory, swap, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitBelowUsage);
        assert_eq!(error.to_string(), text);
        // Without the check it is systemd that is asked, which has no such unit.
        let error = set(memory, Some(200), false).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::LimitBelowUsage);
    }
    let error = set(Some(101), None, true).unwrap_err();
    assert_ne!(error.kind(), ErrorKind::LimitBelowUsage);
    assert_eq!(fake.read("c1/memory.max"), "");
}

#[test]
fn limits_are_told_and_rounded() {
    let (mut bus, peer) = connected(|peer| {
        let call = until(peer, "SetUnitProperties");
        peer.reply(&call, &());
        call.body::<(String, bool, Vec<(String, OwnedVariant)>)>()
            .unwrap()
    });
    let resources = Resources {
        cpu_quota: Some(33_333),
        pids_limit: Some(5),
        ..Resources::default()
    };
    let mut applied = Applied::default();
    let never = || -> Result<()> { panic!("cgroup v2 has no list of devices") };
    let rounded = unit().set_on(&mut bus, &resources, &mut applied, never);
    let rounded = rounded.unwrap();
    assert_eq!(rounded.cpu_quota, Some(34_000));
    let (name, runtime, properties) = peer.join().unwrap();
    assert_eq!(name, "runc-c1.scope");
    assert!(runtime);
    assert_eq!(properties.len(), 2);
}

/// Answers for a unit with this policy and list, and says whether processes were held when the
/// limits came.
fn held(policy: &'static str, devices: Vec<(&'static str, &'static str)>, skip: [bool; 2]) -> bool {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    let holds = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&holds);
    let (mut bus, peer) = connected(move |peer| {
        loop {
            let call = peer.receive().unwrap();
            match call.member.as_str() {
                "Get" => {
                    let (_, name): (String, String) = call.body().unwrap();
                    let value = match name.as_str() {
                        "DevicePolicy" => Variant::from(policy),
                        "DeviceAllow" => Variant::from(devices.clone()),
                        _ => Variant::from("240"),
                    };
                    peer.reply(&call, &(value,));
                }
                "GetUnit" if policy.is_empty() => peer.refuse(&call, NO_SUCH_UNIT, "gone"),
                "GetUnit" => peer.reply(&call, &(job(1),)),
                _ => {
                    let held = seen.load(Ordering::SeqCst);
                    peer.reply(&call, &());
                    return held;
                }
            }
        }
    });
    struct Held(Arc<AtomicU32>);
    impl Drop for Held {
        fn drop(&mut self) {
            self.0.store(0, Ordering::SeqCst);
        }
    }
    let [skip_devices, skip_freeze_on_set] = skip;
    let resources = Resources {
        pids_limit: Some(5),
        skip_devices,
        skip_freeze_on_set,
        ..Resources::default()
    };
    let unit = Unit::described(&spec(), Mode::V1).unwrap();
    let hold = || {
        holds.store(1, Ordering::SeqCst);
        Ok(Held(Arc::clone(&holds)))
    };
    unit.set_on(&mut bus, &resources, &mut Applied::default(), hold)
        .unwrap();
    assert_eq!(holds.load(Ordering::SeqCst), 0, "let go");
    peer.join().unwrap() == 1
}

#[test]
fn processes_are_frozen_while_systemd_writes_devices_on_v1() {
    let list = || vec![("/dev/null", "rw")];
    assert!(held("auto", Vec::new(), [false, false]));
    assert!(held("strict", list(), [true, false]));
    assert!(held("strict", Vec::new(), [true, false]));
    assert!(held("auto", list(), [true, false]));
    assert!(!held("auto", Vec::new(), [true, false]));
    assert!(!held("strict", list(), [true, true]));
    // The unit does not exist.
    assert!(!held("", Vec::new(), [true, false]));
}

#[test]
fn stopping() {
    for known in [true, false] {
        let (mut bus, peer) = connected(move |peer| {
            let call = until(peer, "StopUnit");
            if known {
                peer.reply(&call, &(job(1),));
                end_job(peer, 1, "done");
            } else {
                peer.refuse(&call, "org.freedesktop.systemd1.NoSuchUnit", "gone");
            }
            let reset = until(peer, "ResetFailedUnit");
            peer.reply(&reset, &());
        });
        unit().stop_on(&mut bus).unwrap();
        peer.join().unwrap();
    }
}

#[test]
fn names_and_paths() {
    assert_eq!(
        unit().path().unwrap(),
        Path::new("system.slice/runc-c1.scope")
    );
    let rootless = CgroupSpec {
        rootless: true,
        ..spec()
    };
    let unit = Unit::described(&rootless, Mode::V2).unwrap();
    assert_eq!(unit.path().unwrap(), Path::new("user.slice/runc-c1.scope"));
    for (name, parent) in [
        ("a/b", "system.slice"),
        ("", "system.slice"),
        ("a", "system"),
    ] {
        let spec = CgroupSpec {
            parent: Some(parent.into()),
            ..CgroupSpec::named(name)
        };
        let error = Unit::described(&spec, Mode::V2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{name} {parent}");
    }
}

#[test]
fn versions() {
    for (text, version) in [
        ("v245.4-1.fc32", 245),
        ("245", 245),
        ("\"v252\"", 252),
        ("257~rc1", 257),
        ("", 0),
        ("abc", 0),
    ] {
        assert_eq!(parse_version(text), version, "{text}");
    }
}

#[test]
fn a_property_that_is_no_value_is_named() {
    for value in ["uint64 x", "[1, 'a']", "'open", ""] {
        let spec = CgroupSpec {
            systemd_properties: vec![("TimeoutStopUSec".into(), value.into())],
            ..spec()
        };
        let error = Unit::described(&spec, Mode::V2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(
            error
                .to_string()
                .starts_with("systemd property TimeoutStopUSec="),
            "{error}"
        );
    }
}

#[test]
fn time_without_an_answer_counts_against_later_calls() {
    let unit = unit();
    assert_eq!(unit.call_limit(), CALL_LIMIT);
    let silent = || Err::<(), _>(Error::new(ErrorKind::Timeout, "systemd does not answer"));
    for error in [
        silent(),
        silent().map_err(|error| Error::because(ErrorKind::Systemd, "failed to connect", error)),
    ] {
        let before = unit.call_limit();
        let result = unit.counting_waits(|| {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(5) {
                std::hint::spin_loop();
            }
            error
        });
        assert!(result.is_err() && unit.call_limit() < before);
    }
    // A refusal is an answer.
    let before = unit.call_limit();
    let refused = unit.counting_waits(|| Err::<(), _>(Error::new(ErrorKind::Systemd, "no")));
    assert!(refused.is_err() && unit.call_limit() == before);
    unit.waited.store(60_000, Ordering::Relaxed);
    assert_eq!(unit.call_limit(), LAST_LIMIT);
}

#[test]
fn an_ordinary_user_has_no_units_on_v1() {
    let fake = crate::fake::Fake::v1("1:devices:/\n");
    let spec = CgroupSpec {
        rootless: true,
        ..spec()
    };
    let error = Unit::new(&fake.hierarchy(), &spec).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "cannot use rootless systemd cgroups manager on cgroup v1"
    );
}
