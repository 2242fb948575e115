# Completions of nsinit for fish, made of its tables of commands and flags.

# The flags that take a value, each after its command.
set -g __nsinit_valued ' root' ' log-file' ' criu' ' compat' ' log' 'config file' 'config f' 'config cpushares' 'config memory-limit' 'config memory-swap' 'config memory-swappiness' 'config parent-death-signal' 'config userns-root-uid' 'config veth-mtu' 'config apparmor-profile' 'config cpuset-cpus' 'config cpuset-mems' 'config hostname' 'config ipc' 'config mnt' 'config mount-label' 'config net' 'config pid' 'config process-label' 'config rootfs' 'config security' 'config uts' 'config veth-address' 'config veth-bridge' 'config veth-gateway' 'config bind' 'config sysctl' 'config tmpfs' 'config groups' 'convert file' 'convert f' 'convert bundle' 'convert b' 'exec id' 'exec config' 'exec user' 'exec u' 'exec cwd' 'exec env' 'exec cpushares' 'exec memory-limit' 'exec memory-swap' 'exec memory-swappiness' 'exec parent-death-signal' 'exec userns-root-uid' 'exec veth-mtu' 'exec apparmor-profile' 'exec cpuset-cpus' 'exec cpuset-mems' 'exec hostname' 'exec ipc' 'exec mnt' 'exec mount-label' 'exec net' 'exec pid' 'exec process-label' 'exec rootfs' 'exec security' 'exec uts' 'exec veth-address' 'exec veth-bridge' 'exec veth-gateway' 'exec bind' 'exec sysctl' 'exec tmpfs' 'exec groups' 'oom id' 'pause id' 'unpause id' 'stats id' 'state id' 'checkpoint id' 'checkpoint image-path' 'checkpoint work-path' 'checkpoint page-server' 'restore id' 'restore image-path' 'restore work-path'

# Reads the line up to the word at hand: prints the command, the number of its arguments, and the state root.
function __nsinit_line
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
                contains -- "$command $name" $__nsinit_valued; and set flag $name
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
function __nsinit_in
    set -l line (__nsinit_line)
    test "$line[1]" = "$argv[1]"
end

# Whether the line is at this argument of this command, counted from 0.
function __nsinit_at
    set -l line (__nsinit_line)
    test "$line[1]" = "$argv[1]"; and test $line[2] = $argv[2]
end

# The ids of the containers below the state root.
function __nsinit_containers
    set -l root (__nsinit_line)[3]
    if test -z "$root"
        set root /var/run/nsinit
    end
    for file in $root/*/state.json
        string replace -r '^.*/([^/]*)/state\.json$' '$1' -- $file
    end
end

complete -c nsinit -f
complete -c nsinit -n '__nsinit_at "" 0' -a config -d 'write the configuration of a container, for exec --config'
complete -c nsinit -n '__nsinit_at "" 0' -a convert -d 'make an OCI bundle of a container.json of any year'
complete -c nsinit -n '__nsinit_at "" 0' -a exec -d 'run a program in a container'
complete -c nsinit -n '__nsinit_at "" 0' -a init -d 'not needed any more: says so'
complete -c nsinit -n '__nsinit_at "" 0' -a oom -d 'log a line whenever a container runs out of memory'
complete -c nsinit -n '__nsinit_at "" 0' -a pause -d 'suspend all processes of a container'
complete -c nsinit -n '__nsinit_at "" 0' -a unpause -d 'let the processes of a container go on'
complete -c nsinit -n '__nsinit_at "" 0' -a stats -d 'show the statistics of a container'
complete -c nsinit -n '__nsinit_at "" 0' -a state -d 'show the state of a running container'
complete -c nsinit -n '__nsinit_at "" 0' -a checkpoint -d 'checkpoint a running container'
complete -c nsinit -n '__nsinit_at "" 0' -a restore -d 'restore a container from a checkpoint'
complete -c nsinit -n '__nsinit_at "" 0' -a help -d 'show the help of a command, or about a topic'
complete -c nsinit -n '__nsinit_at help 0' -a config -d 'write the configuration of a container, for exec --config'
complete -c nsinit -n '__nsinit_at help 0' -a convert -d 'make an OCI bundle of a container.json of any year'
complete -c nsinit -n '__nsinit_at help 0' -a exec -d 'run a program in a container'
complete -c nsinit -n '__nsinit_at help 0' -a init -d 'not needed any more: says so'
complete -c nsinit -n '__nsinit_at help 0' -a oom -d 'log a line whenever a container runs out of memory'
complete -c nsinit -n '__nsinit_at help 0' -a pause -d 'suspend all processes of a container'
complete -c nsinit -n '__nsinit_at help 0' -a unpause -d 'let the processes of a container go on'
complete -c nsinit -n '__nsinit_at help 0' -a stats -d 'show the statistics of a container'
complete -c nsinit -n '__nsinit_at help 0' -a state -d 'show the state of a running container'
complete -c nsinit -n '__nsinit_at help 0' -a checkpoint -d 'checkpoint a running container'
complete -c nsinit -n '__nsinit_at help 0' -a restore -d 'restore a container from a checkpoint'
complete -c nsinit -n '__nsinit_in ""' -l debug -d 'enable debug logging'
complete -c nsinit -n '__nsinit_in ""' -l root -x -a '(__fish_complete_directories)' -d 'directory that keeps the state of containers; with --compat 2014 the one with container.json'
complete -c nsinit -n '__nsinit_in ""' -l log-file -r -F -d 'write log lines to this file, emptied before'
complete -c nsinit -n '__nsinit_in ""' -l criu -r -F -d 'the CRIU program'
complete -c nsinit -n '__nsinit_in ""' -l compat -x -a '2014 2015' -d 'behave as the tool of that year: 2015, or 2014 for container.json in a directory'
complete -c nsinit -n '__nsinit_in ""' -l log -r -F -d 'with --compat 2014: none, stderr, or a file to append log lines to'
complete -c nsinit -n '__nsinit_in ""' -l strict-legacy -d 'make the capabilities of processes inheritable, too, as that tool did'
complete -c nsinit -n '__nsinit_at config 0' -l file -s f -r -F -d 'write it to this file'
complete -c nsinit -n '__nsinit_at config 0' -l cgroup -d 'mount the cgroups of the container at /sys/fs/cgroup, read-only'
complete -c nsinit -n '__nsinit_at config 0' -l read-only -d 'make the root file system read-only'
complete -c nsinit -n '__nsinit_at config 0' -l cpushares -x -d 'CPU shares, relative to others'
complete -c nsinit -n '__nsinit_at config 0' -l memory-limit -x -d 'limit of memory in bytes'
complete -c nsinit -n '__nsinit_at config 0' -l memory-swap -x -d 'limit of memory and swap in bytes, -1 for none; default is twice the limit of memory'
complete -c nsinit -n '__nsinit_at config 0' -l memory-swappiness -x -d 'how readily memory is swapped out: 0 to 100; -1 leaves it alone'
complete -c nsinit -n '__nsinit_at config 0' -l parent-death-signal -x -d 'signal for the process when nsinit ends before it, 0 for none'
complete -c nsinit -n '__nsinit_at config 0' -l userns-root-uid -x -d 'make a user namespace whose root is this user and group of the host; 0 for none'
complete -c nsinit -n '__nsinit_at config 0' -l veth-mtu -x -d 'MTU of the veth pair'
complete -c nsinit -n '__nsinit_at config 0' -l apparmor-profile -x -d 'AppArmor profile of the process'
complete -c nsinit -n '__nsinit_at config 0' -l cpuset-cpus -x -d 'CPUs to run on: 0-2,4'
complete -c nsinit -n '__nsinit_at config 0' -l cpuset-mems -x -d 'memory nodes to use: 0,1'
complete -c nsinit -n '__nsinit_at config 0' -l hostname -x -d 'host name in a private UTS namespace'
complete -c nsinit -n '__nsinit_at config 0' -l ipc -x -d 'IPC namespace: private, host, or a path'
complete -c nsinit -n '__nsinit_at config 0' -l mnt -x -d 'mount namespace: private or a path'
complete -c nsinit -n '__nsinit_at config 0' -l mount-label -x -d 'SELinux label of the mounts'
complete -c nsinit -n '__nsinit_at config 0' -l net -x -d 'network namespace: private, host, or a path'
complete -c nsinit -n '__nsinit_at config 0' -l pid -x -d 'pid namespace: private, host, or a path'
complete -c nsinit -n '__nsinit_at config 0' -l process-label -x -d 'SELinux label of the process'
complete -c nsinit -n '__nsinit_at config 0' -l rootfs -x -a '(__fish_complete_directories)' -d 'root file system, default is the current directory'
complete -c nsinit -n '__nsinit_at config 0' -l security -x -a 'high medium low' -d 'capabilities, filter and limits of a profile: high, medium or low'
complete -c nsinit -n '__nsinit_at config 0' -l uts -x -d 'UTS namespace: private, host, or a path'
complete -c nsinit -n '__nsinit_at config 0' -l veth-address -x -d 'address of eth0, with its prefix: 10.0.0.2/24'
complete -c nsinit -n '__nsinit_at config 0' -l veth-bridge -x -d 'make a veth pair: eth0 in the container, its peer a port of this bridge'
complete -c nsinit -n '__nsinit_at config 0' -l veth-gateway -x -d 'default gateway by eth0'
complete -c nsinit -n '__nsinit_at config 0' -l bind -x -d 'bind SOURCE:DESTINATION[:ro|rw] with all mounts below; may be repeated'
complete -c nsinit -n '__nsinit_at config 0' -l sysctl -x -d 'set a kernel parameter, NAME=VALUE; may be repeated'
complete -c nsinit -n '__nsinit_at config 0' -l tmpfs -x -d 'mount a tmpfs; may be repeated'
complete -c nsinit -n '__nsinit_at config 0' -l groups -x -d 'supplementary group of the process, by name or number; may be repeated'
complete -c nsinit -n '__nsinit_at convert 0' -l file -s f -r -F -d 'the file to read'
complete -c nsinit -n '__nsinit_at convert 0' -l bundle -s b -x -a '(__fish_complete_directories)' -d 'directory of the bundle, default is the current directory'
complete -c nsinit -n '__nsinit_at exec 0' -l tty -s t -d 'give the process a terminal'
complete -c nsinit -n '__nsinit_at exec 0' -l systemd -d 'make the cgroup a unit of systemd, if that runs'
complete -c nsinit -n '__nsinit_at exec 0' -l id -x -a '(__nsinit_containers)' -d 'id of the container'
complete -c nsinit -n '__nsinit_at exec 0' -l config -r -F -d 'read the container from this file; flags that describe one are then ignored'
complete -c nsinit -n '__nsinit_at exec 0' -l user -s u -x -d 'user of the process, and group after a colon, by name or number'
complete -c nsinit -n '__nsinit_at exec 0' -l cwd -x -d 'working directory in the container'
complete -c nsinit -n '__nsinit_at exec 0' -l env -x -d 'add NAME=value to the environment; may be repeated'
complete -c nsinit -n '__nsinit_at exec 0' -l cgroup -d 'mount the cgroups of the container at /sys/fs/cgroup, read-only'
complete -c nsinit -n '__nsinit_at exec 0' -l read-only -d 'make the root file system read-only'
complete -c nsinit -n '__nsinit_at exec 0' -l cpushares -x -d 'CPU shares, relative to others'
complete -c nsinit -n '__nsinit_at exec 0' -l memory-limit -x -d 'limit of memory in bytes'
complete -c nsinit -n '__nsinit_at exec 0' -l memory-swap -x -d 'limit of memory and swap in bytes, -1 for none; default is twice the limit of memory'
complete -c nsinit -n '__nsinit_at exec 0' -l memory-swappiness -x -d 'how readily memory is swapped out: 0 to 100; -1 leaves it alone'
complete -c nsinit -n '__nsinit_at exec 0' -l parent-death-signal -x -d 'signal for the process when nsinit ends before it, 0 for none'
complete -c nsinit -n '__nsinit_at exec 0' -l userns-root-uid -x -d 'make a user namespace whose root is this user and group of the host; 0 for none'
complete -c nsinit -n '__nsinit_at exec 0' -l veth-mtu -x -d 'MTU of the veth pair'
complete -c nsinit -n '__nsinit_at exec 0' -l apparmor-profile -x -d 'AppArmor profile of the process'
complete -c nsinit -n '__nsinit_at exec 0' -l cpuset-cpus -x -d 'CPUs to run on: 0-2,4'
complete -c nsinit -n '__nsinit_at exec 0' -l cpuset-mems -x -d 'memory nodes to use: 0,1'
complete -c nsinit -n '__nsinit_at exec 0' -l hostname -x -d 'host name in a private UTS namespace'
complete -c nsinit -n '__nsinit_at exec 0' -l ipc -x -d 'IPC namespace: private, host, or a path'
complete -c nsinit -n '__nsinit_at exec 0' -l mnt -x -d 'mount namespace: private or a path'
complete -c nsinit -n '__nsinit_at exec 0' -l mount-label -x -d 'SELinux label of the mounts'
complete -c nsinit -n '__nsinit_at exec 0' -l net -x -d 'network namespace: private, host, or a path'
complete -c nsinit -n '__nsinit_at exec 0' -l pid -x -d 'pid namespace: private, host, or a path'
complete -c nsinit -n '__nsinit_at exec 0' -l process-label -x -d 'SELinux label of the process'
complete -c nsinit -n '__nsinit_at exec 0' -l rootfs -x -a '(__fish_complete_directories)' -d 'root file system, default is the current directory'
complete -c nsinit -n '__nsinit_at exec 0' -l security -x -a 'high medium low' -d 'capabilities, filter and limits of a profile: high, medium or low'
complete -c nsinit -n '__nsinit_at exec 0' -l uts -x -d 'UTS namespace: private, host, or a path'
complete -c nsinit -n '__nsinit_at exec 0' -l veth-address -x -d 'address of eth0, with its prefix: 10.0.0.2/24'
complete -c nsinit -n '__nsinit_at exec 0' -l veth-bridge -x -d 'make a veth pair: eth0 in the container, its peer a port of this bridge'
complete -c nsinit -n '__nsinit_at exec 0' -l veth-gateway -x -d 'default gateway by eth0'
complete -c nsinit -n '__nsinit_at exec 0' -l bind -x -d 'bind SOURCE:DESTINATION[:ro|rw] with all mounts below; may be repeated'
complete -c nsinit -n '__nsinit_at exec 0' -l sysctl -x -d 'set a kernel parameter, NAME=VALUE; may be repeated'
complete -c nsinit -n '__nsinit_at exec 0' -l tmpfs -x -d 'mount a tmpfs; may be repeated'
complete -c nsinit -n '__nsinit_at exec 0' -l groups -x -d 'supplementary group of the process, by name or number; may be repeated'
complete -c nsinit -n '__nsinit_at oom 0' -l id -x -a '(__nsinit_containers)' -d 'id of the container'
complete -c nsinit -n '__nsinit_at pause 0' -l id -x -a '(__nsinit_containers)' -d 'id of the container'
complete -c nsinit -n '__nsinit_at unpause 0' -l id -x -a '(__nsinit_containers)' -d 'id of the container'
complete -c nsinit -n '__nsinit_at stats 0' -l id -x -a '(__nsinit_containers)' -d 'id of the container'
complete -c nsinit -n '__nsinit_at state 0' -l id -x -a '(__nsinit_containers)' -d 'id of the container'
complete -c nsinit -n '__nsinit_at checkpoint 0' -l id -x -a '(__nsinit_containers)' -d 'id of the container'
complete -c nsinit -n '__nsinit_at checkpoint 0' -l image-path -x -a '(__fish_complete_directories)' -d 'directory of the images'
complete -c nsinit -n '__nsinit_at checkpoint 0' -l work-path -x -a '(__fish_complete_directories)' -d 'directory of work files and logs, default is the one of the images'
complete -c nsinit -n '__nsinit_at checkpoint 0' -l leave-running -d 'keep the container running'
complete -c nsinit -n '__nsinit_at checkpoint 0' -l tcp-established -d 'allow open TCP connections'
complete -c nsinit -n '__nsinit_at checkpoint 0' -l ext-unix-sk -d 'allow external unix sockets'
complete -c nsinit -n '__nsinit_at checkpoint 0' -l shell-job -d 'allow jobs of a shell'
complete -c nsinit -n '__nsinit_at checkpoint 0' -l page-server -x -d 'ADDRESS:PORT of the page server'
complete -c nsinit -n '__nsinit_at restore 0' -l id -x -a '(__nsinit_containers)' -d 'id of the container'
complete -c nsinit -n '__nsinit_at restore 0' -l image-path -x -a '(__fish_complete_directories)' -d 'directory of the images'
complete -c nsinit -n '__nsinit_at restore 0' -l work-path -x -a '(__fish_complete_directories)' -d 'directory of work files and logs, default is the one of the images'
complete -c nsinit -n '__nsinit_at restore 0' -l tcp-established -d 'allow open TCP connections'
complete -c nsinit -n '__nsinit_at restore 0' -l ext-unix-sk -d 'allow external unix sockets'
complete -c nsinit -n '__nsinit_at restore 0' -l shell-job -d 'allow jobs of a shell'
complete -c nsinit -s h -l help -d 'show help'
complete -c nsinit -n '__nsinit_in ""' -s v -l version -d 'print the version'
