//! Numbers picked by position.

use crate::column::{Column, ColumnMut, Position};
use crate::dtype::{Bool, Element};
use crate::error::ProgramError;
use crate::simd::{Kernel, dispatch};

/// Writes the values at some positions (int64 or int32). Positions that there are not mean the
/// last value if `last`, else NaN, or -1 for integers.
///
/// # Errors
///
/// When the lengths or dtypes don't fit.
///
/// ```
/// use stratum_native_ops::gather;
/// let (positions, values) = ([1_i32, -1, 0], [0.5, 1.5, 2.5]);
/// let mut out = [0.0; 3];
/// gather(positions.as_slice().into(), values.as_slice().into(), &mut out.as_mut_slice().into(), true)?;
/// assert_eq!(out, [1.5, 2.5, 0.5]);
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
pub fn gather(
    positions: Column<'_>,
    values: Column<'_>,
    out: &mut ColumnMut<'_>,
    last: bool,
) -> Result<(), ProgramError> {
    match positions {
        Column::I64(positions) => pick(positions, values, out, last),
        Column::I32(positions) => pick(positions, values, out, last),
        _ => Err(ProgramError("positions are int64 or int32".to_owned())),
    }
}

fn pick<P: Position>(
    positions: &[P],
    values: Column<'_>,
    out: &mut ColumnMut<'_>,
    last: bool,
) -> Result<(), ProgramError> {
    if positions.len() != out.rows() {
        return Err(ProgramError("the lengths differ".to_owned()));
    }
    macro_rules! pick {
        ($($name:ident: $missing:expr),*) => {
            match (values, out) {
                $((Column::$name(values), ColumnMut::$name(out)) => {
                    let other = *values.last().filter(|_| last).unwrap_or(&$missing);
                    dispatch(Pick { positions, values, out, other });
                })*
                _ => return Err(ProgramError("the dtypes differ".to_owned())),
            }
        };
    }
    pick!(F64: f64::NAN, F32: f32::NAN, I64: -1, I32: -1, I16: -1, I8: -1, U64: u64::MAX,
          U32: u32::MAX, U16: u16::MAX, U8: u8::MAX, Bool: Bool(0));
    Ok(())
}

/// So many rows are picked at once: they stay in the innermost cache.
const BLOCK: usize = 512;

struct Pick<'a, P, T> {
    positions: &'a [P],
    values: &'a [T],
    out: &'a mut [T],
    other: T,
}

impl<P: Position, T: Element> Kernel for Pick<'_, P, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (values, other) = (self.values, self.other);
        let Some(last) = values.len().checked_sub(1) else {
            self.out.fill(other);
            return;
        };
        let blocks = self.out.chunks_mut(BLOCK).zip(self.positions.chunks(BLOCK));
        for (out, positions) in blocks {
            for (out, &position) in out.iter_mut().zip(positions) {
                *out = values[position.index().min(last)];
            }
            // Whether a row is missing can't be foreseen: in a loop of its own vectors do without
            // branches.
            for (out, &position) in out.iter_mut().zip(positions) {
                let value = *out;
                *out = if position.index() > last {
                    other
                } else {
                    value
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_picked() {
        let positions = [2_i64, -1, 0, 3];
        let values = [1.0, 2.0, 3.0];
        let picked = |last| {
            let mut out = [0.0; 4];
            let column = &mut out.as_mut_slice().into();
            gather(
                positions.as_slice().into(),
                values.as_slice().into(),
                column,
                last,
            )
            .unwrap();
            out.map(f64::to_bits)
        };
        assert_eq!(
            picked(false),
            [3.0, f64::NAN, 1.0, f64::NAN].map(f64::to_bits)
        );
        assert_eq!(picked(true), [3.0, 3.0, 1.0, 3.0].map(f64::to_bits));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (values, mut wrong) = ([1.0_f64], [0_i64; 4]);
        let mut refused = |positions: Column<'_>| {
            let column = &mut wrong.as_mut_slice().into();
            gather(positions, values.as_slice().into(), column, false).is_err()
        };
        assert!(refused([0_i64; 4].as_slice().into()));
        assert!(refused([0_i64; 3].as_slice().into()));
        assert!(refused([0_u8; 4].as_slice().into()));
    }
}
