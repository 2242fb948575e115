//! Labels and descriptions that the kernel or a configuration hands over as text.

use apparmor::Confinement;
use keys::Description;
use selinux::{Label, Level};

pub(crate) fn run(bytes: &[u8]) {
    let _confinement = Confinement::parse(bytes);
    let _description = Description::parse(bytes);
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(label) = text.parse::<Label>() {
        let again: Label = label.to_string().parse().expect("what was written is read");
        assert_eq!(label, again);
        assert_eq!(label.as_ref(), label.as_str());
        // The longest label has no room for a longer level.
        if let Ok(shared) = label.shared() {
            assert_eq!(shared.type_name(), label.type_name());
            assert_eq!(shared.level(), label.level().map(|_| "s0"));
            assert_eq!(shared.shared().expect("it is no longer"), shared);
        }
    }
    if let Ok(level) = text.parse::<Level>() {
        let again: Level = level.to_string().parse().expect("what was written is read");
        assert_eq!(level, again);
    }
}
