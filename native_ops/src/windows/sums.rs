//! Sums and means of windows.
//!
//! With Kahan's correction of what comes in and of what leaves, each row waits for the one before.
//! Whole numbers need no correction as long as all sums of them are exact: these are differences
//! between running totals, which begin anew wherever that suits.

use super::{Moving, Windows, slide};
use crate::error::ProgramError;
use crate::simd::{Kernel, dispatch};
use std::ops::Range;

/// Writes the sum, or the mean, of the values that are not NaN of each window; NaN where there are
/// fewer than `least` of these. There is no mean of nothing.
///
/// # Errors
///
/// When lengths don't fit.
///
/// ```
/// use stratum_native_ops::{Windows, window_sums};
/// let mut out = [0.0; 3];
/// let pairs = Windows::new(-1, 1, 1, 3)?;
/// window_sums(&[3.0, f64::NAN, 0.5], pairs, 1, false, &mut out)?;
/// assert_eq!(out, [3.0, 3.0, 0.5]);
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
pub fn window_sums(
    values: &[f64],
    windows: Windows,
    least: i64,
    mean: bool,
    out: &mut [f64],
) -> Result<(), ProgramError> {
    windows.check(values, out)?;
    if mean {
        sums::<true>(values, windows, least, out);
    } else {
        sums::<false>(values, windows, least, out);
    }
    Ok(())
}

fn sums<const MEAN: bool>(values: &[f64], windows: Windows, least: i64, out: &mut [f64]) {
    let length = (windows.end - windows.start) as usize;
    let kind = kind(values);
    if !kind.exact || (kind.negative_zeros && length > SHORT) {
        let moving = Sum::<MEAN> {
            least,
            ..Sum::default()
        };
        return slide(values, windows, moving, out);
    }
    let piece = PIECE.max(2 * length / windows.step);
    let mut totals = Totals::default();
    for (number, out) in out.chunks_mut(piece).enumerate() {
        dispatch(Differences::<MEAN> {
            values,
            windows,
            from: number * piece,
            least,
            totals: &mut totals,
            out,
        });
    }
    if kind.negative_zeros {
        sign_zeros(values, windows, out);
    }
}

/// Gives the sum or mean of nothing but zeros the last one's sign, as that of equal values has it.
fn sign_zeros(values: &[f64], windows: Windows, out: &mut [f64]) {
    for (window, out) in out.iter_mut().enumerate() {
        if *out == 0.0 {
            let rows = &values[windows.of(window)];
            let mut present = rows.iter().rev().filter(|value| !value.is_nan());
            let last = present.next().copied().unwrap_or(0.0);
            if last.is_sign_negative() && last == 0.0 && present.all(|&value| value == 0.0) {
                *out = -0.0;
            }
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Sum<const MEAN: bool> {
    least: i64,
    count: i64,
    negative: i64,
    sum: f64,
    /// What rounding took from what came in, and from what left.
    added: f64,
    removed: f64,
    /// The last value that came in, and how often it did in a row.
    last: f64,
    repeated: i64,
}

impl<const MEAN: bool> Sum<MEAN> {
    /// Adds to the sum, and returns the new correction.
    #[inline(always)]
    fn change(&mut self, by: f64, correction: f64) -> f64 {
        let corrected = by - correction;
        let before = self.sum;
        self.sum += corrected;
        self.sum - before - corrected
    }
}

impl<const MEAN: bool> Moving for Sum<MEAN> {
    #[inline(always)]
    fn add(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.count += 1;
        self.negative += i64::from(value.is_sign_negative());
        self.added = self.change(value, self.added);
        self.repeated = if value == self.last {
            self.repeated + 1
        } else {
            1
        };
        self.last = value;
    }

    #[inline(always)]
    fn remove(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.count -= 1;
        self.negative -= i64::from(value.is_sign_negative());
        self.removed = self.change(-value, self.removed);
    }

    #[inline(always)]
    fn begin(&mut self, values: &[f64]) {
        *self = Self {
            least: self.least,
            ..Self::default()
        };
        for &value in values {
            self.add(value);
        }
    }

    #[inline(always)]
    fn result(&self) -> f64 {
        if self.count < self.least || self.count == 0 {
            return if MEAN || self.least > 0 {
                f64::NAN
            } else {
                0.0
            };
        }
        let count = self.count as f64;
        // Of equal values no digit gets lost, and a mean has the sign that all values have.
        match (MEAN, self.repeated >= self.count) {
            (true, true) => self.last,
            (false, true) => self.last * count,
            (false, false) => self.sum,
            (true, false) => {
                let mean = self.sum / count;
                let wrong = (self.negative == 0 && mean < 0.0)
                    || (self.negative == self.count && mean > 0.0);
                if wrong { 0.0 } else { mean }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Kind {
    /// All values are whole numbers or NaN, and sums of any of them exact.
    exact: bool,
    /// Among them, as rounding makes them of small numbers.
    negative_zeros: bool,
}

fn kind(values: &[f64]) -> Kind {
    let most = (1_u64 << 53) as f64 / values.len() as f64;
    let mut kind = Kind {
        exact: true,
        negative_zeros: false,
    };
    for values in values.chunks(PIECE) {
        let found = dispatch(Look { values, most });
        kind.exact &= found.exact;
        kind.negative_zeros |= found.negative_zeros;
        if !kind.exact {
            break;
        }
    }
    kind
}

struct Look<'a> {
    values: &'a [f64],
    most: f64,
}

impl Kernel for Look<'_> {
    type Output = Kind;

    #[inline(always)]
    fn run(self) -> Kind {
        let (mut exact, mut negative_zeros) = (true, false);
        for &value in self.values {
            let whole = (value.trunc() == value) & (value.abs() < self.most);
            exact &= value.is_nan() | whole;
            negative_zeros |= value.to_bits() == (-0.0_f64).to_bits();
        }
        Kind {
            exact,
            negative_zeros,
        }
    }
}

/// Up to so many rows of a window are looked at for the sign of a zero.
const SHORT: usize = 100;

/// So many windows at once, or twice their length.
const PIECE: usize = 2_048;

/// Before each row of a piece, and after the last: the sum of the values so far, and their number.
#[derive(Default)]
struct Totals {
    sums: Vec<f64>,
    counts: Vec<i32>,
}

impl Totals {
    #[inline(always)]
    fn add_up(&mut self, values: &[f64]) {
        self.sums.clear();
        self.counts.clear();
        self.sums.reserve(values.len() + 1);
        self.counts.reserve(values.len() + 1);
        let (mut sum, mut count) = (0.0, 0);
        self.sums.push(sum);
        self.counts.push(count);
        self.sums.extend(values.iter().map(|&value| {
            sum += if value.is_nan() { 0.0 } else { value };
            sum
        }));
        self.counts.extend(values.iter().map(|value| {
            count += i32::from(!value.is_nan());
            count
        }));
    }
}

struct Differences<'a, const MEAN: bool> {
    values: &'a [f64],
    windows: Windows,
    from: usize,
    least: i64,
    totals: &'a mut Totals,
    out: &'a mut [f64],
}

impl<const MEAN: bool> Kernel for Differences<'_, MEAN> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (windows, from, out) = (self.windows, self.from, self.out);
        let first = windows.of(from);
        let last = windows.of(from + out.len() - 1);
        self.totals.add_up(&self.values[first.start..last.end]);
        let Totals { sums, counts } = self.totals;
        let least = self.least.clamp(i64::from(MEAN), i64::from(i32::MAX)) as i32;
        let result = |sum: f64, count: i32| {
            let result = if MEAN { sum / f64::from(count) } else { sum };
            if count < least { f64::NAN } else { result }
        };
        let whole = windows.whole();
        if windows.step == 1 && whole.contains(&from) && from + out.len() <= whole.end {
            let length = first.len();
            let of_sums = sums.iter().zip(&sums[length..]);
            let of_counts = counts.iter().zip(&counts[length..]);
            for (out, ((start, end), (before, after))) in out.iter_mut().zip(of_sums.zip(of_counts))
            {
                *out = result(end - start, after - before);
            }
            return;
        }
        for (window, out) in out.iter_mut().enumerate() {
            let Range { start, end } = windows.of(from + window);
            let (start, end) = (start - first.start, end - first.start);
            *out = result(sums[end] - sums[start], counts[end] - counts[start]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums_of(values: &[f64], windows: (i64, i64, usize), least: i64, mean: bool) -> Vec<f64> {
        let windows = Windows::new(windows.0, windows.1, windows.2, values.len()).unwrap();
        let mut out = vec![7.0; windows.count()];
        window_sums(values, windows, least, mean, &mut out).unwrap();
        out
    }

    #[test]
    fn whole_numbers_with_and_without_corrections() {
        let value = |i: i64| match i % 11 {
            3 => f64::NAN,
            _ if i % 1_000 < 20 => [-0.0, 0.0][(i % 2) as usize],
            _ => (i * 37 % 101 - 50) as f64,
        };
        let values: Vec<f64> = (0..9_000).map(value).collect();
        assert!(kind(&values).exact);
        for windows in [
            (-6, 1, 1),
            (-3, 4, 1),
            (-5_000, 1, 1),
            (-7, 0, 3),
            (2, 9, 1),
            (0, 0, 1),
        ] {
            for (least, mean) in [(0, false), (1, true), (5, false), (7, true)] {
                let found = sums_of(&values, windows, least, mean);
                let windows = Windows::new(windows.0, windows.1, windows.2, values.len()).unwrap();
                let mut expected = vec![7.0; found.len()];
                if mean {
                    let moving = Sum::<true> {
                        least,
                        ..Sum::default()
                    };
                    slide(&values, windows, moving, &mut expected);
                } else {
                    let moving = Sum::<false> {
                        least,
                        ..Sum::default()
                    };
                    slide(&values, windows, moving, &mut expected);
                }
                let bits = |all: &[f64]| all.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&found), bits(&expected), "{windows:?} {least} {mean}");
            }
        }
    }

    #[test]
    fn which_sums_are_exact() {
        let is_exact = |values: &[f64]| kind(values).exact;
        assert!(is_exact(&[1.0, f64::NAN, -3.0, 0.0]));
        assert!(!is_exact(&[1.0, 0.5]));
        assert!(!is_exact(&[1.0, f64::INFINITY]));
        assert!(!is_exact(&[1.0, 9.1e15]));
        assert!(kind(&[1.0, -0.0]).negative_zeros && !kind(&[1.0, 0.0, -1.0]).negative_zeros);
    }

    #[test]
    fn equal_values_and_their_signs() {
        assert_eq!(
            sums_of(&[1e300, 0.1, 0.1, 0.1], (-2, 1, 1), 1, false)[3],
            0.1 * 3.0
        );
        assert_eq!(
            sums_of(&[1e300, 0.1, 0.1, 0.1], (-2, 1, 1), 1, true)[3],
            0.1
        );
        assert!(sums_of(&[0.0, -0.0], (-1, 1, 1), 1, true)[1].is_sign_negative());
        // Rounding left less than nothing of positive values.
        let values = [1e16, 1.0, 3.0, 1.5];
        assert!(
            sums_of(&values, (-1, 1, 1), 1, true)
                .iter()
                .all(|&mean| mean >= 0.0)
        );
    }

    #[test]
    fn nothing_in_a_window() {
        assert_eq!(sums_of(&[1.5, 2.0], (-1, 0, 1), 0, false), [0.0, 1.5]);
        assert!(sums_of(&[1.5, 2.0], (-1, 0, 1), 0, true)[0].is_nan());
        assert!(sums_of(&[f64::NAN, 2.0], (0, 1, 1), 1, false)[0].is_nan());
    }
}
