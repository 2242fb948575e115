//! What the container sees.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use configs::config::{Mount, MountAttr, MountFlags, NamespaceType};

use super::{Bundle, chain_of, need_root};
use crate::plan::tests::{mount, private, volume};
use crate::plan::{CgroupView, LegacyHierarchy};

#[test]
fn a_bare_container_runs_as_pid_1_in_its_own_root() {
    need_root!();
    let output = Bundle::new("echo $$ $HOME; ls -d /usr; umask; echo /proc/self/fd/*; pwd").run();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "1 /asked/home");
    assert!(lines[1].contains("No such file"));
    assert_eq!(lines[2], "0022");
    // Nothing but the standard streams, and what the shell itself opened to list them.
    assert_eq!(
        lines[3],
        "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3"
    );
    assert_eq!(lines[4], "/");
}

#[test]
fn the_standard_container_is_protected() {
    need_root!();
    let mut bundle = Bundle::standard(
        "hostname; touch /x; cat /proc/timer_list | wc -c; touch /proc/sys/kernel/hostname || echo ro; \
         ls /sys/firmware | wc -l; grep -E 'Cap(Eff|Bnd|Prm|Amb)|NoNewPrivs' /proc/self/status; \
         ip link show lo | head -1; stat -c '%a %t:%T %n' /dev/null /dev/tty; readlink /dev/ptmx; readlink /dev/fd; \
         stat -c '%a' /dev /dev/shm; grep -c . /proc/self/mountinfo; id -G",
    );
    bundle.case.config.mask_paths = ["/proc/timer_list", "/sys/firmware"]
        .map(str::to_owned)
        .to_vec();
    let output = bundle.run();
    for line in [
        "cofferdam",
        "touch: /x: Read-only file system",
        "0",
        "ro",
        "CapEff:\t0000000020000420",
        "CapPrm:\t0000000020000420",
        "CapBnd:\t0000000020000420",
        "CapAmb:\t0000000000000000",
        "NoNewPrivs:\t1",
        "666 1:3 /dev/null",
        "666 5:0 /dev/tty",
        "pts/ptmx",
        "/proc/self/fd",
        "755",
        "1777",
    ] {
        assert!(
            output.lines().any(|found| found == line),
            "no {line:?} in\n{output}"
        );
    }
    assert!(output.contains("lo: <LOOPBACK,UP,LOWER_UP>"), "{output}");
    // The mount points were made with the modes meant, whatever the mask of this process is.
    assert_eq!(
        bundle.rootfs().join("dev").metadata().unwrap().mode() & 0o7777,
        0o755
    );
}

#[test]
fn mounts_have_the_modes_flags_and_content_asked_for() {
    need_root!();
    let mut bundle = Bundle::new(
        "stat -c '%a %n' /inherit /explicit /fresh /copied; cat /copied/file /etc/single /later; \
         sed -n 's/^[^/]*[^ ]* \\(\\/ro\\|\\/roro\\|\\/roro\\/sub\\|\\/plain\\) \\([^ ]*\\).*/\\1 \\2/p' /proc/self/mountinfo | sort; touch /tmp/dangling-target",
    );
    let rootfs = bundle.rootfs().to_owned();
    for (name, mode) in [("inherit", 0o1711), ("explicit", 0o755), ("copied", 0o2750)] {
        fs::create_dir(rootfs.join(name)).unwrap();
        fs::set_permissions(rootfs.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::write(rootfs.join("copied/file"), "copied content\n").unwrap();
    let host = bundle.dir.path().join("host");
    fs::create_dir_all(host.join("sub")).unwrap();
    fs::write(host.join("single"), "single file\n").unwrap();
    let host = host.to_str().unwrap().to_owned();
    let mounts = &mut bundle.case.config.mounts;
    mounts.push(mount("tmpfs", "/inherit", MountFlags::NONE, ""));
    mounts.push(mount("tmpfs", "/explicit", MountFlags::NONE, "mode=0700"));
    mounts.push(mount("tmpfs", "/fresh", MountFlags::NONE, ""));
    mounts.push(Mount {
        extensions: Mount::COPY_UP,
        ..mount("tmpfs", "/copied", MountFlags::NONE, "")
    });
    mounts.push(volume(
        &format!("{host}/single"),
        "/etc/single",
        MountFlags::NONE,
        MountFlags::NONE,
    ));
    mounts.push(volume(
        &host,
        "/ro",
        MountFlags::RDONLY | MountFlags::NOSUID,
        MountFlags::PRIVATE,
    ));
    mounts.push(volume(&host, "/plain", MountFlags::NONE, MountFlags::NONE));
    let mut recursive = volume(
        &host,
        "/roro",
        MountFlags::REC,
        MountFlags::PRIVATE | MountFlags::REC,
    );
    recursive.rec_attr = Some(MountAttr {
        attr_set: MountAttr::RDONLY | MountAttr::NOEXEC,
        ..MountAttr::default()
    });
    mounts.push(recursive);
    // The source is what an earlier mount of the container shows at its place on the host.
    let inside = format!("{}/etc/single", rootfs.display());
    mounts.push(volume(
        &inside,
        "/later",
        MountFlags::NONE,
        MountFlags::NONE,
    ));
    let output = bundle.run();
    for line in [
        "1711 /inherit",
        "700 /explicit",
        "1777 /fresh",
        "2750 /copied",
        "copied content",
        "single file",
        "/ro ro,nosuid,relatime",
        "/roro ro,noexec,relatime",
    ] {
        assert!(
            output.lines().any(|found| found.starts_with(line)),
            "no {line:?} in\n{output}"
        );
    }
    assert_eq!(output.matches("single file").count(), 2, "{output}");
    let plain = output
        .lines()
        .find(|line| line.starts_with("/plain "))
        .unwrap();
    assert!(plain.starts_with("/plain rw,"), "{output}");
}

#[test]
fn links_in_the_image_lead_nowhere_else() {
    need_root!();
    let bundle = Bundle::standard("true");
    fs::remove_dir(bundle.rootfs().join("proc")).unwrap();
    symlink("/tmp", bundle.rootfs().join("proc")).unwrap();
    assert!(
        bundle
            .refusal()
            .contains("create an ordinary directory for")
    );

    // The same for a /dev that the image supplies.
    let canary = bundle.dir.path().join("canary");
    fs::create_dir(&canary).unwrap();
    let bundle = Bundle::new("true");
    symlink(&canary, bundle.rootfs().join("dev")).unwrap();
    let refusal = bundle.refusal();
    assert!(
        refusal.contains("/dev must be an ordinary directory"),
        "{refusal}"
    );
    assert_eq!(fs::read_dir(&canary).unwrap().count(), 0);

    // A link to /proc is not one of the files there that may be replaced.
    for before in [false, true] {
        let mut bundle = Bundle::new("cat /proc/self/comm");
        symlink("/proc", bundle.rootfs().join("elsewhere")).unwrap();
        let sneaked = mount("tmpfs", "/elsewhere", MountFlags::NONE, "");
        let mounts = &mut bundle.case.config.mounts;
        if before {
            // Made earlier, it ends up below the real one.
            mounts.insert(0, sneaked);
            assert_eq!(bundle.run(), "cat\n");
        } else {
            mounts.push(sneaked);
            let refusal = bundle.refusal();
            assert!(refusal.contains("create mountpoint"), "{refusal}");
        }
    }
}

#[test]
fn protections_stay_on_the_mounts_when_somebody_else_renames_their_mount_points() {
    need_root!();
    let mut bundle = Bundle::standard(
        "cat /proc.away/timer_list | wc -c; ls /sys.away/firmware | wc -l; \
         touch /proc.away/sys/kernel/hostname || true; ls /proc.away/self/comm",
    );
    bundle.rearranged = true;
    bundle.case.late_limits = true;
    bundle.case.config.readonlyfs = false;
    bundle.case.config.mask_paths = ["/proc/timer_list", "/sys/firmware"]
        .map(str::to_owned)
        .to_vec();
    let running = bundle
        .create()
        .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
    assert_eq!(running.supervisor.asked, ["gate", "ready"]);
    assert_eq!(
        running.finish(),
        "0\n0\ntouch: /proc.away/sys/kernel/hostname: Read-only file system\n/proc.away/self/comm\n"
    );
}

#[test]
fn a_null_device_that_is_none_hides_nothing() {
    need_root!();
    let mut bundle = Bundle::new("true");
    fs::create_dir(bundle.rootfs().join("dev")).unwrap();
    let fake = bundle.dir.path().join("dev");
    fs::create_dir(&fake).unwrap();
    fs::write(fake.join("null"), "").unwrap();
    bundle.case.config.mounts.push(volume(
        fake.to_str().unwrap(),
        "/dev",
        MountFlags::REC,
        MountFlags::NONE,
    ));
    bundle.case.config.mask_paths = vec!["/proc/kcore".to_owned()];
    bundle.case.process.terminal(None);
    let refusal = bundle.refusal();
    assert!(refusal.contains("null"), "{refusal}");
}

#[test]
fn without_pivot_and_without_mount_namespace_the_root_is_changed() {
    need_root!();
    let mut bundle = Bundle::new("ls /; ls /bin/sh; grep -c ' /proc ' /proc/self/mountinfo");
    bundle.case.config.no_pivot_root = true;
    let rootfs = bundle.rootfs().to_owned();
    bundle.case.host.read_full_proc_mounts(&rootfs).unwrap();
    let output = bundle.run();
    assert!(
        output.contains("/bin/sh") && !output.contains("work"),
        "{output}"
    );

    let mut bundle = Bundle::new("ls /; ls /bin/sh");
    bundle.case.config.namespaces = private(&[NamespaceType::Pid]);
    bundle.case.config.mounts.clear();
    let built = bundle.case.init().unwrap();
    assert!(built.host_mounts.is_empty());
    let output = bundle.run();
    assert!(
        output.contains("/bin/sh") && !output.contains("work"),
        "{output}"
    );
}

#[test]
fn legacy_cgroups_are_joined_before_their_namespace_is_made() {
    need_root!();
    // A hierarchy of its own is enough, and only this test's.
    let hierarchy = Path::new("/sys/fs/cgroup/pids");
    if !hierarchy.join("cgroup.procs").exists() {
        eprintln!("skipped: needs the v1 pids cgroup");
        return;
    }
    let own = hierarchy.join(format!("cofferdam-plan-{}", std::process::id()));
    fs::create_dir(&own).unwrap();
    for namespace in [true, false] {
        let mut bundle = Bundle::standard(
            "grep ':pids:' /proc/self/cgroup | cut -d: -f3; cat /sys/fs/cgroup/pids/cgroup.procs | head -1; \
             mkdir /sys/fs/cgroup/pids/x || mkdir /sys/fs/cgroup/y; readlink /sys/fs/cgroup/alias",
        );
        if !namespace {
            bundle.case.config.namespaces.remove(NamespaceType::Cgroup);
        }
        bundle
            .case
            .config
            .mounts
            .push(mount("cgroup", "/sys/fs/cgroup", MountFlags::RDONLY, ""));
        bundle.case.view = CgroupView::Legacy(vec![LegacyHierarchy {
            directory: "pids".to_owned(),
            source: "cgroup".to_owned(),
            data: "pids".to_owned(),
            links: vec!["alias".to_owned()],
            own: own.clone(),
            of_caller: false,
        }]);
        bundle.case.cgroup.tasks = vec![own.join("tasks").to_str().unwrap().to_owned()];
        let output = bundle.run();
        let path = if namespace {
            "/".to_owned()
        } else {
            format!("/{}", own.file_name().unwrap().to_str().unwrap())
        };
        assert!(output.starts_with(&format!("{path}\n1\n")), "{output}");
        assert_eq!(
            output.matches("Read-only file system").count(),
            2,
            "{output}"
        );
        assert!(output.ends_with("pids\n"), "{output}");
    }
    fs::remove_dir(&own).unwrap();
}
