//! The smallest and the largest values of windows of rows.
//!
//! Windows of one length overlap: the best of each run of 1, 2, 4, ... rows is the better of two
//! shorter runs, and two such runs cover a window. That takes a pass over the rows for each power of
//! two, many rows at a time, where a queue of candidates goes row by row and guesses wrong.

use super::{Windows, present};
use crate::error::ProgramError;
use crate::reduce::extreme::Bounded;
use crate::simd::{Kernel, dispatch};

/// Writes the extreme of the values that are not NaN of each window; NaN where there are fewer than
/// `least` of these, or none.
///
/// Of equal values, which only zeros can tell, the last one counts.
///
/// # Errors
///
/// When lengths don't fit.
///
/// ```
/// use stratum_native_ops::{Windows, window_extremes};
/// let mut out = [0.0; 3];
/// let pairs = Windows::new(-1, 1, 1, 3)?;
/// window_extremes(&[3.0, f64::NAN, 5.0], pairs, 1, true, &mut out)?;
/// assert_eq!(out, [3.0, 3.0, 5.0]);
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
pub fn window_extremes(
    values: &[f64],
    windows: Windows,
    least: i64,
    smallest: bool,
    out: &mut [f64],
) -> Result<(), ProgramError> {
    windows.check(values, out)?;
    if smallest {
        extremes::<true>(values, windows, out);
    } else {
        extremes::<false>(values, windows, out);
    }
    let present = present(values);
    if present.is_none() && least <= 1 {
        // Only empty windows lack values, and those have been left alone.
        return Ok(());
    }
    let least = least.max(1);
    for (window, out) in out.iter_mut().enumerate() {
        let rows = windows.of(window);
        let count = match &present {
            Some(present) => i64::from(present[rows.end] - present[rows.start]),
            None => rows.len() as i64,
        };
        *out = if count < least { f64::NAN } else { *out };
    }
    Ok(())
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

fn extremes<const SMALLEST: bool>(values: &[f64], windows: Windows, out: &mut [f64]) {
    let whole = if windows.step == 1 && windows.start < windows.end {
        windows.whole()
    } else {
        0..0
    };
    let (before, rest) = out.split_at_mut(whole.start);
    let (inside, after) = rest.split_at_mut(whole.len());
    of_any_length::<SMALLEST>(values, windows, 0, before);
    if !inside.is_empty() {
        let first = windows.of(whole.start);
        let rows = &values[first.start..first.end - 1 + inside.len()];
        of_one_length::<SMALLEST>(rows, first.len(), inside);
    }
    of_any_length::<SMALLEST>(values, windows, whole.end, after);
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

/// Windows of some rows each, from one of them on, that overlap much or are few.
fn of_any_length<const SMALLEST: bool>(
    values: &[f64],
    windows: Windows,
    from: usize,
    out: &mut [f64],
) {
    out.fill(f64::NAN);
    let filled = |&window: &usize| !windows.of(from + window).is_empty();
    let mut waiting: Vec<usize> = (0..out.len()).filter(filled).collect();
    let (Some(&first), Some(&last)) = (waiting.first(), waiting.last()) else {
        return;
    };
    let (first, last) = (windows.of(from + first).start, windows.of(from + last).end);
    // The best of the `run` rows from each row on, which get fewer with each doubling.
    let mut best = vec![0.0; last - first];
    fill::<SMALLEST>(&values[first..last], &mut best);
    let mut run = 1;
    while !waiting.is_empty() {
        waiting.retain(|&window| {
            let rows = windows.of(from + window);
            let covered = rows.len() < 2 * run;
            if covered {
                let ending = rows.end - run;
                out[window] = better::<SMALLEST>(best[rows.start - first], best[ending - first]);
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
            for (least, step) in [(0, 1), (1, 1), (3, 1), (1, 4)] {
                let windows = Windows::new(-length, 0, step, values.len()).unwrap();
                let mut out = vec![7.0; windows.count()];
                window_extremes(values, windows, least, false, &mut out).unwrap();
                for (window, found) in out.into_iter().enumerate() {
                    let rows = &values[windows.of(window)];
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
                let pair = Windows::new(0, 2, 2, 2).unwrap();
                window_extremes(&[first, second], pair, 1, smallest, &mut out).unwrap();
                assert_eq!(out[0].to_bits(), second.to_bits());
            }
        }
    }
}
