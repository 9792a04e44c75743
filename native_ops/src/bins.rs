//! Where numbers lie between edges.

use crate::column::Column;
use crate::error::ProgramError;
use crate::simd::{Kernel, dispatch};

/// From here on edges are searched instead of compared with, one after the other.
const MANY: usize = 48;
/// Rows that stay in the fastest cache while all edges pass by.
const BLOCK: usize = 1024;
/// Integers of at most this size are floats too.
const EXACT: u64 = 1 << 53;

/// Writes where each value lies: below edge `i` but above the one before `2 i`, on it `2 i + 1`,
/// above all `2 n`; -1 for NaN.
///
/// # Errors
///
/// When the lengths or dtypes don't fit, edges are not ascending, or an integer is no float.
///
/// ```
/// let mut places = [0; 4];
/// stratum_native_ops::places([0.5, 1.0, 7.0, f64::NAN].as_slice().into(), &[0.0, 1.0], &mut places)?;
/// assert_eq!(places, [2, 3, 4, -1]);
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
pub fn places(values: Column<'_>, edges: &[f64], out: &mut [i32]) -> Result<(), ProgramError> {
    if values.rows() != out.len() {
        return Err(ProgramError("the lengths differ".to_owned()));
    }
    let ascending = edges.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || edges.iter().any(|edge| edge.is_nan()) || edges.len() >= 1 << 24 {
        return Err(ProgramError("edges are not ascending".to_owned()));
    }
    match values {
        Column::F64(values) => find_all(values, edges, out, |v| v),
        Column::I64(values) => {
            if values.iter().any(|value| value.unsigned_abs() > EXACT) {
                return Err(ProgramError("an integer is no float".to_owned()));
            }
            find_all(values, edges, out, |v| v as f64);
        }
        Column::I32(values) => find_all(values, edges, out, f64::from),
        Column::I16(values) => find_all(values, edges, out, f64::from),
        Column::I8(values) => find_all(values, edges, out, f64::from),
        _ => return Err(ProgramError("no such values".to_owned())),
    }
    Ok(())
}

fn find_all<T: Copy>(values: &[T], edges: &[f64], out: &mut [i32], float: impl Fn(T) -> f64) {
    let mut block = [0.0; BLOCK];
    for (values, out) in values.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
        let block = &mut block[..values.len()];
        for (target, &value) in block.iter_mut().zip(values) {
            *target = float(value);
        }
        if edges.len() < MANY {
            dispatch(Compare {
                values: block,
                edges,
                out,
            });
        } else {
            for (out, &value) in out.iter_mut().zip(&*block) {
                *out = search(value, edges);
            }
        }
    }
}

fn search(value: f64, edges: &[f64]) -> i32 {
    if value.is_nan() {
        return -1;
    }
    let below = edges.partition_point(|&edge| edge < value);
    let on = edges.get(below).is_some_and(|&edge| edge == value);
    2 * below as i32 + i32::from(on)
}

struct Compare<'a> {
    values: &'a [f64],
    edges: &'a [f64],
    out: &'a mut [i32],
}

impl Kernel for Compare<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (out, &value) in self.out.iter_mut().zip(self.values) {
            *out = -i32::from(value.is_nan());
        }
        for &edge in self.edges {
            for (out, &value) in self.out.iter_mut().zip(self.values) {
                *out += i32::from(edge < value) + i32::from(edge <= value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_searched(
            values in prop::collection::vec(-9_i32..9, 0..50),
            edges in prop::collection::btree_set(-9_i32..9, 0..9),
            many: bool,
        ) {
            let values: Vec<f64> = values.iter()
                .map(|&v| if v == 8 { f64::NAN } else { f64::from(v) / 2.0 }).collect();
            let mut edges: Vec<f64> = edges.into_iter().map(f64::from).collect();
            if many {
                edges.extend((10..100).map(f64::from));
            }
            let mut out = vec![0; values.len()];
            places(values.as_slice().into(), &edges, &mut out).unwrap();
            for (&place, &value) in out.iter().zip(&values) {
                prop_assert_eq!(place, search(value, &edges));
                if place >= 0 {
                    let below = edges.iter().filter(|&&edge| edge < value).count() as i32;
                    prop_assert_eq!(place, 2 * below + i32::from(edges.contains(&value)));
                }
            }
        }
    }
}
