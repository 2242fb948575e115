//! From `config.json` to the plans of its processes, on machines of both versions of cgroups: what
//! is accepted has every protection that it asks for, and arrives at the stub as it was decided.

use std::collections::BTreeSet;

use configs::config::{Config, NamespaceType};
use configs::specconv::{self, Options};
use configs::{oci, validate};
use nsenter::plan::{Op, Plan};
use runtime::Process;
use runtime::plan::{
    self, BuiltPlan, CgroupPlacement, CgroupView, Filter, Gate, HostFacts, InitRequest,
    LegacyHierarchy, ProcessRequest, Tag,
};

use crate::machine::host_info;

pub(crate) fn run(text: &[u8]) {
    let Ok(spec) = oci::Spec::from_slice(text) else {
        return;
    };
    let Some(process) = spec.process.as_ref().map(Process::from_oci) else {
        return;
    };
    let process = match process {
        Ok(process) => process,
        Err(error) => return one_line(&error.to_string()),
    };
    for machine in [Machine::unified(), Machine::legacy()] {
        machine.plan(&spec, &process);
    }
}

/// What a plan depends on besides the bundle.
struct Machine {
    cgroup_v2: bool,
    host: HostFacts,
    placement: CgroupPlacement,
    view: CgroupView,
}

impl Machine {
    /// Root of the host, cgroup v2.
    fn unified() -> Self {
        Self {
            cgroup_v2: true,
            host: HostFacts {
                last_capability: 40,
                grantable_capabilities: u64::MAX,
                effective_uid: 0,
                effective_gid: 0,
                filtered: false,
                in_user_namespace: false,
                setgroups_denied: false,
                kcore: true,
                procfs_pidns: false,
                nosymfollow: true,
                umask: None,
                full_proc_mounts: Vec::new(),
            },
            placement: CgroupPlacement {
                unified: true,
                ..CgroupPlacement::default()
            },
            view: CgroupView::Unified {
                directory: "/sys/fs/cgroup/fuzz".into(),
            },
        }
    }

    /// An ordinary user in a user namespace, cgroup v1.
    fn legacy() -> Self {
        let hierarchy = LegacyHierarchy {
            directory: "cpu,cpuacct".to_owned(),
            source: "cgroup".to_owned(),
            data: "cpu,cpuacct".to_owned(),
            links: vec!["cpu".to_owned(), "cpuacct".to_owned()],
            own: "/sys/fs/cgroup/cpu,cpuacct/fuzz".into(),
            of_caller: false,
        };
        let base = Self::unified();
        Self {
            cgroup_v2: false,
            host: HostFacts {
                last_capability: 37,
                in_user_namespace: true,
                setgroups_denied: true,
                nosymfollow: false,
                umask: Some(0o77),
                full_proc_mounts: vec!["/proc".into()],
                ..base.host
            },
            placement: CgroupPlacement {
                tasks: vec!["cpu,cpuacct".to_owned()],
                ..CgroupPlacement::default()
            },
            view: CgroupView::Legacy(vec![hierarchy]),
        }
    }

    fn plan(&self, spec: &oci::Spec, process: &Process) {
        let host = host_info(self.cgroup_v2);
        let options = Options {
            id: "fuzz".to_owned(),
            bundle: "/bundle".to_owned(),
            no_pivot_root: !self.host.full_proc_mounts.is_empty(),
            ..Options::default()
        };
        let config = match specconv::convert(spec, &host, &options) {
            Ok((config, _)) => config,
            Err(error) => return one_line(&error.to_string()),
        };
        if let Err(error) = validate::validate(&config, &host) {
            return one_line(&error.to_string());
        }
        let (init, exec) = match (self.init(&config, process), self.exec(&config, process)) {
            (Ok(init), Ok(exec)) => (init, exec),
            (Err(error), _) | (_, Err(error)) => return one_line(&format!("{error:#}")),
        };
        for built in [&init, &exec] {
            arrives(built);
            is_closed(&config, &built.plan);
        }
        is_protected(&config, &init.plan);
        assert!(exec.two_stages && exec.host_mounts.is_empty());

        // `exec` has the configuration from state.json.
        let stored = serde_json::to_vec(&config).expect("a configuration is JSON");
        let loaded: Config = serde_json::from_slice(&stored).expect("what was stored is loaded");
        for (first, second) in [
            (&init, self.init(&loaded, process)),
            (&exec, self.exec(&loaded, process)),
        ] {
            let second = second.expect("what was stored is as good");
            assert_eq!(first.plan.as_bytes(), second.plan.as_bytes());
            assert_eq!(first.inputs, second.inputs);
        }
    }

    fn request<'a>(&'a self, config: &'a Config, process: &'a Process) -> ProcessRequest<'a> {
        ProcessRequest {
            container_id: "fuzz",
            config,
            process,
            host: &self.host,
            cgroup: self.placement.clone(),
            seccomp: config.seccomp.as_ref().map(|_| Filter {
                flags: 0,
                // `ret ALLOW`
                program: vec![6, 0, 0, 0, 0, 0, 0xff, 0x7f],
                listener: false,
            }),
        }
    }

    fn init(&self, config: &Config, process: &Process) -> runtime::Result<BuiltPlan> {
        plan::init(&InitRequest {
            request: self.request(config, process),
            cgroup_view: &self.view,
            late_limits: !self.cgroup_v2,
            waits_for_start: true,
        })
    }

    fn exec(&self, config: &Config, process: &Process) -> runtime::Result<BuiltPlan> {
        plan::exec(&self.request(config, process))
    }
}

/// A refusal is reported in one line, whatever it quotes.
fn one_line(message: &str) {
    assert!(!message.is_empty() && !message.contains('\n'), "{message:?}");
}

/// The stub reads what was decided, and asks nothing that its supervisor does not know.
fn arrives(built: &BuiltPlan) {
    let read = Plan::from_bytes(built.plan.as_bytes()).expect("the stub accepts the plan");
    assert_eq!(read.steps(), built.plan.steps());
    assert_eq!(read.inputs(), built.plan.inputs());
    assert_eq!(read.to_string(), built.plan.to_string());
    // What `cofferdam plan` prints is one line a step.
    let lines = read.to_string().lines().count();
    assert!(lines >= read.steps().len(), "{lines} lines");
    let slots: Vec<_> = read.inputs().iter().map(|input| input.slot()).collect();
    let wanted: Vec<_> = built.inputs.iter().map(|(slot, _)| *slot).collect();
    assert_eq!(slots, wanted);
    for step in read.steps() {
        match step.op() {
            Op::AskGate(gate) => assert!(Gate::from_number(*gate).is_some()),
            Op::SendDescriptor { tag, .. }
            | Op::AskDescriptor { tag, .. }
            | Op::SendDescriptorAndWait { tag, .. } => assert!(Tag::from_number(*tag).is_some()),
            _ => {}
        }
    }
}

fn position(plan: &Plan, wanted: impl Fn(&Op) -> bool) -> Option<usize> {
    plan.steps().iter().position(|step| wanted(step.op()))
}

fn count(plan: &Plan, wanted: impl Fn(&Op) -> bool) -> usize {
    plan.steps().iter().filter(|step| wanted(step.op())).count()
}

/// What holds for a process of either kind before the program of the user runs.
fn is_closed(config: &Config, plan: &Plan) {
    let at = |wanted: fn(&Op) -> bool| position(plan, wanted).expect("a step of every plan");
    let lookup = at(|op| matches!(op, Op::Lookup(_)));
    let close = at(|op| matches!(op, Op::CloseControl));
    let exec = at(|op| matches!(op, Op::Exec { .. }));
    assert!(lookup < close && close < exec && exec + 1 == plan.steps().len());
    // Each of them is `Protects`: it may neither fail nor be jumped over.
    for before in [
        at(|op| matches!(op, Op::BoundingSet { .. })),
        at(|op| matches!(op, Op::SetGid(_))),
        at(|op| matches!(op, Op::SetUid(_))),
        at(|op| matches!(op, Op::VerifyDirectory)),
    ] {
        assert!(before < lookup);
    }
    // A second stage that starts late may keep one capability a little longer.
    let last = |wanted: fn(&Op) -> bool| {
        let found = plan.steps().iter().rposition(|step| wanted(step.op()));
        found.expect("a step of every plan")
    };
    assert!(last(|op| matches!(op, Op::Capabilities { .. })) < close);
    assert!(last(|op| matches!(op, Op::AmbientSet(_))) < close);
    assert_eq!(
        count(plan, |op| matches!(op, Op::Seccomp { .. })),
        usize::from(config.seccomp.is_some())
    );
}

/// What the configuration says of the container is in the plan of its init process, once.
fn is_protected(config: &Config, plan: &Plan) {
    let private = config.namespaces.contains(NamespaceType::Mount);
    let switches = count(plan, |op| {
        matches!(op, Op::PivotRoot(_) | Op::MoveRoot(_) | Op::Chroot(_))
    });
    assert_eq!(switches, 1);
    assert!(private || count(plan, |op| matches!(op, Op::Chroot(_))) == 1);
    let mut hidden = 0;
    let mut read_only = 0;
    for step in plan.steps() {
        match step.op() {
            Op::Mask { paths, .. } => hidden += paths.len(),
            Op::ReadonlyPaths(paths) => read_only += paths.len(),
            _ => {}
        }
    }
    assert_eq!(hidden, places(&config.mask_paths));
    assert_eq!(read_only, places(&config.readonly_paths));
    let sysctls = count(plan, |op| matches!(op, Op::Sysctl { .. }));
    assert_eq!(sysctls, config.sysctl.len());
    let readonly = |step: &&nsenter::plan::Step| step.context() == "make the root read-only";
    assert_eq!(
        plan.steps().iter().filter(readonly).count(),
        usize::from(config.readonlyfs)
    );
}

/// How many places the paths name. An empty one names nothing.
fn places(paths: &[String]) -> usize {
    let place = |path: &String| {
        let mut parts = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                _ => parts.push(part.to_owned()),
            }
        }
        parts
    };
    let named = paths.iter().filter(|path| !path.is_empty());
    named.map(place).collect::<BTreeSet<_>>().len()
}
