//! Whether a configuration makes sense, in itself and on this host.

use crate::{Config, HostInfo, Result, Warning};

/// Checks a configuration and returns what is questionable but not refused.
///
/// # Errors
/// The first rule that is broken.
pub fn validate(config: &Config, host: &HostInfo) -> Result<Vec<Warning>> {
    let _ = (config, host);
    Ok(Vec::new())
}
