//! What containers are connected with: namespaces, servers and programs on the host.

use std::process::Child;

/// A child that is killed with the value.
pub(crate) struct Ended(pub(crate) Child);

impl Ended {
    pub(crate) fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.end();
    }
}
