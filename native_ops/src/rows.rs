//! Medians of the rows of a table: a sorting network over its columns, many rows at a time.

use crate::column::{Column, ColumnMut};
use crate::error::ProgramError;
use crate::fpenv::watch;
use crate::kernels::cast::CastTo;
use crate::reduce::median::Middle;
use crate::simd::{Kernel, dispatch};
use std::ops::Range;

/// What is sorted at once stays in the fastest cache.
const VALUES: usize = 2_048;
/// Fewer rows at once would leave vectors half empty.
const LEAST_ROWS: usize = 16;

/// Writes the median of each row, as NumPy's `nanmedian` along the shorter axis has it; returns
/// what was raised, as in [`crate::flags`].
///
/// Columns are converted to the dtype of `out`, which is a float. Missing values are skipped if
/// `skip`, else a row that has one has no median.
///
/// # Errors
///
/// When there are no columns, or lengths or dtypes don't fit.
///
/// ```
/// use stratum_native_ops::row_medians;
/// let (a, b, c) = ([1.0, f64::NAN], [5_i64, 6], [2_i64, 9]);
/// let columns = [a.as_slice().into(), b.as_slice().into(), c.as_slice().into()];
/// let mut out = [0.0; 2];
/// row_medians(&columns, true, &mut out.as_mut_slice().into())?;
/// assert_eq!(out, [2.0, 7.5]);
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
pub fn row_medians(
    columns: &[Column<'_>],
    skip: bool,
    out: &mut ColumnMut<'_>,
) -> Result<u32, ProgramError> {
    let rows = out.rows();
    if columns.is_empty() || columns.iter().any(|column| column.rows() != rows) {
        return Err(ProgramError("the lengths differ".to_owned()));
    }
    match out {
        ColumnMut::F64(out) => Ok(medians(columns, skip, out)),
        ColumnMut::F32(out) => Ok(medians(columns, skip, out)),
        _ => Err(ProgramError("medians are floats".to_owned())),
    }
}

fn medians<T: Cells>(columns: &[Column<'_>], skip: bool, out: &mut [T]) -> u32 {
    let network = network(columns.len());
    let rows = (VALUES / columns.len()).max(LEAST_ROWS);
    let mut sorted = vec![T::default(); columns.len() * rows];
    let (mut counts, mut middle) = (vec![0_u32; rows], vec![(T::NAN, T::NAN); rows]);
    let mut flagged = 0;
    for (number, out) in out.chunks_mut(rows).enumerate() {
        let start = number * rows;
        dispatch(Sort {
            columns,
            rows: start..start + out.len(),
            network: &network,
            sorted: &mut sorted,
            counts: &mut counts,
        });
        for (row, (middle, &count)) in middle[..out.len()].iter_mut().zip(&counts).enumerate() {
            let count = count as usize;
            *middle = if count == 0 || (count < columns.len() && !skip) {
                (T::NAN, T::NAN)
            } else {
                let at = |rank: usize| sorted[rank * out.len() + row];
                (at((count - 1) / 2), at(count / 2))
            };
        }
        // NumPy adds the value in the middle to itself where it skips missing ones. Its sums start
        // from 0, so that none is -0.0.
        let whole = !skip && columns.len() % 2 == 1;
        watch(&mut flagged, || {
            for (out, &(low, high)) in out.iter_mut().zip(&middle) {
                let low = low.add(T::default());
                *out = if whole { low } else { low.average(high) };
            }
        });
    }
    flagged
}

/// The pairs of places whose values have to be put in order, one after the other, so that any so
/// many values end up sorted: Batcher's merge exchange (Knuth, volume 3, algorithm 5.2.2M).
fn network(places: usize) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let top = places.next_power_of_two() / 2;
    let mut p = top;
    while p > 0 {
        let (mut q, mut r, mut d) = (top, 0, p);
        loop {
            pairs.extend(
                (0..places.saturating_sub(d))
                    .filter(|place| place & p == r)
                    .map(|place| (place, place + d)),
            );
            if q == p {
                break;
            }
            (d, q, r) = (q - p, q / 2, p);
        }
        p /= 2;
    }
    pairs
}

/// Floats that columns of any dtype are converted to.
trait Cells: Middle {
    /// Converts some rows of a column and counts, row by row, those that are not missing; infinity
    /// stands for the others, which then come last.
    fn load(column: Column<'_>, rows: Range<usize>, out: &mut [Self], counts: &mut [u32]);
}

macro_rules! cells {
    ($($T:ty),* => $names:tt) => {$( cells!(@one $T => $names); )*};
    (@one $T:ty => [$($name:ident),*]) => {
        impl Cells for $T {
            #[inline(always)]
            fn load(column: Column<'_>, rows: Range<usize>, out: &mut [Self], counts: &mut [u32]) {
                match column {
                    $(Column::$name(values) => convert(&values[rows], out, counts)),*
                }
            }
        }
    };
}
cells!(f64, f32 => [F64, F32, I64, I32, I16, I8, U64, U32, U16, U8, Bool]);

#[inline(always)]
fn convert<A: CastTo<T>, T: Cells>(values: &[A], out: &mut [T], counts: &mut [u32]) {
    for ((out, count), &value) in out.iter_mut().zip(counts).zip(values) {
        let value = value.cast();
        *out = if value.is_missing() {
            T::HIGHEST
        } else {
            value
        };
        *count += u32::from(!value.is_missing());
    }
}

/// Sorts each of some rows, column after column in `sorted`.
struct Sort<'a, T> {
    columns: &'a [Column<'a>],
    rows: Range<usize>,
    network: &'a [(usize, usize)],
    sorted: &'a mut [T],
    counts: &'a mut [u32],
}

impl<T: Cells> Kernel for Sort<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let rows = self.rows.len();
        let counts = &mut self.counts[..rows];
        counts.fill(0);
        for (column, out) in self.columns.iter().zip(self.sorted.chunks_exact_mut(rows)) {
            T::load(*column, self.rows.clone(), out, counts);
        }
        for &(low, high) in self.network {
            let (before, after) = self.sorted.split_at_mut(high * rows);
            let (lows, highs) = (&mut before[low * rows..][..rows], &mut after[..rows]);
            for (low, high) in lows.iter_mut().zip(highs) {
                let (a, b) = (*low, *high);
                *low = if b < a { b } else { a };
                *high = if b < a { a } else { b };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags;

    /// Zeros and ones are enough: a network that sorts all of these sorts everything.
    #[test]
    fn networks_sort() {
        for places in 1..=12 {
            for bits in 0..1_u32 << places {
                let mut values: Vec<u32> = (0..places).map(|place| bits >> place & 1).collect();
                for (low, high) in network(places) {
                    if values[high] < values[low] {
                        values.swap(low, high);
                    }
                }
                assert!(values.is_sorted(), "{values:?}");
            }
        }
    }

    #[test]
    fn medians_of_any_width() {
        for width in [1, 2, 3, 7, 16, 200] {
            let rows = 501;
            let table: Vec<Vec<f64>> = (0..width)
                .map(|column| {
                    let value = |row: usize| ((row * 37 + column * 101) % 211) as f64;
                    let missing = |row: usize| (row + column).is_multiple_of(5);
                    (0..rows)
                        .map(|row| if missing(row) { f64::NAN } else { value(row) })
                        .collect()
                })
                .collect();
            let columns: Vec<Column<'_>> = table.iter().map(|c| c.as_slice().into()).collect();
            let mut out = vec![0.0_f64; rows];
            row_medians(&columns, true, &mut out.as_mut_slice().into()).unwrap();
            for (row, median) in out.into_iter().enumerate() {
                let mut values: Vec<f64> = table.iter().map(|column| column[row]).collect();
                values.retain(|value| !value.is_nan());
                values.sort_by(f64::total_cmp);
                match values.len() {
                    0 => assert!(median.is_nan()),
                    n => assert_eq!(median, (values[(n - 1) / 2] + values[n / 2]) / 2.0),
                }
            }
        }
    }

    #[test]
    fn exceptions_that_numpy_would_tell_of() {
        let flags_of = |a: f64, b: f64, skip| {
            let (a, b) = ([a], [b]);
            let columns = [a.as_slice().into(), b.as_slice().into()];
            row_medians(&columns, skip, &mut [0.0].as_mut_slice().into()).unwrap()
        };
        assert_eq!(flags_of(0.0, -0.0, true), 0);
        assert_eq!(flags_of(1e308, 1.7e308, true), flags::OVERFLOW);
        assert_eq!(flags_of(f64::NAN, 1.7e308, true), flags::OVERFLOW);
        assert_eq!(flags_of(f64::NAN, 1.7e308, false), 0);
        assert_eq!(
            flags_of(f64::INFINITY, f64::NEG_INFINITY, true),
            flags::INVALID
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (a, b) = ([1.0], [1_i64, 2]);
        let mut out = [0.0; 2];
        let mut refused = |columns: &[Column<'_>]| {
            row_medians(columns, true, &mut out.as_mut_slice().into()).is_err()
        };
        assert!(refused(&[]));
        assert!(refused(&[b.as_slice().into(), a.as_slice().into()]));
        assert!(!refused(&[b.as_slice().into()]));
        let mut integers = [0_i64; 2];
        assert!(
            row_medians(
                &[b.as_slice().into()],
                true,
                &mut integers.as_mut_slice().into()
            )
            .is_err()
        );
    }
}
