//! Older forms of the configuration file: whatever one says is read or refused; what is read is
//! read again from today's form, and becomes a bundle that is read.

use configs::legacy::{self, Options, Revision};
use configs::{HostInfo, oci, specconv, validate};

pub(crate) fn run(text: &[u8]) {
    let options = Options {
        rootfs: "/srv/rootfs".to_owned(),
        ..Options::default()
    };
    let Ok(loaded) = legacy::load(text, &options) else {
        return;
    };
    let _valid_or_not = validate::validate(&loaded.config, &HostInfo::default());
    let stored = serde_json::to_vec(&loaded.config).expect("a configuration is JSON");
    let again = legacy::load(&stored, &options).expect("what was stored is read");
    assert_eq!(again.revision, Revision::F);
    assert_eq!(again.config, loaded.config);

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
