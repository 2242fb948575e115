//! What `help` says about subjects that are no command; the manual page has them as sections.

/// A subject.
#[derive(Debug)]
pub(crate) struct Topic {
    /// What is typed after `help`; a hyphen may be typed as a space.
    pub(crate) name: &'static str,
    /// One line for the list.
    pub(crate) about: &'static str,
    /// Paragraphs; an indented one is an example.
    pub(crate) text: &'static str,
}

/// The subjects of `cofferdam`, in the order of the help.
pub(crate) static TOPICS: &[Topic] = &[
    ROOTLESS,
    CGROUPS,
    CHECKPOINT,
    SECCOMP,
    ENGINES,
    EXIT_STATUS,
    ENVIRONMENT,
    FILES,
];

const ROOTLESS: Topic = Topic {
    name: "rootless",
    about: "containers of an ordinary user",
    text: "An ordinary user runs containers in a user namespace, in which this user is root:\n\n    \
           $ cofferdam spec --rootless\n    \
           $ cofferdam run demo\n\n\
           Such a config.json maps one id. More of them need lines in /etc/subuid and /etc/subgid for the user,\n\
           and the programs newuidmap and newgidmap (package uidmap), which write the map.\n\n\
           State is kept below $XDG_RUNTIME_DIR/cofferdam. Limits need a cgroup that the user may write to: with\n\
           cgroup v2 and --systemd-cgroup the user's instance of systemd delegates one. Without limits, and\n\
           without such a cgroup, the container stays in the cgroup of its caller; pause, ps of more than the init\n\
           process, and events need one.\n\n\
           --rootless true goes on where cgroups may not be written to, false does not; auto, the default, is true\n\
           for an ordinary user and for root of a user namespace.",
};

const CGROUPS: Topic = Topic {
    name: "cgroups",
    about: "where containers are in the hierarchies, and their limits",
    text: "Version 1, version 2 and both side by side (hybrid) work. linux.cgroupsPath of config.json is a path below\n\
           the root of each hierarchy. Without a leading slash it begins at the cgroup of the caller on version 1, at the\n\
           parent of that cgroup on version 2; without a path the name is the id.\n\n\
           With --systemd-cgroup the container is a scope of systemd, and cgroupsPath is SLICE:PREFIX:NAME, such as\n\
           system.slice:cofferdam:demo. Engines choose one of the two; a node needs the same one everywhere.\n\n\
           Limits are in linux.resources; those that only version 2 has are in linux.resources.unified. update\n\
           changes them while the container runs, all that it is asked for, or nothing. A limit that cannot be set\n\
           is an error. events shows what is used.",
};

const CHECKPOINT: Topic = Topic {
    name: "checkpoint",
    about: "writing a container to files and making it again",
    text: "checkpoint writes the processes of a running container to images, restore makes a container of them\n\
           again; CRIU (criu(8)) does it, found in PATH. It needs root. features shows which CRIU is there, and\n\
           criu check whether it knows the kernel.\n\n    \
           # cofferdam checkpoint --image-path /var/tmp/web web\n    \
           # cofferdam restore --image-path /var/tmp/web --bundle /srv/web --detach web\n\n\
           The root file system is not in the images: it has to be the same at the restore. --pre-dump and\n\
           --parent-path shorten the pause, --lazy-pages moves memory after the restore, --leave-running goes on\n\
           after the dump. Open TCP connections need --tcp-established, in both commands. A failure names the file\n\
           with the log of CRIU.",
};

const SECCOMP: Topic = Topic {
    name: "seccomp",
    about: "filters of system calls",
    text: "linux.seccomp of config.json is compiled to a filter that the kernel runs at each system call. A profile\n\
           that names an action, an architecture or a key that does not exist is refused; a system call whose name\n\
           is not known is left out, as with other runtimes.\n\n\
           --seccomp-backend native compiles it here, by a binary search among the numbers; libseccomp leaves it to\n\
           that library; auto, the default, is native unless the profile names an architecture that only the\n\
           library knows. System calls that are newer than every one the profile names fail with ENOSYS, so that programs\n\
           use an older one; unless the default action lets calls through.\n\n\
           listenerPath hands the descriptor of the action SCMP_ACT_NOTIFY to a program that listens there.",
};

const ENGINES: Topic = Topic {
    name: "engines",
    about: "docker, containerd, podman and CRI-O",
    text: "An engine is told the path of the program:\n\n    \
           docker        \"runtimes\": { \"cofferdam\": { \"path\": \"/usr/bin/cofferdam\" } } in\n    \
           \u{20}             /etc/docker/daemon.json, then docker run --runtime cofferdam\n    \
           containerd    BinaryName = \"/usr/bin/cofferdam\" in the options of a runtime of the type\n    \
           \u{20}             io.containerd.runc.v2; ctr run --runc-binary /usr/bin/cofferdam\n    \
           podman        podman --runtime /usr/bin/cofferdam run, or runtime = \"cofferdam\" in\n    \
           \u{20}             containers.conf, with cofferdam in runtime_supports_json\n    \
           CRI-O         runtime_path = \"/usr/bin/cofferdam\" in crio.runtime.runtimes.cofferdam\n\n\
           The package has these as files, below /usr/share/doc/cofferdam/examples.\n\n\
           Called by a link of the name runc it uses the state root of runc. A running container is best kept\n\
           with the runtime that made it.",
};

const EXIT_STATUS: Topic = Topic {
    name: "exit-status",
    about: "what the exit codes mean",
    text: "0: the command did what it was asked for. run and exec in the foreground end with the code of the\n\
           program, which is 128 and the number of the signal if a signal ended it.\n\n\
           1: it failed; one line on standard error and in the log says what was attempted, on what, and why.\n\n\
           2: audit --fail-on has found something of that severity.\n\n\
           3: there is no such command.\n\n\
           141: the reader of standard output is gone, as in cofferdam list | head -1; there is no message.\n\n\
           255: exec failed before its program ran, or the kernel refused to execute the program.",
};

const ENVIRONMENT: Topic = Topic {
    name: "environment",
    about: "variables that are looked at",
    text: "XDG_RUNTIME_DIR: the state root of an ordinary user is the directory cofferdam in it; without the\n\
           variable it is /run/cofferdam. The user's instance of systemd is reached below it, too.\n\n\
           PATH: where criu, newuidmap and newgidmap are looked for.\n\n\
           LISTEN_FDS, LISTEN_PID: descriptors of socket activation, passed on to the program of run and create\n\
           as sd_listen_fds(3) describes.\n\n\
           NOTIFY_SOCKET: create, run and start pass the messages of the program, sd_notify(3), on to this socket.\n\n\
           DBUS_SYSTEM_BUS_ADDRESS, DBUS_SESSION_BUS_ADDRESS: where systemd is reached with --systemd-cgroup.\n\n\
           NO_COLOR, TERM: top is without colours if NO_COLOR is set or TERM is dumb or unset; nothing else is\n\
           written in colour. LC_ALL, LC_CTYPE, LANG: its graphs are of block characters where they name UTF-8.",
};

const FILES: Topic = Topic {
    name: "files",
    about: "what is read and written",
    text: "config.json: in the bundle, the configuration; spec writes one to begin with.\n\n\
           /run/cofferdam: the state root, a directory for each container. --root names another one; it should be\n\
           on a tmpfs, so that nothing is on record after a restart of the machine. It must belong to the caller,\n\
           and others must not be able to write to it.\n\n\
           state.json: in that directory, what the container is, in the form that monitoring programs read;\n\
           state.earlier.json is the state before it was created.\n\n\
           exec.fifo: in that directory, as long as the container is created and not started.\n\n\
           /etc/subuid, /etc/subgid: the ids that newuidmap and newgidmap may map for a user.",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::COMMANDS;

    #[test]
    fn topics_fit_a_terminal_and_hide_no_command() {
        for topic in TOPICS {
            assert!(
                topic.name == "checkpoint"
                    || COMMANDS.iter().all(|command| command.name != topic.name),
                "{}",
                topic.name
            );
            for line in topic.text.lines() {
                assert!(line.chars().count() <= 120, "{}: {line}", topic.name);
                assert_eq!(line, line.trim_end(), "{}", topic.name);
            }
        }
    }
}
