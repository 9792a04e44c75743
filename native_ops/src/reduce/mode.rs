//! The most frequent value.

use crate::flags;
use crate::reduce::extreme::{Bounded, zeros};
use std::cmp::Ordering;

/// The smallest of the most frequent values that are not missing, `None` if there are none.
pub(crate) fn mode<T: Bounded>(values: &[T], flagged: &mut u32) -> Option<T> {
    let mut present: Vec<T> = values.iter().copied().filter(|v| !v.is_missing()).collect();
    present.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    let mut best: Option<&[T]> = None;
    for run in present.chunk_by(|a, b| a == b) {
        if best.is_none_or(|best| run.len() > best.len()) {
            best = Some(run);
        }
    }
    let mode = best?[0];
    if mode == T::default() && zeros(values) == 3 {
        *flagged |= flags::AMBIGUOUS_ZERO;
    }
    Some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_of_the_most_frequent() {
        assert_eq!(
            mode(&[3.0, 1.0, f64::NAN, 3.0, 1.0, f64::NAN, f64::NAN], &mut 0),
            Some(1.0)
        );
        assert_eq!(mode(&[f64::NAN], &mut 0), None);
        assert_eq!(mode(&[5_u8, 7, 7], &mut 0), Some(7));
    }
}
