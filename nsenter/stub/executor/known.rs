//! What is known of what the slots hold, beside the descriptors.

use super::Executor;
use super::fields::Slot;

/// What is known of what is in a slot.
#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    /// A directory that was made by this process.
    pub(super) made: bool,
    /// The root of a new tmpfs: it most likely has no entry of a given name.
    pub(super) fresh: bool,
    /// A place or a mount, which need not be closed before everything is.
    pub(super) place: bool,
}

impl Executor {
    /// Notes something of what is in a slot.
    pub(super) fn mark(&mut self, slot: Slot, note: impl FnOnce(&mut Known)) {
        if let Some(known) = self.known.get_mut(usize::from(slot.0)) {
            note(known);
        }
    }

    pub(super) fn known(&self, slot: Slot) -> Known {
        let known = self.known.get(usize::from(slot.0));
        known.copied().unwrap_or_default()
    }
}
