//! `config.json`: whatever it says is converted and validated, or refused; a configuration survives
//! being stored.

use configs::config::Config;
use configs::specconv::{self, Options};
use configs::{oci, validate};

use crate::machine::host_info;

pub(crate) fn run(text: &[u8]) {
    let Ok(spec) = oci::Spec::from_slice(text) else {
        return;
    };
    for cgroup_v2 in [false, true] {
        let host = host_info(cgroup_v2);
        let options = Options {
            id: "fuzz".to_owned(),
            bundle: "/bundle".to_owned(),
            ..Options::default()
        };
        let Ok((config, _)) = specconv::convert(&spec, &host, &options) else {
            continue;
        };
        let _valid_or_not = validate::validate(&config, &host);
        let stored = serde_json::to_vec(&config).expect("a configuration is JSON");
        let loaded: Config = serde_json::from_slice(&stored).expect("what was stored is loaded");
        assert_eq!(config, loaded);
    }
}
