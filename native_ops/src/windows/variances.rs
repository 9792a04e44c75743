//! Variances and standard deviations of windows: Welford's way, with Kahan's correction.

use super::{Moving, Windows, slide};
use crate::error::ProgramError;

/// A sum of squares that fell to such a part of itself has lost most of its digits.
const LOST: f64 = f64::EPSILON * 1e3;

/// Writes the variance, or its root, of the values that are not NaN of each window; NaN where there
/// are fewer than `least` of these, or no more than `ddof`, or none. A root of less than nothing,
/// which rounding can leave, is 0.
///
/// # Errors
///
/// When lengths don't fit.
///
/// ```
/// use stratum_native_ops::{Windows, window_variances};
/// let mut out = [0.0; 3];
/// let pairs = Windows::new(-1, 1, 1, 3)?;
/// window_variances(&[3.0, 5.0, 1.0], pairs, 1, 0, false, &mut out)?;
/// assert_eq!(out, [0.0, 1.0, 4.0]);
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
pub fn window_variances(
    values: &[f64],
    windows: Windows,
    least: i64,
    ddof: i32,
    root: bool,
    out: &mut [f64],
) -> Result<(), ProgramError> {
    windows.check(values, out)?;
    let moving = Variance {
        least: least.max(1) as f64,
        ddof: f64::from(ddof),
        ..Variance::default()
    };
    slide(values, windows, moving, out);
    if root {
        for value in out {
            *value = if *value < 0.0 { 0.0 } else { value.sqrt() };
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Default)]
struct Variance {
    least: f64,
    ddof: f64,
    count: f64,
    mean: f64,
    squares: f64,
    /// What rounding took from what came in, and from what left.
    added: f64,
    removed: f64,
    lost: bool,
}

impl Moving for Variance {
    #[inline(always)]
    fn add(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.count += 1.0;
        let before = self.mean - self.added;
        let corrected = value - self.added;
        let delta = corrected - self.mean;
        self.added = delta + self.mean - corrected;
        self.mean += delta / self.count;
        self.change((value - before) * (value - self.mean));
    }

    #[inline(always)]
    fn remove(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.count -= 1.0;
        if self.count == 0.0 {
            (self.mean, self.squares, self.lost) = (0.0, 0.0, false);
            return;
        }
        let before = self.mean - self.removed;
        let corrected = value - self.removed;
        let delta = corrected - self.mean;
        self.removed = delta + self.mean - corrected;
        self.mean -= delta / self.count;
        self.change(-((value - before) * (value - self.mean)));
    }

    #[inline(always)]
    fn begin(&mut self, values: &[f64]) {
        *self = Self {
            least: self.least,
            ddof: self.ddof,
            ..Self::default()
        };
        for &value in values {
            self.add(value);
        }
        self.lost = false;
    }

    #[inline(always)]
    fn is_lost(&self) -> bool {
        self.lost
    }

    #[inline(always)]
    fn result(&self) -> f64 {
        if self.count >= self.least && self.count > self.ddof {
            self.squares / (self.count - self.ddof)
        } else {
            f64::NAN
        }
    }
}

impl Variance {
    #[inline(always)]
    fn change(&mut self, by: f64) {
        let before = self.squares;
        self.squares += by;
        self.lost |= before * LOST > self.squares;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_and_their_roots() {
        let nan = f64::NAN;
        let values = [1.0, 2.0, nan, 4.0, 1e9, 1e9, 1e9, 1.0, 1.0, 1.0];
        let windows = Windows::new(-2, 1, 1, values.len()).unwrap();
        let mut out = [7.0; 10];
        window_variances(&values, windows, 2, 1, false, &mut out).unwrap();
        assert!(out[0].is_nan());
        // What nearly cancels is computed from the window's values alone.
        assert_eq!(out[1..4], [0.5, 0.5, 2.0]);
        assert_eq!((out[6], out[9]), (0.0, 0.0));
        let mut roots = [7.0; 10];
        window_variances(&values, windows, 2, 1, true, &mut roots).unwrap();
        assert!(
            roots[1..]
                .iter()
                .zip(&out[1..])
                .all(|(a, b)| *a == b.sqrt())
        );
    }

    #[test]
    fn too_few_values() {
        let mut out = [7.0; 3];
        let windows = Windows::new(-1, 1, 1, 3).unwrap();
        window_variances(&[1.0, 2.0, 4.0], windows, 0, 2, false, &mut out).unwrap();
        assert!(out.iter().all(|value| value.is_nan()));
        window_variances(&[1.0, 2.0, 4.0], windows, 0, -2, false, &mut out).unwrap();
        assert_eq!(out, [0.0, 0.125, 0.5]);
    }
}
