//! The limits as the kernel has them, to be put back when a change fails half-way.
//!
//! What is put back is the text of the kernel's files, not a configuration: limits that were never
//! asked for, and those that another program has changed, come back as well.

use std::path::PathBuf;

use crate::cgroup::Driver;
use crate::dir::{Dir, check_name};
use crate::{Cgroup, Error, ErrorKind, Resources, Result, hugepages};

/// The contents of the files that [`Cgroup::set`](crate::Cgroup::set) writes limits to.
///
/// Device rules and the freezer are not among them.
#[derive(Debug, Clone, Default)]
#[must_use = "a snapshot is taken to be restored"]
pub struct Snapshot {
    files: Vec<Saved>,
}

/// One file as it was.
#[derive(Debug, Clone)]
struct Saved {
    /// The controller whose directory it is in (cgroup v1).
    controller: &'static str,
    name: String,
    text: String,
    /// What takes the line of a key away that was not there.
    reset: &'static str,
}

/// A file of a controller, and what follows the key of a line to take the line away; files without
/// keys have none.
type File = (&'static str, &'static str);

/// The files of cgroup v1 by controller. One that limits another comes before it where that matters
/// for loosening; for tightening the writes are repeated.
const V1: [(&str, &[File]); 7] = [
    (
        "cpuset",
        &[
            ("cpuset.cpus", ""),
            ("cpuset.mems", ""),
            ("cpus", ""),
            ("mems", ""),
        ],
    ),
    (
        "memory",
        &[
            ("memory.memsw.limit_in_bytes", ""),
            ("memory.limit_in_bytes", ""),
            ("memory.soft_limit_in_bytes", ""),
            (OOM_CONTROL, ""),
            ("memory.swappiness", ""),
        ],
    ),
    (
        "cpu",
        &[
            ("cpu.idle", ""),
            ("cpu.shares", ""),
            ("cpu.cfs_quota_us", ""),
            ("cpu.cfs_period_us", ""),
            ("cpu.cfs_burst_us", ""),
            ("cpu.rt_runtime_us", ""),
            ("cpu.rt_period_us", ""),
        ],
    ),
    ("pids", &[("pids.max", "")]),
    (
        "blkio",
        &[
            ("blkio.weight", ""),
            ("blkio.leaf_weight", ""),
            ("blkio.weight_device", "0"),
            ("blkio.leaf_weight_device", "0"),
            ("blkio.bfq.weight", ""),
            ("blkio.bfq.weight_device", "0"),
            ("blkio.throttle.read_bps_device", "0"),
            ("blkio.throttle.write_bps_device", "0"),
            ("blkio.throttle.read_iops_device", "0"),
            ("blkio.throttle.write_iops_device", "0"),
        ],
    ),
    ("net_cls", &[("net_cls.classid", "")]),
    ("net_prio", &[("net_prio.ifpriomap", "0")]),
];

/// The files of cgroup v2.
const V2: [File; 13] = [
    ("pids.max", ""),
    ("memory.swap.max", ""),
    ("memory.max", ""),
    ("memory.low", ""),
    ("io.weight", "default"),
    ("io.bfq.weight", "default"),
    ("io.max", "rbps=max wbps=max riops=max wiops=max"),
    ("cpu.idle", ""),
    ("cpu.weight", ""),
    ("cpu.max", ""),
    ("cpu.max.burst", ""),
    ("cpuset.cpus", ""),
    ("cpuset.mems", ""),
];

const RDMA: File = ("rdma.max", "hca_handle=max hca_object=max");

/// Its first line is the setting, the others tell what happens.
const OOM_CONTROL: &str = "memory.oom_control";

/// How often what could not be written yet is tried again: limits depend on each other in pairs.
const PASSES: u32 = 4;

impl Cgroup {
    /// Takes down the limits that are in force, with the files that `resources.unified` names, for
    /// [`restore`](Self::restore).
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) for a file that cannot be read. One of
    /// `resources.unified` that cannot be read is left out: it is not a limit.
    pub fn snapshot(&self, resources: &Resources) -> Result<Snapshot> {
        let mut files = Vec::new();
        match &self.driver {
            Driver::V1(_) => {
                for (controller, list) in V1 {
                    self.save(controller, list.iter().copied(), &mut files)?;
                }
            }
            Driver::V2(_) => self.save("", V2.into_iter(), &mut files)?,
        }
        self.save("rdma", [RDMA].into_iter(), &mut files)?;
        let limits = match &self.driver {
            Driver::V1(_) => ["limit_in_bytes", "rsvd.limit_in_bytes"],
            Driver::V2(_) => ["max", "rsvd.max"],
        };
        for size in hugepages::sizes() {
            for limit in limits {
                self.save_one("hugetlb", format!("hugetlb.{size}.{limit}"), "", &mut files)?;
            }
        }
        for name in resources.unified.keys() {
            let known = files.iter().any(|saved| saved.name == *name);
            if known || check_name(name).is_err() {
                continue;
            }
            if let Err(error) = self.save_one("", name.clone(), "", &mut files) {
                log::debug!("{error}: cannot be put back");
            }
        }
        Ok(Snapshot { files })
    }

    fn save(
        &self,
        controller: &'static str,
        list: impl Iterator<Item = File>,
        files: &mut Vec<Saved>,
    ) -> Result<()> {
        for (name, reset) in list {
            self.save_one(controller, name.to_owned(), reset, files)?;
        }
        Ok(())
    }

    fn save_one(
        &self,
        controller: &'static str,
        name: String,
        reset: &'static str,
        files: &mut Vec<Saved>,
    ) -> Result<()> {
        let Some(dir) = self.dir_of(controller)? else {
            return Ok(());
        };
        if let Some(text) = read(dir, &name)? {
            files.push(Saved {
                controller,
                name,
                text,
                reset,
            });
        }
        Ok(())
    }

    /// The directory with the files of a controller; `None` if the cgroup does not have it.
    fn dir_of(&self, controller: &str) -> Result<Option<&Dir>> {
        match &self.driver {
            Driver::V2(group) => group.group_dir.dir_if_present(&self.hierarchy),
            Driver::V1(group) => match group.member(controller) {
                Some(member) => member.group_dir.dir_if_present(&self.hierarchy),
                None => Ok(None),
            },
        }
    }

    /// Puts back every limit that is not as the snapshot says.
    ///
    /// With systemd the properties of the unit are not changed: what systemd applies to the cgroup
    /// later is what it was given last.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io): the first file that could not be put back. The
    /// others are.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<()> {
        let mut left: Vec<&Saved> = snapshot.files.iter().collect();
        let mut failure = None;
        for _ in 0..PASSES {
            failure = None;
            let mut still = Vec::new();
            for saved in left {
                if let Err(error) = self.put_back(saved) {
                    failure.get_or_insert(error);
                    still.push(saved);
                }
            }
            left = still;
            if left.is_empty() {
                break;
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Writes the lines that have changed; an error if the file is different for all that.
    fn put_back(&self, saved: &Saved) -> Result<()> {
        let Some(dir) = self.dir_of(saved.controller)? else {
            return Err(Error::gone(
                self.path(saved.controller).unwrap_or(&PathBuf::new()),
            ));
        };
        let now = read(dir, &saved.name)?.unwrap_or_default();
        if now == saved.text {
            return Ok(());
        }
        for line in saved.changes(&now) {
            dir.write(&saved.name, &line)?;
        }
        let now = read(dir, &saved.name)?.unwrap_or_default();
        if now == saved.text {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Io,
            format_args!(
                "{} is {:?} and not {:?} again",
                dir.path().join(&saved.name).display(),
                now.trim(),
                saved.text.trim()
            ),
        ))
    }
}

impl Saved {
    /// What to write to come from the text `now` to the saved one.
    fn changes(&self, now: &str) -> Vec<String> {
        let key = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        let mut lines: Vec<_> = self
            .text
            .lines()
            .filter(|line| !now.lines().any(|other| other == *line))
            // An empty list takes a write of at least one byte.
            .map(|line| if line.is_empty() { "\n" } else { line })
            .map(str::to_owned)
            .collect();
        if !self.reset.is_empty() {
            let new = now.lines().map(key);
            let new = new.filter(|new| !self.text.lines().any(|line| key(line) == *new));
            lines.extend(new.map(|new| format!("{new} {}", self.reset)));
        } else if lines.is_empty() {
            lines.push("\n".to_owned());
        }
        lines
    }
}

fn read(dir: &Dir, name: &str) -> Result<Option<String>> {
    let text = dir.read_if_present(name)?;
    Ok(text.map(|text| match name {
        OOM_CONTROL => {
            let setting = text.lines().next().and_then(|line| line.split(' ').nth(1));
            setting.unwrap_or_default().to_owned()
        }
        _ => text,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn what_has_changed_is_written_as_it_was() {
        let saved = |name: &str, text: &str, reset| Saved {
            controller: "",
            name: name.to_owned(),
            text: text.to_owned(),
            reset,
        };
        let max = "rbps=max wbps=max riops=max wiops=max";
        for (text, reset, now, expected) in [
            ("max\n", "", "50\n", vec!["max"]),
            ("\n", "", "0-1\n", vec!["\n"]),
            ("", "", "0-1\n", vec!["\n"]),
            ("", "0", "8:0 100\n8:16 5\n", vec!["8:0 0", "8:16 0"]),
            ("8:0 7\n", "0", "8:0 100\n", vec!["8:0 7"]),
            (
                "8:0 rbps=1\n",
                max,
                "8:0 rbps=1\n8:16 rbps=2\n",
                vec!["8:16 rbps=max wbps=max riops=max wiops=max"],
            ),
            (
                "default 100\n",
                "default",
                "default 300\n8:0 50\n",
                vec!["default 100", "8:0 default"],
            ),
        ] {
            assert_eq!(
                saved("x", text, reset).changes(now),
                expected,
                "{text:?} {now:?}"
            );
        }
    }

    #[test]
    fn a_snapshot_is_put_back_on_v1_and_v2() {
        for (fake, files) in [
            (
                Fake::v1("4:pids:/\n3:memory:/\n2:cpu:/\n1:devices:/\n"),
                [
                    "pids/c/pids.max",
                    "memory/c/memory.limit_in_bytes",
                    "cpu/c/cpu.shares",
                ],
            ),
            (
                Fake::v2("cpu memory pids\n", "/"),
                ["c/pids.max", "c/memory.max", "c/hugetlb.none.max"],
            ),
        ] {
            let wanted = Resources {
                unified: [("hugetlb.none.max".to_owned(), "7".to_owned())].into(),
                ..Resources::default()
            };
            for file in files {
                fake.file(file, "1\n");
            }
            let cgroup = fake.cgroup("c");
            let snapshot = cgroup.snapshot(&wanted).unwrap();
            for file in files {
                fake.file(file, "2\n");
            }
            // A fake file keeps what is behind the new text, so that the texts differ in the line
            // end only.
            let _ = cgroup.restore(&snapshot);
            for file in files {
                assert_eq!(fake.read(file).lines().next(), Some("1"), "{file}");
            }
        }
    }
}
