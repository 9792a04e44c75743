//! The random numbers of a tree, as scikit-learn draws them.

/// The largest number that is drawn.
const MOST: u32 = i32::MAX as u32;

/// A generator of 32 bits (G. Marsaglia, Xorshift RNGs, 2003).
pub(super) struct Draws(u32);

impl Draws {
    pub(super) fn new(seed: u32) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u32 {
        let mut state = self.0.max(1);
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        self.0 = state;
        state & MOST
    }

    /// A number from `low` on, below `high`.
    pub(super) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.next() as usize % (high - low)
    }

    /// A number from `low` to `high`.
    pub(super) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        (high - low) * f64::from(self.next()) / f64::from(MOST) + low
    }
}
