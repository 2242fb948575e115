//! The native compiler against libseccomp: for every architecture and system call number both filters must answer
//! the same.

use cofferdam_seccomp::{
    Architecture, Arg, Backend, Profile, Program, Rule, Warning, compile, evaluate,
};

/// The architectures that the native compiler and libseccomp 2.5 both know.
const ARCHITECTURES: [Architecture; 6] = [
    Architecture::X86_64,
    Architecture::X32,
    Architecture::X86,
    Architecture::Aarch64,
    Architecture::Arm,
    Architecture::Riscv64,
];

/// Numbers to compare: every plain and x32 number in use and beyond, ARM's private ones, and the edges.
fn numbers() -> impl Iterator<Item = u32> {
    (0..700)
        .chain(0x4000_0000..0x4000_02c0)
        .chain(0x000e_fffe..0x000f_0010)
        .chain([
            0x3fff_ffff,
            0x7fff_ffff,
            0x8000_0000,
            0xbfff_ffff,
            0xc000_0000,
            0xffff_fffe,
            0xffff_ffff,
        ])
}

/// Calls that the kernel's headers give to more ABIs than libseccomp 2.5 does.
const NUMBERED_DIFFERENTLY: [&str; 1] = ["map_shadow_stack"];

/// A profile without the names that are too new for the installed libseccomp: they raise the ENOSYS threshold of the
/// native filter alone.
fn without_unknown(mut profile: Profile) -> Profile {
    let unknown = compile(&profile, Backend::Libseccomp)
        .expect("libseccomp")
        .warnings;
    let unknown: Vec<&str> = unknown
        .iter()
        .filter_map(|warning| match warning {
            Warning::UnknownSyscall(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    for rule in &mut profile.syscalls {
        rule.names.retain(|name| {
            !unknown.contains(&name.as_str()) && !NUMBERED_DIFFERENTLY.contains(&name.as_str())
        });
    }
    profile
}

fn both(profile: &Profile) -> (Program, Program) {
    let native = compile(profile, Backend::Native).expect("native");
    let libseccomp = compile(profile, Backend::Libseccomp).expect("libseccomp");
    (native.program, libseccomp.program)
}

fn assert_same(native: &Program, libseccomp: &Program, args: &[[u64; 6]]) -> Result<(), String> {
    for arch in ARCHITECTURES
        .into_iter()
        .chain([Architecture::Mips, Architecture::Loongarch64])
    {
        for nr in numbers() {
            for args in args {
                let ours = evaluate(native, arch, nr, *args).expect("valid program");
                let theirs = evaluate(libseccomp, arch, nr, *args).expect("valid program");
                if ours != theirs {
                    return Err(format!(
                        "{} {nr:#x} {args:x?}: native {ours:#x}, libseccomp {theirs:#x}",
                        arch.name()
                    ));
                }
            }
        }
    }
    Ok(())
}

fn docker_like() -> Profile {
    serde_json::from_str(include_str!("data/docker-like.json")).expect("profile")
}

#[test]
fn docker_like_profile() {
    let (native, libseccomp) = both(&without_unknown(docker_like()));
    eprintln!("{} {}", native.len(), libseccomp.len());
    let mut args = vec![
        [0; 6],
        [u64::MAX; 6],
        [40; 6],
        [40 | 1 << 32; 6],
        [8; 6],
        [0x20008; 6],
        [16; 6],
    ];
    args.extend((0..64).map(|bit| [1 << bit; 6]));
    args.extend((0..21).map(|selector| [selector, 0, 0, 0, 0, 0]));
    assert_same(&native, &libseccomp, &args).unwrap();
}
