//! Whether pandas takes a column for strings, whichever rows it looks at together.
//!
//! pandas reads some thousand rows, decides on the type of each column, and goes on to the next
//! rows. A column is one of strings everywhere if each of these chunks has a cell that is neither a
//! number nor a bool. Rows that pandas reads on several threads are other chunks; where they are not
//! of one type it reads once more as described.

use super::Refusal;
use super::batch::Batch;
use super::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What was shown of each column and chunk.
pub(super) struct Proofs {
    /// Rows of a chunk.
    size: usize,
    columns: usize,
    shown: Vec<AtomicBool>,
}

impl Proofs {
    pub(super) fn new(rows: usize, columns: usize, size: usize) -> Self {
        let chunks = rows.div_ceil(size);
        Self {
            size,
            columns,
            shown: (0..chunks * columns).map(|_| false.into()).collect(),
        }
    }

    /// Looks for such cells in a batch; `row` is the number of its first row.
    ///
    /// `shown_to` is the row up to which the same thread has found them.
    ///
    /// # Errors
    ///
    /// When an integer comes first that may have no room: pandas keeps missing cells as text then.
    pub(super) fn look(
        &self,
        batch: &Batch<'_>,
        column: usize,
        row: usize,
        shown_to: &mut usize,
    ) -> Result<(), Refusal> {
        let end = row + batch.rows();
        let mut next = row.max(*shown_to);
        while next < end {
            let chunk = next / self.size;
            let chunk_end = (chunk + 1) * self.size;
            match Cell::read(batch.at(next - row, column)) {
                Cell::Text => {
                    self.shown[chunk * self.columns + column].store(true, Relaxed);
                    *shown_to = chunk_end;
                    next = chunk_end;
                }
                Cell::Long => return Err(Refusal::Unusual("integers of more than 64 bits")),
                _ => next += 1,
            }
        }
        Ok(())
    }

    /// Whether all chunks of a column have such a cell.
    pub(super) fn all(&self, column: usize) -> bool {
        let mut chunks = self.shown.chunks_exact(self.columns);
        chunks.all(|chunk| chunk[column].load(Relaxed))
    }
}
