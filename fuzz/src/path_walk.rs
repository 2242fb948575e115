//! Mount points in a root file system that a stranger has made: what the stub makes and opens is
//! what a model of the walk says, and nothing outside of the root changes.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use nsenter::plan::{Leaf, Op, PlanBuilder};
use nsenter::{Deadline, RequestHandler, Spawn};
use tempfile::TempDir;

use crate::cursor::Cursor;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// What paths and targets of links are made of. `e` is never there.
const PARTS: [&str; 8] = ["a", "b", "c", "d", "e", "..", ".", ""];
const MOST_FILES: u8 = 16;
/// As many links are followed (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// A file of the model, by its number. The root is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
enum File {
    Directory {
        parent: usize,
        entries: BTreeMap<String, usize>,
    },
    Regular,
    Link(String),
}

/// The model of a file system.
#[derive(Clone, Debug)]
struct Tree(Vec<File>);

/// How a walk ends if it does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// A file has to be a directory.
    NotDirectory,
    /// Too many links.
    Loop,
    /// It is the root itself.
    Root,
}

impl Refused {
    fn errno(self) -> i32 {
        match self {
            Self::NotDirectory => libc::ENOTDIR,
            Self::Loop => libc::ELOOP,
            Self::Root => libc::EXDEV,
        }
    }
}

/// One way through the tree.
struct Walk {
    at: usize,
    links: usize,
    /// What is left to walk, the next part last.
    rest: Vec<String>,
}

impl Tree {
    fn of(input: &mut Cursor<'_>) -> Self {
        let mut tree = Self(vec![File::Directory {
            parent: 0,
            entries: BTreeMap::new(),
        }]);
        for _ in 0..input.byte() % (MOST_FILES + 1) {
            let directories: Vec<usize> = (0..tree.0.len())
                .filter(|file| matches!(tree.0[*file], File::Directory { .. }))
                .collect();
            let parent = input.pick(&directories);
            let name = input.pick(&NAMES);
            let file = match input.byte() % 4 {
                0 | 1 => File::Directory {
                    parent,
                    entries: BTreeMap::new(),
                },
                2 => File::Link(path(input)),
                _ => File::Regular,
            };
            if tree.entry(parent, name).is_none() {
                tree.add(parent, name, file);
            }
        }
        tree
    }

    fn entry(&self, directory: usize, name: &str) -> Option<usize> {
        match &self.0[directory] {
            File::Directory { entries, .. } => entries.get(name).copied(),
            _ => None,
        }
    }

    fn add(&mut self, directory: usize, name: &str, file: File) -> usize {
        let number = self.0.len();
        self.0.push(file);
        if let File::Directory { entries, .. } = &mut self.0[directory] {
            entries.insert(name.to_owned(), number);
        }
        number
    }

    /// The path of a file below a directory.
    fn path_of(&self, wanted: usize, directory: usize) -> Option<PathBuf> {
        let File::Directory { entries, .. } = &self.0[directory] else {
            return None;
        };
        entries.iter().find_map(|(name, file)| {
            if *file == wanted {
                return Some(PathBuf::from(name));
            }
            Some(Path::new(name).join(self.path_of(wanted, *file)?))
        })
    }

    /// What is at the path. `None`: something on the way is missing.
    fn find(&self, path: &str) -> Option<Result<usize, Refused>> {
        let mut walk = Walk::new(path);
        let as_directory = path.ends_with('/');
        while let Some(part) = walk.rest.pop() {
            let File::Directory { parent, .. } = self.0[walk.at] else {
                return Some(Err(Refused::NotDirectory));
            };
            match part.as_str() {
                "" | "." => {}
                ".." => walk.at = parent,
                name => {
                    let found = self.entry(walk.at, name)?;
                    if let File::Link(target) = &self.0[found] {
                        if walk.follow(target).is_none() {
                            return Some(Err(Refused::Loop));
                        }
                    } else {
                        walk.at = found;
                    }
                }
            }
        }
        let is_directory = matches!(self.0[walk.at], File::Directory { .. });
        if as_directory && !is_directory {
            return Some(Err(Refused::NotDirectory));
        }
        Some(if walk.at == 0 { Err(Refused::Root) } else { Ok(walk.at) })
    }

    /// The same, and what is missing is made: directories, and at the end a file of this kind.
    fn make(&mut self, path: &str, directory: bool) -> Result<usize, Refused> {
        let mut walk = Walk::new(path);
        walk.rest.retain(|part| !part.is_empty());
        while let Some(part) = walk.rest.pop() {
            let File::Directory { parent, .. } = self.0[walk.at] else {
                return Err(Refused::NotDirectory);
            };
            match part.as_str() {
                "." => continue,
                ".." => {
                    walk.at = parent;
                    continue;
                }
                _ => {}
            }
            let Some(found) = self.entry(walk.at, &part) else {
                let file = if directory || !walk.rest.is_empty() {
                    File::Directory {
                        parent: walk.at,
                        entries: BTreeMap::new(),
                    }
                } else {
                    File::Regular
                };
                walk.at = self.add(walk.at, &part, file);
                continue;
            };
            if let File::Link(target) = &self.0[found] {
                walk.follow(target).ok_or(Refused::Loop)?;
                walk.rest.retain(|part| !part.is_empty());
            } else {
                walk.at = found;
            }
        }
        if walk.at == 0 { Err(Refused::Root) } else { Ok(walk.at) }
    }

    /// Makes the files in a directory of this machine.
    fn build(&self, directory: usize, at: &Path) {
        let File::Directory { entries, .. } = &self.0[directory] else {
            return;
        };
        for (name, file) in entries {
            let path = at.join(name);
            match &self.0[*file] {
                File::Directory { .. } => {
                    fs::create_dir(&path).expect("mkdir");
                    self.build(*file, &path);
                }
                File::Regular => fs::write(&path, "").expect("write"),
                File::Link(target) => symlink(target, &path).expect("symlink"),
            }
        }
    }

    /// Compares with a directory of this machine.
    fn compare(&self, directory: usize, at: &Path) {
        let File::Directory { entries, .. } = &self.0[directory] else {
            return;
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(at).expect("a directory") {
            let name = entry.expect("an entry").file_name();
            names.push(name.into_string().expect("a name of the model"));
        }
        names.sort();
        assert_eq!(names, entries.keys().cloned().collect::<Vec<_>>(), "{at:?}");
        for (name, file) in entries {
            let path = at.join(name);
            let kind = fs::symlink_metadata(&path).expect("stat").file_type();
            match &self.0[*file] {
                File::Directory { .. } => {
                    assert!(kind.is_dir(), "{path:?}");
                    self.compare(*file, &path);
                }
                File::Regular => assert!(kind.is_file(), "{path:?}"),
                File::Link(_) => assert!(kind.is_symlink(), "{path:?}"),
            }
        }
    }
}

impl Walk {
    fn new(path: &str) -> Self {
        Self {
            at: 0,
            links: 0,
            rest: path.split('/').rev().map(str::to_owned).collect(),
        }
    }

    fn follow(&mut self, target: &str) -> Option<()> {
        self.links += 1;
        if target.starts_with('/') {
            self.at = 0;
        }
        self.rest.extend(target.split('/').rev().map(str::to_owned));
        (self.links <= MOST_LINKS).then_some(())
    }
}

/// Up to seven parts, none of them long. Not empty, as no link may be.
fn path(input: &mut Cursor<'_>) -> String {
    let shape = input.byte();
    let parts: Vec<&str> = (0..=shape % 7).map(|_| input.pick(&PARTS)).collect();
    let path = parts.join("/");
    if path.is_empty() || shape & 0x80 != 0 {
        format!("/{path}")
    } else {
        path
    }
}

/// A directory with the root, and names beside it that a step too far up would reach.
static OUTSIDE: LazyLock<TempDir> = LazyLock::new(|| {
    let outside = tempfile::tempdir_in("/dev/shm").expect("a folder on tmpfs");
    for name in NAMES {
        fs::create_dir(outside.path().join(name)).expect("mkdir");
    }
    outside
});

/// Takes what the stub has opened.
struct Taken(Option<PathBuf>);

impl RequestHandler for Taken {
    fn keep_descriptor(
        &mut self,
        _: u32,
        descriptor: OwnedFd,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let link = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
        self.0 = Some(fs::read_link(link)?);
        Ok(())
    }
}

/// Has the stub make the path: where that is, or the error number.
fn make(root: &Path, path: &str, leaf: Leaf) -> Result<PathBuf, i32> {
    let mut builder = PlanBuilder::new();
    let given = builder.input("the root");
    let into = builder.slot();
    let path = CString::new(path).expect("no NUL");
    let make = Op::MakePath { root: given, path, leaf, into };
    builder.push("make", make);
    builder.push("send", Op::SendDescriptor { tag: 1, fd: into });
    builder.push("end", Op::Exit);
    let plan = builder.build().expect("the plan is a valid one");
    let directory = fs::File::open(root).expect("the root");
    let null = fs::File::open("/dev/null").expect("/dev/null");
    let spawn = Spawn {
        plan: &plan,
        stdio: [null.as_fd(); 3],
        passed: Vec::new(),
        inputs: vec![(given, directory.as_fd())],
        cgroup: None,
    };
    let mut stub = spawn.start().expect("the stub starts");
    let mut taken = Taken(None);
    match stub.serve(&mut taken, Deadline::default()) {
        Ok(_) => Ok(taken.0.expect("what was opened was sent")),
        Err(error) => Err(error.raw_os_error().expect("an error of the kernel")),
    }
}

pub(crate) fn run(bytes: &[u8]) {
    let mut input = Cursor::new(bytes);
    let path = path(&mut input);
    let leaf = input.pick(&[Leaf::Directory, Leaf::File]);
    let mut tree = Tree::of(&mut input);
    let root = OUTSIDE.path().join("root");
    // Left by an input that has found something.
    let _ = fs::remove_dir_all(&root);
    fs::create_dir(&root).expect("mkdir");
    tree.build(0, &root);

    let made = make(&root, &path, leaf);
    let expected = match tree.find(&path) {
        Some(found) => found,
        None => tree.make(&path, leaf == Leaf::Directory),
    };
    let expected = expected
        .map(|file| root.join(tree.path_of(file, 0).expect("it is in the tree")))
        .map_err(Refused::errno);
    assert_eq!(made, expected, "{path:?} in {tree:?}");
    tree.compare(0, &root);
    fs::remove_dir_all(&root).expect("remove");

    let mut names = Vec::new();
    for entry in fs::read_dir(OUTSIDE.path()).expect("a directory") {
        let entry = entry.expect("an entry");
        names.push(entry.file_name());
        let inside = fs::read_dir(entry.path()).expect("still a directory");
        assert_eq!(inside.count(), 0, "{entry:?}");
    }
    assert_eq!(names.len(), NAMES.len());
}
