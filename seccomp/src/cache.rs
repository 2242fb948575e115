//! Compiled programs on disk.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::process::geteuid;

use crate::architecture::Architecture;
use crate::compile::{Backend, Compiled, compile};
use crate::error::{Error, ErrorKind, Result};
use crate::features;
use crate::flags::FilterFlags;
use crate::profile::Profile;
use crate::program::Program;
use crate::syscalls;

/// Starts every file; the last byte is the version of the format.
const MAGIC: &[u8; 8] = b"cfdmsec\x01";

/// The largest file that is read: a program has at most 32 KiB, the rest is the profile.
const MAX_FILE_SIZE: u64 = 8 << 20;

/// A directory of compiled programs, addressed by everything they depend on: the profile, the
/// backend and its version, the architecture of this build, and the flags the kernel supports.
///
/// It pays for [`Backend::Libseccomp`], which takes milliseconds for a profile of the usual size;
/// [`Backend::Native`] is faster than reading a file.
///
/// A file also holds what it was made from, which is compared before it is used: two profiles never
/// share a program, whatever their file names are. Only regular files that belong to the effective
/// user and that nobody else may write are used. Anything else is treated as absent. Compilations
/// with warnings are not stored, so that a warning is given every time.
///
/// There is no eviction: a file has some kilobytes, and a host has few profiles. The whole
/// directory may be removed at any time.
#[derive(Debug)]
pub struct Cache {
    directory: OwnedFd,
}

impl Cache {
    /// A cache in this directory, which should be the caller's alone (mode 0700).
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the descriptor is not a directory or cannot be examined;
    /// [`Unsupported`](ErrorKind::Unsupported) if the directory belongs to somebody else or
    /// somebody else may write to it.
    pub fn open_at(directory: OwnedFd) -> Result<Self> {
        let stat = rustix::fs::fstat(&directory)
            .map_err(|errno| Error::io("examine the seccomp cache directory", errno))?;
        if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() {
            return Err(Error::io(
                "examine the seccomp cache directory",
                io::ErrorKind::NotADirectory,
            ));
        }
        if !is_ours(stat.st_uid, stat.st_mode) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "seccomp cache directory is writable for other users",
            ));
        }
        Ok(Self { directory })
    }

    /// The compiled form of a profile: from the cache, or from [`compile`], whose result is stored.
    ///
    /// A cache that cannot be read or written costs time and is no error.
    ///
    /// # Errors
    ///
    /// Those of [`compile`].
    pub fn get_or_compile(&self, profile: &Profile, backend: Backend) -> Result<Compiled> {
        let key = key(profile, backend);
        let name = file_name(&key);
        if let Some(program) = self.load(&name, &key) {
            return Ok(Compiled {
                program,
                warnings: Vec::new(),
            });
        }
        let compiled = compile(profile, backend)?;
        if compiled.warnings.is_empty() {
            // The program is good without the file.
            let _ = self.store(&name, &key, &compiled.program);
        }
        Ok(compiled)
    }

    fn load(&self, name: &str, key: &[u8]) -> Option<Program> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, name, flags, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&file).ok()?;
        let regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
        if !regular || !is_ours(stat.st_uid, stat.st_mode) {
            return None;
        }
        let mut content = Vec::new();
        File::from(file)
            .take(MAX_FILE_SIZE)
            .read_to_end(&mut content)
            .ok()?;
        decode(&content, key)
    }

    /// Writes the file under a temporary name and renames it: readers see all of it or nothing.
    fn store(&self, name: &str, key: &[u8], program: &Program) -> io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (pid, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let nanos = UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let temporary = format!(".{name}.{pid}.{nanos}.{next}");
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = self.directory.as_fd();
        let file = rustix::fs::openat(directory, &temporary, flags, Mode::RUSR | Mode::WUSR)?;
        let written = File::from(file)
            .write_all(&encode(key, program))
            .and_then(|()| {
                Ok(rustix::fs::renameat(
                    directory, &temporary, directory, name,
                )?)
            });
        if written.is_err() {
            let _ = rustix::fs::unlinkat(directory, &temporary, AtFlags::empty());
        }
        written
    }
}

/// Whether nobody but the effective user can have written a file or directory.
fn is_ours(uid: u32, mode: u32) -> bool {
    let others = Mode::WGRP | Mode::WOTH;
    uid == geteuid().as_raw() && !Mode::from_raw_mode(mode).intersects(others)
}

/// Everything a compiled program depends on, without ambiguity: every string and list carries its
/// length.
fn key(profile: &Profile, backend: Backend) -> Vec<u8> {
    let mut key = Encoder(Vec::with_capacity(16 << 10));
    key.string(env!("CARGO_PKG_VERSION"));
    key.string(syscalls::LINUX_VERSION);
    key.string(match backend {
        Backend::Native => "native",
        Backend::Libseccomp => "libseccomp",
    });
    key.string(&features::libseccomp_version().unwrap_or_default());
    key.string(Architecture::native().map_or("", Architecture::name));
    key.number(u64::from(features::supported_bits()));
    key.number(u64::from(features::api_level()));

    key.string(&profile.default_action);
    key.option(profile.default_errno_ret);
    key.strings(&profile.architectures);
    match &profile.flags {
        None => key.number(0),
        Some(flags) => {
            key.number(1);
            key.strings(flags);
        }
    }
    // The listener's path and metadata do not change the program.
    key.length(profile.syscalls.len());
    for rule in &profile.syscalls {
        key.strings(&rule.names);
        key.string(&rule.action);
        key.option(rule.errno_ret);
        key.length(rule.args.len());
        for arg in &rule.args {
            key.number(u64::from(arg.index));
            key.number(arg.value);
            key.number(arg.value_two);
            key.string(&arg.op);
        }
    }
    key.0
}

struct Encoder(Vec<u8>);

impl Encoder {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn length(&mut self, length: usize) {
        // usize has at most 64 bits.
        self.number(u64::try_from(length).unwrap_or(u64::MAX));
    }

    fn string(&mut self, string: &str) {
        self.length(string.len());
        self.0.extend_from_slice(string.as_bytes());
    }

    fn strings(&mut self, strings: &[String]) {
        self.length(strings.len());
        for string in strings {
            self.string(string);
        }
    }

    fn option(&mut self, number: Option<u32>) {
        self.number(number.map_or(u64::MAX, u64::from));
    }
}

/// A name that differs for different keys but for accidents, which the comparison of the keys
/// catches: FNV-1a.
fn file_name(key: &[u8]) -> String {
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}.bpf")
}

/// Magic, length of the key, key, flags, length of the instructions, instructions.
fn encode(key: &[u8], program: &Program) -> Vec<u8> {
    let mut file = Encoder(MAGIC.to_vec());
    file.length(key.len());
    file.0.extend_from_slice(key);
    file.number(u64::from(program.flags().bits()));
    file.length(program.as_bytes().len());
    file.0.extend_from_slice(program.as_bytes());
    file.0
}

fn decode(file: &[u8], key: &[u8]) -> Option<Program> {
    let (length, rest) = file.strip_prefix(MAGIC)?.split_first_chunk()?;
    if u64::from_le_bytes(*length) != u64::try_from(key.len()).ok()? {
        return None;
    }
    let (flags, rest) = rest.strip_prefix(key)?.split_first_chunk()?;
    let (length, instructions) = rest.split_first_chunk()?;
    if u64::from_le_bytes(*length) != u64::try_from(instructions.len()).ok()? {
        return None;
    }
    let flags = FilterFlags::from_bits_retain(u32::try_from(u64::from_le_bytes(*flags)).ok()?);
    Program::from_bytes(instructions.to_vec(), flags).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::profile::Rule;

    fn profile(names: &[&str]) -> Profile {
        Profile {
            default_action: "SCMP_ACT_ERRNO".to_owned(),
            syscalls: vec![Rule {
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                action: "SCMP_ACT_ALLOW".to_owned(),
                ..Rule::default()
            }],
            ..Profile::default()
        }
    }

    fn open(directory: &tempfile::TempDir) -> Result<Cache> {
        Cache::open_at(File::open(directory.path()).unwrap().into())
    }

    fn files(directory: &tempfile::TempDir) -> Vec<std::path::PathBuf> {
        fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    }

    /// Replaces the program of a cached file by one that returns `value`, to see whether the file
    /// is used.
    fn mark(path: &std::path::Path, profile: &Profile, value: u32) {
        let ret = crate::Instruction {
            code: crate::bpf::RET_K,
            jt: 0,
            jf: 0,
            k: value,
        };
        let program = Program::new(&[ret], FilterFlags::empty()).unwrap();
        fs::write(path, encode(&key(profile, Backend::Native), &program)).unwrap();
    }

    #[test]
    fn a_stored_program_is_used_and_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, profile) = (open(&directory).unwrap(), profile(&["read", "write"]));
        let compiled = cache.get_or_compile(&profile, Backend::Native).unwrap();
        assert_eq!(compiled, compile(&profile, Backend::Native).unwrap());
        let [path] = &files(&directory)[..] else {
            panic!("one file expected")
        };
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            cache.get_or_compile(&profile, Backend::Native).unwrap(),
            compiled
        );

        mark(path, &profile, 7);
        assert_eq!(
            cache
                .get_or_compile(&profile, Backend::Native)
                .unwrap()
                .program
                .len(),
            1
        );
        let other = self::profile(&["read"]);
        assert_ne!(
            cache
                .get_or_compile(&other, Backend::Native)
                .unwrap()
                .program
                .len(),
            1
        );
        assert_eq!(files(&directory).len(), 2);
    }

    #[test]
    fn a_file_for_another_profile_is_not_used_whatever_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, profile) = (open(&directory).unwrap(), profile(&["read"]));
        let compiled = cache.get_or_compile(&profile, Backend::Native).unwrap();
        let path = &files(&directory)[0];
        mark(path, &self::profile(&["read", "ptrace"]), 0x7fff_0000);
        assert_eq!(
            cache.get_or_compile(&profile, Backend::Native).unwrap(),
            compiled
        );
    }

    #[test]
    fn damaged_or_foreign_files_are_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, profile) = (open(&directory).unwrap(), profile(&["read"]));
        let compiled = cache.get_or_compile(&profile, Backend::Native).unwrap();
        let path = &files(&directory)[0];
        let good = fs::read(path).unwrap();
        for length in 0..good.len() {
            fs::write(path, &good[..length]).unwrap();
            assert_eq!(
                cache.get_or_compile(&profile, Backend::Native).unwrap(),
                compiled,
                "cut at {length}"
            );
            assert_eq!(fs::read(path).unwrap(), good);
        }
        mark(path, &profile, 7);
        fs::set_permissions(path, fs::Permissions::from_mode(0o620)).unwrap();
        assert_eq!(
            cache.get_or_compile(&profile, Backend::Native).unwrap(),
            compiled
        );
        let target = directory.path().join("elsewhere");
        fs::rename(path, &target).unwrap();
        mark(&target, &profile, 7);
        std::os::unix::fs::symlink(&target, path).unwrap();
        assert_eq!(
            cache.get_or_compile(&profile, Backend::Native).unwrap(),
            compiled
        );
    }

    #[test]
    fn a_directory_others_may_write_to_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(open(&directory).unwrap_err().kind(), ErrorKind::Unsupported);
        let file = tempfile::tempfile().unwrap();
        assert_eq!(
            Cache::open_at(file.into()).unwrap_err().kind(),
            ErrorKind::Io
        );
    }

    #[test]
    fn the_key_says_everything_the_program_depends_on() {
        let base = profile(&["read", "write"]);
        let mut variants = vec![base.clone(), profile(&["readwrite"]), profile(&["read"])];
        variants.push(Profile {
            flags: Some(Vec::new()),
            ..base.clone()
        });
        variants.push(Profile {
            default_errno_ret: Some(1),
            ..base.clone()
        });
        variants.push(Profile {
            architectures: vec!["SCMP_ARCH_X86".to_owned()],
            ..base.clone()
        });
        let keys: Vec<_> = variants
            .iter()
            .map(|profile| key(profile, Backend::Native))
            .collect();
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key));
        }
        assert_ne!(key(&base, Backend::Libseccomp), keys[0]);
    }
}
