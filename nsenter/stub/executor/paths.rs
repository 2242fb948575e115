//! Paths inside an untrusted root.
//!
//! Whatever a path or a symlink in it says, the result lies below the root: the kernel resolves it
//! there (`openat2`), also at the end of a walk that had to make something on its way.

use core::ffi::CStr;

use super::Executor;
use super::fields::{Leaf, Slot};
use super::fixed_string::FixedString;
use super::proc_self_fd::PROC_SUPER_MAGIC;
use super::sys::{
    self, Errno, Fd, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY, RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, Result,
};
use super::wire::INSIDE_PROCFS;

const MAX_LINKS: u32 = 40;
/// How much a walk may make: a path has at most 2048 components. More means that another process
/// removes what was made.
const MAX_MADE: u32 = 2048 + 64;
const PATH_MAX: usize = 4096;

impl Executor {
    pub(super) fn make_path(
        &mut self,
        root: Slot,
        path: &CStr,
        leaf: Leaf,
        into: Slot,
    ) -> Result<()> {
        let directory = match leaf {
            Leaf::Directory => true,
            Leaf::File => false,
            Leaf::Like(source) => sys::fstat(self.fd(source)?)?.is_directory(),
        };
        let missing = self.known(root).fresh;
        let (fd, made) = match make(self.fd(root)?, path, directory, missing) {
            Ok(found) => found,
            Err(Refused::Call(errno)) => return Err(errno),
            Err(Refused::Procfs) => {
                self.detail.set(INSIDE_PROCFS);
                return Err(Errno::ELOOP);
            }
        };
        self.fill(into, fd)?;
        self.mark(into, |known| {
            known.made = made;
            known.place = true;
        });
        Ok(())
    }
}

/// Why a path cannot be a mount point.
#[derive(Debug)]
pub(super) enum Refused {
    /// A system call failed.
    Call(Errno),
    /// A link leads onto a procfs.
    Procfs,
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Self::Call(errno)
    }
}

/// Opens `path` below `root` and makes what is missing. The second value says whether the last
/// component was made. What is most likely `missing` is made before it is looked for.
pub(super) fn make(
    root: i32,
    path: &CStr,
    directory: bool,
    missing: bool,
) -> core::result::Result<(Fd, bool), Refused> {
    if missing && let Some(fd) = make_single(root, path, directory)? {
        return Ok((fd, true));
    }
    let (fd, made) = match find(root, path) {
        Err(Errno::ENOENT) => match make_single(root, path, directory)? {
            // It lies where `root` does.
            Some(fd) => return Ok((fd, true)),
            None => {
                let (fd, made) = walk(root, path, directory)?;
                (not_the_root(root, fd)?, made)
            }
        },
        result => (result?, false),
    };
    // A link of an image must not lead a mount over the container's procfs, where the kernel's
    // switches are. A path that says itself that it lies there is for the plan to judge.
    if !names_proc(path.to_bytes()) && sys::fstatfs(fd.raw())?.0 == PROC_SUPER_MAGIC {
        return Err(Refused::Procfs);
    }
    Ok((fd, made))
}

/// Opens what exists at `path` below `root`. The root itself is `EXDEV`.
pub(super) fn find(root: i32, path: &CStr) -> Result<Fd> {
    let open = |more| {
        let resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | more;
        sys::openat2(root, path, O_PATH, 0, resolve)
    };
    // Hardly a path has links. Without any, and without steps back, it does not end where it began.
    match open(RESOLVE_NO_SYMLINKS) {
        Ok(fd) if descends(path.to_bytes()) => Ok(fd),
        Ok(fd) => not_the_root(root, fd),
        Err(Errno::ELOOP) => not_the_root(root, open(0)?),
        Err(errno) => Err(errno),
    }
}

/// Whether every component of the path that says anything leads one step down, and at least one
/// does.
fn descends(path: &[u8]) -> bool {
    let mut names = path
        .split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
        .peekable();
    names.peek().is_some() && names.all(|name| name != b"..")
}

/// Makes what a path of one component names. `None`: the path has several, or another process made
/// it meanwhile.
fn make_single(root: i32, path: &CStr, directory: bool) -> Result<Option<Fd>> {
    let bytes = path.to_bytes();
    let Some((start, end)) = component(bytes, 0) else {
        return Ok(None);
    };
    if component(bytes, end).is_some() || !descends(bytes) {
        return Ok(None);
    }
    let mut name = FixedString::<256>::new();
    name.push(bytes.get(start..end).unwrap_or(&[]))?;
    if !create(root, name.as_cstr(), directory)? {
        return Ok(None);
    }
    let mut flags = O_PATH | O_NOFOLLOW;
    if directory {
        flags |= O_DIRECTORY;
    }
    let fd = sys::openat(root, name.as_cstr(), flags, 0)?;
    // Another process may have put another file in its place by now; a link would show by
    // its type.
    if !directory && sys::fstat(fd.raw())?.is_symlink() {
        return Err(Errno::ELOOP);
    }
    Ok(Some(fd))
}

/// Whether the first component is `proc`.
fn names_proc(path: &[u8]) -> bool {
    component(path, 0).and_then(|(start, end)| path.get(start..end)) == Some(b"proc")
}

/// Opens a directory below `root` through no symlink, and makes what is missing.
pub(super) fn make_plain(root: i32, path: &CStr) -> Result<Fd> {
    let resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
    let open = |path: &CStr| sys::openat2(root, path, O_PATH | O_DIRECTORY, 0, resolve);
    let fd = match open(path) {
        Err(Errno::ENOENT) => {
            make_plain_parts(root, path)?;
            open(path)?
        }
        result => result?,
    };
    // Nothing was followed: see `find`.
    if descends(path.to_bytes()) {
        Ok(fd)
    } else {
        not_the_root(root, fd)
    }
}

fn make_plain_parts(root: i32, path: &CStr) -> Result<()> {
    let mut current: Option<Fd> = None;
    for part in path.to_bytes().split(|byte| *byte == b'/') {
        if part.is_empty() || part == b"." {
            continue;
        }
        if part == b".." {
            return Err(Errno::EINVAL);
        }
        let mut name = FixedString::<256>::new();
        name.push(part)?;
        let dir = current.as_ref().map_or(root, Fd::raw);
        match sys::mkdirat(dir, name.as_cstr(), 0o755) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(e) => return Err(e),
        }
        current = Some(sys::openat(
            dir,
            name.as_cstr(),
            O_PATH | O_DIRECTORY | O_NOFOLLOW,
            0,
        )?);
    }
    Ok(())
}

/// A mount on the root itself would hide everything that was prepared.
fn not_the_root(root: i32, fd: Fd) -> Result<Fd> {
    if sys::fstat(root)?.same(&sys::fstat(fd.raw())?) {
        Err(Errno::EXDEV)
    } else {
        Ok(fd)
    }
}

/// A walk from a root, component by component.
struct Walk {
    root: i32,
    /// The path that is still to be walked, from `at` on.
    rest: FixedString<PATH_MAX>,
    at: usize,
    /// The path walked so far: real directories below the root, no symlink.
    done: FixedString<PATH_MAX>,
    /// The file at its end; `None` is the root.
    current: Option<Fd>,
}

impl Walk {
    /// `..`: the directory above, or the root.
    fn up(&mut self) -> Result<()> {
        let end = self.done.get().iter().rposition(|byte| *byte == b'/');
        self.done.truncate(end.unwrap_or(0));
        self.current = if self.done.get().is_empty() {
            None
        } else {
            Some(reopen(self.root, &self.done)?)
        };
        Ok(())
    }

    /// A symlink, which ends at `end` of the path: its target comes next.
    fn follow(&mut self, link: &Fd, end: usize) -> core::result::Result<(), Refused> {
        // Links of procfs lead anywhere, not where their text says.
        if sys::fstatfs(link.raw())?.0 == PROC_SUPER_MAGIC {
            return Err(Refused::Procfs);
        }
        let mut target = [0; PATH_MAX];
        let length = sys::readlinkat(link.raw(), c"", &mut target)?;
        let target = target.get(..length).unwrap_or(&[]);
        if target.is_empty() {
            return Err(Errno::ENOENT.into());
        }
        if target.first() == Some(&b'/') {
            self.done.truncate(0);
            self.current = None;
        }
        let mut longer = FixedString::<PATH_MAX>::new();
        longer.push(target)?;
        longer.push(self.rest.get().get(end..).unwrap_or(&[]))?;
        (self.rest, self.at) = (longer, 0);
        Ok(())
    }
}

/// Opens `path` below `root` and makes what is missing. The second value: the last component was
/// made. Not inlined: its paths take four pages of stack, and most mounts need no walk.
#[inline(never)]
fn walk(root: i32, path: &CStr, directory: bool) -> core::result::Result<(Fd, bool), Refused> {
    let mut walk = Walk {
        root,
        rest: FixedString::new(),
        at: 0,
        done: FixedString::new(),
        current: None,
    };
    walk.rest.push(path.to_bytes())?;
    let mut made = false;
    let (mut links, mut created) = (0, 0);

    while let Some((start, end)) = component(walk.rest.get(), walk.at) {
        let mut name = FixedString::<256>::new();
        name.push(walk.rest.get().get(start..end).unwrap_or(&[]))?;
        let last = component(walk.rest.get(), end).is_none();
        match name.get() {
            b"." => {
                walk.at = end;
                continue;
            }
            b".." => {
                walk.at = end;
                walk.up()?;
                continue;
            }
            _ => {}
        }
        let dir = walk.current.as_ref().map_or(root, Fd::raw);
        match sys::openat(dir, name.as_cstr(), O_PATH | O_NOFOLLOW, 0) {
            Ok(fd) => {
                let stat = sys::fstat(fd.raw())?;
                if stat.is_symlink() {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::ELOOP.into());
                    }
                    walk.follow(&fd, end)?;
                } else if stat.is_directory() || last {
                    walk.at = end;
                    walk.done.push(b"/")?;
                    walk.done.push(name.get())?;
                    walk.current = Some(fd);
                } else {
                    return Err(Errno::ENOTDIR.into());
                }
            }
            Err(Errno::ENOENT) => {
                created += 1;
                if created > MAX_MADE {
                    return Err(Errno::EAGAIN.into());
                }
                // Nothing can be made in a procfs, whatever errno it has for that.
                if !names_proc(path.to_bytes()) && sys::fstatfs(dir)?.0 == PROC_SUPER_MAGIC {
                    return Err(Refused::Procfs);
                }
                made = create(dir, name.as_cstr(), directory || !last)? && last;
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok((reopen(root, &walk.done)?, made))
}

/// Makes one component; `false` if another process was faster.
fn create(dir: i32, name: &CStr, directory: bool) -> Result<bool> {
    let result = if directory {
        // A set-group-ID parent gives its bit and group to what is made in it: the kernel sees to
        // that.
        sys::mkdirat(dir, name, 0o755)
    } else {
        sys::openat(dir, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o644).map(drop)
    };
    match result {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Where the next component starts and ends.
fn component(path: &[u8], at: usize) -> Option<(usize, usize)> {
    let start = at + path.get(at..)?.iter().position(|byte| *byte != b'/')?;
    let rest = path.get(start..)?;
    let end = start
        + rest
            .iter()
            .position(|byte| *byte == b'/')
            .unwrap_or(rest.len());
    Some((start, end))
}

/// The walked path once more, now by the kernel: what was renamed or exchanged meanwhile cannot
/// lead out.
fn reopen<const N: usize>(root: i32, done: &FixedString<N>) -> Result<Fd> {
    let path = if done.get().is_empty() {
        c"."
    } else {
        done.as_cstr()
    };
    sys::openat2(
        root,
        path,
        O_PATH,
        0,
        RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    )
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn components_are_found_between_slashes() {
        let all = |path: &[u8]| {
            let mut found = Vec::new();
            let mut at = 0;
            while let Some((start, end)) = component(path, at) {
                found.push(path[start..end].to_vec());
                at = end;
            }
            found
        };
        assert_eq!(
            all(b"//a/../bc///"),
            [b"a".to_vec(), b"..".to_vec(), b"bc".to_vec()]
        );
        assert_eq!(all(b""), Vec::<Vec<u8>>::new());
        assert_eq!(all(b"///"), Vec::<Vec<u8>>::new());
        assert_eq!(component(b"ab", 7), None);
    }

    /// Names from a small set, so that links hit what exists, and each other.
    fn path() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just(".."),
            Just("."),
            Just("a"),
            Just("b"),
            Just("c"),
            Just("l1"),
            Just("l2"),
            Just("l3"),
            Just("")
        ];
        (any::<bool>(), prop::collection::vec(part, 1..6))
            .prop_map(|(absolute, parts)| {
                format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
            })
            .prop_filter("a link needs a target", |path| !path.is_empty())
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 300,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Whatever the links say: what was made is what the kernel finds below the root under that
        /// path afterwards, and nothing was made outside.
        #[test]
        fn what_is_made_is_what_the_kernel_resolves(
            links in prop::collection::vec(path(), 3),
            directories in prop::collection::vec(path(), 0..3),
            target in path(),
            directory in any::<bool>(),
            missing in any::<bool>(),
        ) {
            let outer = tempfile::tempdir().unwrap();
            let root_path = outer.path().join("root");
            std::fs::create_dir(&root_path).unwrap();
            for (name, target) in ["l1", "l2", "l3"].iter().zip(&links) {
                symlink(target, root_path.join(name)).unwrap();
            }
            let root = std::fs::File::open(&root_path).unwrap();
            let fd = root.as_raw_fd();
            for path in &directories {
                let path = std::ffi::CString::new(path.as_str()).unwrap();
                let _ = make(fd, &path, true, missing);
            }
            let target = std::ffi::CString::new(target).unwrap();
            if let Ok((made, _)) = make(fd, &target, directory, missing) {
                let found = sys::openat2(fd, &target, O_PATH, 0, RESOLVE_IN_ROOT);
                match found {
                    Ok(found) => {
                        let found = sys::fstat(found.raw()).unwrap();
                        prop_assert!(sys::fstat(made.raw()).unwrap().same(&found));
                    }
                    // A file is found under `name`, not under `name/`.
                    Err(e) => prop_assert!(!directory && e == Errno::ENOTDIR, "{:?}", e),
                }
            }
            let outside = std::fs::read_dir(outer.path()).unwrap();
            let outside: Vec<_> = outside.map(|entry| entry.unwrap().file_name()).collect();
            prop_assert_eq!(outside, ["root"]);
        }
    }
}
