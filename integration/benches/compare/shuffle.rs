//! A different order in every round, the same in every run.

/// xorshift64: enough to keep a peer from always following the same neighbour.
pub(crate) struct Shuffle(u64);

impl Shuffle {
    pub(crate) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// A permutation of `0..len`.
    pub(crate) fn order(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for last in (1..len).rev() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let pick = usize::try_from(self.0 % (last as u64 + 1)).unwrap_or(0);
            order.swap(last, pick);
        }
        order
    }
}
