//! The smallest and the largest values of windows of rows.
//!
//! Windows of one length overlap: the best of each run of 1, 2, 4, ... rows is the better of two
//! shorter runs, and two such runs cover a window. That takes a pass over the rows for each power of
//! two, many rows at a time, where a queue of candidates goes row by row and guesses wrong.

use crate::error::ProgramError;
use crate::reduce::extreme::Bounded;
use crate::simd::{Kernel, dispatch};
use std::ops::Range;

/// Writes the extreme of the values that are not NaN of each window, the rows from its start up to
/// its end; NaN where there are fewer than `least` of these, or none.
///
/// Of equal values, which only zeros can tell, the last one counts.
///
/// # Errors
///
/// When lengths don't fit, or a window has rows that there are not.
///
/// ```
/// use stratum_native_ops::window_extremes;
/// let mut out = [0.0; 3];
/// window_extremes(&[3.0, f64::NAN, 5.0], &[0, 0, 1], &[1, 2, 3], 1, true, &mut out)?;
/// assert_eq!(out, [3.0, 3.0, 5.0]);
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
pub fn window_extremes(
    values: &[f64],
    starts: &[i64],
    ends: &[i64],
    least: i64,
    smallest: bool,
    out: &mut [f64],
) -> Result<(), ProgramError> {
    let rows = values.len() as i64;
    let inside = |(&start, &end): (&i64, &i64)| 0 <= start && start <= end && end <= rows;
    if starts.len() != out.len() || ends.len() != out.len() {
        return Err(ProgramError("the lengths differ".to_owned()));
    }
    if !starts.iter().zip(ends).all(inside) {
        return Err(ProgramError("a window is outside of the rows".to_owned()));
    }
    let present = present(values);
    let windows = Windows { starts, ends };
    if smallest {
        extremes::<true>(values, windows, out);
    } else {
        extremes::<false>(values, windows, out);
    }
    if present.is_none() && least <= 1 {
        // Only empty windows lack values, and those have been left alone.
        return Ok(());
    }
    let least = least.max(1);
    for ((out, &start), &end) in out.iter_mut().zip(starts).zip(ends) {
        let count = match &present {
            Some(present) => i64::from(present[end as usize] - present[start as usize]),
            None => end - start,
        };
        *out = if count < least { f64::NAN } else { *out };
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Windows<'a> {
    starts: &'a [i64],
    ends: &'a [i64],
}

impl<'a> Windows<'a> {
    fn slice(self, windows: Range<usize>) -> Self {
        Self {
            starts: &self.starts[windows.clone()],
            ends: &self.ends[windows],
        }
    }

    fn first(self) -> Option<(usize, usize)> {
        (!self.starts.is_empty()).then(|| self.of(0))
    }

    /// The windows around the middle one that each are a row further than the one before.
    fn moving(self) -> Range<usize> {
        let further = |values: &'a [i64], at: usize| values[at] == values[at - 1] + 1;
        let both = |at: usize| further(self.starts, at) && further(self.ends, at);
        let middle = self.starts.len() / 2;
        if self.starts.is_empty() || self.of(middle).0 == self.of(middle).1 {
            return middle..middle;
        }
        let first = (1..=middle).rev().find(|&at| !both(at)).unwrap_or(0);
        let end = (middle + 1..self.starts.len()).find(|&at| !both(at));
        first..end.unwrap_or(self.starts.len())
    }

    fn of(self, window: usize) -> (usize, usize) {
        (self.starts[window] as usize, self.ends[window] as usize)
    }
}

/// Before each row, and after the last, how many values are not NaN; `None` if all are not.
fn present(values: &[f64]) -> Option<Vec<u32>> {
    if !values.iter().fold(false, |any, value| any | value.is_nan()) {
        return None;
    }
    let mut count = 0;
    let counts = values.iter().map(|value| {
        count += u32::from(!value.is_nan());
        count
    });
    Some(std::iter::once(0).chain(counts).collect())
}

#[inline(always)]
fn better<const SMALLEST: bool>(first: f64, second: f64) -> f64 {
    let later = if SMALLEST {
        second <= first
    } else {
        second >= first
    };
    if later { second } else { first }
}

#[inline(always)]
fn worst<const SMALLEST: bool>() -> f64 {
    if SMALLEST { f64::HIGHEST } else { f64::LOWEST }
}

fn extremes<const SMALLEST: bool>(values: &[f64], windows: Windows<'_>, out: &mut [f64]) {
    let moving = windows.moving();
    let (before, rest) = out.split_at_mut(moving.start);
    let (inside, after) = rest.split_at_mut(moving.len());
    of_any_length::<SMALLEST>(values, windows.slice(0..moving.start), before);
    if let Some((start, end)) = windows.slice(moving.clone()).first() {
        let rows = &values[start..end - 1 + inside.len()];
        of_one_length::<SMALLEST>(rows, end - start, inside);
    }
    let others = windows.slice(moving.end..windows.starts.len());
    of_any_length::<SMALLEST>(values, others, after);
}

/// Windows of so many rows, each a row further than the last, piece by piece in a fast cache.
fn of_one_length<const SMALLEST: bool>(values: &[f64], length: usize, out: &mut [f64]) {
    let piece = (2 * length).max(PIECE);
    let mut best = Vec::with_capacity(piece + length);
    for (number, out) in out.chunks_mut(piece).enumerate() {
        let rows = &values[number * piece..][..out.len() + length - 1];
        best.clear();
        best.resize(rows.len(), 0.0);
        dispatch(Slide::<SMALLEST> {
            rows,
            length,
            best: &mut best,
            out,
        });
    }
}

/// Windows of some rows each that overlap much, or are few.
fn of_any_length<const SMALLEST: bool>(values: &[f64], windows: Windows<'_>, out: &mut [f64]) {
    out.fill(f64::NAN);
    let filled = |&window: &usize| windows.of(window).0 < windows.of(window).1;
    let mut waiting: Vec<usize> = (0..out.len()).filter(filled).collect();
    let first = waiting.iter().map(|&window| windows.of(window).0).min();
    let last = waiting.iter().map(|&window| windows.of(window).1).max();
    let (Some(first), Some(last)) = (first, last) else {
        return;
    };
    // The best of the `run` rows from each row on, which get fewer with each doubling.
    let mut best = vec![0.0; last - first];
    fill::<SMALLEST>(&values[first..last], &mut best);
    let mut run = 1;
    while !waiting.is_empty() {
        waiting.retain(|&window| {
            let (start, end) = windows.of(window);
            let covered = end - start < 2 * run;
            if covered {
                out[window] = better::<SMALLEST>(best[start - first], best[end - run - first]);
            }
            !covered
        });
        double::<SMALLEST>(&mut best, run);
        run *= 2;
    }
}

#[inline(always)]
fn fill<const SMALLEST: bool>(values: &[f64], best: &mut [f64]) {
    for (best, &value) in best.iter_mut().zip(values) {
        *best = if value.is_nan() {
            worst::<SMALLEST>()
        } else {
            value
        };
    }
}

/// So many windows at once, or twice their length.
const PIECE: usize = 2_048;

struct Slide<'a, const SMALLEST: bool> {
    rows: &'a [f64],
    length: usize,
    best: &'a mut [f64],
    out: &'a mut [f64],
}

impl<const SMALLEST: bool> Kernel for Slide<'_, SMALLEST> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self {
            rows,
            length,
            best,
            out,
        } = self;
        fill::<SMALLEST>(rows, best);
        let mut run = 1;
        while 2 * run <= length {
            double::<SMALLEST>(best, run);
            run *= 2;
        }
        let firsts = &best[..out.len()];
        let seconds = &best[length - run..][..out.len()];
        for (out, (&first, &second)) in out.iter_mut().zip(firsts.iter().zip(seconds)) {
            *out = better::<SMALLEST>(first, second);
        }
    }
}

/// So many values are read before the first of them are written over.
const STRIDE: usize = 8;

/// Makes runs twice as long.
#[inline(always)]
fn double<const SMALLEST: bool>(best: &mut [f64], run: usize) {
    let whole = best.len().saturating_sub(run);
    let mut row = 0;
    while row + STRIDE <= whole {
        let mut made = [0.0; STRIDE];
        let (first, second) = (&best[row..][..STRIDE], &best[row + run..][..STRIDE]);
        for (made, (&first, &second)) in made.iter_mut().zip(first.iter().zip(second)) {
            *made = better::<SMALLEST>(first, second);
        }
        best[row..][..STRIDE].copy_from_slice(&made);
        row += STRIDE;
    }
    for row in row..whole {
        best[row] = better::<SMALLEST>(best[row], best[row + run]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_of_windows_of_any_length() {
        let nan = f64::NAN;
        let values: Vec<f64> = (0..100)
            .map(|i| {
                if i % 7 == 3 {
                    nan
                } else {
                    f64::from(i * 37 % 50)
                }
            })
            .collect();
        for (values, length) in [
            (&values[..], 1),
            (&values, 3),
            (&values, 40),
            (&values, 300),
        ] {
            let ends: Vec<i64> = (0..values.len() as i64).collect();
            let starts: Vec<i64> = ends.iter().map(|end| (end - length).max(0)).collect();
            for least in [0, 1, 3] {
                let mut out = vec![7.0; values.len()];
                window_extremes(values, &starts, &ends, least, false, &mut out).unwrap();
                for (window, found) in out.into_iter().enumerate() {
                    let rows = &values[starts[window] as usize..window];
                    let there = rows.iter().filter(|value| !value.is_nan());
                    if (there.clone().count() as i64) < least.max(1) {
                        assert!(found.is_nan());
                    } else {
                        assert_eq!(found, there.fold(f64::LOWEST, |a, &b| a.max(b)));
                    }
                }
            }
        }
    }

    #[test]
    fn the_last_of_equal_zeros() {
        for (first, second) in [(0.0_f64, -0.0_f64), (-0.0, 0.0)] {
            for smallest in [true, false] {
                let mut out = [7.0];
                let values = [first, second];
                window_extremes(&values, &[0], &[2], 1, smallest, &mut out).unwrap();
                assert_eq!(out[0].to_bits(), second.to_bits());
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut out = [0.0];
        let mut refused = |start: &[i64], end: &[i64]| {
            window_extremes(&[1.0, 2.0], start, end, 1, true, &mut out).is_err()
        };
        assert!(refused(&[0], &[3]));
        assert!(refused(&[-1], &[1]));
        assert!(refused(&[2], &[1]));
        assert!(refused(&[0, 0], &[1, 1]));
        assert!(!refused(&[0], &[2]));
    }
}
