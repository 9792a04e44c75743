//! Some rows with the places of their cells.

use super::Refusal;
use super::source::MARGIN;
use super::split::Found;

/// The cells of some whole rows.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    /// The text and [`MARGIN`] bytes before and after it.
    around: &'a [u8],
    /// The byte before each cell, and the one after it.
    befores: &'a [u32],
    ends: &'a [u32],
    columns: usize,
}

impl<'a> Batch<'a> {
    /// Takes a text that was split.
    ///
    /// # Errors
    ///
    /// When a row has another number of cells.
    pub(super) fn new(
        around: &'a [u8],
        ends: &'a [u32],
        found: &Found,
        columns: usize,
    ) -> Result<Self, Refusal> {
        let text = &around[MARGIN..around.len() - MARGIN];
        // The first is the newline before the first row.
        let ends = &ends[..found.ends];
        // As many newlines as rows, and each where a row of that many cells ends.
        let even = !ends.is_empty()
            && (ends.len() - 1).is_multiple_of(columns)
            && found.lines == (ends.len() - 1) / columns + 1
            && (ends.iter().step_by(columns)).all(|&end| text.get(end as usize) == Some(&b'\n'));
        if !even {
            return Err(Refusal::Unusual("rows of different lengths"));
        }
        // Positions are ascending, so all lie inside of the text if the last does.
        Ok(Self {
            around,
            befores: &ends[..ends.len() - 1],
            ends: &ends[1..],
            columns,
        })
    }

    /// The same rows elsewhere.
    pub(super) fn with<'b>(
        &self,
        around: &'b [u8],
        befores: &'b [u32],
        ends: &'b [u32],
    ) -> Batch<'b> {
        assert!(befores.len() == self.ends.len() && ends.len() == self.ends.len());
        let length = around.len() - 2 * MARGIN;
        let fits = |(&before, &end): (&u32, &u32)| before < end && (end as usize) < length;
        assert!(befores.iter().zip(ends).all(fits));
        Batch {
            around,
            befores,
            ends,
            columns: self.columns,
        }
    }

    /// The text and what lies around it.
    pub(super) fn around(&self) -> &'a [u8] {
        self.around
    }

    /// How many bytes the text has.
    pub(super) fn length(&self) -> usize {
        self.around.len() - 2 * MARGIN
    }

    pub(super) fn rows(&self) -> usize {
        self.ends.len() / self.columns
    }

    /// The bytes before and after each cell, row by row.
    pub(super) fn cells(&self) -> impl Iterator<Item = (u32, u32)> {
        self.befores.iter().copied().zip(self.ends.iter().copied())
    }

    /// The bytes before and after each cell of a column.
    #[inline(always)]
    pub(super) fn places(&self, column: usize) -> impl ExactSizeIterator<Item = (u32, u32)> + 'a {
        assert!(column < self.columns);
        let (befores, ends, columns) = (self.befores, self.ends, self.columns);
        (0..self.rows()).map(move |row| {
            let place = row * columns + column;
            // SAFETY: there are `rows * columns` cells.
            unsafe { (*befores.get_unchecked(place), *ends.get_unchecked(place)) }
        })
    }

    /// The bytes of a cell between two places.
    #[inline(always)]
    pub(super) fn cell(&self, (before, end): (u32, u32)) -> &'a [u8] {
        &self.around[MARGIN + before as usize + 1..MARGIN + end as usize]
    }

    /// The cell of a row.
    pub(super) fn at(&self, row: usize, column: usize) -> &'a [u8] {
        let place = row * self.columns + column;
        self.cell((self.befores[place], self.ends[place]))
    }

    /// `N` bytes of the text from a place on, or from so many bytes before it.
    #[inline(always)]
    pub(super) fn bytes<const N: usize>(&self, place: u32, back: usize) -> [u8; N] {
        const { assert!(N < MARGIN) };
        assert!(back <= MARGIN);
        let start = MARGIN + place as usize - back;
        // SAFETY: places lie inside of the text or one behind it, with margins on both sides.
        unsafe { *self.around.as_ptr().add(start).cast::<[u8; N]>() }
    }

    /// Copies `N` bytes of the text from a place on.
    ///
    /// # Safety
    ///
    /// There is room for them.
    #[inline(always)]
    pub(super) unsafe fn copy<const N: usize>(&self, place: u32, out: *mut u8) {
        const { assert!(N < MARGIN) };
        // SAFETY: as in `bytes`, also one past the last place; the caller's promise.
        unsafe {
            let start = self.around.as_ptr().add(MARGIN + place as usize);
            start.copy_to_nonoverlapping(out, N);
        }
    }
}
