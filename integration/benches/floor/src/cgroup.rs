//! The cgroup of a container, below that of this process, in each hierarchy of `/sys/fs/cgroup`.

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, mkdir, open, rmdir, statfs};
use rustix::io::{Errno, read, write};

use crate::device_filter;
use crate::failure::{At as _, Result};
use crate::sys;
use crate::text::Text;

/// Where hierarchies are mounted, without the first slash: from the old root, too.
pub(crate) const MOUNT: &[u8] = b"sys/fs/cgroup";
const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;

/// The hierarchies, as `/proc/self/cgroup` lists them.
pub(crate) struct Hierarchies {
    list: [u8; 1024],
    length: usize,
    /// Whether `/sys/fs/cgroup` is cgroup v2; else the hierarchies of v1 are below it.
    pub(crate) unified: bool,
}

/// One hierarchy: the name of its folder, and this process' cgroup in it.
pub(crate) struct Hierarchy<'a> {
    pub(crate) name: &'a [u8],
    own: &'a [u8],
}

impl Hierarchies {
    pub(crate) const EMPTY: Self = Self {
        list: [0; 1024],
        length: 0,
        unified: false,
    };

    pub(crate) fn find(&mut self) -> Result<()> {
        let mounted = statfs(c"/sys/fs/cgroup").at("look at /sys/fs/cgroup")?;
        self.unified = mounted.f_type == CGROUP2_SUPER_MAGIC;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = open(c"/proc/self/cgroup", flags, Mode::empty()).at("open /proc/self/cgroup")?;
        self.length = read(&file, &mut self.list).at("read /proc/self/cgroup")?;
        Ok(())
    }

    /// Those that are mounted: the one of v2, which has no controllers here, or all others.
    pub(crate) fn each(&self) -> impl Iterator<Item = Hierarchy<'_>> {
        let list = self.list.get(..self.length).unwrap_or_default();
        list.split(|byte| *byte == b'\n').filter_map(|line| {
            let mut fields = line.splitn(3, |byte| *byte == b':').skip(1);
            let controllers = fields.next()?;
            let own = fields.next()?;
            let name = controllers.strip_prefix(b"name=").unwrap_or(controllers);
            let own = if own == b"/" { b"" } else { own };
            (name.is_empty() == self.unified).then_some(Hierarchy { name, own })
        })
    }

    /// Makes the cgroup everywhere and sets its device filter; the descriptor of that of v2.
    pub(crate) fn create(&self, id: &[u8]) -> Result<Option<OwnedFd>> {
        for hierarchy in self.each() {
            let folder = hierarchy.folder(b"/", id);
            mkdir(folder.as_c(), Mode::from_raw_mode(0o755)).at("make the cgroup")?;
            match hierarchy.name {
                b"" => return filtered(&folder).map(Some),
                b"devices" => allow_devices(folder.bytes())?,
                b"cpuset" => copy_cpuset(folder.bytes(), hierarchy.folder(b"/", b"").bytes())?,
                _ => {}
            }
        }
        Ok(None)
    }

    /// The descriptor of the cgroup of v2.
    pub(crate) fn open(&self, id: &[u8]) -> Result<Option<OwnedFd>> {
        match self.each().next() {
            Some(hierarchy) if self.unified => open_folder(&hierarchy.folder(b"/", id)).map(Some),
            _ => Ok(None),
        }
    }

    /// Moves this process, which has one thread, into the cgroup of each hierarchy of v1. Writing
    /// to `tasks` spares the wait that writing to `cgroup.procs` is.
    pub(crate) fn join(&self, id: &[u8]) -> Result<()> {
        if !self.unified {
            for hierarchy in self.each() {
                put(&[hierarchy.folder(b"/", id).bytes(), b"/tasks"], &[b"0"])?;
            }
        }
        Ok(())
    }

    /// Removes the cgroup everywhere.
    pub(crate) fn remove(&self, id: &[u8]) -> Result<()> {
        for hierarchy in self.each() {
            let folder = hierarchy.folder(b"/", id);
            // A process that has ended may still be on its way out of the cgroup.
            while let Err(errno) = rmdir(folder.as_c()) {
                if errno != Errno::BUSY {
                    return Err(errno).at("remove the cgroup");
                }
            }
        }
        Ok(())
    }
}

impl Hierarchy<'_> {
    /// The folder of the container's cgroup, absolute or as seen from another place.
    pub(crate) fn folder(&self, before: &[u8], id: &[u8]) -> Text {
        let slash: &[u8] = if self.name.is_empty() { b"" } else { b"/" };
        Text::of(&[before, MOUNT, slash, self.name, self.own, b"/", id])
    }
}

fn open_folder(folder: &Text) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(folder.as_c(), flags, Mode::empty()).at("open the cgroup")
}

/// Opens a cgroup of v2 and attaches the device program.
fn filtered(folder: &Text) -> Result<OwnedFd> {
    let cgroup = open_folder(folder)?;
    let program = sys::load_device_program(&device_filter::PROGRAM).at("load the device filter")?;
    sys::attach_device_program(&cgroup, &program).at("attach the device filter")?;
    Ok(cgroup)
}

fn allow_devices(folder: &[u8]) -> Result<()> {
    put(&[folder, b"/devices.deny"], &[b"a"])?;
    put(&[folder, b"/devices.allow"], &device_filter::RULES)
}

/// A cpuset without processors takes no process; those of the parent are copied.
fn copy_cpuset(folder: &[u8], parent: &[u8]) -> Result<()> {
    for name in [b"cpuset.cpus", b"cpuset.mems"] {
        let path = Text::of(&[parent, name]);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = open(path.as_c(), flags, Mode::empty()).at("open the parent's cpuset")?;
        let mut value = [0; 256];
        let length = read(&file, &mut value).at("read the parent's cpuset")?;
        put(
            &[folder, b"/", name],
            &[value.get(..length).unwrap_or_default()],
        )?;
    }
    Ok(())
}

/// Writes each value to a file, one after the other.
fn put(path: &[&[u8]], values: &[&[u8]]) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = open(Text::of(path).as_c(), flags, Mode::empty()).at("open a file of the cgroup")?;
    for value in values {
        write(&file, value).at("write to a file of the cgroup")?;
    }
    Ok(())
}
