//! How many system calls each command makes, with all that it starts: a budget, so that none is
//! added without being noticed. The figures are those of this test's own container and the static
//! program, some more for what depends on which process is faster.

use std::fs;

use cofferdam_integration::{Case, Limited, cgroup, need, program, tiny_program};

/// What each command may take.
type Budget = [(&'static str, usize); 7];

/// With nine hierarchies of cgroup v1 and cgroup v2 beside them.
const V1: Budget = [
    ("run", 511),
    ("create", 497),
    ("state", 39),
    ("start", 50),
    ("exec", 341),
    ("kill", 60),
    ("delete", 90),
];
const V1_HIERARCHIES: usize = 10;
/// What a hierarchy costs: found, made, joined, mounted, removed.
const A_HIERARCHY: usize = 10;

/// With cgroup v2 alone.
const UNIFIED: Budget = [
    ("run", 409),
    ("create", 400),
    ("state", 39),
    ("start", 50),
    ("exec", 283),
    ("kill", 38),
    ("delete", 63),
];
/// What it takes to hand the controllers down from the root of a machine that has them.
const CONTROLLERS: usize = 12;

/// The life of a container, each command under strace(1). The process of `create` is traced to the
/// end of the container.
const LIFE: &str = r#"
root=$1 id=$2 traces=$3 cofferdam=$4
trace() {
    name=$1; shift
    strace -f -qq -o "$traces/$name" "$cofferdam" --root "$root" "$@" \
        </dev/null >/dev/null 2>"$traces/$name.err"
}
until_it_is() {
    until "$cofferdam" --root "$root" state "$id" 2>/dev/null | grep -q "\"status\": \"$1\""; do
        [ -e "$traces/create.ended" ] && exit 1
    done
}
trace run run "$id-run"
sed -i 's|/bin/tiny-true|/bin/tiny-pause|' config.json
{ trace create create "$id"; touch "$traces/create.ended"; } &
until_it_is created
trace state state "$id"
trace start start "$id"
until_it_is running
trace exec exec "$id" /bin/tiny-true
trace kill kill "$id" KILL
wait
trace delete delete "$id"
"#;

/// The calls in a trace from the first one of the program's own code on: what comes before depends
/// on how it is linked. One call is a check that only builds for development make.
fn count(trace: &str) -> usize {
    let calls: Vec<&str> = trace
        .lines()
        .skip_while(|line| !line.contains(" poll(") && !line.contains(" ppoll("))
        .filter(|line| {
            let apart = [" --- ", " +++ ", "resumed>", "F_GETFD"];
            !apart.iter().any(|text| line.contains(text))
        })
        .collect();
    assert!(calls.len() > 10, "{trace}");
    calls.len()
}

fn kept_within(budget: &Budget, more: usize, arrange: &str) {
    let mut case = Case::new();
    let bin = case.bundle.rootfs().join("bin");
    tiny_program::write(&bin.join("tiny-true"), tiny_program::TRUE).unwrap();
    tiny_program::write(&bin.join("tiny-pause"), tiny_program::PAUSE).unwrap();
    case.bundle.args(&["/bin/tiny-true"]);
    case.bundle.write();
    let traces = tempfile::tempdir().unwrap();
    let script = format!("{arrange}\n{LIFE}");
    let traced = Limited::new("unshare")
        .args([
            "--mount",
            "--propagation=private",
            "sh",
            "-c",
            &*script,
            "sh",
        ])
        .args([case.root().as_os_str()])
        .args([&*case.id])
        .args([traces.path().as_os_str()])
        .args([program::under_test().as_os_str()])
        .directory(case.bundle.path())
        .output();
    assert_eq!(traced.code, 0, "{traced}");
    let mut over = Vec::new();
    for (command, most) in budget {
        let trace = fs::read_to_string(traces.path().join(command)).unwrap();
        let errors = fs::read_to_string(traces.path().join(format!("{command}.err"))).unwrap();
        assert_eq!(errors, "", "{command}");
        let count = count(&trace);
        if count > most + more {
            over.push(format!("{command} makes {count} system calls:\n{trace}"));
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
    case.finish();
}

#[test]
fn commands_keep_within_their_budget_where_cgroup_v1_is() {
    need!(Root, Busybox, Cofferdam, Strace, CgroupV1);
    let more = cgroup::mounts().len().saturating_sub(V1_HIERARCHIES);
    kept_within(&V1, more * A_HIERARCHY, "");
}

#[test]
fn commands_keep_within_their_budget_where_cgroup_v2_is_alone() {
    need!(Root, Busybox, Cofferdam, Strace);
    if cgroup::is_unified() {
        kept_within(&UNIFIED, CONTROLLERS, "");
    } else {
        kept_within(&UNIFIED, 0, "mount -t cgroup2 cgroup2 /sys/fs/cgroup");
    }
}
