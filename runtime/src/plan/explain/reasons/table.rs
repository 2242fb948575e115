//! The rows. The first that fits counts.

use super::Phase::{
    Attributes, Cgroup, Devices, Hooks, Identity, Mounts, Namespaces, Network, Process, Program,
    Protections, Root, Same, Session, Switch, Terminal,
};
use super::{Reason, row};

/// A mount that another step of the mount has opened or made.
const BY_DESCRIPTOR: &str = "By descriptors that were opened before: no path is resolved that could have been changed meanwhile.";

pub(super) static ROWS: &[Reason] = &[
    // ---- anywhere
    row("Close", "*", Same, "", "Nothing needs the descriptor any more; what is not open can be neither reached nor inherited."),
    row("Jump", "continue", Same, "", "The step before has worked: the other way, which follows, is not taken."),
    row("Dumpable", "become dumpable", Same, "", "The /proc directory of a process that is not dumpable belongs to root: for one step, another user could not use it."),
    row("Dumpable", "stop being dumpable", Same, "", "Nobody may trace the process or look into it while it prepares the container."),

    // ---- the process
    row("Open", "open /proc", Process, "process.apparmorProfile, process.selinuxLabel, linux.sysctl", "Labels and kernel parameters are written through it; later another /proc may be in sight."),
    row("Verify", "check that /proc is a procfs", Process, "", "A file that stands where procfs should be must not take a label or a parameter in its place."),
    row("Name", "name the process", Same, "", "ps(1) shows it, and programs look for these names."),
    row("Open", "open /proc/self/oom_score_adj", Process, "process.oomScoreAdj", "In the host's namespaces, because lowering it later would take a capability of the initial user namespace."),
    row("Write", "set oom_score_adj", Process, "process.oomScoreAdj", "Whom the kernel kills first when memory runs out; children inherit it."),

    // ---- cgroup
    row("Affinity", "set the initial CPU affinity", Cgroup, "process.execCPUAffinity.initial", "The CPUs of an exec until it is in its cgroup."),
    row("Affinity", "set the final CPU affinity", Cgroup, "process.execCPUAffinity.final", "The CPUs of an exec from here on."),
    row("Affinity", "reset the CPU affinity", Cgroup, "", "The CPUs that the caller was restricted to are not the container's; the cpuset of its cgroup is.")
        .tolerating("To keep an inherited restriction is a warning: the process gets less, not more."),
    row("Open", "join the * cgroup", Cgroup, "linux.cgroupsPath", "cgroup v1: the process moves itself, by the name of the file below the one directory that it was given."),
    row("Verify", "join the * cgroup", Cgroup, "linux.cgroupsPath", "The cgroup has been there for a while: something may have been mounted over it."),
    row("Write", "join the * cgroup", Cgroup, "linux.cgroupsPath", "\"0\" is the writing thread itself. From here on the limits of this hierarchy hold.")
        .tolerating("An ordinary user's container may be without: it then stays in the cgroup of its caller."),
    row("AskGate", "wait for the placement in the cgroup", Cgroup, "linux.cgroupsPath", "Only the supervisor, or systemd for it, can place this process: it waits until that is done."),

    // ---- namespaces
    row("Join", "join namespaces", Namespaces, "linux.namespaces", "Namespaces with a path are those of others. The files were opened and their types checked outside."),
    row("Unshare", "make user namespace", Namespaces, "linux.namespaces", "Alone, so that all that is made afterwards belongs to it."),
    row("Dumpable", "let the supervisor write the id maps", Namespaces, "linux.uidMappings, linux.gidMappings", "The maps are files of this process, which belong to it only while it is dumpable; nobody in the container is there yet."),
    row("AskIdMaps", "write id maps", Namespaces, "linux.uidMappings, linux.gidMappings", "Only one with rights outside may map ids that are not its own."),
    row("SetGroups", "drop supplementary groups", Same, "", "The groups of the caller would give access to its files.")
        .tolerating("In a user namespace that is joined setgroups(2) may be switched off; a filter that would pretend that is not loaded yet."),
    row("SetGid", "become root of the user namespace", Namespaces, "linux.gidMappings", "What is made from here on belongs to the container's root."),
    row("SetUid", "become root of the user namespace", Namespaces, "linux.uidMappings", "With it come all capabilities in this user namespace, and none outside."),
    row("Unshare", "make namespaces", Namespaces, "linux.namespaces", "Those that the clone could not make: they belong to the new user namespace, or take their root from the cgroup."),
    row("Open", "open /proc/self/timens_offsets", Namespaces, "linux.timeOffsets", "Whether the offsets may be written is decided by who opens the file, so it is opened before the user namespace."),
    row("Write", "set the clocks of the time namespace", Namespaces, "linux.timeOffsets", "Possible only until a process is in the new time namespace."),
    row("JoinProcess", "join the namespaces of the container", Namespaces, "linux.namespaces", "All in one call, by the pidfd of the init process: it cannot be another process that got its number."),
    row("SecondStage", "start the second stage", Same, "", "A new pid or time namespace is for children only, and what is visible in one that others use must not have the host's memory."),

    // ---- session
    row("NewSession", "start a session", Session, "", "No input can be pushed into the terminal of the caller (TIOCSTI)."),
    row("Open", "open /proc/self/attr/keycreate", Session, "process.selinuxLabel", "Takes the label of new keys, once an open file; opened while the verified procfs is in sight."),
    row("Write", "set the label of new keys", Session, "process.selinuxLabel", "The session keyring gets the label of the process."),
    row("Keyring", "join the session keyring", Session, "", "The keys of the caller's session are out of reach. --no-new-keyring leaves this out.")
        .tolerating("A kernel without keys has none to protect."),
    row("Write", "reset the label of new keys", Session, "process.selinuxLabel", "The keys that the program makes get the labels that the policy has for them."),

    // ---- network
    row("Netlink", "set the loopback interface up", Network, "linux.namespaces", "A new network namespace has the device lo, switched off: programs expect 127.0.0.1."),
    row("Socket", "open a route socket in the network namespace", Network, "linux.netDevices", "The supervisor configures devices through a socket of the container's network namespace, without entering it."),
    row("SendDescriptorAndWait", "configure network interfaces", Network, "linux.netDevices", "Devices are moved and configured, and routes set, by the supervisor, which has the rights."),

    // ---- root file system
    row("Propagation", "set the propagation of /", Root, "linux.rootfsPropagation", "By default slave: no mount that is made here shows up on the host, and what the host mounts still comes in."),
    row("Open", "open the root file system", Root, "root.path", "Once, and no component may be a symbolic link: all goes by this descriptor."),
    row("HolderPropagation", "make the mount of the root file system private", Root, "linux.rootfsPropagation", "What is mounted on a shared mount would show up on the host, and the kernel does not pivot on one."),
    row("CloneTree", "bind the root file system", Root, "root.path", "The root becomes a mount of the container's own, which pivot_root(2) needs and whose attributes are its own."),
    row("MountAttributes", "make the root file system private", Root, "linux.rootfsPropagation", "What the host mounts in the directory does not appear inside."),
    row("Attach", "attach the root file system", Root, "root.path", BY_DESCRIPTOR),

    // ---- mounts
    row("MakePath", "mount *: create mountpoint", Mounts, "mounts", "Resolved once, inside the root: a symbolic link of the image leads nowhere else. What is missing is made."),
    row("MakePlainDirectory", "mount *: create an ordinary directory for filesystem *", Mounts, "mounts", "proc and sysfs only go where no symbolic link leads: an image must not decide what stands for them."),
    row("NewMount", "mount *: mount", Mounts, "mounts", "A new instance of the file system, not attached anywhere yet, with its attributes on.")
        .tolerating("In a user namespace the kernel may refuse this file system; then the host's is bound instead, as restricted."),
    row("CheckOptions", "mount *: mount", Mounts, "mounts", "Options of cgroup2 are settings of the whole host: they are checked, and not applied to it."),
    row("MountOn", "mount *: mount", Mounts, "mounts", "Nothing is done with it afterwards, so it is made and attached by one call, in its directory."),
    row("MountIn", "mount *: mount", Mounts, "mounts", "The directory is in a mount made just now: nobody else can have put anything there."),
    row("Attach", "mount *: attach", Mounts, "mounts", BY_DESCRIPTOR),
    row("MountAttributes", "mount *: set flags", Mounts, "mounts", "The attributes are those of the options, before anybody can see the mount."),
    row("MountAttributesOfAll", "mount *: set flags", Mounts, "mounts", "The attributes of all hierarchies in one call, and no propagation from the host's."),
    row("MountAttributes", "mount *: set propagation", Mounts, "mounts", "The propagation of the options. One that ends it comes before all else, so that nothing appears in the tree meanwhile."),
    row("MountAttributes", "mount *: set recursive attributes", Mounts, "mounts", "For all mounts of the tree (rro, rnosuid, …), or it fails: mount(2) would change the topmost only."),
    row("MountAttributes", "mount *: clear locked flags", Mounts, "mounts", "What the options clear by name has to be cleared, although a user namespace may have it locked."),
    row("CloneTree", "mount *: open the source", Mounts, "mounts", "A detached copy of the tree at the source as it is at this moment; renames do not change it any more.")
        .tolerating("The process may lack the right to reach the source that the supervisor has, which is asked then."),
    row("Open", "open the root for the supervisor", Mounts, "mounts", "The supervisor resolves the source below it, so that it sees the mounts made so far."),
    row("SendDescriptor", "send the root to the supervisor", Mounts, "mounts", "The supervisor resolves the source below it, so that it sees the mounts made so far."),
    row("AskDescriptor", "mount *: ask the supervisor for the source", Mounts, "mounts", "This process may not reach the source of the mount; the supervisor may."),
    row("CloneTree", "mount *: clone the source", Mounts, "mounts", "A detached copy of what the supervisor has found.")
        .tolerating("The kernel clones locked mounts only with what is below them; then the supervisor is asked for the tree."),
    row("AskDescriptor", "mount *: ask the supervisor for the tree", Mounts, "mounts", "Without the mounts below, which are locked here, only the supervisor can clone it."),
    row("Verify", "mount *: * cannot be mounted because it is not of type proc", Mounts, "mounts", "At /proc stands the root of a procfs, or the container does not start: labels and protections depend on it."),
    row("SendDescriptorAndWait", "mount *: map ids", Mounts, "mounts", "Ids of the mount are mapped by the supervisor while it is detached, which takes rights over its file system."),
    row("CloneTree", "mount *: bind the host's /sys", Mounts, "mounts", "A new sysfs is refused where the network namespace is not the container's: the host's takes its place, read-only."),
    row("Verify", "mount *: check that the host's /sys is a sysfs", Mounts, "mounts", "What is shown as sysfs is one."),
    row("CopyTree", "mount *: copy the content of the mount point", Mounts, "mounts", "tmpcopyup: the new tmpfs begins with what the image has there."),
    row("SetXattr", "mount *: label", Mounts, "linux.mountLabel", "mqueue takes no label as a mount option."),
    row("NewMount", "mount *: hide", Mounts, "mounts", "There is nothing of the container's to show: an empty directory, so that the host's does not shine through."),
    row("Reconfigure", "mount *: remount", Mounts, "mounts", "The entry changes the file system of the mount that is there."),
    row("NewMount", "mount *: mount a tmpfs", Mounts, "mounts", "cgroup v1: a small tmpfs with a directory a hierarchy."),
    row("MountAttributes", "mount *: make the tmpfs read-only", Mounts, "mounts", "The directories of the hierarchies are made: ro is for the whole mount."),
    row("CloneTree", "mount *: bind the host's cgroup directory", Mounts, "mounts", "The cgroups as this container may see them; a new mount of cgroup2 would cost milliseconds.")
        .tolerating("An ordinary user's container may be without a cgroup: an empty directory is shown."),
    row("Verify", "check that * is a cgroup2 file system", Mounts, "mounts", "What is shown as cgroup2 is one."),
    row("BindDirectory", "bind the * cgroup", Mounts, "mounts", "cgroup v1: the container's directory of this hierarchy, not the whole hierarchy."),
    row("CloneTree", "bind the * cgroup", Mounts, "mounts", "cgroup v1: the container's directory of this hierarchy, not the whole hierarchy."),
    row("Symlink", "link the * cgroup", Mounts, "mounts", "Controllers of a common hierarchy are found by their own names."),
    row("NewMount", "mount the * cgroup", Mounts, "mounts", "With a cgroup namespace the root of the mount is the container's cgroup."),
    row("MakePath", "create the directory of the * cgroup", Mounts, "mounts", "Where the hierarchy is attached."),
    row("Attach", "attach the * cgroup", Mounts, "mounts", BY_DESCRIPTOR),
    row("Open", "open the container's /proc", Mounts, "mounts", "A mount made before the procfs may have come to lie there, through a symbolic link of the image."),
    row("Verify", "check that the container's /proc is a procfs", Mounts, "mounts", "At /proc stands the root of a procfs, or the container does not start: labels and protections depend on it."),

    // ---- devices
    row("MakePlainDirectory", "/dev must be an ordinary directory", Devices, "", "/dev is the image's own here: it must not lead elsewhere."),
    row("MakePath", "create the directory of *", Devices, "linux.devices", "Resolved inside the root; what is missing is made."),
    row("MakeNode", "make device node *", Devices, "linux.devices", "One of linux.devices, or of those that every container has (OCI, Default Devices). The device rules of the cgroup decide on its use.")
        .tolerating("Where the kernel lets no nodes be made, as in a user namespace, the host's are bound instead."),
    row("MakeNode", "make *", Devices, "linux.devices", "A named pipe can be made in every user namespace."),
    row("AskDescriptor", "ask the supervisor for device nodes", Devices, "linux.devices", "Nodes that the host does not have, or with another owner or mode: made outside, where that is permitted."),
    row("Open", "open /dev", Devices, "linux.devices", "The nodes of the supervisor are attached here for the moment: only what is attached can be cloned (before Linux 6.15)."),
    row("Attach", "attach the device nodes of the supervisor", Devices, "linux.devices", BY_DESCRIPTOR),
    row("CloneTree", "open the node for *", Devices, "linux.devices", "The node that the supervisor has made.")
        .tolerating("What the supervisor may not make either is the host's own node."),
    row("CloneTree", "open the host's *", Devices, "linux.devices", "In a user namespace no device node can be made: the host's is bound."),
    row("Verify", "check that the host's * is the device", Devices, "linux.devices", "The type and the numbers are those asked for, whatever stands at this path on the host."),
    row("Detach", "detach the device nodes of the supervisor", Devices, "linux.devices", "All are bound where they belong."),
    row("Symlink", "link /dev/ptmx", Devices, "", "Terminals are opened in the container's own devpts."),
    row("Symlink", "link /dev/*", Devices, "", "Programs expect these links (OCI runtime specification, Dev symbolic links)."),
    row("Remove", "remove /dev/ptmx", Devices, "", "That of the image gives way to the link."),

    // ---- terminal; before what is general for devices
    row("Open", "open /dev/pts", Terminal, "process.terminal", "The devpts that the terminal is taken from; what it is, is looked at when it is opened."),
    row("Pty", "open a pseudo terminal", Terminal, "process.terminal", "From the container's devpts: its name and owner are those of the container."),
    row("MakePath", "create /dev/console", Terminal, "process.terminal", "A file to bind the terminal over."),
    row("CloneTree", "clone the terminal for /dev/console", Terminal, "process.terminal", "By its descriptor: no name below /dev/pts is followed."),
    row("Attach", "bind /dev/console", Terminal, "process.terminal", "Programs that write to the console write to the terminal of the container."),
    row("AskConsole", "send the console", Terminal, "process.terminal", "The other end goes to whom the command line names: --console-socket, or the caller's own terminal."),
    row("Stdio", "use the terminal for the standard streams", Terminal, "process.terminal", "Standard input, output and error of the program."),
    row("ControllingTerminal", "set the controlling terminal", Same, "process.terminal", "Job control, and SIGHUP when the terminal goes."),
    row("ReopenNull", "reopen /dev/null", Terminal, "", "A stream that is the host's /dev/null would be an open file of the host; it becomes the container's."),

    // ---- devices and working directory, by the rest of their descriptions
    row("MakePath", "create the working directory *", Switch, "process.cwd", "Made if it is missing, below the root of the container.")
        .tolerating("Whether it can be entered is found out when the process goes there, by whom it belongs to."),
    row("MakePath", "create *", Devices, "linux.devices", "An empty file to bind the node over."),
    row("Attach", "bind *", Devices, "linux.devices", BY_DESCRIPTOR),

    // ---- kernel parameters
    row("NewMount", "mount a private procfs", Protections, "linux.sysctl", "Attached nowhere, so that nothing can be mounted over what is written through it.")
        .tolerating("In a user namespace a procfs is refused while the visible one is covered in part: then what is visible is written to."),
    row("Open", "open the visible procfs", Protections, "linux.sysctl", "What is covered in it cannot be written, and nothing else is written instead."),

    // ---- hooks
    row("AskGate", "run prestart and createRuntime hooks", Hooks, "hooks.prestart, hooks.createRuntime", "The supervisor runs these hooks on the host, sets limits that come late, and joins the groups of Intel RDT."),
    row("ChangeDirectoryTo", "change to the root file system for hooks", Hooks, "hooks.createContainer", "Where the hooks of the container start."),
    row("Umask", "set the file mode mask for hooks", Hooks, "hooks.createContainer", "That of the caller, as for the hooks on the host; mounts are made without one."),
    row("Hook", "running createContainer hook #*", Hooks, "hooks.createContainer[*]", "In the namespaces of the container, before its root is changed."),
    row("Umask", "take the file mode mask off", Hooks, "hooks.createContainer", "What is made from here on gets the modes that are asked for."),

    // ---- switch
    row("Chroot", "change the root", Switch, "root.path", "Without a mount namespace of its own the container has its root by chroot(2) alone, which root can leave."),
    row("Propagation", "stop propagation from *", Switch, "", "--no-pivot: what is unmounted here stays mounted on the host.")
        .tolerating("What is no mount here, or gone, propagates nothing."),
    row("Unmount", "unmount *", Switch, "", "--no-pivot: a complete proc or sysfs of the host below a moved root could be mounted anew from inside.")
        .tolerating("What is locked cannot be unmounted; it is covered instead."),
    row("NewMount", "cover *", Switch, "", "--no-pivot: an empty directory over what could not be unmounted."),
    row("Attach", "cover *", Switch, "", "--no-pivot: an empty directory over what could not be unmounted."),
    row("MoveRoot", "move the root mount", Switch, "root.path", "--no-pivot: for a root file system on a ramdisk, where pivot_root(2) cannot work."),
    row("PivotRoot", "pivot the root", Switch, "root.path", "The old root is made slave and detached: no path, descriptor or mount leads back to the host's files."),
    row("Propagation", "set the propagation of the new root", Switch, "linux.rootfsPropagation", "As the configuration wants it inside; it was private while the root changed."),

    // ---- protections
    row("MountAttributes", "make the root read-only", Protections, "root.readonly", "Last, because mount points and nodes had to be made in it."),
    row("MountAttributes", "make * read-only", Protections, "mounts", "Last, because mount points and nodes had to be made in it."),
    row("Umask", "set the file mode creation mask", Protections, "process.user.umask", "That of the configuration, or 022; an exec without one has its caller's."),
    row("HostName", "sethostname *", Protections, "hostname", "In the UTS namespace of the container."),
    row("DomainName", "setdomainname *", Protections, "domainname", "In the UTS namespace of the container."),
    row("Open", "apply the AppArmor profile: open *", Protections, "process.apparmorProfile", "Through the verified procfs: a file of the image cannot stand for it.")
        .tolerating("The directory of AppArmor's own exists since Linux 5.8; before, it is /proc/self/attr/exec."),
    row("Write", "apply the AppArmor profile *", Protections, "process.apparmorProfile", "The profile is in force when the program is executed."),
    row("Sysctl", "sysctl * = *", Protections, "linux.sysctl[*]", "Written through a procfs that nothing covers, and no link is followed."),
    row("ReadonlyPaths", "make paths read-only", Protections, "linux.readonlyPaths", "Files that root of the container could change the host's kernel by."),
    row("Open", "open /dev/null for masking", Protections, "linux.maskedPaths", "No link is followed; what it is, is looked at before it hides anything."),
    row("Mask", "mask paths", Protections, "linux.maskedPaths", "Files that tell of the host, or reach its memory and devices. A path that does not exist needs no mask."),
    // Last of its operation and phase: the name of any mount point follows.
    row("Open", "open /proc/self/attr/exec", Identity, "process.selinuxLabel", "Through the verified procfs; which task the file is for is decided by who opens it."),
    row("Open", "open *", Switch, "", "--no-pivot: the directory that is covered."),

    // ---- attributes
    row("NoNewPrivileges", "set no_new_privs", Attributes, "process.noNewPrivileges", "No set-user-ID program and no file capability gives the container more than it has."),
    row("Scheduler", "set the scheduling policy", Attributes, "process.scheduler", "While the process may still set it.")
        .tolerating("The kernel does not say why; the next step tries once more, and its failure names the reason."),
    row("Scheduler", "process scheduler can't be used together with AllowedCPUs", Attributes, "process.scheduler", "A deadline task must be allowed on all CPUs: the failure of this step says so."),
    row("IoPriority", "set the I/O priority", Attributes, "process.ioPriority", "While the process may still set it."),
    row("Personality", "set the personality", Attributes, "linux.personality", "The execution domain that the program sees."),
    row("MemoryPolicy", "set the memory policy", Attributes, "linux.memoryPolicy", "Which nodes the program's memory comes from."),
    row("AskHome", "look up the home directory", Attributes, "process.env", "process.env has no HOME: the supervisor reads it in the container's /etc/passwd, by a bounded parser outside."),
    row("AskReady", "ready", Same, "", "The supervisor sets resource limits, puts the container on record, and answers. It can tell of every failure up to here."),
    row("AskGate", "set the resource limits", Attributes, "process.rlimits", "While the process has the identity of the runtime: the second stage inherits them."),

    // ---- identity
    row("Write", "set the process label *", Identity, "process.selinuxLabel", "The label is on the process when the program is executed."),
    row("Seccomp", "load the seccomp filter", Same, "linux.seccomp", "As late as it can be: with no_new_privs after all else, without it while the capability for it is left. It cannot be taken off."),
    row("ChangeDirectory", "chdir to cwd (*) set in config.json", Identity, "process.cwd", "With the rights of the runtime first; if they do not suffice it is tried again with the user's."),
    row("RetryDirectory", "chdir to cwd (*) set in config.json", Identity, "process.cwd", "Only if it was refused before: a directory may be the user's alone."),
    row("BoundingSet", "drop capabilities from the bounding set", Identity, "process.capabilities.bounding", "No program that is executed in the container can get a capability beyond these."),
    row("KeepCapabilities", "keep capabilities across the change of the user", Identity, "process.capabilities", "The change from root to another user would take those that are still to be sorted."),
    row("KeepCapabilities", "stop keeping capabilities", Identity, "", "Only the change of the user before this needed it."),
    row("StdioOwner", "change the owner of the standard streams", Identity, "process.user.uid", "The program can open /dev/stdout and the like again."),
    row("SetGroups", "set supplementary groups", Identity, "process.user.additionalGids", "Always, so that none of the caller's groups is left."),
    row("SetGid", "setgid to *", Identity, "process.user.gid", "Real, effective and saved: there is no way back."),
    row("SetUid", "setuid to *", Identity, "process.user.uid", "Real, effective and saved: there is no way back."),
    row("VerifyDirectory", "verify the working directory", Identity, "process.cwd", "A directory outside of the root, reached by an open descriptor, ends the process here (CVE-2024-21626)."),
    row("Capabilities", "apply capabilities", Identity, "process.capabilities", "Those listed, and no others; without the object, none."),
    row("AskGate", "verify the identity", Identity, "", "A filter may have answered for the kernel on the way: the supervisor compares what the kernel says of the process with what was asked for."),
    row("AskGate", "verify namespaces and mounts", Identity, "", "A filter around the runtime may have answered for the kernel when they were made: the supervisor compares what the kernel shows of the process with what was asked for."),
    row("AmbientSet", "apply ambient capabilities", Identity, "process.capabilities.ambient", "What a program that is not root keeps when it executes another one."),

    // ---- program
    row("Lookup", "exec: *", Program, "process.args, process.env", "Found while a failure can still be told; with the ids and the root that the program will have."),
    row("ResourceLimit", "set the limit on the number of processes", Program, "process.rlimits", "Set when the first stage, which it would have counted, has ended."),
    row("DeathSignal", "restore the parent death signal", Program, "", "A host program asked for it; until ready the process dies with the runtime anyway."),
    row("Dumpable", "let the user join the container", Program, "", "An ordinary user may join its own container only if this is on. Nothing is left that the program will not have.")
        .tolerating("A filter that forbids it costs no more than the right to join before the start."),
    row("CloseControl", "close the control channel", Program, "", "The supervisor has heard of all that could fail; nothing of it is reachable from here on."),
    row("WaitStart", "wait for start", Program, "", "create ends here and start goes on. Nothing but this fifo is open meanwhile."),
    row("LateHooks", "startContainer hook", Program, "hooks.startContainer", "In the container, right before the program."),
    row("Exec", "exec *", Program, "process.args, process.env", "Every other descriptor is closed before; the fifo by the kernel, which tells start that the program runs."),
];
