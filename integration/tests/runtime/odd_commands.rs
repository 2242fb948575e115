//! Command lines that are unusual, or wrong: the same exit code and the same output as with
//! Debian's runc.

use cofferdam_integration::{Case, Output, need, program};

/// Runs each command line, in which `ID` is the container's id, in both runtimes one after
/// the other, on a container that `prepare` makes. Of the commands whose line starts with `!` only
/// the exit code counts: what they print is help.
fn same(prepare: impl Fn(&Case), lines: &[&str]) {
    let answers = |program| -> Vec<Output> {
        let mut case = Case::of(program);
        case.bundle.args(&["/bin/sleep", "1000"]);
        prepare(&case);
        let answers = lines.iter().map(|line| {
            let line = line.trim_start_matches('!');
            let arguments: Vec<&str> = line
                .split(' ')
                .map(|word| match word {
                    "ID" => &case.id,
                    "''" => "",
                    word => word,
                })
                .collect();
            // What goes on must not keep the pipes of this test.
            if arguments.contains(&"--detach") || arguments.contains(&"create") {
                case.detached(&arguments)
            } else {
                case.call(&arguments)
            }
        });
        let answers = answers.collect();
        let _ = case.call(&["delete", "--force", &case.id]);
        case.finish();
        answers
    };
    let ours = answers(program::under_test());
    let theirs = answers(program::reference().expect("runc"));
    for ((line, our), their) in lines.iter().zip(ours).zip(theirs) {
        assert_eq!(our.code, their.code, "{line}\nours: {our}\ntheirs: {their}");
        assert!(
            line.starts_with('!') || our.stdout == their.stdout,
            "{line}\nours: {our}\ntheirs: {their}"
        );
    }
}

#[test]
fn added_processes() {
    need!(Containers, Busybox, Runc);
    same(
        |case| drop(case.start()),
        &[
            "exec ID false",
            "exec ID /no/such",
            "exec ID no-such",
            "exec ID /etc/passwd",
            "exec ID /tmp",
            "exec ID ''",
            "exec ID",
            "exec --cwd /no/such ID pwd",
            "exec --cwd relative ID pwd",
            "exec --cwd /tmp/.. ID pwd",
            "exec --user 1000 ID id",
            "exec --user 1000:5 ID id",
            "exec --user name ID id",
            "exec --user -1 ID id",
            "exec --user : ID id",
            "exec --additional-gids 7 ID id",
            "exec --env A=b --env A=c ID env",
            "exec --env A ID env",
            "exec --cap CAP_SYS_ADMIN ID grep Cap /proc/self/status",
            "exec --cap cap_kill ID grep Cap /proc/self/status",
            "exec --no-new-privs ID grep NoNew /proc/self/status",
            "exec --process no-such ID",
            "exec --process /etc/passwd ID",
            "exec --detach ID true",
            "exec -- ID id -u",
            "exec ID -- id",
            "exec no-such id",
            "!exec --no-such ID id",
            "!exec",
        ],
    );
}

#[test]
fn a_process_in_a_cgroup_that_is_not_there() {
    need!(Root, Busybox, Runc);
    // For an ordinary user runc goes on in another one.
    same(
        |case| drop(case.start()),
        &["exec --cgroup /no-such ID true"],
    );
}

#[test]
fn wrong_flags_and_arguments() {
    need!(Containers, Busybox, Runc);
    same(
        |case| case.bundle.write(),
        &[
            "run --bundle /no/such ID",
            "run --bundle rootfs ID",
            "run ../x",
            "run a/b",
            "run ''",
            "run .",
            "run --pid-file /no/such/file ID",
            "run --console-socket /no/such ID",
            "run --detach --console-socket /no/such ID",
            "run --preserve-fds 20 ID",
            "!run",
            "!run a b",
            "!run --no-such ID",
            "!run --no-pivot=maybe ID",
            "!no-such",
            "!help no-such",
            "!list x",
            "list --format no-such",
            "state no-such",
            "start no-such",
            "kill no-such",
            "delete no-such",
            "delete --force no-such",
            "pause no-such",
            "ps no-such",
            "events no-such",
        ],
    );
}

#[test]
fn commands_at_the_wrong_time() {
    need!(Containers, Busybox, Runc, CgroupV1);
    same(
        |case| drop(case.create()),
        &[
            "create ID",
            "exec ID echo in a created container",
            "kill ID 0",
            "start ID",
            "start ID",
            "delete ID",
            "kill ID NOSUCH",
            "kill ID 999",
            "kill ID -5",
            "kill ID SIGUSR1x",
            "pause ID",
            "pause ID",
            "exec ID true",
            "delete ID",
            "resume ID",
            "resume ID",
            "ps --format yaml ID",
            "events --interval 0s ID",
            "update --memory some ID",
            "update --memory 1 ID",
            "update --cpuset-cpus 99 ID",
            "update --resources no-such ID",
            "delete --force ID",
            "delete ID",
            "state ID",
            "kill ID",
        ],
    );
}
