//! The same answers as Debian's runc, for the same bundle: exit code, output, and what the kernel
//! shows inside.

use cofferdam_integration::{Case, Output, need, program};
use serde_json::json;

/// Runs a case under both runtimes.
fn both(change: impl Fn(&mut Case)) -> (Output, Output) {
    let run = |program| {
        let mut case = Case::of(program);
        change(&mut case);
        let output = case.run();
        case.finish();
        output
    };
    (
        run(program::under_test()),
        run(program::reference().expect("runc")),
    )
}

/// Expects the same exit code and standard output of both.
#[track_caller]
pub(crate) fn same(change: impl Fn(&mut Case)) {
    let (ours, theirs) = both(change);
    assert_eq!(
        (ours.code, &ours.stdout),
        (theirs.code, &theirs.stdout),
        "ours: {ours}\ntheirs: {theirs}"
    );
}

#[test]
fn inside_a_plain_container() {
    need!(Containers, Busybox, Runc);
    for script in [
        "id; pwd; hostname; env | sort",
        "grep -vE '^(Name|State|Tgid|Ngid|Pid|PPid|Vm|Rss|Hugetlb|.*ctxt|Threads|SigQ|Mems|Cpus|NSpid|NStgid|NSpgid|NSsid|FDSize|x86|CoreDump|THP|SigCgt|Seccomp_filters|SigIgn)' /proc/self/status",
        "cut -d' ' -f1-2 /proc/self/limits > /dev/null; cat /proc/self/limits",
        "cut -d: -f2- /proc/self/cgroup | grep -v unified | sed 's/test-[0-9-]*//'",
        "ls -ln /dev /dev/pts /proc/self/fd 2>/dev/null | awk '{print $1, $3, $4}' | grep -v total",
        "umask; ulimit -n; cat /proc/self/oom_score_adj /proc/self/timerslack_ns",
        "ls /; ls /sys/class/net; cat /proc/sys/kernel/hostname",
    ] {
        same(|case| {
            case.bundle.script(script);
        });
    }
}

#[test]
fn the_mount_table() {
    need!(Containers, Busybox, Runc);
    // Mount point, options, file system type. Ours may be stricter, never laxer. Of whom they are
    // slaves is not compared: what is on the mount that holds the root file system follows the
    // host's with ours, as everything else does.
    let script = "awk '{ for (i = 7; $i != \"-\"; i++); print $5, $6, $(i + 1) }' /proc/self/mountinfo | grep -vE '^(/|/dev/pts) ' | sort";
    let (ours, theirs) = both(|case| {
        case.bundle.mount(json!({ "destination": "/scratch", "type": "tmpfs", "source": "scratch", "options": ["nosuid", "size=64k", "mode=700"] }));
        case.bundle.mount(json!({ "destination": "/bound", "type": "bind", "source": "/etc", "options": ["rbind", "ro", "nodev"] }));
        case.bundle.script(script);
    });
    let (our_mounts, their_mounts) = (ours.lines(), theirs.lines());
    assert_eq!(
        our_mounts.len(),
        their_mounts.len(),
        "ours: {ours}\ntheirs: {theirs}"
    );
    for (our, their) in our_mounts.into_iter().zip(their_mounts) {
        let fields = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (our, their) = (fields(our), fields(their));
        assert_eq!((&our[0], &our[2]), (&their[0], &their[2]));
        let missing: Vec<&str> = their[1]
            .split(',')
            .filter(|option| *option != "rw" && !our[1].split(',').any(|own| own == *option))
            .collect();
        assert!(
            missing.is_empty(),
            "{}: {} is laxer than {}",
            our[0],
            our[1],
            their[1]
        );
    }
}

#[test]
fn exit_codes() {
    need!(Containers, Busybox, Runc);
    for script in [
        "exit 0",
        "exit 1",
        "exit 255",
        "kill -TERM $$; exit 9",
        "no-such-program",
    ] {
        same(|case| {
            case.bundle.script(script);
        });
    }
    for args in [&["/no/such"][..], &["no-such"], &["/etc"], &["/etc/passwd"]] {
        same(|case| {
            case.bundle.args(args);
        });
    }
}

#[test]
fn users_and_capabilities() {
    need!(Containers, Busybox, Runc);
    let script = "grep -E '^(Uid|Gid|Groups|Cap|NoNew)' /proc/self/status; echo $HOME";
    for user in [
        json!({ "uid": 0, "gid": 0 }),
        json!({ "uid": 1000, "gid": 1000, "additionalGids": [5, 6] }),
        json!({ "uid": 4242, "gid": 4242 }),
    ] {
        for capabilities in [
            json!({}),
            json!({ "bounding": ["CAP_KILL", "CAP_CHOWN"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL", "CAP_CHOWN"] }),
            json!({ "bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"] }),
        ] {
            same(|case| {
                case.bundle.config["process"]["user"] = user.clone();
                case.bundle.config["process"]["capabilities"] = capabilities.clone();
                case.bundle.script(script);
            });
        }
    }
}

#[test]
fn a_user_namespace() {
    need!(Root, Busybox, Runc);
    same(|case| {
        case.bundle.user_namespace(100_000, 65_536);
        case.bundle.script("id; cat /proc/self/uid_map /proc/self/setgroups; ls -ln /dev | awk '!/total|mqueue/ {print $1, $3, $4}'; grep Cap /proc/self/status");
    });
}

#[test]
fn the_keys_of_state() {
    need!(Containers, Busybox, Runc);
    let keys = |program| {
        let mut case = Case::of(program);
        case.bundle.args(&["/bin/sleep", "1000"]);
        case.bundle.config["annotations"] = json!({ "a": "b" });
        case.start();
        let text = case.call(&["state", &case.id]).ok().stdout;
        let list = case.call(&["list"]).ok().stdout;
        case.delete();
        let names: Vec<String> = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(key, _)| key.to_owned())
            .collect();
        let columns: Vec<usize> = ["ID", "PID", "STATUS"]
            .iter()
            .map(|title| list.find(title).unwrap())
            .collect();
        (names, columns[0])
    };
    assert_eq!(
        keys(program::under_test()),
        keys(program::reference().unwrap())
    );
}
