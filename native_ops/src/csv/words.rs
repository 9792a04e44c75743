//! The last bytes of all cells of a column side by side, for loops over several cells at a time.

use super::batch::Batch;
use crate::simd::{Kernel, dispatch};

/// Eight bytes for each row.
#[derive(Default)]
pub(super) struct Words {
    /// The last eight bytes up to each cell's end, the last one highest.
    pub(super) words: Vec<u64>,
    /// How many bits of them lie before the cell; more than 56 where it is empty or longer.
    pub(super) shifts: Vec<u64>,
}

impl Words {
    /// Loads the cells of a column.
    pub(super) fn load(&mut self, batch: &Batch<'_>, column: usize) {
        self.words.resize(batch.rows(), 0);
        self.shifts.resize(batch.rows(), 0);
        dispatch(Load(self, batch, column));
    }
}

struct Load<'a, 'b>(&'a mut Words, &'a Batch<'b>, usize);

impl Kernel for Load<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self(Words { words, shifts }, batch, column) = self;
        let places = batch.places(column);
        for ((word, shift), (before, end)) in words.iter_mut().zip(shifts).zip(places) {
            *word = u64::from_le_bytes(batch.bytes(end, 8));
            // 64 less 8 for each byte; what is longer than 8 bytes wraps.
            *shift = u64::from((before.wrapping_sub(end)).wrapping_mul(8).wrapping_add(72));
        }
    }
}
