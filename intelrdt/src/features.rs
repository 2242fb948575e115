use crate::error::{Repr, Result};
use crate::file::Directory;
use crate::settings::Settings;

/// What the processor offers and the kernel has switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Features {
    /// Cache allocation (CAT) by one mask per L3 cache. With code and data prioritization (CDP) it
    /// is not offered: then there are two masks.
    pub cache_allocation: bool,
    /// Memory bandwidth allocation (MBA).
    pub bandwidth_allocation: bool,
    /// Cache monitoring (CMT): `llc_occupancy`.
    pub cache_monitoring: bool,
    /// Memory bandwidth monitoring (MBM): `mbm_total_bytes`.
    pub total_bandwidth_monitoring: bool,
    /// Memory bandwidth monitoring (MBM) of the own node: `mbm_local_bytes`.
    pub local_bandwidth_monitoring: bool,
    /// Monitoring features this crate has no name for.
    pub unknown: Vec<String>,
}

/// Whether a directory is there; an error where that cannot be found out.
fn has(root: &Directory, name: &str) -> Result<bool> {
    match root.open(name) {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

impl Features {
    pub(crate) fn read(root: &Directory) -> Result<Self> {
        let mut features = match root.read("info/L3_MON/mon_features") {
            Ok(text) => Self::monitoring(&text),
            Err(error) if error.is_not_found() => Self::default(),
            Err(error) => return Err(error),
        };
        features.cache_allocation = has(root, "info/L3")?;
        features.bandwidth_allocation = has(root, "info/MB")?;
        Ok(features)
    }

    /// Reads the lines of `info/L3_MON/mon_features`.
    fn monitoring(text: &str) -> Self {
        let mut features = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line {
                "llc_occupancy" => features.cache_monitoring = true,
                "mbm_total_bytes" => features.total_bandwidth_monitoring = true,
                "mbm_local_bytes" => features.local_bandwidth_monitoring = true,
                other => features.unknown.push(other.to_owned()),
            }
        }
        features
    }

    /// Whether anything is monitored.
    #[must_use]
    pub fn monitors(&self) -> bool {
        self.cache_monitoring || self.total_bandwidth_monitoring || self.local_bandwidth_monitoring
    }

    /// Checks that what the settings ask for is there. Lines of `schemata` are left to the kernel.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable): `Intel RDT/CAT: l3 cache schema is not
    /// enabled`, `Intel RDT/MBA: memory bandwidth schema is not enabled`.
    pub fn check(&self, settings: &Settings) -> Result<()> {
        if !settings.l3_cache_schema.is_empty() && !self.cache_allocation {
            return Err(Repr::NoCacheAllocation.into());
        }
        if !settings.mem_bw_schema.is_empty() && !self.bandwidth_allocation {
            return Err(Repr::NoBandwidthAllocation.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown_monitoring() {
        let features = Features::monitoring("llc_occupancy\nmbm_total_bytes\nmbm_new\n\n");
        assert!(features.cache_monitoring && features.total_bandwidth_monitoring);
        assert!(!features.local_bandwidth_monitoring);
        assert_eq!(features.unknown, ["mbm_new"]);
        assert!(features.monitors());
        assert!(!Features::monitoring("mbm_new").monitors());
    }

    #[test]
    fn settings_need_their_feature() {
        let cache = Settings {
            l3_cache_schema: "L3:0=f".into(),
            ..Settings::default()
        };
        let bandwidth = Settings {
            mem_bw_schema: "MB:0=50".into(),
            ..Settings::default()
        };
        let none = Features::default();
        assert_eq!(
            none.check(&cache).unwrap_err().to_string(),
            "Intel RDT/CAT: l3 cache schema is not enabled"
        );
        assert_eq!(
            none.check(&bandwidth).unwrap_err().to_string(),
            "Intel RDT/MBA: memory bandwidth schema is not enabled"
        );
        none.check(&Settings::default()).unwrap();
        let all = Features {
            cache_allocation: true,
            bandwidth_allocation: true,
            ..Features::default()
        };
        all.check(&cache).unwrap();
        all.check(&bandwidth).unwrap();
    }
}
