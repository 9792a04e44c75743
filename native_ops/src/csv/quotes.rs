//! Cells without the quotes around them.

use super::Refusal;
use super::batch::Batch;
use super::source::MARGIN;

/// Where cells are that have no quotes around them, and their text if it had to be changed.
#[derive(Default)]
pub(super) struct Clean {
    around: Vec<u8>,
    befores: Vec<u32>,
    ends: Vec<u32>,
}

impl Clean {
    /// Takes away the quotes of a batch, of which there are so many.
    ///
    /// # Errors
    ///
    /// When a quote neither begins nor ends a cell and is no pair inside of quotes.
    pub(super) fn take<'a>(
        &'a mut self,
        batch: &Batch<'a>,
        quotes: usize,
    ) -> Result<Batch<'a>, Refusal> {
        self.befores.clear();
        self.ends.clear();
        let mut outer = 0;
        for (before, end) in batch.cells() {
            let quoted = matches!(batch.cell((before, end)), [b'"', .., b'"']);
            outer += usize::from(quoted);
            self.befores.push(before + u32::from(quoted));
            self.ends.push(end - u32::from(quoted));
        }
        if 2 * outer != quotes {
            return self.copy(batch);
        }
        Ok(batch.with(batch.around(), &self.befores, &self.ends))
    }

    /// Copies all cells without quotes.
    fn copy<'a>(&'a mut self, batch: &Batch<'_>) -> Result<Batch<'a>, Refusal> {
        let Self {
            around,
            befores,
            ends,
        } = self;
        befores.clear();
        ends.clear();
        around.clear();
        around.resize(MARGIN + 1, 0);
        for place in batch.cells() {
            befores.push((around.len() - MARGIN - 1) as u32);
            append(batch.cell(place), around)?;
            ends.push((around.len() - MARGIN) as u32);
            around.push(0);
        }
        around.resize(around.len() + MARGIN, 0);
        Ok(batch.with(around, befores, ends))
    }
}

fn append(cell: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let inner = match cell {
        [b'"', inner @ .., b'"'] => inner,
        _ if cell.contains(&b'"') => return Err(Refusal::Unusual("quotes inside of cells")),
        _ => {
            out.extend_from_slice(cell);
            return Ok(());
        }
    };
    if !inner.contains(&b'"') {
        out.extend_from_slice(inner);
        return Ok(());
    }
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        if byte == b'"' && bytes.next() != Some(&b'"') {
            return Err(Refusal::Unusual("quotes inside of cells"));
        }
        out.push(byte);
    }
    Ok(())
}
