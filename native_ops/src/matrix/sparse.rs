//! Matrices of compressed sparse rows.

use super::{BLOCK, Feature, MatrixError, check, numbers, starts};
use crate::dictionary::entry;

/// Memory of a matrix of compressed sparse rows.
#[derive(Debug)]
pub struct SparseRows<'a> {
    /// Room for an entry of each feature in each row.
    pub data: &'a mut [f64],
    /// As many.
    pub indices: &'a mut [i32],
    /// One more than rows.
    pub indptr: &'a mut [i32],
}

/// Writes all that is not zero as compressed sparse rows, columns ascending; returns the number of
/// entries.
///
/// # Errors
///
/// When a shape is wrong or needs larger integers, or a number infinite.
pub fn write_sparse(
    features: &[Feature<'_>],
    rows: usize,
    out: SparseRows<'_>,
) -> Result<usize, MatrixError> {
    check(features, rows)?;
    let (starts, width) = starts(features);
    let SparseRows {
        data,
        indices,
        indptr,
    } = out;
    let entries = rows.checked_mul(features.len());
    let small = |n: usize| i32::try_from(n).is_ok();
    if entries != Some(data.len())
        || data.len() != indices.len()
        || indptr.len() != rows + 1
        || !(small(data.len()) && small(width))
    {
        return Err(MatrixError::Shape);
    }
    let mut block = Block {
        values: vec![0.0; features.len() * BLOCK],
        columns: vec![0; features.len() * BLOCK],
        count: 0,
        full: true,
    };
    let mut written = 0;
    indptr[0] = 0;
    for start in (0..rows).step_by(BLOCK) {
        block.count = BLOCK.min(rows - start);
        block.compute(features, &starts, start)?;
        let ends = &mut indptr[start + 1..start + 1 + block.count];
        written = block.write(written, data, indices, ends);
    }
    Ok(written)
}

/// Some rows, feature by feature.
struct Block {
    values: Vec<f64>,
    columns: Vec<i32>,
    count: usize,
    /// Whether every row has an entry of every feature.
    full: bool,
}

impl Block {
    fn compute(
        &mut self,
        features: &[Feature<'_>],
        starts: &[usize],
        start: usize,
    ) -> Result<(), MatrixError> {
        self.full = true;
        let values = self.values.chunks_exact_mut(BLOCK);
        let columns = self.columns.chunks_exact_mut(BLOCK);
        for (((feature, &first), values), columns) in
            features.iter().zip(starts).zip(values).zip(columns)
        {
            let (values, columns) = (&mut values[..self.count], &mut columns[..self.count]);
            if let Feature::OneHot { codes, slots, .. } = *feature {
                for ((column, value), &code) in columns
                    .iter_mut()
                    .zip(values.iter_mut())
                    .zip(&codes[start..])
                {
                    let slot = entry(slots, code);
                    *column = first as i32 + slot;
                    *value = f64::from(u8::from(slot >= 0));
                }
            } else {
                numbers(feature, start, values)?;
                columns.fill(first as i32);
            }
            self.full &= values.iter().fold(true, |all, &value| all & (value != 0.0));
        }
        Ok(())
    }

    /// Writes the rows from entry `written` on; returns the number of entries then.
    fn write(
        &self,
        mut written: usize,
        data: &mut [f64],
        indices: &mut [i32],
        ends: &mut [i32],
    ) -> usize {
        let features = self.values.len() / BLOCK;
        if self.full && features > 0 {
            let entries = written..written + self.count * features;
            let data = &mut data[entries.clone()];
            let indices = &mut indices[entries];
            for feature in 0..features {
                let first = feature * BLOCK;
                let values = &self.values[first..first + self.count];
                for (row, &value) in data.chunks_exact_mut(features).zip(values) {
                    row[feature] = value;
                }
                let columns = &self.columns[first..first + self.count];
                for (row, &column) in indices.chunks_exact_mut(features).zip(columns) {
                    row[feature] = column;
                }
            }
            for end in ends {
                written += features;
                *end = written as i32;
            }
            return written;
        }
        for (row, end) in ends.iter_mut().enumerate() {
            for entry in (row..self.values.len()).step_by(BLOCK) {
                if self.values[entry] != 0.0 {
                    data[written] = self.values[entry];
                    indices[written] = self.columns[entry];
                    written += 1;
                }
            }
            *end = written as i32;
        }
        written
    }
}
