//! A container that reports what it sees.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use cofferdam_integration::Case;
use serde_json::json;

/// Prints the report: sections that begin with a line `== NAME`.
const SCRIPT: &str = r#"
section() { echo "== $1"; }
section mountinfo; cat /proc/self/mountinfo
section namespaces; for kind in pid uts ipc net mnt; do readlink /proc/self/ns/$kind; done
section status; cat /proc/1/status
section devices
for name in null zero full tty random urandom; do stat -c '%n %F %t:%T %a' /dev/$name; done
for name in null zero full random urandom; do
    head -c 1 /dev/$name | od -An -tx1 | tr -d ' ' | sed "s/^/read $name /"
    case $name in full) ;; *) echo x >/dev/$name && echo written $name ;; esac
done
echo x 2>&1 >/dev/full | sed 's/^/full: /'
section links; for link in ptmx fd stdin stdout stderr core; do echo $link $(readlink /dev/$link); done
section descriptors; ls /proc/1/fd
section command; tr '\0' '\n' </proc/1/cmdline
section environment; tr '\0' '\n' </proc/1/environ
section umask; umask
section keys; cat /proc/keys
section masked; cat /proc/kcore 2>/dev/null | wc -c; ls /sys/firmware
section readonly
for path in sys/kernel/hostname sysrq-trigger irq/default_smp_affinity bus/probe; do
    (echo x >/proc/$path) 2>&1 | sed "s|^|$path: |"
done
"#;

/// What the probe has printed, by section.
pub(super) struct Report(BTreeMap<String, String>);

impl Report {
    fn parse(text: &str) -> Self {
        let sections = text.split("== ").skip(1).filter_map(|section| {
            let (name, text) = section.split_once('\n')?;
            Some((name.to_owned(), text.to_owned()))
        });
        Self(sections.collect())
    }

    /// A section; it must be there.
    #[track_caller]
    pub(super) fn section(&self, name: &str) -> &str {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("no section {name}: {:#?}", self.0))
    }

    /// Whether a section has this line.
    #[track_caller]
    pub(super) fn has(&self, section: &str, line: &str) -> bool {
        self.section(section).lines().any(|found| found == line)
    }

    /// The value of a line `KEY:\tVALUE` of `/proc/1/status`.
    #[track_caller]
    pub(super) fn status(&self, key: &str) -> &str {
        value(self.section("status"), key)
    }

    /// The mount at this place.
    #[track_caller]
    pub(super) fn mount(&self, place: &str) -> Mount<'_> {
        let lines = self.section("mountinfo").lines();
        lines
            .map(Mount::parse)
            .rfind(|mount| mount.place == place)
            .unwrap_or_else(|| panic!("nothing is mounted at {place}"))
    }
}

/// A line of `/proc/self/mountinfo`, proc_pid_mountinfo(5).
pub(super) struct Mount<'a> {
    place: &'a str,
    pub(super) options: Vec<&'a str>,
    pub(super) kind: &'a str,
    pub(super) data: Vec<&'a str>,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Self {
        let (front, back) = line.split_once(" - ").expect("a separator");
        let front: Vec<&str> = front.split(' ').collect();
        let back: Vec<&str> = back.split(' ').collect();
        Self {
            place: front[4],
            options: front[5].split(',').collect(),
            kind: back[0],
            data: back[2].split(',').collect(),
        }
    }

    /// Checks the type and that these options are set, of the mount or of its file system.
    #[track_caller]
    pub(super) fn is(&self, kind: &str, options: &[&str]) {
        assert_eq!(self.kind, kind, "{}", self.place);
        for option in options {
            assert!(
                self.options.contains(option) || self.data.contains(option),
                "{}: {option} is not in {:?} nor {:?}",
                self.place,
                self.options,
                self.data
            );
        }
    }
}

/// The value of a line `KEY:\tVALUE`.
#[track_caller]
pub(super) fn value<'a>(status: &'a str, key: &str) -> &'a str {
    let mut lines = status.lines();
    lines
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no line {key}"))
        .trim()
}

/// The fourteen capabilities that are on by default.
pub(super) const CAPABILITIES: [&str; 14] = [
    "CAP_NET_RAW",
    "CAP_NET_BIND_SERVICE",
    "CAP_AUDIT_WRITE",
    "CAP_DAC_OVERRIDE",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_MKNOD",
    "CAP_CHOWN",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SYS_CHROOT",
];

/// A case with the mounts and the protection of the specification.
pub(super) fn case() -> Case {
    let mut case = Case::new();
    let mount = |destination: &str, kind: &str, options: &[&str]| json!({ "destination": destination, "type": kind, "source": kind, "options": options });
    case.bundle.config["mounts"] = json!([
        mount("/proc", "proc", &["nosuid", "nodev", "noexec"]),
        mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755"]),
        mount(
            "/dev/shm",
            "tmpfs",
            &["nosuid", "nodev", "noexec", "mode=1777", "size=65536k"]
        ),
        mount("/dev/mqueue", "mqueue", &["nosuid", "nodev", "noexec"]),
        mount(
            "/dev/pts",
            "devpts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5"
            ]
        ),
        mount("/sys", "sysfs", &["nosuid", "nodev", "noexec", "ro"]),
    ]);
    let linux = &mut case.bundle.config["linux"];
    linux["maskedPaths"] = json!(["/proc/kcore", "/sys/firmware"]);
    linux["readonlyPaths"] = json!(["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"]);
    let process = &mut case.bundle.config["process"];
    process["noNewPrivileges"] = json!(false);
    process["capabilities"] = json!({
        "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES
    });
    case
}

/// The report of the probe, made once for each test program.
pub(super) fn report() -> &'static Report {
    static REPORT: LazyLock<Report> = LazyLock::new(|| {
        let mut case = case();
        let output = case.inside(SCRIPT);
        case.finish();
        Report::parse(&output.stdout)
    });
    &REPORT
}
