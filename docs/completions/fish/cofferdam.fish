# Completions of cofferdam for fish, made of its tables of commands and flags.

# The flags that take a value, each after its command.
set -g __cofferdam_valued ' log' ' log-format' ' root' ' rootless' ' seccomp-backend' 'audit format' 'audit f' 'audit fail-on' 'checkpoint image-path' 'checkpoint work-path' 'checkpoint parent-path' 'checkpoint status-fd' 'checkpoint page-server' 'checkpoint manage-cgroups-mode' 'checkpoint empty-ns' 'create bundle' 'create b' 'create console-socket' 'create pidfd-socket' 'create pid-file' 'create preserve-fds' 'events interval' 'exec console-socket' 'exec pidfd-socket' 'exec cwd' 'exec env' 'exec e' 'exec user' 'exec u' 'exec additional-gids' 'exec g' 'exec process' 'exec p' 'exec pid-file' 'exec process-label' 'exec apparmor' 'exec cap' 'exec c' 'exec preserve-fds' 'exec cgroup' 'exec format' 'list format' 'list f' 'plan bundle' 'plan b' 'plan format' 'plan f' 'ps format' 'ps f' 'restore console-socket' 'restore image-path' 'restore work-path' 'restore manage-cgroups-mode' 'restore bundle' 'restore b' 'restore pid-file' 'restore empty-ns' 'restore lsm-profile' 'restore lsm-mount-context' 'run bundle' 'run b' 'run console-socket' 'run pidfd-socket' 'run pid-file' 'run preserve-fds' 'spec bundle' 'spec b' 'stats format' 'stats f' 'top interval' 'top format' 'top f' 'top sort' 'top filter' 'update resources' 'update r' 'update blkio-weight' 'update cpu-period' 'update cpu-quota' 'update cpu-burst' 'update cpu-share' 'update cpu-rt-period' 'update cpu-rt-runtime' 'update cpuset-cpus' 'update cpuset-mems' 'update kernel-memory' 'update kernel-memory-tcp' 'update memory' 'update memory-reservation' 'update memory-swap' 'update pids-limit' 'update l3-cache-schema' 'update mem-bw-schema' 'update cpu-idle'

# Reads the line up to the word at hand: prints the command, the number of its arguments, and the state root.
function __cofferdam_line
    set -l words (commandline -opc)
    set -l command ''
    set -l operands 0
    set -l root ''
    set -l flag ''
    for word in $words[2..]
        if test -n "$flag"
            test "$command $flag" = ' root'; and set root $word
            set flag ''
            continue
        end
        switch $word
            case --
                continue
            case '-*=*'
                if test -z "$command"; and string match -qr '^--?root=' -- $word
                    set root (string replace -r '^--?root=' '' -- $word)
                end
            case '-?*'
                set -l name (string replace -r '^--?' '' -- $word)
                contains -- "$command $name" $__cofferdam_valued; and set flag $name
            case '*'
                if test -z "$command"
                    set command $word
                else
                    set operands (math $operands + 1)
                end
        end
    end
    printf '%s\n' "$command" $operands "$root"
end

# Whether the line is at a flag of this command.
function __cofferdam_in
    set -l line (__cofferdam_line)
    test "$line[1]" = "$argv[1]"
end

# Whether the line is at this argument of this command, counted from 0.
function __cofferdam_at
    set -l line (__cofferdam_line)
    test "$line[1]" = "$argv[1]"; and test $line[2] = $argv[2]
end

# The ids of the containers below the state root.
function __cofferdam_containers
    set -l root (__cofferdam_line)[3]
    if test -z "$root"
        set root /run/cofferdam
        test (id -u) != 0; and set -q XDG_RUNTIME_DIR; and set root $XDG_RUNTIME_DIR/cofferdam
    end
    for file in $root/*/state.json
        string replace -r '^.*/([^/]*)/state\.json$' '$1' -- $file
    end
end

complete -c cofferdam -f
complete -c cofferdam -n '__cofferdam_at "" 0' -a audit -d 'tell what a bundle or a running container is allowed'
complete -c cofferdam -n '__cofferdam_at "" 0' -a checkpoint -d 'checkpoint a running container'
complete -c cofferdam -n '__cofferdam_at "" 0' -a completion -d 'print the completions of a shell'
complete -c cofferdam -n '__cofferdam_at "" 0' -a create -d 'create a container'
complete -c cofferdam -n '__cofferdam_at "" 0' -a delete -d 'delete the resources held by a container'
complete -c cofferdam -n '__cofferdam_at "" 0' -a events -d 'show events of a container: out of memory, and statistics at an interval'
complete -c cofferdam -n '__cofferdam_at "" 0' -a exec -d 'run another process in a container'
complete -c cofferdam -n '__cofferdam_at "" 0' -a features -d 'show the features of this runtime'
complete -c cofferdam -n '__cofferdam_at "" 0' -a kill -d 'send a signal (default: SIGTERM) to a container\'s init process'
complete -c cofferdam -n '__cofferdam_at "" 0' -a list -d 'list the containers of a state root'
complete -c cofferdam -n '__cofferdam_at "" 0' -a pause -d 'suspend all processes inside a container'
complete -c cofferdam -n '__cofferdam_at "" 0' -a plan -d 'show the steps of a container\'s init process, and why each is there, without running them'
complete -c cofferdam -n '__cofferdam_at "" 0' -a ps -d 'show the processes of a container'
complete -c cofferdam -n '__cofferdam_at "" 0' -a restore -d 'restore a container from a checkpoint'
complete -c cofferdam -n '__cofferdam_at "" 0' -a resume -d 'resume all processes that were paused'
complete -c cofferdam -n '__cofferdam_at "" 0' -a run -d 'create and run a container'
complete -c cofferdam -n '__cofferdam_at "" 0' -a spec -d 'write a new config.json'
complete -c cofferdam -n '__cofferdam_at "" 0' -a start -d 'run the user\'s program in a created container'
complete -c cofferdam -n '__cofferdam_at "" 0' -a state -d 'show the state of a container'
complete -c cofferdam -n '__cofferdam_at "" 0' -a stats -d 'show what a container or all containers have used so far, once'
complete -c cofferdam -n '__cofferdam_at "" 0' -a top -d 'show what the containers of a state root use, again and again'
complete -c cofferdam -n '__cofferdam_at "" 0' -a update -d 'change the limits of a container'
complete -c cofferdam -n '__cofferdam_at "" 0' -a help -d 'show the help of a command, or about a topic'
complete -c cofferdam -n '__cofferdam_at help 0' -a audit -d 'tell what a bundle or a running container is allowed'
complete -c cofferdam -n '__cofferdam_at help 0' -a checkpoint -d 'checkpoint a running container'
complete -c cofferdam -n '__cofferdam_at help 0' -a completion -d 'print the completions of a shell'
complete -c cofferdam -n '__cofferdam_at help 0' -a create -d 'create a container'
complete -c cofferdam -n '__cofferdam_at help 0' -a delete -d 'delete the resources held by a container'
complete -c cofferdam -n '__cofferdam_at help 0' -a events -d 'show events of a container: out of memory, and statistics at an interval'
complete -c cofferdam -n '__cofferdam_at help 0' -a exec -d 'run another process in a container'
complete -c cofferdam -n '__cofferdam_at help 0' -a features -d 'show the features of this runtime'
complete -c cofferdam -n '__cofferdam_at help 0' -a kill -d 'send a signal (default: SIGTERM) to a container\'s init process'
complete -c cofferdam -n '__cofferdam_at help 0' -a list -d 'list the containers of a state root'
complete -c cofferdam -n '__cofferdam_at help 0' -a pause -d 'suspend all processes inside a container'
complete -c cofferdam -n '__cofferdam_at help 0' -a plan -d 'show the steps of a container\'s init process, and why each is there, without running them'
complete -c cofferdam -n '__cofferdam_at help 0' -a ps -d 'show the processes of a container'
complete -c cofferdam -n '__cofferdam_at help 0' -a restore -d 'restore a container from a checkpoint'
complete -c cofferdam -n '__cofferdam_at help 0' -a resume -d 'resume all processes that were paused'
complete -c cofferdam -n '__cofferdam_at help 0' -a run -d 'create and run a container'
complete -c cofferdam -n '__cofferdam_at help 0' -a spec -d 'write a new config.json'
complete -c cofferdam -n '__cofferdam_at help 0' -a start -d 'run the user\'s program in a created container'
complete -c cofferdam -n '__cofferdam_at help 0' -a state -d 'show the state of a container'
complete -c cofferdam -n '__cofferdam_at help 0' -a stats -d 'show what a container or all containers have used so far, once'
complete -c cofferdam -n '__cofferdam_at help 0' -a top -d 'show what the containers of a state root use, again and again'
complete -c cofferdam -n '__cofferdam_at help 0' -a update -d 'change the limits of a container'
complete -c cofferdam -n '__cofferdam_at help 0' -a rootless -d 'containers of an ordinary user'
complete -c cofferdam -n '__cofferdam_at help 0' -a cgroups -d 'where containers are in the hierarchies, and their limits'
complete -c cofferdam -n '__cofferdam_at help 0' -a seccomp -d 'filters of system calls'
complete -c cofferdam -n '__cofferdam_at help 0' -a engines -d 'docker, containerd, podman and CRI-O'
complete -c cofferdam -n '__cofferdam_at help 0' -a exit-status -d 'what the exit codes mean'
complete -c cofferdam -n '__cofferdam_at help 0' -a environment -d 'variables that are looked at'
complete -c cofferdam -n '__cofferdam_at help 0' -a files -d 'what is read and written'
complete -c cofferdam -n '__cofferdam_in ""' -l debug -d 'enable debug logging'
complete -c cofferdam -n '__cofferdam_in ""' -l log -r -F -d 'append log lines to this file'
complete -c cofferdam -n '__cofferdam_in ""' -l log-format -x -a 'text json' -d 'format of log lines: text or json'
complete -c cofferdam -n '__cofferdam_in ""' -l root -x -a '(__fish_complete_directories)' -d 'directory that keeps the state of containers; should be on a tmpfs'
complete -c cofferdam -n '__cofferdam_in ""' -l systemd-cgroup -d 'manage cgroups through systemd; cgroupsPath is then slice:prefix:name'
complete -c cofferdam -n '__cofferdam_in ""' -l rootless -x -a 'true false auto' -d 'ignore cgroup permission errors: true, false or auto'
complete -c cofferdam -n '__cofferdam_in ""' -l seccomp-backend -x -a 'native libseccomp auto' -d 'who compiles seccomp filters: native, libseccomp, or auto, which is native if it can'
complete -c cofferdam -n '__cofferdam_in audit' -l format -s f -x -a 'text json sarif' -d 'one of: text, json or sarif (SARIF 2.1.0)'
complete -c cofferdam -n '__cofferdam_in audit' -l fail-on -x -a 'high medium low info' -d 'exit with 2 if there is a finding of this severity or worse: high, medium, low or info'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l image-path -x -a '(__fish_complete_directories)' -d 'directory of the images of CRIU, default is checkpoint in the current directory'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l work-path -x -a '(__fish_complete_directories)' -d 'directory of work files and logs, default is the one of the images'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l parent-path -x -a '(__fish_complete_directories)' -d 'directory of the images of the pre-dump before, relative to --image-path'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l leave-running -d 'keep the container running'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l tcp-established -d 'allow open TCP connections'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l tcp-skip-in-flight -d 'leave out TCP connections that are not established yet'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l link-remap -d 'link unlinked files back where possible'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l ext-unix-sk -d 'allow external unix sockets'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l shell-job -d 'allow jobs of a shell'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l lazy-pages -d 'take memory pages over when they are needed'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l status-fd -x -d 'descriptor that gets a NUL byte when lazy pages are ready'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l page-server -x -d 'ADDRESS:PORT of the page server'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l file-locks -d 'handle file locks'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l pre-dump -d 'save the memory only, and keep the container running'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l manage-cgroups-mode -x -a 'soft full strict ignore' -d 'how cgroups are handled: soft, full, strict or ignore'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l empty-ns -x -a 'network' -d 'make a namespace without restoring its properties; may be repeated'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l auto-dedup -d 'do not keep pages twice'
complete -c cofferdam -n '__cofferdam_in checkpoint' -l timings -d 'show what took how long, on standard error'
complete -c cofferdam -n '__cofferdam_in create' -l bundle -s b -x -a '(__fish_complete_directories)' -d 'path of the bundle directory, default is the current directory'
complete -c cofferdam -n '__cofferdam_in create' -l console-socket -r -F -d 'path of an AF_UNIX stream socket that receives the master side of the process\' terminal'
complete -c cofferdam -n '__cofferdam_in create' -l pidfd-socket -r -F -d 'path of an AF_UNIX stream socket that receives a pidfd of the process'
complete -c cofferdam -n '__cofferdam_in create' -l pid-file -r -F -d 'write the process id to this file'
complete -c cofferdam -n '__cofferdam_in create' -l no-pivot -d 'change the root without pivot_root(2); only for a rootfs on a ramdisk, where that cannot work'
complete -c cofferdam -n '__cofferdam_in create' -l no-new-keyring -d 'keep the session keyring of the caller instead of a new one for the container'
complete -c cofferdam -n '__cofferdam_in create' -l preserve-fds -x -d 'pass this many more descriptors to the process, after stdio and $LISTEN_FDS'
complete -c cofferdam -n '__cofferdam_in delete' -l force -s f -d 'kill the container first if it still runs'
complete -c cofferdam -n '__cofferdam_in events' -l interval -x -d 'time between statistics'
complete -c cofferdam -n '__cofferdam_in events' -l stats -d 'show the statistics once and exit'
complete -c cofferdam -n '__cofferdam_at exec 0' -l console-socket -r -F -d 'path of an AF_UNIX stream socket that receives the master side of the process\' terminal'
complete -c cofferdam -n '__cofferdam_at exec 0' -l pidfd-socket -r -F -d 'path of an AF_UNIX stream socket that receives a pidfd of the process'
complete -c cofferdam -n '__cofferdam_at exec 0' -l cwd -x -d 'working directory in the container'
complete -c cofferdam -n '__cofferdam_at exec 0' -l env -s e -x -d 'add NAME=value to the environment; may be repeated'
complete -c cofferdam -n '__cofferdam_at exec 0' -l tty -s t -d 'give the process a terminal'
complete -c cofferdam -n '__cofferdam_at exec 0' -l user -s u -x -d 'numeric user, and group after a colon: uid[:gid]'
complete -c cofferdam -n '__cofferdam_at exec 0' -l additional-gids -s g -x -d 'add a supplementary group id; may be repeated'
complete -c cofferdam -n '__cofferdam_at exec 0' -l process -s p -r -F -d 'read the process object from this JSON file'
complete -c cofferdam -n '__cofferdam_at exec 0' -l detach -s d -d 'return as soon as the process runs'
complete -c cofferdam -n '__cofferdam_at exec 0' -l pid-file -r -F -d 'write the process id to this file'
complete -c cofferdam -n '__cofferdam_at exec 0' -l process-label -x -d 'SELinux label of the process'
complete -c cofferdam -n '__cofferdam_at exec 0' -l apparmor -x -d 'AppArmor profile of the process'
complete -c cofferdam -n '__cofferdam_at exec 0' -l no-new-privs -d 'set no_new_privs for the process'
complete -c cofferdam -n '__cofferdam_at exec 0' -l cap -s c -x -d 'add a capability; may be repeated'
complete -c cofferdam -n '__cofferdam_at exec 0' -l preserve-fds -x -d 'pass this many more descriptors to the process, after stdio and $LISTEN_FDS'
complete -c cofferdam -n '__cofferdam_at exec 0' -l cgroup -x -d 'run the process in an existing sub-cgroup: [<controller>[,<controller>]:]<path>; may be repeated'
complete -c cofferdam -n '__cofferdam_at exec 0' -l ignore-paused -d 'also into a paused container'
complete -c cofferdam -n '__cofferdam_at exec 0' -l plan -d 'show the steps that the process would take, and why, and run nothing'
complete -c cofferdam -n '__cofferdam_at exec 0' -l format -x -a 'text json raw' -d 'with --plan one of: text, json, raw; see the command plan'
complete -c cofferdam -n '__cofferdam_in list' -l format -s f -x -a 'table json' -d 'one of: table or json'
complete -c cofferdam -n '__cofferdam_in list' -l quiet -s q -d 'only the ids'
complete -c cofferdam -n '__cofferdam_in plan' -l bundle -s b -x -a '(__fish_complete_directories)' -d 'path of the bundle directory, default is the current directory'
complete -c cofferdam -n '__cofferdam_in plan' -l no-pivot -d 'change the root without pivot_root(2); only for a rootfs on a ramdisk, where that cannot work'
complete -c cofferdam -n '__cofferdam_in plan' -l no-new-keyring -d 'keep the session keyring of the caller instead of a new one for the container'
complete -c cofferdam -n '__cofferdam_in plan' -l format -s f -x -a 'text json raw' -d 'one of: text, json, or raw, which is a step a line without names and reasons'
complete -c cofferdam -n '__cofferdam_in plan' -l diff -d 'compare the plans of two bundles or containers'
complete -c cofferdam -n '__cofferdam_at ps 0' -l format -s f -x -a 'table json' -d 'one of: table or json'
complete -c cofferdam -n '__cofferdam_in restore' -l console-socket -r -F -d 'path of an AF_UNIX stream socket that receives the master side of the process\' terminal'
complete -c cofferdam -n '__cofferdam_in restore' -l image-path -x -a '(__fish_complete_directories)' -d 'directory of the images of CRIU, default is checkpoint in the current directory'
complete -c cofferdam -n '__cofferdam_in restore' -l work-path -x -a '(__fish_complete_directories)' -d 'directory of work files and logs, default is the one of the images'
complete -c cofferdam -n '__cofferdam_in restore' -l tcp-established -d 'allow open TCP connections'
complete -c cofferdam -n '__cofferdam_in restore' -l ext-unix-sk -d 'allow external unix sockets'
complete -c cofferdam -n '__cofferdam_in restore' -l shell-job -d 'allow jobs of a shell'
complete -c cofferdam -n '__cofferdam_in restore' -l file-locks -d 'handle file locks'
complete -c cofferdam -n '__cofferdam_in restore' -l manage-cgroups-mode -x -a 'soft full strict ignore' -d 'how cgroups are handled: soft, full, strict or ignore'
complete -c cofferdam -n '__cofferdam_in restore' -l bundle -s b -x -a '(__fish_complete_directories)' -d 'path of the bundle directory, default is the current directory'
complete -c cofferdam -n '__cofferdam_in restore' -l detach -s d -d 'return as soon as the process runs'
complete -c cofferdam -n '__cofferdam_in restore' -l pid-file -r -F -d 'write the process id to this file'
complete -c cofferdam -n '__cofferdam_in restore' -l no-subreaper -d 'do not become the parent of orphans of the container'
complete -c cofferdam -n '__cofferdam_in restore' -l no-pivot -d 'change the root without pivot_root(2); only for a rootfs on a ramdisk, where that cannot work'
complete -c cofferdam -n '__cofferdam_in restore' -l empty-ns -x -a 'network' -d 'make a namespace without restoring its properties; may be repeated'
complete -c cofferdam -n '__cofferdam_in restore' -l auto-dedup -d 'do not keep pages twice'
complete -c cofferdam -n '__cofferdam_in restore' -l lazy-pages -d 'take memory pages over when they are needed'
complete -c cofferdam -n '__cofferdam_in restore' -l lsm-profile -x -d 'LSM profile to restore with, TYPE:NAME'
complete -c cofferdam -n '__cofferdam_in restore' -l lsm-mount-context -x -d 'LSM mount context to restore with'
complete -c cofferdam -n '__cofferdam_in run' -l bundle -s b -x -a '(__fish_complete_directories)' -d 'path of the bundle directory, default is the current directory'
complete -c cofferdam -n '__cofferdam_in run' -l console-socket -r -F -d 'path of an AF_UNIX stream socket that receives the master side of the process\' terminal'
complete -c cofferdam -n '__cofferdam_in run' -l pidfd-socket -r -F -d 'path of an AF_UNIX stream socket that receives a pidfd of the process'
complete -c cofferdam -n '__cofferdam_in run' -l detach -s d -d 'return as soon as the process runs'
complete -c cofferdam -n '__cofferdam_in run' -l keep -d 'do not remove the container when its program ends'
complete -c cofferdam -n '__cofferdam_in run' -l pid-file -r -F -d 'write the process id to this file'
complete -c cofferdam -n '__cofferdam_in run' -l timings -d 'show what took how long, on standard error'
complete -c cofferdam -n '__cofferdam_in run' -l no-subreaper -d 'do not become the parent of orphans of the container'
complete -c cofferdam -n '__cofferdam_in run' -l no-pivot -d 'change the root without pivot_root(2); only for a rootfs on a ramdisk, where that cannot work'
complete -c cofferdam -n '__cofferdam_in run' -l no-new-keyring -d 'keep the session keyring of the caller instead of a new one for the container'
complete -c cofferdam -n '__cofferdam_in run' -l preserve-fds -x -d 'pass this many more descriptors to the process, after stdio and $LISTEN_FDS'
complete -c cofferdam -n '__cofferdam_in spec' -l bundle -s b -x -a '(__fish_complete_directories)' -d 'path of the bundle directory, default is the current directory'
complete -c cofferdam -n '__cofferdam_in spec' -l rootless -d 'write one for a container without privileges'
complete -c cofferdam -n '__cofferdam_in stats' -l format -s f -x -a 'json prometheus openmetrics' -d 'one of: json, prometheus or openmetrics'
complete -c cofferdam -n '__cofferdam_in top' -l interval -x -d 'time between readings'
complete -c cofferdam -n '__cofferdam_in top' -l once -d 'take two readings, print what was used between them, and end'
complete -c cofferdam -n '__cofferdam_in top' -l format -s f -x -a 'table json' -d 'one of: table or json'
complete -c cofferdam -n '__cofferdam_in top' -l sort -x -a 'id status cpu memory io pids psi oom throttled' -d 'one of: id, status, cpu, memory, io, pids, psi, oom or throttled; most first'
complete -c cofferdam -n '__cofferdam_in top' -l filter -x -d 'only containers with this text in their id'
complete -c cofferdam -n '__cofferdam_in update' -l resources -s r -r -F -d 'read the limits from this JSON file, or from standard input when it is -'
complete -c cofferdam -n '__cofferdam_in update' -l blkio-weight -x -d 'weight for block I/O, 10 to 1000'
complete -c cofferdam -n '__cofferdam_in update' -l cpu-period -x -d 'CFS period in microseconds; 0 is the system\'s default'
complete -c cofferdam -n '__cofferdam_in update' -l cpu-quota -x -d 'CFS quota in microseconds: CPU time allowed in a period'
complete -c cofferdam -n '__cofferdam_in update' -l cpu-burst -x -d 'CFS burst in microseconds: unused CPU time that may be saved up'
complete -c cofferdam -n '__cofferdam_in update' -l cpu-share -x -d 'CPU shares, a weight relative to other containers'
complete -c cofferdam -n '__cofferdam_in update' -l cpu-rt-period -x -d 'real-time period in microseconds; 0 is the system\'s default'
complete -c cofferdam -n '__cofferdam_in update' -l cpu-rt-runtime -x -d 'real-time runtime in microseconds: CPU time allowed in a real-time period'
complete -c cofferdam -n '__cofferdam_in update' -l cpuset-cpus -x -d 'CPUs to use'
complete -c cofferdam -n '__cofferdam_in update' -l cpuset-mems -x -d 'memory nodes to use'
complete -c cofferdam -n '__cofferdam_in update' -l memory -x -d 'memory limit in bytes'
complete -c cofferdam -n '__cofferdam_in update' -l memory-reservation -x -d 'soft memory limit in bytes'
complete -c cofferdam -n '__cofferdam_in update' -l memory-swap -x -d 'limit of memory and swap together in bytes; -1 for no limit of swap'
complete -c cofferdam -n '__cofferdam_in update' -l pids-limit -x -d 'greatest number of processes; -1 for no limit'
complete -c cofferdam -n '__cofferdam_in update' -l l3-cache-schema -x -d 'Intel RDT/CAT schema of the L3 cache'
complete -c cofferdam -n '__cofferdam_in update' -l mem-bw-schema -x -d 'Intel RDT/MBA schema of memory bandwidth'
complete -c cofferdam -n '__cofferdam_in update' -l cpu-idle -x -d '1 runs the container only when nobody else wants the CPU; 0 takes that back'
complete -c cofferdam -n '__cofferdam_at audit 0' -x -a '(__cofferdam_containers; __fish_complete_directories)'
complete -c cofferdam -n '__cofferdam_at checkpoint 0' -x -a '(__cofferdam_containers)'
complete -c cofferdam -n '__cofferdam_at completion 0' -x -a 'bash zsh fish'
complete -c cofferdam -n '__cofferdam_at delete 0' -x -a '(__cofferdam_containers)'
complete -c cofferdam -n '__cofferdam_at events 0' -x -a '(__cofferdam_containers)'
complete -c cofferdam -n '__cofferdam_at exec 0' -x -a '(__cofferdam_containers)'
complete -c cofferdam -n '__cofferdam_at kill 0' -x -a '(__cofferdam_containers)'
complete -c cofferdam -n '__cofferdam_at kill 1' -x -a 'ABRT ALRM CONT HUP INT KILL QUIT STOP TERM TSTP USR1 USR2 WINCH'
complete -c cofferdam -n '__cofferdam_at pause 0' -x -a '(__cofferdam_containers)'
complete -c cofferdam -n '__cofferdam_at plan 0' -x -a '(__cofferdam_containers; __fish_complete_directories)'
complete -c cofferdam -n '__cofferdam_at plan 1' -x -a '(__cofferdam_containers; __fish_complete_directories)'
complete -c cofferdam -n '__cofferdam_at ps 0' -x -a '(__cofferdam_containers)'
complete -c cofferdam -n '__cofferdam_at resume 0' -x -a '(__cofferdam_containers)'
complete -c cofferdam -n '__cofferdam_at start 0' -x -a '(__cofferdam_containers)'
complete -c cofferdam -n '__cofferdam_at state 0' -x -a '(__cofferdam_containers)'
complete -c cofferdam -n '__cofferdam_at stats 0' -x -a '(__cofferdam_containers)'
complete -c cofferdam -n '__cofferdam_at update 0' -x -a '(__cofferdam_containers)'
complete -c cofferdam -s h -l help -d 'show help'
complete -c cofferdam -n '__cofferdam_in ""' -s v -l version -d 'print the version'
