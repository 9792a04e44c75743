//! Medians and quantiles by selection: bracket them with a sample, then look only inside.
//!
//! Two values of a sorted sample almost surely enclose a quantile. One pass counts what lies
//! below, on and above them and keeps the few per cent between, in which it is selected.
//! When the sample misled us, all values are selected from: the answer never depends on luck.

use crate::dtype::Element;
use crate::flags;
use crate::fpenv;
use crate::kernels::number::Number;
use crate::reduce::extreme::{Bounded, zeros};
use crate::simd::{Kernel, dispatch};
use std::cmp::Ordering;

/// Columns shorter than this are selected from as they are.
const SHORT: usize = 8192;
const SAMPLE: usize = 4096;

/// Floats whose median can be taken.
pub(crate) trait Middle: Bounded + Number {
    const NAN: Self;

    /// What `np.mean` makes of the two middle values.
    fn average(self, other: Self) -> Self;
}

impl Middle for f64 {
    const NAN: Self = Self::NAN;

    fn average(self, other: Self) -> Self {
        (self + other) / 2.0
    }
}

impl Middle for f32 {
    const NAN: Self = Self::NAN;

    fn average(self, other: Self) -> Self {
        (self + other) / 2.0
    }
}

/// The median of the values that are not NaN, NaN if there are none.
pub(crate) fn median<T: Middle>(values: &[T], flagged: &mut u32) -> T {
    let Some((low, high, count)) = ranked(values, 0.5, |count| (count - 1) / 2) else {
        return T::NAN;
    };
    // NumPy's mean starts from 0, which turns -0.0 to 0.0.
    let median = if count % 2 == 1 {
        low.add(T::default())
    } else {
        fpenv::watch(flagged, || low.average(high).add(T::default()))
    };
    let touches_zero = low == T::default() || (count % 2 == 0 && high == T::default());
    if median == T::default() && touches_zero && zeros(values) == 3 {
        *flagged |= flags::AMBIGUOUS_ZERO;
    }
    median
}

/// The quantile of the values that are not NaN as `np.quantile` interpolates it, else NaN.
pub(crate) fn quantile(values: &[f64], fraction: f64, flagged: &mut u32) -> f64 {
    let index = |count: usize| (count - 1) as f64 * fraction;
    let rank = |count| (index(count).floor() as usize).min(count - 1);
    let Some((low, high, count)) = ranked(values, fraction, rank) else {
        return f64::NAN;
    };
    if (low == 0.0 || high == 0.0) && zeros(values) == 3 {
        *flagged |= flags::AMBIGUOUS_ZERO;
    }
    // At the end NumPy counts the previous index as -1, and from there.
    let last = index(count) >= (count - 1) as f64;
    let previous = if last { -1.0 } else { index(count).floor() };
    let weight = index(count) - previous;
    fpenv::watch(flagged, || {
        let distance = high - low;
        if weight >= 0.5 {
            high - distance * (1.0 - weight)
        } else {
            low + distance * weight
        }
    })
}

/// The value of the rank that `rank` makes of the number of values that are not NaN, the next one
/// (the same if there is none), and that number; None if all are NaN.
///
/// `fraction` says about where the rank is.
fn ranked<T: Middle>(
    values: &[T],
    fraction: f64,
    rank: impl Fn(usize) -> usize,
) -> Option<(T, T, usize)> {
    if values.len() >= SHORT
        && let Some((lo, hi)) = bracket(values, fraction)
    {
        let mut split = Split::new(lo, hi);
        for chunk in values.chunks(1024) {
            let split = &mut split;
            dispatch(Scan {
                values: chunk,
                split,
            });
        }
        let count = split.present;
        if count > 0
            && let Some(low) = split.at(rank(count))
            && let Some(high) = split.at((rank(count) + 1).min(count - 1))
        {
            return Some((low, high, count));
        }
    }
    let mut present: Vec<T> = values.iter().copied().filter(|v| !v.is_missing()).collect();
    let count = present.len();
    if count == 0 {
        return None;
    }
    let (_, &mut low, above) = present.select_nth_unstable_by(rank(count), compare);
    let high = if above.is_empty() {
        low
    } else {
        smallest(above)
    };
    Some((low, high, count))
}

fn compare<T: Element>(a: &T, b: &T) -> Ordering {
    a.partial_cmp(b).unwrap_or(Ordering::Equal)
}

fn smallest<T: Bounded>(values: &[T]) -> T {
    let smaller = |a: T, &b: &T| if b < a { b } else { a };
    values.iter().fold(T::HIGHEST, smaller)
}

/// Two values between which a quantile most probably lies, from a spread-out sample.
fn bracket<T: Middle>(values: &[T], fraction: f64) -> Option<(T, T)> {
    // Multiples of the golden ratio fall evenly on the rows and out of step with any period.
    let row = |i: usize| {
        let fraction = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((u128::from(fraction) * values.len() as u128) >> 64) as usize
    };
    let mut sample: Vec<T> = (0..SAMPLE)
        .map(|i| values[row(i)])
        .filter(|v| !v.is_missing())
        .collect();
    if sample.len() < SAMPLE / 8 {
        return None;
    }
    // The median's rank in a sample of s varies by sqrt(s) / 2, and that of other quantiles by
    // less; allow for 3.5 times that.
    let reach = (1.75 * (sample.len() as f64).sqrt()) as usize;
    let center = (sample.len() as f64 * fraction) as usize;
    let first = center.saturating_sub(reach);
    let last = (center + reach).min(sample.len() - 1);
    let (_, &mut lo, above) = sample.select_nth_unstable_by(first, compare);
    let (_, &mut hi, _) = above.select_nth_unstable_by(last - first - 1, compare);
    Some((lo, hi))
}

/// Counts of the values around a bracket, and the values inside it.
struct Split<T> {
    lo: T,
    hi: T,
    below: usize,
    up_to_lo: usize,
    up_to_hi: usize,
    present: usize,
    inside: Vec<T>,
    kept: usize,
}

impl<T: Middle> Split<T> {
    fn new(lo: T, hi: T) -> Self {
        Self {
            lo,
            hi,
            below: 0,
            up_to_lo: 0,
            up_to_hi: 0,
            present: 0,
            inside: Vec::new(),
            kept: 0,
        }
    }

    /// The value of this rank.
    fn at(&mut self, rank: usize) -> Option<T> {
        if rank < self.below || rank >= self.up_to_hi {
            None
        } else if rank < self.up_to_lo {
            Some(self.lo)
        } else if rank < self.up_to_lo + self.kept {
            let inside = &mut self.inside[..self.kept];
            Some(
                *inside
                    .select_nth_unstable_by(rank - self.up_to_lo, compare)
                    .1,
            )
        } else {
            Some(self.hi)
        }
    }
}

/// Adds a chunk of values to a split.
struct Scan<'a, T> {
    values: &'a [T],
    split: &'a mut Split<T>,
}

impl<T: Middle> Kernel for Scan<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Split { lo, hi, .. } = *self.split;
        let split = self.split;
        let (mut below, mut up_to_lo, mut up_to_hi, mut present) = (0_u64, 0_u64, 0_u64, 0_u64);
        for &v in self.values {
            below += u64::from(v < lo);
            up_to_lo += u64::from(v <= lo);
            up_to_hi += u64::from(v <= hi);
            present += u64::from(!v.is_missing());
        }
        split.below += below as usize;
        split.up_to_lo += up_to_lo as usize;
        split.up_to_hi += up_to_hi as usize;
        split.present += present as usize;
        // Each value is written to the next free place, which only those inside then take.
        if split.inside.len() < split.kept + self.values.len() {
            split
                .inside
                .resize(2 * split.kept + 2 * self.values.len(), lo);
        }
        let free = &mut split.inside[split.kept..split.kept + self.values.len()];
        let mut kept = 0;
        for &v in self.values {
            free[kept] = v;
            kept += usize::from((v > lo) & (v < hi));
        }
        split.kept += kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted_median(values: &[f64]) -> f64 {
        let mut present: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        present.sort_by(f64::total_cmp);
        let n = present.len();
        match n {
            0 => f64::NAN,
            _ if n % 2 == 1 => present[n / 2],
            _ => (present[n / 2 - 1] + present[n / 2]) / 2.0,
        }
    }

    fn sorted_quantile(values: &[f64], fraction: f64) -> f64 {
        let mut present: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        present.sort_by(f64::total_cmp);
        let Some(last) = present.len().checked_sub(1) else {
            return f64::NAN;
        };
        let index = last as f64 * fraction;
        let low = index.floor() as usize;
        let (a, b) = (present[low], present[(low + 1).min(last)]);
        let weight = index - index.floor();
        if weight >= 0.5 {
            b - (b - a) * (1.0 - weight)
        } else {
            a + (b - a) * weight
        }
    }

    fn check(values: &[f64]) {
        let same = |ours: f64, expected: f64| {
            assert!(
                ours == expected || ours.is_nan() && expected.is_nan(),
                "{ours} {expected}"
            );
        };
        same(median(values, &mut 0), sorted_median(values));
        for fraction in [0.0, 0.001, 0.05, 0.25, 1.0 / 3.0, 0.5, 0.9, 0.999, 1.0] {
            same(
                quantile(values, fraction, &mut 0),
                sorted_quantile(values, fraction),
            );
        }
    }

    proptest! {
        #[test]
        fn short_columns(values in prop::collection::vec(-5_i32..5, 0..40)) {
            check(&values.iter().map(|&v| if v == 4 { f64::NAN } else { f64::from(v) }).collect::<Vec<_>>());
        }

        #[test]
        fn long_columns(n in 8_000_usize..40_000, seed: u64, distinct in 1_u64..100_000, missing in 0_u64..10) {
            let mut state = seed | 1;
            let values: Vec<f64> = (0..n).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let value = state >> 33;
                if value % 10 < missing { f64::NAN } else { (value % distinct) as f64 }
            }).collect();
            check(&values);
        }
    }

    #[test]
    fn a_misleading_sample_does_not_matter() {
        // The sampled rows hold values far above all others.
        let mut values = vec![1.0; 100_000];
        for i in 0..SAMPLE {
            let fraction = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let row = ((u128::from(fraction) * values.len() as u128) >> 64) as usize;
            values[row] = 100.0 + i as f64;
        }
        check(&values);
        let ascending: Vec<f64> = (0..100_000).map(f64::from).collect();
        check(&ascending);
    }

    #[test]
    fn both_zeros_are_flagged() {
        let mut flagged = 0;
        median(&[-0.0, 0.0, 1.0], &mut flagged);
        assert_eq!(flagged, flags::AMBIGUOUS_ZERO);
        flagged = 0;
        median(&[0.0, 0.0, 1.0], &mut flagged);
        assert_eq!(flagged, 0);
    }

    #[test]
    fn exceptions_of_the_two_middle_values() {
        for (values, raised) in [
            ([0.0, 5e-324], flags::UNDERFLOW),
            ([1e308, 1.7e308], flags::OVERFLOW),
            ([f64::NEG_INFINITY, f64::INFINITY], flags::INVALID),
            ([1.0, 2.0], 0),
        ] {
            let mut flagged = 0;
            median(&values, &mut flagged);
            assert_eq!(flagged, raised, "{values:?}");
        }
    }
}
