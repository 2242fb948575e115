//! Older forms of the configuration file: whatever one says is read or refused; what is read is
//! read again from today's form, and becomes a bundle that is read.

use configs::legacy::{self, Options, Revision};
use configs::{HostInfo, oci, specconv, validate};
use seccomp::Architecture;

pub(crate) fn run(text: &[u8]) {
    let options = Options {
        rootfs: "/srv/rootfs".to_owned(),
        ..Options::default()
    };
    // On this one the numbers of system calls are others.
    let elsewhere = Options {
        architecture: Architecture::Aarch64,
        ..options.clone()
    };
    let _read_or_not = legacy::load(text, &elsewhere);
    let Ok(loaded) = legacy::load(text, &options) else {
        return;
    };
    for warning in &loaded.warnings {
        assert!(!warning.to_string().contains('\n'), "{warning:?}");
    }
    let _valid_or_not = validate::validate(&loaded.config, &HostInfo::default());
    let stored = serde_json::to_vec(&loaded.config).expect("a configuration is JSON");
    let again = legacy::load(&stored, &options).expect("what was stored is read");
    assert_eq!(again.revision, Revision::F);
    assert_eq!(again.config, loaded.config);

    // With the command and the user of the file, which it may lack.
    let _bundle_or_not = legacy::to_oci(&loaded, &[], None);
    let args = ["/bin/true".to_owned()];
    let user = oci::User::default();
    let (spec, _) = legacy::to_oci(&loaded, &args, Some(&user)).expect("a bundle");
    let text = serde_json::to_vec(&spec).expect("a bundle is JSON");
    let spec = oci::Spec::from_slice(&text).expect("a bundle is read");
    let _converted_or_not = specconv::convert(
        &spec,
        &HostInfo::default(),
        &specconv::Options {
            bundle: "/bundle".to_owned(),
            ..specconv::Options::default()
        },
    );
}
