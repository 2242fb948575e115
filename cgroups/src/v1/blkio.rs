//! The `blkio` controller.

use crate::dir::Dir;
use crate::{Resources, Result};

pub(super) fn set(dir: &Dir, resources: &Resources) -> Result<()> {
    let weights = resources.blkio_weight.is_some() || !resources.blkio_weight_device.is_empty();
    if weights {
        // The CFQ scheduler (before Linux 5.0) has the plain names, BFQ its own.
        let (weight, per_device) = if dir.exists("blkio.weight")? {
            ("blkio.weight", "blkio.weight_device")
        } else {
            ("blkio.bfq.weight", "blkio.bfq.weight_device")
        };
        if let Some(value) = resources.blkio_weight {
            dir.write(weight, &value.to_string())?;
        }
        for device in &resources.blkio_weight_device {
            for (name, value) in [
                (per_device, device.weight),
                ("blkio.leaf_weight_device", device.leaf_weight),
            ] {
                if value != 0 {
                    let line = format!("{}:{} {value}", device.major, device.minor);
                    dir.write(name, &line)?;
                }
            }
        }
    }
    if let Some(weight) = resources.blkio_leaf_weight {
        dir.write("blkio.leaf_weight", &weight.to_string())?;
    }
    for (name, devices) in [
        (
            "blkio.throttle.read_bps_device",
            &resources.blkio_throttle_read_bps_device,
        ),
        (
            "blkio.throttle.write_bps_device",
            &resources.blkio_throttle_write_bps_device,
        ),
        (
            "blkio.throttle.read_iops_device",
            &resources.blkio_throttle_read_iops_device,
        ),
        (
            "blkio.throttle.write_iops_device",
            &resources.blkio_throttle_write_iops_device,
        ),
    ] {
        for device in devices {
            let line = format!("{}:{} {}", device.major, device.minor, device.rate);
            dir.write(name, &line)?;
        }
    }
    Ok(())
}
