//! A column of strings that grows row by row, in Arrow's layout.

use super::batch::Batch;
use super::cell::{MAY_BE_MISSING, is_missing};
use super::{Refusal, TextPart};
use crate::buffer::Buffer;
use crate::simd::{Kernel, dispatch};

/// Bytes that are copied at once, needed or not.
const STEP: usize = 16;

/// Strings of one part of the rows.
pub(super) struct Strings {
    rows: usize,
    offsets: Option<Buffer>,
    data: Buffer,
    bytes: usize,
    /// Rows appended so far.
    done: usize,
    missing: Vec<usize>,
}

impl Strings {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            rows,
            offsets: Buffer::try_new(8 * (rows + 1)),
            data: Buffer::new(0),
            bytes: 0,
            done: 0,
            missing: Vec::new(),
        }
    }

    /// Appends the cells of a column.
    ///
    /// # Errors
    ///
    /// When there is no memory for them.
    pub(super) fn append(&mut self, batch: &Batch<'_>, column: usize) -> Result<(), Refusal> {
        let rows = batch.rows();
        assert!(self.done + rows <= self.rows);
        // All of the text would fit, so that its cells do.
        let most = batch.length() + STEP;
        if self.bytes + most > self.data.bytes() {
            self.grow(batch, column, most)?;
        }
        let offsets = self.offsets.as_ref().ok_or(Refusal::Memory)?;
        // SAFETY: there is room for one more than all rows; nobody else knows of the buffer.
        let ends = unsafe {
            let start = offsets.start().cast::<i64>();
            if self.done == 0 {
                start.write(0);
            }
            std::slice::from_raw_parts_mut(start.add(1 + self.done), rows)
        };
        self.bytes = dispatch(Append {
            batch,
            column,
            ends,
            data: self.data.start(),
            bytes: self.bytes,
            first: self.done,
            missing: &mut self.missing,
        });
        self.done += rows;
        Ok(())
    }

    /// Makes room: for strings as long as these at first, later at least twice as much.
    fn grow(&mut self, batch: &Batch<'_>, column: usize, most: usize) -> Result<(), Refusal> {
        let lengths = batch
            .places(column)
            .map(|(before, end)| (end - before) as usize);
        let all = lengths.sum::<usize>() / batch.rows().max(1) * self.rows;
        let room = (all + most).max(2 * self.data.bytes() + most);
        let data = Buffer::try_new(room).ok_or(Refusal::Memory)?;
        // SAFETY: both have that many bytes.
        unsafe { std::ptr::copy_nonoverlapping(self.data.start(), data.start(), self.bytes) };
        self.data = data;
        Ok(())
    }

    /// The chunk, once all rows are there.
    pub(super) fn finish(self) -> Result<TextPart, Refusal> {
        assert!(self.done == self.rows && self.rows > 0);
        let validity = if self.missing.is_empty() {
            None
        } else {
            let length = self.rows.div_ceil(8);
            let bits = Buffer::try_new(length).ok_or(Refusal::Memory)?;
            // SAFETY: the buffer has that many bytes, and nobody else knows of it.
            let bytes = unsafe {
                bits.start().write_bytes(0xff, length);
                std::slice::from_raw_parts_mut(bits.start(), length)
            };
            for row in &self.missing {
                bytes[row / 8] &= !(1 << (row % 8));
            }
            Some(bits)
        };
        Ok(TextPart {
            rows: self.rows,
            missing: self.missing.len(),
            validity,
            offsets: self.offsets.ok_or(Refusal::Memory)?,
            data: self.data,
            bytes: self.bytes,
        })
    }
}

struct Append<'a, 'b> {
    batch: &'a Batch<'b>,
    column: usize,
    ends: &'a mut [i64],
    /// Has room for all cells and [`STEP`] bytes.
    data: *mut u8,
    bytes: usize,
    first: usize,
    missing: &'a mut Vec<usize>,
}

impl Kernel for Append<'_, '_> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let batch = self.batch;
        let mut bytes = self.bytes;
        let places = batch.places(self.column);
        for (row, (out, (before, end))) in self.ends.iter_mut().zip(places).enumerate() {
            let mut length = (end - before - 1) as usize;
            let first = batch.bytes::<1>(before + 1, 0)[0];
            // SAFETY: there is room for all cells, and for a step more.
            unsafe { batch.copy::<STEP>(before + 1, self.data.add(bytes)) };
            if length >= STEP {
                let cell = batch.cell((before, end));
                // SAFETY: as above.
                unsafe {
                    self.data
                        .add(bytes)
                        .copy_from_nonoverlapping(cell.as_ptr(), length)
                };
            } else if MAY_BE_MISSING[usize::from(first)] >> length & 1 == 1
                && is_missing(batch.cell((before, end)))
            {
                self.missing.push(self.first + row);
                length = 0;
            }
            bytes += length;
            *out = bytes as i64;
        }
        bytes
    }
}
