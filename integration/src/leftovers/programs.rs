//! BPF programs of device rules, among all that the machine has loaded.

use std::io;

use serde_json::{Value, json};

use crate::sys::{self, Object};

/// The numbers of a device that does not exist. A rule for it that no other container has marks a
/// program: both numbers stand in instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Up to 12 bits, as the kernel has them: a rule with a larger one is in no program.
    pub major: u32,
    /// Up to 20 bits.
    pub minor: u32,
}

impl Device {
    /// A device that belongs to this process and to one of up to 512 things in it.
    pub fn of_this_process(thing: u32) -> Self {
        // Process ids have up to 22 bits (PID_MAX_LIMIT of the kernel). No driver is registered
        // with the majors from 2048 on (CHRDEV_MAJOR_MAX is 512).
        let own = (std::process::id() & 0x3f_ffff) << 9 | thing & 0x1ff;
        Self {
            major: 1 << 11 | own >> 20,
            minor: own & 0xf_ffff,
        }
    }

    /// The rule, as the specification has it.
    pub fn rule(self) -> Value {
        json!({
            "allow": true, "type": "c", "major": self.major, "minor": self.minor, "access": "r"
        })
    }
}

/// The programs with a rule for this device, and the links to them, one line each; none where this
/// process may not look, which then could not load any.
///
/// # Errors
/// The kernel does not say.
pub fn with_device(device: Device) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut programs = Vec::new();
    let all = match numbers(Object::Program) {
        // An ordinary user, or a kernel without bpf(2).
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS)) => {
            return Ok(found);
        }
        other => other?,
    };
    for id in all {
        let Some(program) = sys::open(Object::Program, id)? else {
            continue;
        };
        let instructions = sys::instructions(&program)?;
        let (instructions, _) = instructions.as_chunks::<8>();
        let has = |number: u32| {
            let bytes = number.to_ne_bytes();
            instructions
                .iter()
                .any(|[.., a, b, c, d]| [*a, *b, *c, *d] == bytes)
        };
        if has(device.major) && has(device.minor) {
            programs.push(id);
            found.push(format!("BPF program {id}"));
        }
    }
    let links = match numbers(Object::Link) {
        // Kernels before 5.8 have none.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(found),
        other => other?,
    };
    for id in links {
        let Some(link) = sys::open(Object::Link, id)? else {
            continue;
        };
        if programs.contains(&sys::program_of(&link)?) {
            found.push(format!("BPF link {id}"));
        }
    }
    Ok(found)
}

fn numbers(object: Object) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    let mut last = 0;
    while let Some(next) = sys::next(object, last)? {
        found.push(next);
        last = next;
    }
    Ok(found)
}
