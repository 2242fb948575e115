//! `packaging/package.sh`: a Debian package, an archive, and a list of what is linked.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cofferdam_integration::{Limited, need, program};

use crate::repository;

/// Packs the programs of a folder.
fn pack(programs: &Path, folder: &Path) {
    let _ = Limited::new(repository("packaging/package.sh"))
        .args([programs, folder])
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .output()
        .ok();
}

/// The programs under test, without what only a debugger reads: that takes long to compress.
fn programs(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for (name, program) in [
        ("cofferdam", program::under_test()),
        ("nsinit", program::nsinit()),
    ] {
        let _ = Limited::new("strip")
            .args([Path::new("-o"), &folder.join(name), &program])
            .output()
            .ok();
    }
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
    files
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            (name, fs::read(file.path()).unwrap())
        })
        .collect()
}

#[test]
fn the_same_programs_make_the_same_packages() {
    need!(PackagingTools, Cofferdam);
    let scratch = tempfile::tempdir().unwrap();
    let programs = scratch.path().join("programs");
    fs::create_dir(&programs).unwrap();
    for name in ["cofferdam", "nsinit"] {
        fs::write(programs.join(name), format!("what {name} is")).unwrap();
    }
    let made = ["one", "another"].map(|name| {
        let folder = scratch.path().join(name);
        pack(&programs, &folder);
        contents(&folder)
    });
    assert_eq!(made[0].len(), 4, "{:?}", made[0].keys());
    assert!(made[0].contains_key("SHA256SUMS"));
    assert!(made[0] == made[1], "two runs made other bytes");
}

#[test]
fn what_is_in_the_packages_works() {
    need!(PackagingTools, Cofferdam);
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("packages");
    programs(&scratch.path().join("programs"));
    pack(&scratch.path().join("programs"), &folder);
    let _ = Limited::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .directory(&folder)
        .output()
        .ok();

    let of_kind = |end: &str| {
        let made = contents(&folder)
            .into_keys()
            .find(|name| name.ends_with(end));
        folder.join(made.unwrap_or_else(|| panic!("there is no {end}")))
    };
    let installed = scratch.path().join("installed");
    let _ = Limited::new("dpkg-deb")
        .args([
            "--raw-extract".as_ref(),
            of_kind(".deb").as_os_str(),
            installed.as_os_str(),
        ])
        .output()
        .ok();
    let _ = Limited::new("md5sum")
        .args(["--check", "--strict", "DEBIAN/md5sums"])
        .directory(&installed)
        .output()
        .ok();
    let unpacked = scratch.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let _ = Limited::new("tar")
        .args(["--strip-components=1", "-xf"])
        .args([of_kind(".tar.gz")])
        .directory(&unpacked)
        .output()
        .ok();
    for root in [&installed.join("usr"), &unpacked] {
        for name in ["cofferdam", "nsinit"] {
            let said = Limited::new(root.join("bin").join(name))
                .args(["--version"])
                .output()
                .ok();
            assert!(said.stdout.contains(env!("CARGO_PKG_VERSION")), "{said}");
        }
        for page in fs::read_dir(repository("docs/man")).unwrap() {
            let name = page.unwrap().file_name().into_string().unwrap();
            let packed = root.join(format!("share/man/man1/{name}.gz"));
            assert!(packed.exists(), "{}", packed.display());
        }
    }
}

#[test]
fn the_list_of_what_is_linked_has_the_crates_of_the_program_alone() {
    need!(PackagingTools, Cofferdam);
    let scratch = tempfile::tempdir().unwrap();
    let program = scratch.path().join("cofferdam");
    fs::write(&program, "a program").unwrap();
    let listed = Limited::new("packaging/sbom.sh")
        .args([program.as_os_str(), "0.1.0".as_ref()])
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .directory(repository("."))
        .output()
        .ok()
        .json();
    assert_eq!(listed["bomFormat"], "CycloneDX");
    let components = listed["components"].as_array().unwrap();
    let lock = fs::read_to_string(repository("Cargo.lock")).unwrap();
    let mut names = Vec::new();
    for component in components {
        let (name, version) = (component["name"].as_str().unwrap(), &component["version"]);
        if component["purl"]
            .as_str()
            .is_some_and(|purl| purl.starts_with("pkg:cargo/"))
        {
            let entry = format!("name = \"{name}\"\nversion = {version}\n");
            assert!(lock.contains(&entry), "{entry}");
        }
        names.push(name);
    }
    for name in [
        "libseccomp",
        "musl",
        "rust-std",
        "cofferdam-nsenter",
        "serde_json",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    // Of tests, of the compiler, and of other machines.
    for name in [
        "proptest",
        "tempfile",
        "serde_derive",
        "thiserror-impl",
        "windows-sys",
    ] {
        assert!(!names.contains(&name), "{name}");
    }
}
