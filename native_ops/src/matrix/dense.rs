//! Dense matrices, rows or columns one after another.

use super::{BLOCK, Feature, MatrixError, check, numbers, starts};
use crate::dictionary::entry;

/// Writes a matrix whose rows lie one after another; `out` holds zeros.
///
/// # Errors
///
/// When a shape is wrong, or a number infinite.
pub fn write_rows(
    features: &[Feature<'_>],
    rows: usize,
    out: &mut [f64],
) -> Result<(), MatrixError> {
    check(features, rows)?;
    let (starts, width) = starts(features);
    if rows.checked_mul(width) != Some(out.len()) {
        return Err(MatrixError::Shape);
    }
    if width == 0 {
        return Ok(());
    }
    let mut buffer = [0.0; BLOCK];
    for start in (0..rows).step_by(BLOCK) {
        let count = BLOCK.min(rows - start);
        let block = &mut out[start * width..(start + count) * width];
        for (feature, &column) in features.iter().zip(&starts) {
            if let Feature::OneHot { codes, slots, .. } = *feature {
                for (row, &code) in block.chunks_exact_mut(width).zip(&codes[start..]) {
                    if let Ok(slot) = usize::try_from(entry(slots, code)) {
                        row[column + slot] = 1.0;
                    }
                }
            } else {
                numbers(feature, start, &mut buffer[..count])?;
                for (row, &value) in block.chunks_exact_mut(width).zip(&buffer) {
                    row[column] = value;
                }
            }
        }
    }
    Ok(())
}

/// Writes a matrix whose columns lie one after another; `out` holds zeros.
///
/// # Errors
///
/// When a shape is wrong, or a number infinite.
pub fn write_columns(
    features: &[Feature<'_>],
    rows: usize,
    out: &mut [f64],
) -> Result<(), MatrixError> {
    check(features, rows)?;
    let (starts, width) = starts(features);
    if rows.checked_mul(width) != Some(out.len()) {
        return Err(MatrixError::Shape);
    }
    for (feature, &column) in features.iter().zip(&starts) {
        let out = &mut out[column * rows..];
        if let Feature::OneHot { codes, slots, .. } = *feature {
            for (row, &code) in codes.iter().enumerate() {
                if let Ok(slot) = usize::try_from(entry(slots, code)) {
                    out[slot * rows + row] = 1.0;
                }
            }
        } else {
            for (block, out) in out[..rows].chunks_mut(BLOCK).enumerate() {
                numbers(feature, block * BLOCK, out)?;
            }
        }
    }
    Ok(())
}
