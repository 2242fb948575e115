//! The `net_cls` and `net_prio` controllers.

use crate::dir::Dir;
use crate::{Resources, Result};

pub(super) fn set_class(dir: &Dir, resources: &Resources) -> Result<()> {
    match resources.net_cls_classid {
        Some(class) => dir.write("net_cls.classid", &class.to_string()),
        None => Ok(()),
    }
}

pub(super) fn set_priorities(dir: &Dir, resources: &Resources) -> Result<()> {
    for entry in &resources.net_prio_ifpriomap {
        let line = format!("{} {}", entry.interface, entry.priority);
        dir.write("net_prio.ifpriomap", &line)?;
    }
    Ok(())
}
